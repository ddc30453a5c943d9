"""Hold and resume from either side, in both ways of the protocol, against the simulator's PBX model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, CallEnded, IllegalMove, events
from vodiabot.sim.config import default

from .kit import BOTH, World, world

TOLD = pytest.mark.parametrize("told", ["by call-state", "by an offer"])
SIDE = pytest.mark.parametrize("side", ["caller", "callee"])


@dataclass
class Held:
    """46 has called 45; `ours` is the call of the one that the test watches, `theirs` that of the other."""

    world: World
    ours: Call
    theirs: Call
    heard: list[events.Event]

    def changes(self) -> list[str]:
        return [event.what for event in self.heard if isinstance(event, events.CallChanged) and event.what != "remote"]

    def leg(self, call: Call) -> dict[str, Any]:
        """The PBX's view of it."""
        legs = self.world.pbx.pbx.snapshot()["legs"]
        return next(leg for leg in legs if leg["user"] == call.extension)


@asynccontextmanager
async def talking(dialect: str, told: str, side: str, state: Path) -> AsyncIterator[Held]:
    answered: list[Call] = []

    async def handler(call: Call) -> None:
        await call.answer()
        answered.append(call)
        await call.wait_ended()

    config = replace(default(), dialect=dialect, hold_by_reoffer=told == "by an offer")
    bots = [("45", "bot", handler), ("46", "demo", None)]
    async with world(config, state, *bots) as (made, [callee, caller]), trio.open_nursery() as nursery:
        heard: list[events.Event] = []
        await nursery.start(listen, caller if side == "caller" else callee, heard)
        async with caller.dial("45") as call:
            await call.sleep(2)
            ours, theirs = (call, answered[0]) if side == "caller" else (answered[0], call)
            yield Held(made, ours, theirs, heard)
        nursery.cancel_scope.cancel()


async def listen(bot: Bot, heard: list[events.Event], *, task_status: trio.TaskStatus[None]) -> None:
    async with bot.events() as stream:
        task_status.started()
        while True:
            heard.append(await stream.receive())


@BOTH
@TOLD
@SIDE
async def test_we_hold_and_resume(
    side: str, told: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, told, side, tmp_path) as here:
        for _ in range(2):
            await here.ours.hold()
            await here.ours.sleep(1)
            assert (here.ours.state, here.leg(here.ours)["held"]) == ("held", True)
            await here.ours.sleep(100)
            await here.ours.resume()
            assert here.ours.state == "up"
            await here.ours.sleep(5)
            assert (here.leg(here.ours)["held"], here.leg(here.ours)["media_up"]) == (False, True)
        assert here.changes() == ["held", "resumed", "held", "resumed"]
        sent = [f for _, f in here.world.pbx.received if f["action"] == "wrtc-hold" and f["holdcmd"] == "sendrecv"]
        assert ["sdp" in frame for frame in sent] == [dialect == "classic"] * 2
        assert {frame["calldir"] for frame in sent} == {side}
        with pytest.raises(IllegalMove):
            await here.ours.resume()
    assert here.ours.reason in ("hangup", "remote_hangup")


@BOTH
@TOLD
@SIDE
async def test_the_other_side_holds_us(
    side: str, told: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, told, side, tmp_path) as here:
        for _ in range(2):
            await here.theirs.hold()
            await here.ours.sleep(1)
            assert here.ours.held_by_remote
            assert here.ours.state == "up"
            await here.theirs.resume()
            await here.ours.sleep(1)
            assert not here.ours.held_by_remote
        assert here.changes() == ["held_by_remote", "resumed_by_remote"] * 2
        assert here.leg(here.ours)["media_up"]


@BOTH
@TOLD
async def test_both_sides_hold_each_other(told: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking(dialect, told, "caller", tmp_path) as here:
        await here.theirs.hold()
        await here.ours.sleep(1)
        await here.ours.hold()
        await here.ours.sleep(1)
        assert (here.ours.state, here.theirs.state) == ("held", "held")
        await here.ours.resume()
        await here.ours.sleep(3)
        assert (here.ours.state, here.theirs.state) == ("up", "held")
        await here.theirs.resume()
        await here.ours.sleep(3)
        assert (here.ours.state, here.theirs.state) == ("up", "up")
        assert not here.ours.held_by_remote
        assert not here.theirs.held_by_remote


@BOTH
@pytest.mark.parametrize("who", ["us", "them"])
async def test_a_hangup_while_held(who: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking(dialect, "by call-state", "caller", tmp_path) as here:
        await here.ours.hold()
        await here.ours.sleep(1)
        await (here.ours if who == "us" else here.theirs).hangup()
        await trio.sleep(1)
        assert (here.ours.reason, here.theirs.reason) == (
            ("hangup", "remote_hangup") if who == "us" else ("remote_hangup", "hangup")
        )
        with pytest.raises(CallEnded):
            await here.ours.resume()
