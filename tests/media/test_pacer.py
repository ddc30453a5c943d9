"""The one clock of all calls, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise

import pytest

from vodiabot.media.audio import FRAME_SECONDS
from vodiabot.media.pacer import MAX_LATE_SECONDS, STEPS, Paced, Pacer

from .virtual import the_loop, virtually

MOST = round(MAX_LATE_SECONDS / FRAME_SECONDS) + 1
"""Packets of one stream in one go."""


class Ticking:
    """What it was asked: each step with the time it is for, and the time that it was."""

    def __init__(self, then: Callable[[str, int], None] | None = None) -> None:
        self.steps: list[tuple[str, float, float]] = []
        self.skipped: list[int] = []
        self.failures: list[Exception] = []
        self._then = then

    def _step(self, name: str, now: float) -> None:
        self.steps.append((name, now, the_loop().time()))
        if self._then is not None:
            self._then(name, self.count(name))

    def prepare(self, now: float) -> None:
        self._step("prepare", now)

    def send(self, now: float) -> None:
        self._step("send", now)

    def read(self, now: float) -> None:
        self._step("read", now)

    def receive(self, now: float) -> None:
        self._step("receive", now)

    def skip(self, blocks: int) -> None:
        self.skipped.append(blocks)

    def failed(self, exc: Exception) -> None:
        self.failures.append(exc)

    def count(self, name: str = "send") -> int:
        return sum(step == name for step, _, _ in self.steps)

    @property
    def whole_turns(self) -> bool:
        """Each turn has all its steps, in their order."""
        names = [name for name, _, _ in self.steps]
        return names == list(STEPS) * (len(names) // len(STEPS))


def paced(stream: Ticking) -> Paced:
    """For mypy."""
    return stream


class Counting:
    """The cheapest stream there is: for an hour."""

    def __init__(self) -> None:
        self.sent = 0
        self.first = self.last = self.worst = 0.0

    def prepare(self, now: float) -> None:
        return

    read = receive = prepare

    def send(self, now: float) -> None:
        self.first, self.last = self.first or now, now
        self.worst = max(self.worst, the_loop().time() - now)
        self.sent += 1

    def skip(self, blocks: int) -> None:
        raise AssertionError("nothing was late")

    def failed(self, exc: Exception) -> None:
        raise exc


def test_no_drift_in_an_hour() -> None:
    async def body() -> None:
        pacer, stream = Pacer(), Counting()
        pacer.add(stream)
        await asyncio.sleep(3600)
        pacer.remove(stream)
        assert stream.sent == pytest.approx(180_000, abs=1)
        assert stream.last - stream.first == pytest.approx((stream.sent - 1) * FRAME_SECONDS, abs=1e-4)
        assert stream.worst < 1e-4

    virtually(body())


def test_all_calls_take_each_step_in_turn() -> None:
    async def body() -> None:
        order: list[str] = []
        streams = [Ticking(lambda step, _, n=n: order.append(f"{step} {n}")) for n in range(3)]  # type: ignore[misc]
        pacer = Pacer()
        for stream in streams:
            pacer.add(stream)
            pacer.add(stream)
        await asyncio.sleep(0.03)
        once = [f"{step} {n}" for step in STEPS for n in range(3)]
        assert order == once * 2

    virtually(body())


@pytest.mark.parametrize("late", [0.01, 0.0205, 0.05, 0.099, 0.101, 0.15, 0.5, 7.005, 3600.013])
def test_a_late_wake_is_caught_up_with_up_to_a_bound(late: float) -> None:
    """What is sent and what is given up fill the time; never more than six leave in one go."""

    async def body() -> None:
        loop = the_loop()
        pacer, stream = Pacer(), Ticking()
        pacer.add(stream)
        await asyncio.sleep(0.1)
        sent, began = stream.count(), loop.time()
        loop.late(late)
        for _ in range(2):
            await asyncio.sleep(0)
        burst = stream.count() - sent
        assert burst <= MOST
        if late < MAX_LATE_SECONDS:
            assert stream.skipped == []
        else:
            assert burst >= MOST - 1, "what can be caught up with is"
        await asyncio.sleep(0.2)
        turns = stream.count() - sent + sum(stream.skipped)
        assert turns == pytest.approx((loop.time() - began) / FRAME_SECONDS, abs=1)
        dues = [due for step, due, _ in stream.steps if step == "send"]
        for a, b in pairwise(dues):
            blocks = (b - a) / FRAME_SECONDS
            assert blocks == pytest.approx(round(blocks), abs=1e-6), "the grid stays"
        assert stream.whole_turns
        assert len(stream.skipped) <= 1, "an hour is given up in one step"

    virtually(body())


def test_more_work_than_time_leaves_the_loop_its_turns() -> None:
    """Each turn takes longer than 20 ms: others still run, and the delay stays within its bound."""

    async def body() -> None:
        pacer, late = Pacer(), []

        def work(step: str, n: int) -> None:
            if step == "send":
                the_loop().late(0.03)

        stream = Ticking(work)
        pacer.add(stream)
        for _ in range(50):
            await asyncio.sleep(0)
            late.append(the_loop().time())
        pacer.remove(stream)
        behind = [now - due for step, due, now in stream.steps if step == "prepare"]
        assert max(behind) <= MAX_LATE_SECONDS + MOST * 0.03 + 1e-6
        assert stream.skipped
        assert len(set(late)) > 5

    virtually(body())


def test_who_leaves_in_a_step_is_not_called_again() -> None:
    async def body() -> None:
        pacer = Pacer()
        last = Ticking()

        def leave(step: str, n: int) -> None:
            if (step, n) == ("send", 2):
                pacer.remove(last)
                pacer.remove(last)

        first, between = Ticking(leave), Ticking()
        for stream in (first, between, last):
            pacer.add(stream)
        await asyncio.sleep(0.1)
        assert last.count("prepare") == 2
        assert last.count("send") == 1, "it left before its turn came"
        assert last.count("receive") == 1
        assert first.whole_turns
        assert between.count() == first.count() >= 5

    virtually(body())


@pytest.mark.parametrize("step", STEPS)
def test_who_comes_in_a_step_begins_with_a_whole_turn(step: str) -> None:
    async def body() -> None:
        pacer, newcomer = Pacer(), Ticking()

        def come(name: str, n: int) -> None:
            if (name, n) == (step, 2):
                pacer.add(newcomer)

        first = Ticking(come)
        pacer.add(first)
        await asyncio.sleep(0.1)
        assert newcomer.whole_turns
        assert newcomer.count() == first.count() - 2

    virtually(body())


def test_the_last_one_leaves_and_another_comes_in_one_step() -> None:
    """There is still one timer: the loop wakes once each 20 ms."""

    async def body() -> None:
        pacer, second = Pacer(), Ticking()

        def swap(step: str, n: int) -> None:
            if (step, n) == ("read", 1):
                pacer.remove(first)
                pacer.add(second)

        first = Ticking(swap)
        pacer.add(first)
        await asyncio.sleep(0.1)
        ticks = [handle for handle in the_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert len(ticks) == 1
        assert second.count() >= 4
        pacer.remove(second)
        pacer.remove(second)
        assert pacer._timer is None

    virtually(body())


@pytest.mark.parametrize("step", STEPS)
def test_what_raises_ends_alone(step: str, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        pacer = Pacer()

        def fail(name: str, n: int) -> None:
            if (name, n) == (step, 3):
                raise ZeroDivisionError("here")

        good, bad, other = Ticking(), Ticking(fail), Ticking()
        for stream in (good, bad, other):
            pacer.add(stream)
        await asyncio.sleep(0.2)
        assert [str(exc) for exc in bad.failures] == ["here"]
        assert bad.count(step) == 3
        assert bad.count("prepare") == 3, "not called again"
        for stream in (good, other):
            assert stream.whole_turns
            assert stream.count() >= 10
            assert stream.failures == []

    with caplog.at_level(logging.ERROR):
        virtually(body())
    assert caplog.text.count("the audio of a call failed") == 1


def test_what_raises_when_it_is_told_that_it_raised_does_not_stop_the_clock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Worse(Ticking):
        def failed(self, exc: Exception) -> None:
            raise RuntimeError("again")

    def fail(name: str, n: int) -> None:
        raise ZeroDivisionError("here")

    async def body() -> None:
        pacer, good, bad = Pacer(), Ticking(), Worse(fail)
        pacer.add(bad)
        pacer.add(good)
        await asyncio.sleep(0.1)
        assert good.count() >= 5
        assert len(bad.steps) == 1

    virtually(body())
    assert "could not be ended" in caplog.text


def test_it_stops_with_the_last_and_begins_anew() -> None:
    async def body() -> None:
        pacer, stream = Pacer(), Ticking()
        pacer.remove(stream)
        pacer.add(stream)
        await asyncio.sleep(0.05)
        pacer.remove(stream)
        n = stream.count()
        await asyncio.sleep(10)
        assert stream.count() == n
        pacer.add(stream)
        await asyncio.sleep(0.05)
        assert stream.count() == pytest.approx(2 * n, abs=1)
        assert stream.skipped == [], "the time in which nobody was there is nobody's"

    virtually(body())
