"""The jitter buffer: what is to be played next. Pure; times are given in seconds, on the receiver's clock.

Each packet has a relative delay: its arrival less its timestamp. The smallest of the last seconds is that of a packet
which nothing held up; by how much the others exceed it is the jitter, and so deep the buffer has to be. How deep it is
follows from when something is played: a packet that nothing held up waits that long.

When nothing is there to be played, time stands still for the buffer (the receiver conceals meanwhile): what comes late
is still played, and the depth has grown by itself. When something later comes, what lies between is given up.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .audio import FRAME_SECONDS
from .rtp import TIMESTAMPS, Unwrapped

if TYPE_CHECKING:
    from .codecs import Codec

LEAST = 0.020
"""Seconds: a depth below one packet would make a hole of each small delay."""
MOST = 0.200
"""Seconds: beyond this two people no longer take turns easily (ITU-T G.114)."""
FIRST = 0.030
"""Seconds of depth until something is known."""
WINDOW = 5.0
"""Seconds whose packets the depth is judged by."""
JUDGED_EVERY = 1.0
"""Seconds between two judgements."""
MOST_JUDGED = 2400
"""Packets that are judged at most: more than a window of the shortest there are (2.5 ms)."""
PLAYED_IN_TIME = 0.98
"""Part of the packets of a window that the depth has to wait for."""
RESYNC = 1.0
"""Seconds by which a relative delay may differ from its predecessor; more is another count of timestamps, if a second
packet says so, too: one alone is a stray."""
LATE_IN_A_ROW = 10
"""Packets that are all too late: the sender has set its timestamps back by less than that."""
TOO_DEEP = 0.4
"""Seconds of depth that are not worth being played faster: they are left out."""
PAUSE = 0.06
"""Seconds without anything after which what comes is a new beginning and waits for the full depth."""
PAUSE_PACKETS = 1.5
"""Likewise, where packets are long: one that is lost is no pause."""
STEP = 0.0025
"""Seconds: what is made up has a multiple of it, the least that Opus can."""
FEC_SEEN = 5.0
"""Seconds for which it stays so after the last of them: pauses carry none."""
HALF_BLOCK = FRAME_SECONDS / 2
"""Seconds: a beginning may be so much early, since time comes in steps of a block."""
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
    FADE = "fade"
    """Likewise, and nothing comes after it: a pause begins."""
    NOTHING = "nothing"
    """There is nothing to be played: before the first packet, and in pauses."""


class Next(NamedTuple):
    """The next piece."""

    kind: Kind
    units: int = 0
    """How long it is, in timestamp units; 0 for NOTHING, which is as long as the receiver likes."""
    payload: bytes = b""
    codec: Codec | None = None
    """Of the payload; None: comfort noise."""


_PLAY, _RECOVER, _CONCEAL, _FADE = Kind.PLAY, Kind.RECOVER, Kind.CONCEAL, Kind.FADE
_NOTHING = Next(Kind.NOTHING)


class _Waiting(NamedTuple):
    codec: Codec | None
    payload: bytes
    duration: int


class _Stray(NamedTuple):
    """A packet of perhaps another count of timestamps, as it was put."""

    delay: float
    timestamp: int
    codec: Codec | None
    payload: bytes
    duration: int
    arrival: float


class JitterBuffer:
    """Packets of one stream (one SSRC, one clock)."""

    def __init__(self, clock: int) -> None:
        self.clock = clock
        """RTP timestamp units a second."""
        self.target = FIRST
        """Seconds of depth that are aimed at."""
        self.late = 0
        """Packets that came after their time."""
        self._block = self._frame = round(FRAME_SECONDS * clock)
        self._fec_seen: float | None = None
        self._unwrap = Unwrapped(TIMESTAMPS)
        self._packets: dict[int, _Waiting] = {}
        self._delays: deque[float] = deque(maxlen=MOST_JUDGED)
        self._base = 0.0
        self._last_delay: float | None = None
        self._stray: _Stray | None = None
        self._late_in_a_row = 0
        self._judge_at = 0.0
        self._last_arrival = 0.0
        self._stall_ended = False
        self._next: int | None = None
        self._stood = 0  # timestamp units concealed while time stood still
        self._paused = True

    # --- in -------------------------------------------------------------------------------------------------------

    def put(
        self, timestamp: int, codec: Codec | None, payload: bytes, duration: int, arrival: float, *, fec: bool = False
    ) -> None:
        """A packet: its 32-bit timestamp, its length in timestamp units (more than 0), and when it came. `fec`: it
        carries its predecessor once more."""
        at = self._unwrap(timestamp)
        delay = arrival - at / self.clock
        if self._last_delay is not None and not -RESYNC < delay - self._last_delay < RESYNC:
            self._astray(_Stray(delay, timestamp, codec, payload, duration, arrival))
            return
        self._last_delay, self._stray = delay, None
        self._observe(delay, arrival, duration)
        if fec:
            self._fec_seen = arrival
        if self._next is not None and at + duration <= self._next:
            self._was_late(timestamp, codec, payload, duration, arrival)
            return
        self._late_in_a_row, self._frame = 0, duration
        self._packets[at] = _Waiting(codec, payload, duration)
        if len(self._packets) > CAPACITY:
            del self._packets[min(self._packets)]

    def _astray(self, packet: _Stray) -> None:
        before, self._stray = self._stray, packet
        if before is None or abs(packet.delay - before.delay) > RESYNC:
            return
        self._begin_anew()
        for stray in (before, packet):
            self.put(*stray[1:])

    def _was_late(self, timestamp: int, codec: Codec | None, payload: bytes, duration: int, arrival: float) -> None:
        self.late += 1
        self._late_in_a_row += 1
        if self._late_in_a_row >= LATE_IN_A_ROW:
            self._begin_anew()
            self.put(timestamp, codec, payload, duration, arrival)

    def _begin_anew(self) -> None:
        self._packets.clear()
        self._delays.clear()
        self._last_delay, self._stray, self._late_in_a_row = None, None, 0
        self._next, self._stood, self._paused = None, 0, True
        self.target = max(FIRST, self.target)

    def _observe(self, delay: float, now: float, duration: int) -> None:
        delays = self._delays
        if not delays:
            self._base, self._judge_at, self._stall_ended = delay, now + JUDGED_EVERY, True
        elif delay < self._base:
            self._base = delay
        if self._stall_ended and delays and now - self._last_arrival < duration / self.clock / 2:
            delays[-1] = min(delays[-1], delay)  # one of the flood
        else:
            delays.append(delay)
            # A stall that no depth would have covered says nothing of the depth that is needed, nor does its flood.
            self._stall_ended = delay - self._base > MOST or len(delays) == 1
        self._last_arrival = now
        if now >= self._judge_at:
            self._judge_at = now + JUDGED_EVERY
            self._judge(now)

    def _judge(self, now: float) -> None:
        """The depth that would have been enough for nearly all packets of the window."""
        for _ in range(len(self._delays) - round(WINDOW * self.clock / self._frame)):
            self._delays.popleft()
        ordered = sorted(self._delays)
        carried = self._fec_seen is not None and now - self._fec_seen < FEC_SEEN
        self._base = ordered[0]
        spread = ordered[int(PLAYED_IN_TIME * (len(ordered) - 1))] - self._base
        extra = FEC_PACKETS * self._frame / self.clock if carried else 0.0
        wanted = min(MOST, max(LEAST, spread + LEAST / 2 + extra))
        # Up at once, down by half each second: a burst that was is likely to come again.
        self.target = wanted if wanted > self.target else (self.target + wanted) / 2

    # --- out ------------------------------------------------------------------------------------------------------

    def depth(self, now: float, ahead: float = 0.0) -> float:
        """Seconds that a packet which nothing held up would wait if it were played now; in a pause, will wait.
        `ahead`: seconds that were taken out and are not yet played."""
        following = self._next  # once: another thread may ask
        if following is None or self._paused:
            return self.target
        return now - (following / self.clock - ahead) - self._base

    @property
    def waiting(self) -> int:
        """Packets that are here."""
        return len(self._packets)

    def next(self, now: float, ahead: float = 0.0) -> Next:
        """What comes now; `now` is when it begins to be played, less `ahead`."""
        if self._next is None and not self._begin(now):
            return _NOTHING
        assert self._next is not None
        too_deep = now + ahead - self._next / self.clock - self._base > TOO_DEEP
        if too_deep and (not self._paused or self._next in self._packets):  # else it was a pause: `_go_on`
            self._skip(now, ahead)
        return self._take(self._next) or self._missing(now, ahead)

    def _begin(self, now: float) -> bool:
        if not self._packets:
            return False
        first = min(self._packets)
        if now - first / self.clock - self._base < self.target - HALF_BLOCK:
            return False
        self._next, self._stood, self._paused = first, 0, False
        return True

    def _take(self, at: int) -> Next | None:
        packet = self._packets.pop(at, None)
        if packet is None:
            return None
        self._next = at + packet.duration
        self._stood, self._paused = 0, False
        return Next(_PLAY, packet.duration, packet.payload, packet.codec)

    def _missing(self, now: float, ahead: float) -> Next:
        assert self._next is not None
        self._drop_old()
        if not self._packets:
            return self._stand_still(ahead)
        later = min(self._packets)
        if self._paused:
            return self._go_on(later, now, ahead)
        gap = later - self._next - self._stood
        if gap < self._block // 8 or gap > RESYNC * self.clock:
            return self._take(later) or _NOTHING
        return self._lost(later, gap)

    def _go_on(self, later: int, now: float, ahead: float) -> Next:
        """A pause is over as soon as what came after it has waited for the full depth."""
        waits = now + ahead - later / self.clock - self._base
        if waits < self.target - HALF_BLOCK:
            return _NOTHING
        if waits > TOO_DEEP:
            self._skip(now, ahead)
            later = min(self._packets)
        return self._take(later) or _NOTHING

    def _lost(self, later: int, gap: int) -> Next:
        """What lies between is lost: each packet's length is concealed, the last one perhaps recovered."""
        if gap <= self._frame * 3 // 2:
            self._stood += gap
            packet = self._packets[later]
            return Next(_RECOVER, gap, packet.payload, packet.codec)
        self._stood += self._frame
        return Next(_CONCEAL, self._frame)

    def _stand_still(self, ahead: float) -> Next:
        """No more than the block needs: what is late may be there at the next."""
        if self._paused:
            return _NOTHING
        steps = max(1, math.ceil((FRAME_SECONDS - ahead) / STEP - 0.01))
        units = min(self._block, round(steps * STEP * self.clock))
        self._stood += units
        self._paused = self._stood >= max(PAUSE * self.clock, PAUSE_PACKETS * self._frame)
        return Next(_FADE if self._paused else _CONCEAL, units)

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
