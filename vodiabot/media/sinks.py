"""Where the audio of the other side goes: the listeners of a leg, and the recorder that writes a WAV file."""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, Protocol, TypeVar

import numpy as np

from ..errors import SourceError
from ..ports import Recording
from .audio import NOTHING, Resampler, Samples, dbfs, silence

P = ParamSpec("P")
T = TypeVar("T")


class Sink(Protocol):
    """Something that hears the other side. Called on the media loop; must not block."""

    def push(self, samples: Samples, rate: int, stream: int, time: float) -> None:
        """One block. `time` is seconds on the clock of `stream`; another stream (peer connection) has
        another clock."""

    def digit(self, digit: str) -> None:
        """A DTMF digit began."""


# --- time ---------------------------------------------------------------------------------------------------

AHEAD_SECONDS = 0.5
"""A timestamp can't be further ahead of our own clock than a jitter buffer holds; if it is, a new count
begins."""
SLACK_SECONDS = 0.2
"""By which a block may lie before the end of the recording and is still appended."""
MAX_LATE_BLOCKS = 25
"""Blocks that come after their time was filled with silence are left out; so many in a row are a new
count."""


class Timeline:
    """Where blocks belong in a recording, by their timestamps. Pure; all times in seconds.

    Within one stream the sender's timestamps rule: what was lost or not sent leaves a gap. Where a stream
    begins, or its clock jumps, our own clock says where the recording stands.
    """

    def __init__(self) -> None:
        self._stream: int | None = None
        self._offset = 0.0
        self._late = 0

    def gap(self, end: float, now: float, stream: int, time: float) -> float | None:
        """Seconds of silence before this block; None: leave it out. `end`: where the recording ends,
        `now`: its age."""
        position = time + self._offset
        self._late = self._late + 1 if position < end - SLACK_SECONDS else 0
        new_count = self._late > MAX_LATE_BLOCKS or position > max(now, end) + AHEAD_SECONDS
        if stream != self._stream or new_count:
            position = max(now, end)
            self._stream, self._offset, self._late = stream, position - time, 0
        elif self._late:
            return None
        elif position < end:
            self._offset += end - position
        return max(0.0, position - end)


# --- files --------------------------------------------------------------------------------------------------


class WavWriter:
    """A WAV file, 16 bit mono, whose header is right after each `write`. Blocking: for a reader thread."""

    def __init__(self, path: Path, rate: int) -> None:
        self.path = path
        self.rate = rate
        self._bytes = 0
        self._file: BinaryIO | None = open(path, "wb", buffering=0)  # noqa: SIM115 (closed by `close`)
        try:
            self._file.write(self._header())
        except OSError:
            self.close()
            raise

    def write(self, samples: Samples) -> None:
        """Append. Raises OSError."""
        if self._file is None:
            return
        data = samples.astype("<i2").tobytes()
        self._file.seek(0, io.SEEK_END)
        self._file.write(data)
        self._bytes += len(data)
        self._file.seek(0)
        self._file.write(self._header())

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _header(self) -> bytes:
        size = min(self._bytes, 0xFFFFFFFF - 36)
        head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, *self._rates())
        return head + struct.pack("<4sI", b"data", size)

    def _rates(self) -> tuple[int, int, int, int]:
        return self.rate, 2 * self.rate, 2, 16


# --- recording ----------------------------------------------------------------------------------------------

WRITE_SECONDS = 0.5
"""Sound gathered for one write."""
MAX_BEHIND_SECONDS = 30.0
"""Sound that may wait for a slow disk; then the recording fails."""
SILENT_DBFS = -45.0
"""A block quieter than this is silence (speech is about -25, the noise of a line about -60)."""
LATE_SECONDS = 1.0
"""Nothing came for so long: what is missing is silence, for the file's time goes on. More than any jitter
buffer."""
TICK_SECONDS = 0.2


