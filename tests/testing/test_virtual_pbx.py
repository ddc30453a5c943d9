"""The whole bot against the simulator's own PBX model, in virtual time: minutes of calls in milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Busy, Call, NoAnswer, Rejected, TransferFailed, events
from vodiabot.config import parse
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.model import Implementation
from vodiabot.session import Session
from vodiabot.sim.config import SimConfig, default
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.wire import Wire

SETTINGS = """
[pbx]
url = "ws://pbx.example.com"
domain = "localhost"

[[extension]]
user = "{user}"
password = "{password}"

[bot]
state_dir = "{state}"
drain_timeout = "5s"

[limits]
dial_allow = ["*"]

[plugins]
enabled = ["author"]

[[route]]
plugin = "author"
"""

Handler = Callable[[Call], Any]


class World:
    """A virtual PBX and the bots on it."""

    def __init__(self, config: SimConfig, state: Path) -> None:
        self.wire = Wire()
        self.pbx = VirtualPbx(config, self.wire)
        self._state = state

    def bot(self, user: str, password: str, handler: Handler | None = None) -> Bot:
        text = SETTINGS.format(user=user, password=password, state=self._state.as_posix())
        plugins = [_plugin(handler)] if handler is not None else []
        make_session = partial(Session, connect=self.pbx.connect)
        return Bot(
            parse(text),
            plugins=plugins,
            media=VirtualMedia(self.wire).opened,
            make_session=make_session,
            wall=trio.current_time,
        )


def _plugin(handler: Handler) -> LoadedPlugin:
    hook = Implementation("answer_call", handler, ("call",))
    return LoadedPlugin("author", SimpleNamespace(), {"answer_call": hook})


@asynccontextmanager
async def world(
    pbx: str | SimConfig, state: Path, *bots: tuple[str, str, Handler | None]
) -> AsyncIterator[tuple[World, list[Bot]]]:
    """The PBX and its bots, all registered; afterwards nothing is left on either side."""
    made = World(replace(default(), dialect=pbx) if isinstance(pbx, str) else pbx, state)
    running = [made.bot(*bot) for bot in bots]
    async with trio.open_nursery() as nursery:
        await nursery.start(made.pbx.run)
        async with trio.open_nursery() as living:
            for bot in running:
                await living.start(bot.run)
                await bot.wait_up(20)
            yield made, running
            for bot in running:
                bot.drain()
        assert made.pbx.pbx.snapshot()["legs"] == []
        assert made.pbx.pbx.snapshot()["calls"] == []
        nursery.cancel_scope.cancel()


BOTH = pytest.mark.parametrize("dialect", ["classic", "modern"])
NUMBERS = {service.kind: service.number for service in default().services}


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


