"""The whole bot against the simulator's own PBX model, in virtual time: minutes of calls in milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Busy, Call, NoAnswer, Rejected, TransferFailed, events

from .kit import BOTH, NUMBERS, world


@BOTH
@pytest.mark.parametrize("kind", ["tone", "echo", "ring", "early", "direct-200", "reoffer", "glare", "media-stop"])
async def test_services_that_answer(kind: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with (
        world(dialect, tmp_path, ("45", "bot", None)) as (_, [bot]),
        bot.events() as stream,
        bot.dial(NUMBERS[kind]) as call,
    ):
        await call.sleep(8)
        assert call.state == "up"
        await call.hangup()
        assert call.reason == "hangup"
        told = [type(event).__name__ async for event in _until_end(stream)]
        assert told.count("CallAnswered") == told.count("CallEnded") == 1


async def _until_end(stream: trio.MemoryReceiveChannel[events.Event]) -> AsyncIterator[events.Event]:
    async for event in stream:
        if isinstance(event, events.CallEvent):
            yield event
        if isinstance(event, events.CallEnded):
            return


@BOTH
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("busy", Busy),
        ("reject", Rejected),
        ("codec-mismatch", Rejected),
        ("early-then-busy", Busy),
        ("no-answer", NoAnswer),
        ("refuse-transfer", Rejected),
    ],
)
async def test_services_that_do_not(
    kind: str, error: type[Exception], dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(dialect, tmp_path, ("45", "bot", None)) as (_, [bot]):
        with pytest.raises(error):
            async with bot.dial(NUMBERS[kind], timeout=30):
                pytest.fail("it was answered")


@BOTH
async def test_the_pbx_hangs_up(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with world(dialect, tmp_path, ("45", "bot", None)) as (_, [bot]), bot.dial(NUMBERS["bye"]) as call:
        await call.wait_ended()
        assert call.reason == "remote_hangup"
        assert call.duration == pytest.approx(2, abs=0.2)


@BOTH
async def test_one_bot_calls_another_holds_it_and_transfers_it(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    seen: list[str] = []

    async def answering(call: Call) -> None:
        await call.answer()
        seen.append(call.remote.number)
        await call.wait_ended()
        seen.append(call.reason)

    async with (
        world(dialect, tmp_path, ("45", "bot", answering), ("46", "demo", None)) as (made, [_, caller]),
        caller.dial("45") as call,
    ):
        await call.sleep(60)
        await call.hold()
        await call.sleep(300)
        await call.resume()
        with pytest.raises(TransferFailed):
            await call.transfer(NUMBERS["refuse-transfer"])
        await call.sleep(5)
        assert call.state == "up"
        await call.transfer(NUMBERS["tone"])
        assert call.reason == "transferred"
        await trio.sleep(1)
        assert seen == ["46"]
        left = made.pbx.pbx.snapshot()["legs"]
        assert [(leg["user"], leg["state"], leg["media_up"]) for leg in left] == [("45", "up", True)]


@BOTH
async def test_a_call_survives_the_socket(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with (
        world(dialect, tmp_path, ("45", "bot", None)) as (made, [bot]),
        bot.events() as stream,
        bot.dial(NUMBERS["tone"]) as call,
    ):
        await call.sleep(5)
        made.pbx.cut_all()
        await call.sleep(20)
        await call.hangup()
        assert call.reason == "hangup"
        await trio.sleep(1)
        kinds = []
        while stream.statistics().current_buffer_used:
            kinds.append(type(await stream.receive()))
        assert kinds.count(events.SessionDown) == kinds.count(events.SessionUp) == 1


async def test_twenty_calls_at_once_to_the_same_number(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with world("modern", tmp_path, ("45", "bot", None)) as (made, [bot]):
        answered = 0

        async def one() -> None:
            nonlocal answered
            async with bot.dial(NUMBERS["tone"]) as call:
                answered += 1
                await call.sleep(3)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(one)
        assert answered == 20
        await trio.sleep(1)
        assert made.wire.open_ends == 0


async def test_the_cancel_crosses_the_answer(tmp_path: Path, autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async def answering(call: Call) -> None:
        try:
            await call.answer()
        finally:
            seen.append(call.reason)

    async with world("modern", tmp_path, ("45", "bot", answering)) as (_, [bot]):
        with pytest.raises(NoAnswer):
            async with bot.dial(NUMBERS["cancel-crosses-answer"]):
                pytest.fail("it was answered")
        await trio.sleep(5)
    assert seen == ["cancelled"]


