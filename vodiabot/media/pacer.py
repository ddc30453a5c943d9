"""The one clock of all calls: every 20 ms each stream sends a packet, and then everything that came is read.

So the process wakes once for all calls, not for each packet. What leaves comes first, since that has a time to keep.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from math import ceil
from typing import Protocol

from .audio import FRAME_SECONDS

logger = logging.getLogger(__name__)

MAX_LATE_SECONDS = 0.1
"""A delay up to this is caught up with at once, so that nobody's audio has a hole; what is beyond it is given up, and
the time stamps say so. So no more than six packets of a stream leave in one go: a jitter buffer takes as many."""

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

    def skip(self, blocks: int) -> None:
        """So many times 20 ms passed in which it could not be called."""

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
        self._nobodys = contextvars.Context()

    def add(self, stream: Paced) -> None:
        """From the next 20 ms on. Idempotent."""
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
        if self._timer is not None:
            self._timer.cancel()  # of a stream that came when the last one had left in this very tick
        # not in the context of the call that happened to come first: log lines would name it for the others
        self._timer = asyncio.get_running_loop().call_at(self._due, self._tick, context=self._nobodys)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            self._give_up(now)
            while self._due <= now:
                streams = self._streams  # one that comes meanwhile begins with a whole turn
                for step in STEPS:
                    self._each(step, streams)
                self._due += FRAME_SECONDS
        finally:  # whatever happened: all calls live by this timer
            if self._streams:
                self._again()
            else:
                self._timer = None

    def _give_up(self, now: float) -> None:
        """Beyond what is caught up with."""
        blocks = ceil((now - self._due - MAX_LATE_SECONDS) / FRAME_SECONDS)
        if blocks > 0:
            self._due += blocks * FRAME_SECONDS
            for stream in self._streams:
                stream.skip(blocks)

    def _each(self, step: str, streams: list[Paced]) -> None:
        due = self._due
        for stream in streams:
            if streams is not self._streams and stream not in self._streams:
                continue  # it has left in this tick
            try:
                getattr(stream, step)(due)
            except Exception as exc:
                logger.exception("the audio of a call failed")
                self._end(stream, exc)

    def _end(self, stream: Paced, exc: Exception) -> None:
        self.remove(stream)
        try:
            stream.failed(exc)
        except Exception:
            logger.exception("the audio of a call that failed could not be ended")
