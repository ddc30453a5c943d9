"""What a source is, and its blocks at the rate of the call."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..audio import Resampler, Samples

CHUNK_SECONDS = 0.2
"""What generators give at a time."""


class Reader(Protocol):
    """An open source. Called from one thread at a time."""

    rate: int
    """Samples a second of what `read` gives; constant."""

    def read(self) -> Samples | None:
        """The next block, any length, of an inline source also none (nothing yet); None at the end. May block, unless
        the source is inline. Raises SourceError."""

    def close(self) -> None:
        """Free what it holds. Idempotent."""


@runtime_checkable
class Source(Protocol):
    """Something to play, as often as wanted.

    One with an attribute `inline = True` never blocks and is read on the media loop itself; any other in a reader
    thread, ahead of its time. One with an attribute `quick = True` waits for nothing but the disk; all others have
    threads of their own, so that a server that does not answer keeps no file from being read. One with an attribute
    `duration` (seconds; None: without end) tells how long it is.
    """

    def open(self, rate: int) -> Reader:
        """A reader at its start. `rate` is what the call wants now; another one is resampled. Raises SourceError."""


def is_inline(source: object) -> bool:
    """Whether it is read on the media loop."""
    return bool(getattr(source, "inline", False))


def is_quick(source: object) -> bool:
    """Whether it waits for the disk at most."""
    return bool(getattr(source, "quick", False)) or is_inline(source)


def duration_of(source: object) -> float | None:
    """Seconds; None if it is not known or without end."""
    seconds = getattr(source, "duration", None)
    return None if seconds is None else float(seconds)


class AtRate:
    """A reader's blocks at the rate of the call."""

    def __init__(self, reader: Reader, rate: int) -> None:
        self.rate = rate
        self._reader = reader
        self._resampler = Resampler(reader.rate, rate)
        self._ended = False

    def read(self) -> Samples | None:
        while not self._ended:
            block = self._reader.read()
            self._ended = block is None
            if block is not None and not len(block):
                return block
            out = self._resampler.flush() if block is None else self._resampler.feed(block)
            if len(out):
                return out
        return None

    def close(self) -> None:
        self._ended = True
        self._reader.close()
