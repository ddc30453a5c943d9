"""The PBX's clock beside ours: a call-state entry tells by the PBX's when a call began, and a leg of ours by our own.

Nobody sets both: a PBX that is half a minute off works well with phones, which never ask it for the time. How far apart
they are is learnt from calls that begin, as the list comes at once when one does [guess].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import trio

from ..protocol.messages import CallEntry

TOLERANCE = 5.0
"""Seconds by which the begin of a call may differ here and there: frames take their time, and one side may tell whole
seconds."""

SAMPLES = 8
"""Calls whose begin counts. A list can only be late, so that the one that was least so is right; and a PBX whose clock
was set back is understood again after as many calls."""

FARTHEST = 7 * 86400.0
"""Seconds. What is further off is no time of day."""

REMEMBERED = 10_000
"""Calls that are known to be no news; then the oldest are forgotten."""


class PbxClock:
    """Of one PBX."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        """`now`: seconds of a clock that nobody sets, near to those since the epoch if possible."""
        self.now = now
        self._seen: dict[str, None] = {}
        self._ahead: deque[float] = deque(maxlen=SAMPLES)

    def hear(self, entries: Iterable[CallEntry], *, fresh: bool) -> None:
        """A list has come. `fresh`: what is new in it has just begun; the first lists of a connection are not."""
        for entry in entries:
            if entry.id not in self._seen:
                self._seen[entry.id] = None
                if fresh and entry.start is not None and abs(ahead := entry.start - self.now()) <= FARTHEST:
                    self._ahead.append(ahead)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def agrees(self, start: float, began: float) -> bool:
        """Whether `start`, by the PBX, and `began`, by us, may be the same moment."""
        apart = start - began
        return abs(apart) <= TOLERANCE or abs(apart - max(self._ahead, default=0.0)) <= TOLERANCE
