"""Keys that the simulator presses, slot by slot of 20 ms."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .dtmf import COLUMNS, ROWS
from .dtmf import KEYS as LAYOUT
from .telephone_event import KEYS, payload
from .tones import Samples, sine

ON_SLOTS = 5
"""100 ms of each key."""
GAP_SLOTS = 3
"""60 ms between keys."""
END_PACKETS = 3
"""The end of an event is said three times (RFC 4733 section 2.5.1.4)."""
MAX_WAITING = 100
"""Keys; a client that sends them faster than they can be pressed for the other side loses the rest."""
AMPLITUDE = 5000.0
"""Peak of each of the two tones of a key that is pressed in-band, about -16 dB of full scale."""


@dataclass(frozen=True)
class Slot:
    """20 ms of a key."""

    key: str
    number: int
    """From 0."""
    start: int
    """The track's clock at the beginning of the press."""

    @property
    def first(self) -> bool:
        return self.number == 0

    def event(self, clock: int) -> bytes:
        """The telephone-event's payload; b"" in the rest of the gap. `clock`: hertz of the event's timestamps."""
        if self.number >= ON_SLOTS - 1 + END_PACKETS:
            return b""
        lasted = min(self.number + 1, ON_SLOTS)
        return payload(self.key, lasted * clock // 50, end=lasted == ON_SLOTS)

    def tones(self, rate: int, count: int) -> Samples:
        """The key in-band."""
        if self.number >= ON_SLOTS:
            return np.zeros(count, dtype=np.int16)
        row = next(i for i, keys in enumerate(LAYOUT) if self.key in keys)
        hertz = ROWS[row], COLUMNS[LAYOUT[row].index(self.key)]
        both = [sine(hz, rate, self.number * count, count, AMPLITUDE) for hz in hertz]
        return np.asarray(both[0] + both[1], dtype=np.int16)


class Keypad:
    """Keys that wait, and the one that is pressed."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._slot: Slot | None = None

    def press(self, keys: str) -> None:
        """After those that wait; what is no key is left out, and what is too much."""
        fresh = [key for key in keys.upper() if key in KEYS]
        self._waiting.extend(fresh[: MAX_WAITING - len(self._waiting)])

    @property
    def busy(self) -> bool:
        """Whether a key is pressed now, or waits."""
        return bool(self._waiting) or self._slot is not None

    def next(self, timestamp: int) -> Slot | None:
        """What is to be done in the slot that begins at this time of the track's clock; None: nothing."""
        slot = self._slot
        if slot is None:
            if not self._waiting:
                return None
            slot = Slot(self._waiting.popleft(), 0, timestamp)
        last = slot.number == ON_SLOTS + GAP_SLOTS - 1
        self._slot = None if last else Slot(slot.key, slot.number + 1, slot.start)
        return slot
