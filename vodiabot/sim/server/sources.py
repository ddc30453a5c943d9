"""What a leg hears: one source for each kind of feed, read in slots of 20 ms at the leg's own rate."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Protocol, cast

import av
import numpy as np
import soxr
import structlog

from ..core import effects
from .tones import BUSY, CALL_PROGRESS_HZ, RINGBACK, Samples, is_sounding, music, sine

log = structlog.get_logger(__name__)

PATIENCE = 0.08
"""Seconds that a live source may be late before silence is sent in its place: more than any network nearby jitters."""

RECENT = 0.25
"""Seconds after its last sound for which a live source is still waited for."""


class Source(Protocol):
    """Audio at a rate fixed when it was made."""

    def read(self, count: int) -> Samples | None:
        """The next `count` samples; None: send no packet in this slot."""

    def close(self) -> None:
        """Idempotent."""


class Silence:
    """Zeros."""

    def read(self, count: int) -> Samples | None:
        return np.zeros(count, dtype=np.int16)

    def close(self) -> None:
        """Nothing to release."""


class Nothing:
    """No packets."""

    def read(self, count: int) -> Samples | None:
        return None

    def close(self) -> None:
        """Nothing to release."""


class Tone:
    """A sine, steady or in a cadence, its phase continuous."""

    def __init__(self, hz: float, rate: int, cadence: tuple[tuple[float, bool], ...] = ((1.0, True),)) -> None:
        self._hz, self._rate, self._cadence, self._at = hz, rate, cadence, 0

    def read(self, count: int) -> Samples | None:
        first, self._at = self._at, self._at + count
        if not is_sounding(self._cadence, first / self._rate):
            return np.zeros(count, dtype=np.int16)
        return sine(self._hz, self._rate, first, count)

    def close(self) -> None:
        """Nothing to release."""


class Loop:
    """A sound over and over."""

    def __init__(self, sound: Samples) -> None:
        self._sound, self._at = sound, 0

    def read(self, count: int) -> Samples | None:
        places = np.arange(self._at, self._at + count) % len(self._sound)
        self._at = (self._at + count) % len(self._sound)
        return self._sound[places]

    def close(self) -> None:
        """Nothing to release."""


class Queue:
    """Samples in, samples out, in order."""

    def __init__(self) -> None:
        self._chunks: deque[Samples] = deque()
        self.count = 0

    def put(self, samples: Samples) -> None:
        self._chunks.append(samples)
        self.count += len(samples)

    def take(self, count: int) -> Samples:
        """`count` samples, zeros for those that aren't there."""
        taken: list[Samples] = []
        missing = count
        while missing and self._chunks:
            chunk = self._chunks.popleft()
            if len(chunk) > missing:
                self._chunks.appendleft(chunk[missing:])
                chunk = chunk[:missing]
            taken.append(chunk)
            missing -= len(chunk)
        self.count -= count - missing
        return np.concatenate([*taken, np.zeros(missing, dtype=np.int16)])


class File:
    """An audio file of any kind and rate, decoded as it is read; then silence. One that can't be read is silence."""

    def __init__(self, path: str, rate: int) -> None:
        self._path = path
        self._queue = Queue()
        self._frames = _decode(path, rate)

    def read(self, count: int) -> Samples | None:
        try:
            while self._queue.count < count and (samples := next(self._frames, None)) is not None:
                self._queue.put(samples)
        except (OSError, ValueError, av.FFmpegError) as exc:
            log.warning("a file can't be played", path=self._path, error=str(exc))
            self.close()
        return self._queue.take(count)

    def close(self) -> None:
        self._frames.close()


def _decode(path: str, rate: int) -> Generator[Samples, None, None]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            for mono in resampler.resample(frame):
                yield mono.to_ndarray()[0]
        for mono in resampler.resample(None):
            yield mono.to_ndarray()[0]


class Live:
    """What a leg says, for another one.

    It has no clock of its own: a frame goes out when one has come in, so that nothing is lost, doubled or delayed, and
    only a source that has gone silent is replaced by silence.
    """

    def __init__(self, rate: int, limit: float, loop: asyncio.AbstractEventLoop) -> None:
        """`limit`: seconds that may wait here; beyond it the oldest is dropped."""
        self.rate = rate
        self._limit = round(limit * rate)
        self._loop = loop
        self._queue = Queue()
        self._resampler: tuple[int, soxr.ResampleStream] | None = None
        self._last = 0.0
        self._waiting: tuple[int, asyncio.Future[None]] | None = None
        self.on_close: Callable[[], None] = lambda: None

    def push(self, samples: Samples, rate: int) -> None:
        """What was just heard, at its own rate."""
        self._last = self._loop.time()
        self._queue.put(self._resampled(samples, rate))
        if self._queue.count > self._limit:
            self._queue.take(self._queue.count - self._limit)
        if self._waiting and self._queue.count >= self._waiting[0]:
            self.wake()

    def _resampled(self, samples: Samples, rate: int) -> Samples:
        if rate == self.rate:
            return samples
        if self._resampler is None or self._resampler[0] != rate:
            self._resampler = rate, soxr.ResampleStream(rate, self.rate, 1, dtype="int16", quality="MQ")
        return cast(Samples, self._resampler[1].resample_chunk(samples))

    def wake(self) -> None:
        """End a wait now."""
        if self._waiting and not self._waiting[1].done():
            self._waiting[1].set_result(None)

    async def wait(self, count: int, slot: float) -> None:
        """Until there are `count` samples; at most until `slot` (loop time), a bit longer if it was heard just now."""
        if self._queue.count >= count:
            return
        recent = self._loop.time() - self._last < RECENT
        future = self._loop.create_future()
        handle = self._loop.call_at(slot + PATIENCE if recent else slot, _resolve, future)
        self._waiting = count, future
        try:
            await future
        finally:
            handle.cancel()
            self._waiting = None

    def read(self, count: int) -> Samples | None:
        return self._queue.take(count)

    def close(self) -> None:
        self.wake()
        self.on_close()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


JOIN_LIMIT = 0.2
"""Seconds of audio that may wait between two joined legs: a burst after a stall. It is sent on at once, so in the
steady state less than one packet waits."""


def make_source(feed: effects.Feed, rate: int, live: Callable[[str, int, float], Live]) -> Source:
    """The source of a feed; `live` makes one that hears the named leg. An echo has none: its packets are passed on as
    they come (`outgoing`)."""
    match feed:
        case effects.Tone(hz):
            return Tone(hz, rate)
        case effects.File(path):
            return File(path, rate)
        case effects.Echo():
            return Nothing()
        case effects.FromLeg(leg):
            return live(leg, rate, JOIN_LIMIT)
        case effects.Music():
            return Loop(music(rate))
        case effects.Ringback():
            return Tone(CALL_PROGRESS_HZ, rate, RINGBACK)
        case effects.Busy():
            return Tone(CALL_PROGRESS_HZ, rate, BUSY)
        case effects.Nothing():
            return Nothing()
        case effects.Silence():
            return Silence()
