"""A source that somebody else feeds, from any thread."""

from __future__ import annotations

import threading

import numpy as np

from ...errors import UsageError
from ..audio import FRAMES_A_SECOND, NOTHING, Blocks, Samples, silence
from ..waiting import Waiting
from .base import Reader


class Feed:
    """Samples that a plugin puts in, played as they come: silence where it is late, and the end when it says so.

    It holds `seconds` at most; what is more is refused, never dropped: `put` says so, and whoever feeds waits a little.
    Played once. `call.audio()` is the simpler way for whoever can wait with `await`.
    """

    inline = True
    duration: float | None = None

    def __init__(self, rate: int = 16000, seconds: float = 10.0) -> None:
        """`rate`: Hz of what is put in, a multiple of 50, 8000 to 48000. Raises UsageError."""
        if not 8000 <= rate <= 48000 or rate % FRAMES_A_SECOND:
            raise UsageError(f"Feed(rate={rate}): 8000 to 48000 Hz, a multiple of {FRAMES_A_SECOND}")
        self.rate = rate
        self._limit = round(seconds * rate)
        self._lock = threading.Lock()
        self._waiting = Waiting(rate)
        self._ended = False

    @property
    def seconds(self) -> float:
        """Seconds of sound that wait."""
        return self._waiting.held / self.rate

    def put(self, samples: bytes) -> bool:
        """Mono, int16 in native byte order. False: it is full (or has ended) and nothing was taken. Does not block."""
        if len(samples) % 2:
            raise UsageError("a feed takes samples of two bytes each, so half a sample is too much")
        block = np.frombuffer(samples, np.int16) if samples else NOTHING
        with self._lock:
            if self._ended or self._waiting.held >= self._limit:
                return False
            self._waiting.put(block)
            return True

    def clear(self) -> None:
        """Drop what waits; what is heard just now fades within 5 ms."""
        with self._lock:
            self._waiting.clear()

    def drop(self) -> None:
        """Drop what waits: nobody will hear it."""
        with self._lock:
            self._waiting.drop()

    def end(self) -> None:
        """No more will come: it is over when what waits has been played. Idempotent."""
        with self._lock:
            self._ended = True

    def open(self, rate: int) -> Reader:
        return _FeedReader(self, rate)

    def take(self, n: int) -> Samples | None:
        """Up to `n` samples; None at the end."""
        with self._lock:
            if self._ended and not self._waiting.held:
                return None
            block = self._waiting.take(n)
        return NOTHING if block is None else block


class _FeedReader:
    """A block of 20 ms at a time at the rate of the call."""

    def __init__(self, feed: Feed, rate: int) -> None:
        self.rate = rate
        self._feed, self._blocks = feed, Blocks()

    def read(self) -> Samples | None:
        n = self._feed.rate // FRAMES_A_SECOND
        block = self._feed.take(n)
        if block is None or not len(block):
            rest = self._blocks.rest()
            return block if rest is None else rest
        whole = block if len(block) == n else np.concatenate((block, silence(n - len(block))))
        return self._blocks.to(self.rate, whole, self._feed.rate)

    def close(self) -> None:
        self._feed.drop()
