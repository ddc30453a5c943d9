"""Waits for moments and starts work then. Every task belongs to whoever `spawn`s it: a plugin's nursery."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import structlog
import trio

from ..errors import UsageError
from .cron import Cron

LOOK = 30.0
"""Seconds after which the clock on the wall is looked at again, so that a step of it (by NTP, or a machine that slept)
is noticed within a minute."""

LATE = 3600.0
"""Seconds by which a run of a cron line may be late and still be made up for, when the clock has jumped over it."""

BACK = 3 * 3600.0
"""Seconds: a clock that is set back by less does not make cron run again what it has run; by more, the clock had been
wrong, and the new time counts. The limit is that of Debian's cron."""

SHORTEST = 0.001
"""Seconds between two runs of `every`."""

Work = Callable[..., Awaitable[Any]]
log = structlog.get_logger(__name__)


class Spawn(Protocol):
    """Starts a task in the nursery of the owner, who answers for its errors. Raises if there is none."""

    def __call__(self, work: Work, *args: Any) -> None: ...


class Job(ABC):
    """Work that comes at certain times, as `bot.every`, `bot.at` and `bot.cron` give it."""

    def __init__(self, work: Work, spawn: Spawn, wall: Callable[[], float], label: str) -> None:
        self._work = work
        self._spawn = spawn
        self._wall = wall
        self.task_name = label
        """Of its runs, in the log."""
        self._log = log.bind(job=label)
        self._scope = trio.CancelScope()
        self._busy = False
        self._due: float | None = None

    @property
    def next_run(self) -> datetime | None:
        """When it is due next, in UTC; None when it will not run any more."""
        return None if self._due is None or self._scope.cancel_called else datetime.fromtimestamp(self._due, UTC)

    def cancel(self) -> None:
        """It is not started any more; a run that has begun goes on. Idempotent."""
        self._scope.cancel()

    async def run(self) -> None:
        """The task of the job, which waits; each run is a task of its own. Once a job."""
        try:
            with self._scope:
                await self._live()
        finally:
            self._due = None

    @abstractmethod
    async def _live(self) -> None: ...

    def _start(self) -> None:
        """Never two runs at a time."""
        if self._busy:
            self._log.warning("a scheduled run is left out: the one before is still at it")
            return
        self._spawn(self._once)
        self._busy = True

    async def _once(self) -> None:
        try:
            await self._work()
        finally:
            self._busy = False

    async def _wait_until(self, moment: float) -> float:
        """Returns when the clock on the wall shows `moment`, or, earlier, when it was set; by how much it was (seconds,
        0.0 for not at all)."""
        while (left := moment - self._wall()) > 0:
            wall, passed = self._wall(), trio.current_time()
            await trio.sleep(min(left, LOOK))
            step = (self._wall() - wall) - (trio.current_time() - passed)
            if abs(step) > 1:
                return step
        return 0.0


class Every(Job):
    """By the time that passes, whatever the clock on the wall shows: the n-th run is n times `seconds` after the start,
    however long each takes."""

    def __init__(self, seconds: float, *job: Any) -> None:
        super().__init__(*job)
        if not SHORTEST <= seconds < math.inf:
            raise UsageError(f"every: {seconds!r} is no number of seconds")
        self._seconds = seconds

    async def _live(self) -> None:
        start, count = trio.current_time(), 0
        while True:
            count = max(count, int((trio.current_time() - start) / self._seconds)) + 1
            due = start + count * self._seconds
            self._due = self._wall() + due - trio.current_time()
            await trio.sleep_until(due)
            self._start()


class At(Job):
    """Once; at once if the moment has passed."""

    def __init__(self, when: datetime, *job: Any) -> None:
        super().__init__(*job)
        if not isinstance(when, datetime) or when.utcoffset() is None:
            raise UsageError(f"at: {when!r} is no datetime with a time zone, such as datetime(…, tzinfo=ZoneInfo(…))")
        self._due = when.timestamp()

    async def _live(self) -> None:
        assert self._due is not None
        while self._wall() < self._due:
            await self._wait_until(self._due)
        self._start()


class ByCron(Job):
    """By what the clock on the wall shows."""

    def __init__(self, cron: Cron, *job: Any) -> None:
        super().__init__(*job)
        self._cron = cron
        self._due = cron.after(self._wall())

    async def _live(self) -> None:
        done = self._wall()
        while True:
            # from the last run on, as a clock that is set back a little must not have it run again
            since = self._wall() if done - self._wall() > BACK else done
            self._due = self._cron.after(since)
            if await self._wait_until(self._due) and self._wall() < self._due:
                continue
            done = self._made_up_for(self._due)

    def _made_up_for(self, due: float) -> float:
        """Run, if it is not too late; gives the last moment that is seen to. Of several that were jumped over, one."""
        now = self._wall()
        if now - due > LATE:
            self._log.warning("scheduled runs were missed: the clock has jumped", seconds=round(now - due))
            if self._cron.after(now - LATE) > now:
                return now
        self._start()
        return max(now, due)


class Schedules:
    """All jobs of one owner."""

    def __init__(self, spawn: Spawn, wall: Callable[[], float]) -> None:
        """`wall`: seconds since the epoch. The jobs are tasks of `spawn`'s, and are cancelled with it."""
        self._spawn = spawn
        self._wall = wall

    def every(self, seconds: float, work: Work, *args: Any) -> Job:
        """See `Bot.every`."""
        return self._begin(partial(Every, seconds), work, args, f"every {seconds:g} s")

    def at(self, when: datetime, work: Work, *args: Any) -> Job:
        """See `Bot.at`."""
        return self._begin(partial(At, when), work, args, f"at {when}")

    def cron(self, line: str, work: Work, *args: Any, tz: str) -> Job:
        """See `Bot.cron`."""
        return self._begin(partial(ByCron, Cron(line, tz)), work, args, f"{line} ({tz})")

    def _begin(self, make: Callable[..., Job], work: Work, args: tuple[Any, ...], when: str) -> Job:
        function: Any = work.func if isinstance(work, partial) else work
        name = getattr(function, "__qualname__", type(function).__name__)
        job = make(partial(work, *args), self._spawn, self._wall, f"{name}, {when}")
        self._spawn(job.run)
        return job
