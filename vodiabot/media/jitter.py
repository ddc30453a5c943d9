"""The jitter buffer: what is to be played next. Pure; times are given in seconds, on the receiver's clock.

Each packet has a relative delay: its arrival less its timestamp. The smallest of the last seconds is that of a packet
which nothing held up; by how much the others exceed it is the jitter, and so deep the buffer has to be. How deep it is
follows from when something is played: a packet that nothing held up waits that long.

When nothing is there to be played, time stands still for the buffer (the receiver conceals meanwhile): what comes late
is still played, and the depth has grown by itself. When something later comes, what lies between is given up.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NamedTuple

from .rtp import TIMESTAMPS, Unwrapped

LEAST = 0.020
"""Seconds: a depth below one packet would make a hole of each small delay."""
MOST = 0.200
"""Seconds: beyond this two people no longer take turns easily (ITU-T G.114)."""
FIRST = 0.030
"""Seconds of depth until something is known."""
WINDOW = 400
"""Packets that the depth is judged by: 8 s."""
JUDGED_EVERY = 50
"""Packets between two judgements."""
PLAYED_IN_TIME = 0.98
"""Part of the packets of a window that the depth has to wait for."""
RESYNC = 1.0
"""Seconds by which a relative delay may differ from its predecessor; more is another count of timestamps."""
TOO_DEEP = 0.4
"""Seconds of depth that are not worth being played faster: they are left out."""
PAUSE = 0.06
"""Seconds without anything after which what comes is a new beginning and waits for the full depth."""
FEC_SEEN = 5.0
"""Seconds for which it stays so after the last of them: pauses carry none."""
CAPACITY = 512
"""Packets that are kept: far more than any depth, less than a flood."""
FEC_PACKETS = 1.5
"""Packets by which the buffer is deeper while packets carry their predecessors (FEC): what follows a lost one has to be
there in time."""


class Kind(Enum):
    """What to do for the next piece of time."""

    PLAY = "play"
    RECOVER = "recover"
    """The packet is lost; the payload is its successor's, which may carry it once more."""
    CONCEAL = "conceal"
    """It is missing; something has to be made up."""
    NOTHING = "nothing"
    """There is nothing to be played: before the first packet, and in pauses."""


class Next(NamedTuple):
    """The next piece."""

    kind: Kind
    payload: bytes = b""
    payload_type: int = -1


_PLAY = Kind.PLAY
_CONCEAL, _NOTHING = Next(Kind.CONCEAL), Next(Kind.NOTHING)


class _Waiting(NamedTuple):
    payload_type: int
    payload: bytes
    duration: int


