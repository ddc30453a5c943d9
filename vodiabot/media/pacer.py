"""The one clock of all calls: every 20 ms each stream sends a packet, and then everything that came is read.

So the process wakes once for all calls, not for each packet. What leaves comes first, since that has a time to keep.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from .audio import FRAME_SECONDS

logger = logging.getLogger(__name__)

MAX_LATE_SECONDS = 0.1
"""A delay up to this is caught up with at once, so that nobody's audio has a hole; beyond it the time is given up."""


STEPS = ("prepare", "send", "read", "receive")
"""One after the other for all calls, not all four for each call: a processor does the same thing a hundred times in a
row much faster than a hundred different things."""


class Paced(Protocol):
    """What has a time to keep."""

    def prepare(self, now: float) -> None:
        """Make the packet of the 20 ms that begin at `now` (seconds on the loop's clock)."""

    def send(self, now: float) -> None:
        """Let it go."""

    def read(self, now: float) -> None:
        """Take what came from the socket."""

    def skip(self, now: float) -> None:
        """20 ms passed in which it could not be called."""

    def receive(self, now: float) -> None:
        """Work on what came, and hand the block on that begins at `now`."""

    def failed(self, exc: Exception) -> None:
        """It raised: it is not called again."""


class Pacer:
    """Ticks while it has streams. Everything runs on the media loop."""

    def __init__(self) -> None:
        self._streams: list[Paced] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def add(self, stream: Paced) -> None:
        """From the next tick on. Idempotent."""
        if stream not in self._streams:
            self._streams = [*self._streams, stream]
        if self._timer is None:
            self._due = asyncio.get_running_loop().time()
            self._again()

    def remove(self, stream: Paced) -> None:
        """Not called any more, from now on. Idempotent."""
        self._streams = [s for s in self._streams if s is not stream]
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        while now - self._due > MAX_LATE_SECONDS:
            self._each("skip")
            self._due += FRAME_SECONDS
        while self._due <= now:
            for step in STEPS:
                self._each(step)
            self._due += FRAME_SECONDS
        if self._streams:
            self._again()
        else:
            self._timer = None

    def _each(self, step: str) -> None:
        due = self._due
        for stream in self._streams:
            try:
                getattr(stream, step)(due)
            except Exception as exc:
                logger.exception("the audio of a call failed")
                self.remove(stream)
                stream.failed(exc)