class Recorder:
    """Writes one recording. `run` owns it; `push` and `digit` feed it from the media loop."""

    def __init__(
        self,
        path: Path,
        rate: int,
        writers: Executor,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
    ) -> None:
        self._path, self._rate, self._writers = path, rate, writers
        self._max_samples = None if max_seconds is None else round(max_seconds * rate)
        self._silence_seconds, self._stop_on = silence, stop_on
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timeline = Timeline()
        self._resampler = Resampler(rate, rate)
        self._fed = 0.0  # seconds that went into the resampler: where the recording ends
        self._pending: list[Samples] = []
        self._samples = 0  # that came out of it
        self._written = 0
        self._quiet_since = 0
        self._wake = asyncio.Event()
        self._stopped_by = ""
        self._too_slow = False

    # --- fed ---

    def push(self, samples: Samples, rate: int, stream: int, time: float) -> None:
        if self._stopped_by:
            return
        if rate != self._resampler.rate:
            self._append(self._resampler.flush())
            self._resampler = Resampler(rate, self._rate)
        gap = self._timeline.gap(self._fed, self._age(), stream, time)
        if gap is not None:
            self._feed_silence(gap)
            self._feed(samples)

    def digit(self, digit: str) -> None:
        if digit in self._stop_on:
            self.stop("digit")

    def stop(self, by: str) -> None:
        """The first reason counts. Idempotent."""
        self._stopped_by = self._stopped_by or by
        self._wake.set()

    # --- run ---

    async def run(self) -> Recording:
        """Until stopped; then the file is complete. Cancelled: the file is complete as well. Raises
        SourceError."""
        writer = await self._in_thread(WavWriter, self._path, self._rate)
        try:
            while not self._stopped_by:
                await self._tick(writer)
        finally:
            self._stopped_by = self._stopped_by or "stopped"
            await self._finish(writer)
        return Recording(path=self._path, duration=self._written / self._rate, stopped_by=self._stopped_by)

    async def _tick(self, writer: WavWriter) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_SECONDS)
        if not self._stopped_by:
            self._fill_up(LATE_SECONDS / 2)
        if self._samples - self._written >= WRITE_SECONDS * self._rate:
            await self._write(writer)

    def _fill_up(self, leave: float) -> None:
        """Where nothing comes any more, the time goes on all the same: silence, up to `leave` seconds ago."""
        missing = self._age() - self._fed
        if missing > LATE_SECONDS:
            self._feed_silence(missing - leave)

    async def _write(self, writer: WavWriter) -> None:
        samples = np.concatenate(self._pending) if self._pending else NOTHING
        self._pending = []
        await self._in_thread(writer.write, samples)
        self._written += len(samples)
        if self._too_slow:
            raise SourceError(f"{self._path}: the disk is too slow to record on")

    async def _finish(self, writer: WavWriter) -> None:
        try:
            self._fill_up(0.0)
            self._append(self._resampler.flush())
            await self._write(writer)
        finally:
            await self._in_thread(writer.close)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._loop.run_in_executor(self._writers, partial(work, *args, **kwargs))
        except OSError as exc:
            raise SourceError(f"{self._path}: can't be written: {exc.strerror or exc}") from exc

    # --- bookkeeping ---

    def _age(self) -> float:
        return self._loop.time() - self._began

    def _feed_silence(self, seconds: float) -> None:
        self._feed(silence(round(seconds * self._resampler.rate)))

    def _feed(self, samples: Samples) -> None:
        if len(samples):
            self._fed += len(samples) / self._resampler.rate
            self._append(self._resampler.feed(samples))

    def _append(self, samples: Samples) -> None:
        room = len(samples) if self._max_samples is None else self._max_samples - self._samples
        self._too_slow = self._too_slow or self._samples - self._written > MAX_BEHIND_SECONDS * self._rate
        samples = samples[: 0 if self._too_slow else max(0, room)]
        if len(samples):
            self._pending.append(samples)
            self._samples += len(samples)
            if dbfs(samples) > SILENT_DBFS:
                self._quiet_since = self._samples
        self._judge()

    def _judge(self) -> None:
        quiet = (self._samples - self._quiet_since) / self._rate
        if self._max_samples is not None and self._samples >= self._max_samples:
            self.stop("max_seconds")
        elif self._silence_seconds is not None and quiet >= self._silence_seconds:
            self.stop("silence")
