"""What the domain hears, of which session, and by which clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from vodiabot.domain import Domain
from vodiabot.errors import ConnectionLost
from vodiabot.events import AccountChanged, DomainCallEnded, Event
from vodiabot.hearing import ASK, Hearing, SteadyClock
from vodiabot.protocol import messages as m

from .turns import Turns


class FakeLine:
    """A line and its session in one."""

    def __init__(self, *, up: bool = True, alive: bool = True) -> None:
        self.up = up
        self.alive = alive
        self.session = self
        self.sent: list[Any] = []

    async def send(self, command: Any) -> None:
        await trio.lowlevel.checkpoint()
        if not self.alive:
            raise ConnectionLost("gone")
        self.sent.append(command)


class Bench:
    def __init__(self) -> None:
        self.set_by = 0.0
        self.lines: list[FakeLine] = []
        self.told: list[Event] = []
        self.domain = Domain()
        lines = cast(Any, lambda: self.lines)
        self.hearing = Hearing(self.domain, self.wall, SteadyClock(self.wall), lines, self.told.append)

    def wall(self) -> float:
        return 1e9 + trio.current_time() + self.set_by

    def hear(self, line: FakeLine, message: m.Message) -> None:
        self.hearing.heard(cast(Any, line), message)

    def lose(self, line: FakeLine) -> None:
        self.hearing.lost(cast(Any, line))


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.hearing.run)
        await wait_all_tasks_blocked()
        yield bench
        nursery.cancel_scope.cancel()


def dnd(on: bool) -> m.UserState:
    return m.UserState(account=m.AccountEntry(account="46", dnd=on))


async def test_a_session_that_is_never_registered_does_not_lead_for_ever() -> None:
    async with running() as bench:
        refused, well = bench.lines = [FakeLine(up=False), FakeLine()]
        bench.hear(refused, dnd(False))
        bench.hear(well, dnd(True))
        assert bench.domain.accounts["46"].dnd is False, "one of them is enough"
        bench.lose(refused)
        await wait_all_tasks_blocked()
        assert well.sent == list(ASK), "what it was told before nobody has heard"
        bench.hear(refused, dnd(False))
        bench.hear(well, dnd(True))
        assert bench.domain.accounts["46"].dnd is True
        assert [event.changed for event in bench.told if isinstance(event, AccountChanged)][-1] == ("dnd",)


async def test_a_new_leader_that_is_lost_at_once_is_followed_by_the_next() -> None:
    async with running() as bench:
        first, second, third = bench.lines = [FakeLine(), FakeLine(alive=False), FakeLine()]
        bench.hear(first, dnd(False))
        first.up = False
        bench.lose(first)
        await wait_all_tasks_blocked()
        second.up = False
        bench.lose(second)
        await wait_all_tasks_blocked()
        assert third.sent == list(ASK)


async def test_a_clock_that_is_set_back_keeps_no_call_for_an_hour(autojump_clock: MockClock) -> None:
    async with running() as bench:
        line = FakeLine()
        bench.hear(line, m.CallState(calls=(m.CallEntry(id="a", from_number="46", to_number="47"),), whole=True))
        bench.set_by = -3600
        bench.hear(line, m.CallState(calls=(), whole=True))
        await trio.sleep(70)
        assert bench.domain.calls == {}
        ended = bench.told[-1]
        assert isinstance(ended, DomainCallEnded)
        assert abs(ended.at - (bench.wall() - 10)) < 1, "by the clock as it is now"


async def test_what_moves_the_deadline_wakes_nobody_up(autojump_clock: MockClock) -> None:
    async with running() as bench:
        turns = Turns("Hearing.run")
        trio.lowlevel.add_instrument(turns)
        line = FakeLine()
        bench.hear(line, m.CallState(calls=(m.CallEntry(id="a", from_number="46", to_number="47"),), whole=True))
        for _ in range(3):  # over in a minute, and after the third list that lacks it in some seconds
            bench.hear(line, m.CallState(calls=(), whole=True))
            await wait_all_tasks_blocked()
        assert "a" in bench.domain.calls
        assert turns.taken == 0
        await trio.sleep(6)
        assert bench.domain.calls == {}
        assert turns.taken == 1


class NotYet:
    """A domain that has something to do at a time, and is not asked in vain again and again."""

    def __init__(self, deadline: float) -> None:
        self.deadline: float | None = deadline
        self.in_vain = 0

    def tick(self, now: float) -> list[Event]:
        assert self.deadline is not None
        if now >= self.deadline:
            self.deadline = None
        else:
            self.in_vain += 1
            assert self.in_vain < 10, "it would be asked for ever"
        return []


async def test_clocks_that_round_differently_do_not_stop_time(autojump_clock: MockClock) -> None:
    """Where trio's time is much longer than the wall's, what is missing is too little to be added to it."""
    await trio.sleep(5000)
    for at in range(50):
        await trio.sleep(0.1)
        now = SteadyClock(lambda: trio.current_time() - 4999.7)
        domain = NotYet(now() + 5 + at / 7)
        hearing = Hearing(cast(Any, domain), trio.current_time, now, lambda: [], lambda event: None)
        with trio.move_on_after(20):
            await hearing.run()
        assert domain.deadline is None
