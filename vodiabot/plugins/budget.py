"""How many mistakes a plugin may make, and how long it sits out when these were too many. Pure: times come in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FIRST_QUARANTINE = 30.0
"""Seconds: long enough for what a plugin depends on to come back, short enough to be waited for."""

LONGEST_QUARANTINE = 900.0
"""Seconds: what is broken for hours is tried four times an hour."""

HEALTHY_AFTER = 3600.0
"""Seconds without quarantine, after which earlier ones are forgotten."""


@dataclass
class Budget:
    """Errors within a sliding window."""

    errors: int
    """So many within the window are too many."""
    window: float
    """Seconds."""
    _times: deque[float] = field(default_factory=deque)

    def spend(self, now: float) -> bool:
        """Note an error; whether these are too many now."""
        self._times.append(now)
        return self.spent(now) >= self.errors

    def spent(self, now: float) -> int:
        """Errors within the window that ends now."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        return len(self._times)

    def clear(self) -> None:
        """Begin anew."""
        self._times.clear()


@dataclass
class Backoff:
    """How long each quarantine lasts: doubling, until the plugin was healthy for long enough."""

    first: float = FIRST_QUARANTINE
    longest: float = LONGEST_QUARANTINE
    healthy_after: float = HEALTHY_AFTER
    _last: float = 0.0

    def next(self, healthy_for: float) -> float:
        """Seconds of the quarantine that begins; `healthy_for`: seconds that the plugin ran before it."""
        forgiven = healthy_for >= self.healthy_after
        self._last = self.first if forgiven or not self._last else min(self._last * 2, self.longest)
        return self._last
