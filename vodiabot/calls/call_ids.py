"""Which leg a call-id names."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

L = TypeVar("L")

REMEMBERED = 1000
"""Call-ids of legs that are over: a frame that comes minutes late is not taken for one of another call."""


class CallIds(Generic[L]):
    """The legs by all their call-ids; a leg may have several."""

    def __init__(self) -> None:
        self._legs: dict[str, L] = {}
        self._over: deque[str] = deque(maxlen=REMEMBERED)

    def __len__(self) -> int:
        return len(self._legs)

    def __getitem__(self, call_id: str) -> L:
        return self._legs[call_id]

    def __setitem__(self, call_id: str, leg: L) -> None:
        self._legs[call_id] = leg

    def get(self, call_id: str) -> L | None:
        """None if it is no living leg's."""
        return self._legs.get(call_id)

    def forget(self, leg: L) -> None:
        """The leg is over."""
        gone = [call_id for call_id, other in self._legs.items() if other is leg]
        for call_id in gone:
            del self._legs[call_id]
        self._over += gone

    def has_several(self, leg: L) -> bool:
        """Whether it has been given another one."""
        return sum(other is leg for other in self._legs.values()) > 1

    def was_ours(self, call_id: str) -> bool:
        """Whether it named a leg that is over."""
        return call_id in self._over
