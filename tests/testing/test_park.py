"""Park orbits in virtual time: parked, seen, picked up, refused, hung up, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, CallEnded, NotAllowed, Rejected, TransferFailed, events
from vodiabot.calls import DialGuard
from vodiabot.sim.config import Orbit, SimConfig, default

from .kit import BOTH, NUMBERS, World, world

ANNA, BRUNO, CLARA = ("46", "demo"), ("47", "demo"), ("48", "demo")


async def answer(call: Call) -> None:
    await call.answer()
    await call.wait_ended()


async def settle() -> None:
    """Let all that has no pause run."""
    await trio.sleep(0.01)


@asynccontextmanager
async def talking(
    config: str | SimConfig, tmp_path: Path
) -> AsyncIterator[tuple[World, Bot, Call, Bot, Bot, list[Call]]]:
    """The bot (45) talks to Bruno (47); Anna (46) and Clara (48) are about. The last: what rang at each of them."""
    rang: list[Call] = []

    async def taken(call: Call) -> None:
        rang.append(call)
        await answer(call)

    bots = (("45", "bot", taken), (*ANNA, taken), (*BRUNO, taken), (*CLARA, taken))
    async with world(config, tmp_path, *bots) as (here, [bot, anna, _, clara]), bot.dial("47") as call:
        await settle()
        rang.clear()
        yield here, bot, call, anna, clara, rang


@BOTH
async def test_parked_seen_by_all_and_picked_up_by_another(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, tmp_path) as (here, bot, call, _, clara, _):
        assert bot.parked == []
        assert await call.park("701") == "701"
        assert (call.state, call.reason) == ("ended", "transferred")
        await settle()
        for one in (bot, clara):
            [parked] = one.parked
            assert (parked.orbit, parked.caller.number, parked.caller.display) == ("701", "47", "Bruno")
        async with clara.pick_up("701") as picked, bot.events() as stream:
            await settle()
            assert (picked.remote.number, picked.remote.name) == ("47", "Bruno")
            assert [leg["hears"] for leg in legs_of(here, "47")] == [f"fromleg {legs_of(here, '48')[0]['id']}"]
            assert clara.parked == []
            await picked.sleep(6)
            assert bot.parked == []
            assert [e for e in waiting(stream) if isinstance(e, events.DomainCallEnded)]
        await settle()
        assert bot.domain_calls == {}


def legs_of(here: World, user: str) -> list[dict[str, str]]:
    return [leg for leg in here.pbx.pbx.snapshot()["legs"] if leg["user"] == user]


def waiting(stream: trio.MemoryReceiveChannel[events.Event]) -> list[events.Event]:
    found = []
    while stream.statistics().current_buffer_used:
        found.append(stream.receive_nowait())
    return found


@BOTH
async def test_without_a_number_a_free_orbit_is_taken_and_who_waits_longest_is_picked_up(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, tmp_path) as (_, bot, call, _, clara, _):
        assert await call.park() == "701"
        await trio.sleep(10)
        async with clara.dial(NUMBERS["tone"]) as other:
            assert await other.park() == "702"
        await settle()
        assert [one.orbit for one in bot.parked] == ["701", "702"]
        async with bot.dial(NUMBERS["tone"]) as third:
            with pytest.raises(NotAllowed, match="no park orbit that is free"):
                await third.park()
            assert third.state == "up"
        async with bot.pick_up(timeout=5) as first, bot.pick_up(bot.parked[0]) as second:
            await settle()
            assert (first.remote.number, second.remote.number) == ("47", NUMBERS["tone"])
            assert bot.parked == []


@BOTH
@pytest.mark.parametrize("orbit", ["701", "709"])
async def test_refused_the_caller_is_still_there(
    orbit: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, tmp_path) as (here, bot, call, _, clara, _):
        async with clara.dial(NUMBERS["tone"]) as other:
            await other.park("701")
        with pytest.raises(TransferFailed) as caught:
            await call.park(orbit)
        assert caught.value.code == (486 if orbit == "701" else 404)
        await call.sleep(5)
        assert call.state == "up"
        assert [leg["hears"] for leg in legs_of(here, "47")] == [f"fromleg {legs_of(here, '45')[0]['id']}"]
        async with bot.pick_up("701"):
            pass


@BOTH
async def test_an_orbit_that_others_took_meanwhile_is_not_the_end(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, tmp_path) as (_, bot, call, _, clara, _):
        async with clara.dial(NUMBERS["tone"]) as other:
            await other.park("701")
        await settle()
        bot.parking._picked |= bot.domain_calls.keys()  # so it looks free to the bot
        assert await call.park() == "702"
        bot.parking._picked.clear()
        async with bot.pick_up("701"), bot.pick_up("702"):
            pass


@BOTH
async def test_who_is_parked_hangs_up_and_is_gone(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking(dialect, tmp_path) as (here, bot, call, _, _, _):
        await call.park("701")
        await settle()
        assert len(bot.parked) == 1
        call_id = legs_of(here, "47")[0]["callid"]
        here.pbx.lever(lambda now: here.pbx.pbx.hang_up(now, call_id))
        await settle()
        assert bot.parked == []
        with pytest.raises(Rejected) as caught:
            async with bot.pick_up("701"):
                raise AssertionError("nobody is there")
        assert caught.value.code == 404
        with pytest.raises(NotAllowed, match="nobody is parked"):
            async with bot.pick_up():
                raise AssertionError("nobody is there")


async def test_who_hangs_up_before_is_not_parked(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking("modern", tmp_path) as (here, bot, call, _, _, _):
        call_id = legs_of(here, "47")[0]["callid"]
        here.pbx.lever(lambda now: here.pbx.pbx.hang_up(now, call_id))
        await settle()
        with pytest.raises(CallEnded):
            await call.park("701")
        await settle()
        assert bot.parked == []


@BOTH
async def test_a_parked_call_that_nobody_wants_comes_back(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    config = replace(default(), dialect=dialect, orbits=(Orbit("701", returns_after=30),))
    async with talking(config, tmp_path) as (_, bot, call, _, _, rang):
        await call.park("701")
        await trio.sleep(29)
        assert (len(bot.parked), rang) == (1, [])
        await trio.sleep(2)
        [back] = rang
        assert (back.remote.number, back.state) == ("47", "up")
        assert bot.parked == []
        await back.hangup()


@pytest.mark.parametrize("allow", [["@domain"], ["70?"], ["*8?701"]])
async def test_the_limits_name_the_orbit_or_the_code(
    allow: list[str], tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking("modern", tmp_path) as (_, bot, call, _, _, _):
        guard = DialGuard(allow, 2, lambda: bot.domain.accounts, "localhost")
        bot.guard = bot.lines[0].switchboard._guard = guard
        await call.park("701")
        async with bot.pick_up("701") as back:
            with pytest.raises(NotAllowed, match="dials_per_minute"):
                await back.park("701")


async def test_what_the_limits_forbid_is_not_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking("modern", tmp_path) as (here, bot, call, _, _, _):
        guard = DialGuard(["5??"], 30, set)
        bot.guard = bot.lines[0].switchboard._guard = guard
        here.pbx.received.clear()
        for orbit in ("701", "501;x", "501@elsewhere.example", "+501", "*77501", "", "501 "):
            with pytest.raises(NotAllowed):
                await call.park(orbit)
            with pytest.raises(NotAllowed):
                async with bot.pick_up(orbit):
                    raise AssertionError("not allowed")
        sent = {frame["action"] for _, frame in here.pbx.received}
        assert not sent & {"blind-transfer2", "sdp-packet"}
        assert call.state == "up"


async def test_a_pick_up_that_is_cancelled_leaves_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking("modern", tmp_path) as (_, bot, call, _, clara, _):
        await call.park("701")
        await settle()
        with trio.move_on_after(3):
            async with clara.pick_up("701") as picked:
                await picked.sleep(60)
        assert clara.calls == []
        await settle()
        assert bot.domain_calls == {}
