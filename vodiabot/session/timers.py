"""How long a session waits, and how its tries are spread."""

from __future__ import annotations

import random

import msgspec


class SessionTimers(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. The defaults are PROTOCOL.md's and the operators' needs; tests change them."""

    keepalive: float = 30.0
    """`avoid-disconnect` [live]."""
    answer: float = 10.0
    """The PBX's answer to login, socket and registration."""
    ping: float = 15.0
    """A WebSocket ping whenever this time has passed."""
    dead: float = 40.0
    """Neither a frame nor a pong for so long: the socket is dead. Below 45 with some room."""
    proof: float = 4.0
    """A sign of life after the machine slept or changed its address: else a new connection, which costs no call."""
    expires: float = 60.0
    """Of a registration, where the PBX does not tell."""
    shortest_refresh: float = 2.0
    """A registration is refreshed at half of `expires`, but not more often."""
    longest_refresh: float = 300.0
    """A registration that a PBX gives for a day may be forgotten after a minute, without a word."""
    first_retry: float = 0.5
    """The first try after a loss comes within twice this."""
    longest_retry: float = 30.0
    """No two tries are further apart."""
    stable: float = 20.0
    """A connection that was up for so long makes the next loss a first one."""
    refused: float = 30.0
    """After a refused password, which only a person can mend; seldom enough not to lock the account."""

    def refresh(self, expires: float) -> float:
        """Seconds after which a registration for `expires` seconds is refreshed."""
        return min(self.longest_refresh, max(self.shortest_refresh, expires / 2))


class Backoff:
    """Exponential, with jitter, so that a hundred bots don't come back at the same moment."""

    def __init__(self, timers: SessionTimers, rng: random.Random) -> None:
        self._timers = timers
        self._rng = rng
        self._tries = 0

    def reset(self) -> None:
        """The connection was good."""
        self._tries = 0

    def spread(self) -> float:
        """Seconds by which two who wait for the same are to come apart."""
        return self._rng.uniform(0, 2 * self._timers.first_retry)

    def next(self) -> float:
        """Seconds to wait before the next try."""
        top = min(self._timers.longest_retry, 2 * self._timers.first_retry * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return self._rng.uniform(top / 2, top)
