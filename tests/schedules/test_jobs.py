"""Jobs in virtual time, with a clock on the wall that can be set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from vodiabot.errors import UsageError
from vodiabot.schedules import Schedules

NOON = datetime(2024, 11, 22, 12, tzinfo=UTC)
HOUR = 3600.0


class Bench:
    """Schedules in a nursery, and what has run when."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.ahead = 0.0
        """By how much the clock on the wall was set."""
        self.start = trio.current_time()
        self.ran: list[float] = []
        """By the time that has passed."""
        self.shown: list[str] = []
        """By the clock on the wall."""
        self.takes = 0.0
        self.schedules = Schedules(self._spawn, self.wall)

    def wall(self) -> float:
        return NOON.timestamp() + trio.current_time() - self.start + self.ahead

    async def work(self, *args: Any) -> None:
        self.ran.append(trio.current_time() - self.start)
        self.shown.append(f"{datetime.fromtimestamp(self.wall(), UTC):%H:%M:%S}")
        await trio.sleep(self.takes)

    def _spawn(self, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self.nursery.start_soon(work, *args)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        yield Bench(nursery)
        nursery.cancel_scope.cancel()


async def test_every_has_no_drift(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.takes = 3.0
        job = b.schedules.every(10, b.work)
        await trio.sleep(35)
        assert b.ran == [10, 20, 30]
        assert job.next_run == NOON + timedelta(seconds=40)


async def test_runs_do_not_overlap_and_what_is_left_out_is_told(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.takes = 25.0
        with structlog.testing.capture_logs() as lines:
            b.schedules.every(10, b.work)
            await trio.sleep(75)
        assert b.ran == [10, 40, 70]
        assert [line["event"] for line in lines] == ["a scheduled run is left out: the one before is still at it"] * 4
        assert "work, every 10 s" in lines[0]["job"]


async def test_every_does_not_care_for_the_clock_on_the_wall(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.every(10, b.work)
        await trio.sleep(15)
        b.ahead = -86400.0
        await trio.sleep(20)
        assert b.ran == [10, 20, 30]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_every_needs_a_time(seconds: float) -> None:
    async with bench() as b:
        with pytest.raises(UsageError):
            b.schedules.every(seconds, b.work)


async def test_at_runs_once(autojump_clock: MockClock) -> None:
    async with bench() as b:
        job = b.schedules.at(NOON + timedelta(hours=2), b.work)
        assert job.next_run == NOON + timedelta(hours=2)
        await trio.sleep(3 * HOUR)
        assert b.ran == [2 * HOUR]
        assert job.next_run is None


async def test_at_a_time_that_has_passed_runs_at_once(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.at(NOON - timedelta(days=2), b.work)
        await trio.sleep(1)
        assert b.ran == [0]


async def test_at_goes_by_the_clock_on_the_wall(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.at(NOON + timedelta(hours=2), b.work)
        await trio.sleep(10)
        b.ahead = HOUR
        await trio.sleep(1.5 * HOUR)
        assert b.shown == ["14:00:00"]
        b.ahead = 0
        b.schedules.at(NOON + timedelta(hours=9), b.work)
        await trio.sleep(10)
        b.ahead = 20 * HOUR
        await trio.sleep(60)
        assert len(b.ran) == 2, "a jump is noticed within a minute"


async def test_at_needs_a_time_zone() -> None:
    async with bench() as b:
        for when in (datetime(2024, 1, 1), "tomorrow"):
            with pytest.raises(UsageError, match="time zone"):
                b.schedules.at(when, b.work)  # type: ignore[arg-type]


async def test_cron(autojump_clock: MockClock) -> None:
    async with bench() as b:
        job = b.schedules.cron("0 8 * * *", b.work, tz="Asia/Tokyo")  # 23:00 UTC
        assert job.next_run == NOON + timedelta(hours=11)
        await trio.sleep(48 * HOUR)
        assert b.shown == ["23:00:00", "23:00:00"]


async def test_cron_after_a_sleep_of_the_machine_runs_once_if_it_is_not_too_late(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.cron("*/10 13 * * *", b.work, tz="UTC")
        await trio.sleep(1800)
        b.ahead = 1.5 * HOUR  # 14:00: 13:00 to 13:50 were slept over
        await trio.sleep(1800)
        assert len(b.ran) == 1
        assert b.ran[0] - 1800 <= 60
        await trio.sleep(23 * HOUR)
        assert b.shown[1:] == ["13:00:00", "13:10:00", "13:20:00"]


async def test_cron_that_is_too_late_is_missed_and_that_is_told(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.cron("0 13 * * *", b.work, tz="UTC")
        await trio.sleep(1800)
        with structlog.testing.capture_logs() as lines:
            b.ahead = 3 * HOUR
            await trio.sleep(60)
        assert b.ran == []
        assert "missed" in lines[0]["event"]
        await trio.sleep(22 * HOUR)
        assert b.shown == ["13:00:00"]


async def test_a_clock_that_is_set_back_a_little_does_not_run_it_again(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.schedules.cron("0 13 * * *", b.work, tz="UTC")
        await trio.sleep(HOUR + 60)
        assert b.shown == ["13:00:00"]
        b.ahead = -600.0
        await trio.sleep(HOUR)
        assert b.shown == ["13:00:00"]
        await trio.sleep(24 * HOUR)
        assert b.shown == ["13:00:00", "13:00:00"]


async def test_a_clock_that_was_wrong_by_days_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.ahead = 90 * 24 * HOUR
        b.schedules.cron("0 13 * * *", b.work, tz="UTC")
        await trio.sleep(60)
        b.ahead = 0.0
        await trio.sleep(2 * HOUR)
        assert b.shown == ["13:00:00"]


async def test_a_job_that_is_cancelled(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.takes = 3.0
        finished: list[float] = []

        async def work() -> None:
            await b.work()
            finished.append(trio.current_time() - b.start)

        job = b.schedules.every(10, work)
        await trio.sleep(11)
        job.cancel()
        job.cancel()
        await trio.sleep(100)
        assert b.ran == [10]
        assert finished == [13], "what had begun goes on"
        assert job.next_run is None


async def test_a_run_that_fails_does_not_end_the_job(autojump_clock: MockClock) -> None:
    failed: list[str] = []

    async def fail() -> None:
        raise ZeroDivisionError

    async with bench() as b:

        async def guarded(work: Callable[..., Awaitable[Any]], *args: Any) -> None:
            try:
                await work(*args)
            except ZeroDivisionError:
                failed.append("told")

        schedules = Schedules(lambda work, *args: b.nursery.start_soon(guarded, work, *args), b.wall)
        schedules.every(10, fail)
        await trio.sleep(35)
    assert failed == ["told"] * 3