class JitterBuffer:
    """Packets of one stream (one SSRC, one clock)."""

    def __init__(self, clock: int, *, frame: float = 0.02) -> None:
        self.clock = clock
        """RTP timestamp units a second."""
        self.target = FIRST
        """Seconds of depth that are aimed at."""
        self.late = 0
        """Packets that came after their time."""
        self._frame = round(frame * clock)
        self._fec_seen: float | None = None
        self._unwrap = Unwrapped(TIMESTAMPS)
        self._packets: dict[int, _Waiting] = {}
        self._delays: deque[float] = deque(maxlen=WINDOW)
        self._base = 0.0
        self._last_delay: float | None = None
        self._since_judged = 0
        self._next: int | None = None
        self._stood = 0  # timestamp units concealed while time stood still
        self._paused = True

    # --- in -------------------------------------------------------------------------------------------------------

    def put(
        self, timestamp: int, payload_type: int, payload: bytes, duration: int, arrival: float, *, fec: bool = False
    ) -> None:
        """A packet: its 32-bit timestamp, its length in timestamp units, and when it came. `fec`: it carries its
        predecessor once more."""
        at = self._unwrap(timestamp)
        delay = arrival - at / self.clock
        if self._last_delay is not None and abs(delay - self._last_delay) > RESYNC:
            self._begin_anew()
        self._last_delay = delay
        self._observe(delay, arrival)
        if fec:
            self._fec_seen = arrival
        if self._next is not None and at + duration <= self._next:
            self.late += 1
        elif len(self._packets) < CAPACITY:
            self._frame = duration or self._frame
            self._packets[at] = _Waiting(payload_type, payload, duration)

    def _begin_anew(self) -> None:
        self._packets.clear()
        self._delays.clear()
        self._next, self._stood, self._paused = None, 0, True
        self.target = max(FIRST, self.target)

    def _observe(self, delay: float, now: float) -> None:
        self._delays.append(delay)
        if len(self._delays) == 1 or delay < self._base:
            self._base = delay
        self._since_judged += 1
        if self._since_judged >= JUDGED_EVERY:
            self._since_judged = 0
            self._judge(now)

    def _judge(self, now: float) -> None:
        """The depth that would have been enough for nearly all packets of the window."""
        ordered = sorted(self._delays)
        carried = self._fec_seen is not None and now - self._fec_seen < FEC_SEEN
        self._base = ordered[0]
        spread = ordered[min(len(ordered) - 1, int(PLAYED_IN_TIME * len(ordered)))] - self._base
        extra = FEC_PACKETS * self._frame / self.clock if carried else 0.0
        wanted = min(MOST, max(LEAST, spread + LEAST / 2 + extra))
        # Up at once, down by a part each half second: a burst that was is likely to come again.
        self.target = wanted if wanted > self.target else self.target + (wanted - self.target) / 4

    # --- out ------------------------------------------------------------------------------------------------------

    def depth(self, now: float, ahead: float = 0.0) -> float:
        """Seconds that a packet which nothing held up would wait if it were played now. `ahead`: seconds that were
        taken out and are not yet played."""
        if self._next is None:
            return 0.0
        return now - (self._next / self.clock - ahead) - self._base

    def next(self, now: float, ahead: float = 0.0) -> Next:
        """What comes now; `now` is when it begins to be played, less `ahead`."""
        if self._next is None and not self._begin(now):
            return _NOTHING
        assert self._next is not None
        if now + ahead - self._next / self.clock - self._base > TOO_DEEP:
            self._skip(now, ahead)
        return self._take(self._next) or self._missing(now, ahead)

    def _begin(self, now: float) -> bool:
        if not self._packets:
            return False
        first = min(self._packets)
        if now - first / self.clock - self._base < self.target - self._half:
            return False
        self._next, self._stood, self._paused = first, 0, False
        return True

    @property
    def _half(self) -> float:
        """Half a packet: time comes in such steps."""
        return self._frame / self.clock / 2

    def _take(self, at: int) -> Next | None:
        packet = self._packets.pop(at, None)
        if packet is None:
            return None
        self._next = at + packet.duration
        self._stood, self._paused = 0, False
        return Next(_PLAY, packet.payload, packet.payload_type)

    def _missing(self, now: float, ahead: float) -> Next:
        assert self._next is not None
        self._drop_old()
        if not self._packets:
            return self._stand_still()
        later = min(self._packets)
        gap = later - self._next - self._stood
        if self._paused:
            waits = now - (later / self.clock - ahead) - self._base
            if waits < self.target - self._half:
                return _NOTHING
            gap = 0
        if gap < self._frame // 2:
            return self._take(later) or _NOTHING
        if gap > RESYNC * self.clock:
            return self._take(later) or _NOTHING
        return self._lost(later, gap)

    def _lost(self, later: int, gap: int) -> Next:
        """What lies between is lost: each piece is concealed, the last perhaps recovered."""
        self._stood += self._frame
        if gap <= self._frame * 3 // 2:
            packet = self._packets[later]
            return Next(Kind.RECOVER, packet.payload, packet.payload_type)
        return _CONCEAL

    def _stand_still(self) -> Next:
        self._stood += self._frame
        self._paused = self._paused or self._stood > PAUSE * self.clock
        return _NOTHING if self._paused else _CONCEAL

    def _drop_old(self) -> None:
        assert self._next is not None
        for at in [at for at in self._packets if at < self._next]:
            del self._packets[at]
            self.late += 1

    def _skip(self, now: float, ahead: float) -> None:
        """A stall put more into the buffer than is worth being heard: go on where the depth is right."""
        right = int((now + ahead - self._base - self.target) * self.clock)
        later = [at for at in self._packets if at >= right]
        assert self._next is not None
        if later and min(later) > self._next:
            self._next, self._stood = min(later), 0
            self._drop_old()
