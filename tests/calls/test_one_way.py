"""One-way audio: told once, when it should not be so, and told again when it is over."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from vodiabot import events
from vodiabot.calls.one_way import PATIENCE, FarSideChanged, FromUs, OneWay
from vodiabot.ports import FarSideDeaf, FarSideHeard, FarSideHears, FarSideSilent
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.testing.media import VirtualLeg

from .kit import running
from .test_gathering import Talk, talking

# --- the decision ----------------------------------------------------------------------------------------------------


class Told:
    """A `OneWay` whose deadlines are kept, and what it has told when."""

    def __init__(self) -> None:
        self.one_way = OneWay()
        self.expected = False
        self.news: list[tuple[float, float | None]] = []
        self.now = 0.0

    def until(self, now: float) -> None:
        while self.one_way.deadline <= now:
            self._judge(self.one_way.deadline)
        self._judge(now)

    def _judge(self, now: float) -> None:
        self.now = now
        fact = self.one_way.judge(self.expected, now)
        if fact is not None:
            self.news.append((now, fact.seconds))

    def at(self, now: float, what: str) -> None:
        self.until(now)
        match what:
            case "silent":
                self.one_way.hear(FarSideSilent(5.0), now)
            case "heard":
                self.one_way.hear(FarSideHeard(), now)
            case "up" | "hold":
                self.expected = what == "up"
        self._judge(now)


SCRIPTS: dict[str, tuple[list[tuple[float, str]], list[tuple[float, float | None]]]] = {
    "silent from the middle on": ([(0, "up"), (20, "silent"), (60, "hold"), (70, "up")], [(20, 5.0)]),
    "heard again, and gone again": (
        [(0, "up"), (20, "silent"), (30, "heard"), (40, "silent")],
        [(20, 5.0), (30, None), (40, 5.0)],
    ),
    "on hold": ([(0, "up"), (8, "hold"), (10, "silent"), (20, "heard"), (21, "up")], []),
    "on hold and after it": ([(0, "up"), (8, "hold"), (10, "silent"), (30, "up")], [(35, 5.0)]),
    "back soon after the hold": ([(0, "up"), (8, "hold"), (10, "silent"), (30, "up"), (33, "heard")], []),
    "two holds": ([(0, "up"), (8, "hold"), (10, "silent"), (30, "up"), (33, "hold"), (50, "up")], [(55, 5.0)]),
    "before the answer": ([(6, "silent"), (7, "heard"), (10, "up")], []),
    "before the answer and after it": ([(6, "silent"), (10, "up")], [(15, 5.0)]),
    "since shortly before the answer": ([(4, "up"), (6, "silent")], [(9, 5.0)]),
    "heard on hold": ([(0, "up"), (20, "silent"), (25, "hold"), (30, "heard"), (40, "up")], [(20, 5.0), (30, None)]),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_when_it_is_told(name: str) -> None:
    script, expected = SCRIPTS[name]
    told = Told()
    for now, what in script:
        told.at(now, what)
    told.until(1000)
    assert told.news == expected
    assert told.one_way.deadline == math.inf


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["silent", "heard", "up", "hold"])), max_size=30))
def test_it_is_told_in_turns_and_never_on_hold(steps: list[tuple[int, str]]) -> None:
    told = Told()
    for wait, what in steps:
        before = len(told.news)
        held = not told.expected
        told.at(told.now + wait, what)
        if held and what != "up":
            assert all(seconds is None for _, seconds in told.news[before:])
    told.until(told.now + 2 * PATIENCE)
    kinds = [seconds is None for _, seconds in told.news]
    assert kinds == [bool(i % 2) for i in range(len(kinds))]
    last = next((what for _, what in reversed(steps) if what in ("silent", "heard")), "heard")
    if told.expected:
        assert len(kinds) % 2 == (last == "silent"), "in the end it is known how things are"


def test_how_long_is_long_is_the_medias_to_say() -> None:
    one_way = OneWay()
    one_way.judge(True, 0.0)
    one_way.hear(FarSideSilent(2.0), 20.0)
    assert one_way.judge(True, 20.0) == FarSideChanged(seconds=2.0)


WORDS: dict[str, tuple[list[tuple[float, object]], list[tuple[float, float | None]]]] = {
    "it does not hear us": ([(0, "up"), (20, 10.0), (25, 15.0), (40, None)], [(20, 10.0), (40, None)]),
    "since before the answer": ([(12, "up"), (14, 10.0), (19, 15.0)], [(19, 7.0)]),
    "on hold": ([(0, "up"), (10, "hold"), (30, 10.0), (60, None), (70, "up")], []),
    "on hold, and a word of that comes soon after": (
        [(0, "up"), (10, "hold"), (30, 10.0), (35, "up"), (37, 17.0), (42, None)],
        [],
    ),
    "on hold and after it": ([(0, "up"), (10, "hold"), (30, 10.0), (35, "up"), (37, 17.0), (42, 22.0)], [(42, 7.0)]),
    "once": ([(0, "up"), (20, 10.0), (25, "hold"), (30, "up"), (50, 40.0)], [(20, 10.0)]),
    "nothing is taken back that was not told": ([(0, "hold"), (20, 10.0), (30, "up"), (31, None)], []),
}


@pytest.mark.parametrize("name", WORDS)
def test_when_it_is_told_that_we_are_not_heard(name: str) -> None:
    script, expected = WORDS[name]
    from_us, up, news = FromUs(), False, []
    for now, what in script:
        if isinstance(what, str):
            up = what == "up"
        else:
            from_us.hear(FarSideDeaf(what) if isinstance(what, float) else FarSideHears(), now)
        if (fact := from_us.judge(up, now)) is not None:
            news.append((now, fact.seconds))
    assert news == expected


# --- the flow --------------------------------------------------------------------------------------------------------


def told(talk: Talk) -> list[str]:
    return [
        event.what if isinstance(event, events.CallChanged) else type(event).__name__
        for event in talk.bench.told
        if not isinstance(event, events.CallRinging | events.CallAnswered)
    ]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Talk, VirtualLeg]]:
    async with talking() as talk:
        await talk.call.sleep(10)
        yield talk, talk.bench.media.legs[0]


async def test_a_call_tells_it_once_and_when_it_is_over(autojump_clock: MockClock) -> None:
    async with listening() as (talk, leg):
        leg.fall_silent(5.0)
        await talk.call.sleep(20)
        assert told(talk) == ["far_side_silent", "CallSilent"]
        [event] = [event for event in talk.bench.told if isinstance(event, events.CallSilent)]
        assert (event.call_id, event.seconds) == (talk.call.id, pytest.approx(5.0))
        assert talk.call.stats().silent_for == pytest.approx(25.0)
        leg.be_heard()
        await talk.call.sleep(1)
        assert told(talk)[2:] == ["far_side_heard"]
        assert talk.call.stats().silent_for == 0.0


async def test_a_call_that_is_not_heard_tells_it_once_and_when_it_is_over(autojump_clock: MockClock) -> None:
    async with listening() as (talk, leg):
        for _ in range(3):
            leg.go_unheard(6.0)
            await talk.call.sleep(5)
        assert told(talk) == ["far_side_deaf", "CallUnheard"]
        [event] = [event for event in talk.bench.told if isinstance(event, events.CallUnheard)]
        assert (event.call_id, event.seconds) == (talk.call.id, 6.0)
        assert talk.call.stats().unheard_for == pytest.approx(11.0)
        leg.arrive()
        await talk.call.sleep(1)
        assert told(talk)[2:] == ["far_side_hears"]
        assert talk.call.stats().unheard_for == 0.0


async def test_a_held_call_need_not_be_heard_until_it_is_resumed(autojump_clock: MockClock) -> None:
    async with listening() as (talk, leg):
        talk.bench.switchboard.deliver(_entry(talk, "onhold"))
        await talk.call.sleep(1)
        assert talk.call.held_by_remote
        leg.fall_silent()
        await talk.call.sleep(60)
        assert told(talk) == ["held_by_remote"]
        talk.bench.switchboard.deliver(_entry(talk, "connected"))
        await talk.call.sleep(4)
        assert told(talk) == ["held_by_remote", "resumed_by_remote"]
        await talk.call.sleep(2)
        assert told(talk)[2:] == ["far_side_silent", "CallSilent"]


def _entry(talk: Talk, state: str) -> m.CallState:
    entry = m.CallEntry(id=talk.call.id, state=state, extensions=("45",))
    return m.CallState(calls=(entry,), whole=False)


async def test_our_own_hold_too(autojump_clock: MockClock) -> None:
    async with listening() as (talk, leg):
        await talk.call.hold()
        leg.fall_silent()
        await talk.call.sleep(60)
        assert told(talk) == ["held"]


async def test_a_call_that_ends_while_silence_is_pondered(autojump_clock: MockClock) -> None:
    """The deadline that it was waiting for must not keep the leg's task awake."""
    async with listening() as (talk, leg):
        talk.bench.switchboard.deliver(_entry(talk, "onhold"))
        leg.fall_silent()
        await talk.call.sleep(1)
        talk.bench.switchboard.deliver(_entry(talk, "connected"))
        await talk.call.sleep(1)
        talk.hang_up(talk.now)
        await talk.call.wait_ended()
        leg.fall_silent()
        leg.be_heard()
        await trio.sleep(60)
        assert told(talk) == ["held_by_remote", "resumed_by_remote", "CallEnded"]
        assert talk.bench.switchboard.calls == []


async def test_early_silence_is_told_after_the_answer_if_it_goes_on(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:

        async def answer_late() -> None:
            placed = await bench.port.wait_for(c.PlaceCall)
            await trio.sleep(1)
            bench.media.legs[0].fall_silent()
            await trio.sleep(10)
            assert not [event for event in bench.told if isinstance(event, events.CallSilent)]
            bench.switchboard.deliver(m.Sdp(call_id=placed.call_id, code=180, cseq=1, sdp=""))
            await bench.pick_up()

        nursery.start_soon(answer_late)
        async with bench.switchboard.dial("600") as call:
            await call.sleep(4)
            assert not [event for event in bench.told if isinstance(event, events.CallSilent)]
            await call.sleep(2)
            assert [event for event in bench.told if isinstance(event, events.CallSilent)]
