"""Deadlines of the model: what is to be done when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class Clock:
    """`at` gives a handle that `cancel` takes; `due` gives what has come due, in order of time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._work: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()

    def at(self, when: float, work: Callable[[], None]) -> int:
        handle = next(self._numbers)
        self._work[handle] = work
        heapq.heappush(self._heap, (when, handle))
        return handle

    def cancel(self, handle: int | None) -> None:
        """Idempotent."""
        if handle is not None:
            self._work.pop(handle, None)

    @property
    def deadline(self) -> float | None:
        while self._heap and self._heap[0][1] not in self._work:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Callable[[], None] | None:
        """The next work whose time has come; None if there is none."""
        deadline = self.deadline
        if deadline is None or deadline > now:
            return None
        return self._work.pop(heapq.heappop(self._heap)[1])
