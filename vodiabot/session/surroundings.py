"""What no socket tells: that the machine has slept, and that its way to the PBX begins at another address now.

A suspended machine's monotonic clock stands still, so that no timer of ours knows of the hours that the PBX has seen,
nor that it has forgotten the registration meanwhile. And a connection whose own address is gone (Wi-Fi to mobile) is
not closed by anybody: what is sent on it just never arrives.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

LOOK = 3.0
"""Seconds between two looks, of some microseconds each."""
LEAP = 5.0
"""Seconds that the wall clock gains at once, and not by being kept right. If it was only set, a question to the PBX
does no harm."""


def wall_ahead() -> float:
    """Seconds of the wall clock beside the monotonic one: the same for ever, if neither sleep nor a hand intervenes."""
    return time.time() - time.monotonic()


def source_towards(peer: Any) -> str | None:
    """Our own address in what would be sent to that one now; None if there is no way. Nothing is sent."""
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect(peer)
            return str(asked.getsockname()[0])
    except OSError:
        return None


class Surroundings:
    """Compares with what it saw last."""

    def __init__(
        self, ahead: Callable[[], float] = wall_ahead, source: Callable[[Any], str | None] = source_towards
    ) -> None:
        self._measure, self._find = ahead, source
        self._ahead = ahead()
        self._peer: Any = None
        self._source: str | None = None

    def connected(self, peer: Any) -> None:
        """From now on the way to this address counts (as of `getpeername`); None: it is not known."""
        self._peer, self._ahead = peer, self._measure()
        self._source = None if peer is None else self._find(peer)

    def upheaval(self) -> str | None:
        """What has happened since it was asked last; None: nothing that anybody need know."""
        ahead, self._ahead = self._ahead, self._measure()
        if self._ahead - ahead > LEAP:
            return f"the machine slept, or its clock was set, {self._ahead - ahead:.0f} s"
        if self._peer is None or (source := self._find(self._peer)) == self._source:
            return None
        self._source = source
        return f"the way to the PBX begins at {source} now" if source else None  # there is nothing to be tried then
