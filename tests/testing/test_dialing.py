"""Every outcome of a dial is a distinct one, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Busy, Call, ConnectionLost, DialFailed, NoAnswer, Rejected, events

from .kit import BOTH, NUMBERS, world


def reject(code: int) -> Callable[[Call], Any]:
    async def handler(call: Call) -> None:
        await call.reject(code)

    return handler


async def stay(call: Call) -> None:
    await call.wait_ended()


OUTCOMES: dict[str, tuple[Callable[[Call], Any], type[Exception], int | None]] = {
    "busy": (reject(486), Busy, 486),
    "declined": (reject(603), Rejected, 603),
    "nobody answers": (stay, NoAnswer, None),
}


@BOTH
@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_colleague_does_not_answer(
    outcome: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    handler, error, code = OUTCOMES[outcome]
    async with (
        world(dialect, tmp_path, ("45", "bot", None), ("46", "demo", handler)) as (_, [bot, _other]),
        bot.events() as stream,
    ):
        with pytest.raises(error):
            async with bot.dial("46", timeout=12):
                pytest.fail("it was answered")
        await trio.sleep(1)
        ended = [event for event in _waiting(stream) if isinstance(event, events.CallEnded)]
        assert [(event.code, event.answered) for event in ended] == [(code, False)]


def _waiting(stream: trio.MemoryReceiveChannel[events.Event]) -> list[events.Event]:
    found = []
    while stream.statistics().current_buffer_used:
        found.append(stream.receive_nowait())
    return found


@BOTH
@pytest.mark.parametrize("kind", ["no-answer", "ring", "early"])
@pytest.mark.parametrize("way", ["timeout", "cancelled", "hangup"])
async def test_a_dial_is_given_up_while_it_rings(
    way: str, kind: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        world(dialect, tmp_path, ("45", "bot", None)) as (made, [bot]),
        bot.events() as stream,
        trio.open_nursery() as nursery,
    ):
        if way == "cancelled":
            with trio.move_on_after(1.0):
                async with bot.dial(NUMBERS[kind]):
                    pytest.fail("it was answered")
        else:
            if way == "hangup":
                nursery.start_soon(_hang_up, bot, 1.0)
            with pytest.raises(NoAnswer if way == "timeout" else DialFailed):
                async with bot.dial(NUMBERS[kind], timeout=1.0 if way == "timeout" else None):
                    pytest.fail("it was answered")
        await trio.sleep(10)
        assert bot.calls == []
        [ended] = [event for event in _waiting(stream) if isinstance(event, events.CallEnded)]
        assert ended.reason == ("no_answer" if way == "timeout" else "hangup")
        [bye] = [frame for _, frame in made.pbx.received if frame["action"] == "sip-bye"]
        assert bye["caller"] == "true"


async def _hang_up(bot: Any, after: float) -> None:
    await trio.sleep(after)
    await bot.calls[0].hangup()


@BOTH
async def test_early_media_is_told_and_can_be_recorded(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        world(dialect, tmp_path, ("45", "bot", None)) as (_, [bot]),
        bot.events() as stream,
        trio.open_nursery() as nursery,
    ):
        states: list[str] = []

        async def hear() -> None:
            async for event in stream:
                if isinstance(event, events.CallRinging):
                    [call] = bot.calls
                    states.append(f"{call.state} {event.early_media}")
                    recording = await call.record(tmp_path / "early.wav", max_seconds=1.0)
                    states.append(recording.stopped_by)
                    return

        nursery.start_soon(hear)
        async with bot.dial(NUMBERS["early"]) as call:
            assert call.state == "up"
        assert states == ["ringing True", "max_seconds"]


async def test_the_socket_dies_while_it_rings(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with world("modern", tmp_path, ("45", "bot", None)) as (made, [bot]), trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            made.pbx.cut_all()

        nursery.start_soon(cut)
        with pytest.raises(ConnectionLost):
            async with bot.dial(NUMBERS["no-answer"]):
                pytest.fail("it was answered")
        await trio.sleep(60)
