"""The recorder: one recording of a leg, what is heard alone or what is said beside it.

Blocks come with the time at which they were heard or sent, on our own clock; where none came there is silence. So both
channels lie as they were in the call.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import numpy as np

from ...errors import SourceError
from ...ports import Recording
from ..audio import FRAME_SECONDS, NOTHING, Blocks, Samples, dbfs, silence
from .files import Writer, open_writer

P = ParamSpec("P")
T = TypeVar("T")

WRITE_SECONDS = 0.5
"""Sound gathered for one write."""
MAX_BEHIND_SECONDS = 30.0
"""Sound that may wait for a slow disk; then the recording fails."""
SILENT_DBFS = -45.0
"""A block quieter than this is silence (speech is about -25, the noise of a line about -60)."""
LATE_SECONDS = 0.2
"""A block may still come for a time that is no longer ago; then there was silence."""
TICK_SECONDS = 0.2
TOO_SLOW = "too slow"


class Sink(Protocol):
    """Something that hears a leg. Called on the media loop; must not block."""

    def push(self, samples: Samples, rate: int, at: float) -> None:
        """20 ms of the other side, heard `at` (seconds on the loop's clock)."""

    def push_sent(self, samples: Samples, rate: int, at: float) -> None:
        """20 ms of ours, sent `at`."""

    def digit(self, digit: str) -> None:
        """A DTMF digit of the other side began."""


class Lane:
    """One channel: blocks at their places, silence between. Pure."""

    def __init__(self, rate: int) -> None:
        self.end = 0
        """Samples up to now, silence included."""
        self._rate = rate
        self._blocks = Blocks()
        self._waiting: list[Samples] = []
        self._taken = 0

    def put(self, samples: Samples, rate: int, at: float) -> None:
        """A block that begins `at` seconds from the beginning. One that overlaps what is there (a tick that came a
        little early) is appended to it."""
        place = round(at * self._rate)
        if place > self.end + round(FRAME_SECONDS * self._rate) // 2:
            self._rest(place)
            self.fill(place)
        block = self._blocks.to(self._rate, samples, rate)
        self._waiting.append(block)
        self.end += len(block)

    def _rest(self, until: int) -> None:
        """What the filter still holds is the end of what came before the pause."""
        rest = self._blocks.rest()
        if rest is not None:
            rest = rest[: until - self.end]
            self._waiting.append(rest)
            self.end += len(rest)

    def fill(self, until: int) -> None:
        """Silence up to a sample."""
        if until > self.end:
            self._waiting.append(silence(until - self.end))
            self.end = until

    def take(self, until: int) -> Samples:
        """What waits up to a sample, and no more of it is kept."""
        if until > self.end + round(FRAME_SECONDS * self._rate) // 2:
            self._rest(until)
        self.fill(until)
        joined = np.concatenate(self._waiting) if self._waiting else NOTHING
        n = max(0, until - self._taken)
        self._waiting = [joined[n:]] if len(joined) > n else []
        self._taken += min(n, len(joined))
        return joined[:n]


class Recorder:
    """Writes one recording. `run` owns it; `push`, `push_sent` and `digit` feed it on the media loop."""

    def __init__(
        self,
        path: Path,
        rate: int,
        writers: Executor,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
        stereo: bool = False,
    ) -> None:
        self._path, self._rate, self._writers = path, rate, writers
        self._max_samples = None if max_seconds is None else round(max_seconds * rate)
        self._silence_seconds, self._stop_on = silence, stop_on
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        self._heard = Lane(rate)
        self._sent = Lane(rate) if stereo else None
        self._written = 0
        self._quiet_since = 0.0
        self._wake = asyncio.Event()
        self._stopped_by = ""
        self._writer: Writer | None = None

    # --- fed ---

    def push(self, samples: Samples, rate: int, at: float) -> None:
        if self._stopped_by:
            return
        self._heard.put(samples, rate, self._age(at))
        if dbfs(samples) > SILENT_DBFS:
            self._quiet_since = self._heard.end / self._rate
        self._judge(self._heard.end)

    def push_sent(self, samples: Samples, rate: int, at: float) -> None:
        if self._sent is not None and not self._stopped_by:
            self._sent.put(samples, rate, self._age(at))
            self._judge_waiting(self._sent.end)  # the other side may be silent

    def digit(self, digit: str) -> None:
        if digit in self._stop_on:
            self.stop("digit")

    def stop(self, by: str) -> None:
        """The first reason counts. Idempotent."""
        self._stopped_by = self._stopped_by or by
        self._wake.set()

    def _age(self, at: float) -> float:
        if self._began is None:
            self._began = at
        return at - self._began

    # --- run ---

    async def run(self) -> Recording:
        """Until stopped; then the file is complete. Cancelled: the file is complete as well. Raises SourceError."""
        self._age(self._loop.time())
        try:
            await self._in_thread(self._open)
        except asyncio.CancelledError:
            if self._writer is not None:
                await self._finish(self._writer)
            raise
        writer = self._writer
        assert writer is not None
        try:
            while not self._stopped_by:
                await self._tick(writer)
        finally:
            self._stopped_by = self._stopped_by or "stopped"
            await self._finish(writer)
        if self._stopped_by == TOO_SLOW:
            raise SourceError(f"{self._path}: the disk is too slow to record on")
        return Recording(path=self._path, duration=self._written / self._rate, stopped_by=self._stopped_by)

    def _open(self) -> None:
        self._writer = open_writer(self._path, self._rate, 1 if self._sent is None else 2)

    async def _tick(self, writer: Writer) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_SECONDS)
        settled = round((self._age(self._loop.time()) - LATE_SECONDS) * self._rate)
        self._judge(settled)
        if not self._stopped_by and settled - self._written >= WRITE_SECONDS * self._rate:
            await self._write(writer, settled)

    async def _write(self, writer: Writer, until: int) -> None:
        self._written = until
        heard = self._heard.take(until)
        if self._sent is None:
            await self._in_thread(writer.write, heard)
        else:
            both = np.stack((heard, self._sent.take(until)), axis=1).reshape(-1)
            await self._in_thread(writer.write, both)

    async def _finish(self, writer: Writer) -> None:
        try:
            await self._write(writer, max(self._written, self._end()))
        finally:
            await self._in_thread(writer.close)

    def _end(self) -> int:
        """The sample at which the recording ends."""
        end = max(self._heard.end, round(self._age(self._loop.time()) * self._rate))
        if self._silence_seconds is not None and self._stopped_by == "silence":
            end = max(self._heard.end, round((self._quiet_since + self._silence_seconds) * self._rate))
        return end if self._max_samples is None else min(end, self._max_samples)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Never cut short, since what comes next is done to the same file in another thread: a cancellation waits."""
        job = self._loop.run_in_executor(self._writers, partial(work, *args, **kwargs))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            while not job.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait((job,))
            job.exception()  # looked at: nobody else will
            raise
        except OSError as exc:
            raise SourceError(f"{self._path}: can't be written: {exc.strerror or exc}") from exc

    def _judge(self, end: int) -> None:
        quiet = end / self._rate - self._quiet_since
        if self._max_samples is not None and end >= self._max_samples:
            self.stop("max_seconds")
        elif self._silence_seconds is not None and quiet >= self._silence_seconds:
            self.stop("silence")
        else:
            self._judge_waiting(self._heard.end)

    def _judge_waiting(self, end: int) -> None:
        if end - self._written > MAX_BEHIND_SECONDS * self._rate:
            self.stop(TOO_SLOW)
