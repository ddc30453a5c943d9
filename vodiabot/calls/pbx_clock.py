"""The PBX's clock beside ours: a call-state entry tells by the PBX's when a call began, and a leg of ours by our own.

Nobody sets both: a PBX that is half a minute off works well with phones, which never ask it for the time. How far
apart they are is learnt from calls that begin, as the list comes at once when one does [guess]. One call alone may be
wrong: a list that is late shows one that began long ago. Two that agree are believed, so that a PBX whose clock is set
while we run is understood from the second call on; where it was set forward from the first, as no list is too early.
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
"""Lists with a call that has just begun, of which the newest one may find another that agrees with it."""

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
        """Of each list, of the call in it that has begun last: the others are not news, but late."""
        self._agreed: float | None = None
        """What two lists have agreed on last."""

    def hear(self, entries: Iterable[CallEntry], *, fresh: bool) -> None:
        """A list has come. `fresh`: what is new in it has just begun; the first lists of a connection are not."""
        found: list[float] = []
        for entry in entries:
            if entry.id not in self._seen:
                self._seen[entry.id] = None
                if fresh and entry.start is not None and abs(ahead := entry.start - self.now()) <= FARTHEST:
                    found.append(ahead)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if found:
            self._learn(max(found))

    def agrees(self, start: float, began: float) -> bool:
        """Whether `start`, by the PBX, and `began`, by us, may be the same moment."""
        return any(abs(start - ahead - began) <= TOLERANCE for ahead in self._believed())

    def _learn(self, ahead: float) -> None:
        """Of two that agree the one that was less late is right. Not of all: a clock may also be set by a little."""
        agreeing = [one for one in self._ahead if abs(one - ahead) <= TOLERANCE]
        if agreeing:
            self._agreed = max(ahead, agreeing[-1])
        self._ahead.append(ahead)

    def _believed(self) -> list[float]:
        """That they agree is never ruled out; and as long as nothing is known any better, a single call is believed."""
        if self._agreed is None:
            return [0.0, *self._ahead]
        newest = self._ahead[-1]
        return [0.0, self._agreed, newest] if newest > self._agreed else [0.0, self._agreed]
