"""DTMF as RTP telephone-events (RFC 4733). Pure.

An event is told by many packets with one timestamp, that of its beginning, and a duration that grows; its end is told
three times, since each may get lost.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .rtp import Packet, signed

EVENTS = "0123456789*#ABCD"
"""By event code (RFC 4733, table 3)."""
VOLUME = 10
"""dBm0 below zero, of each event that we send, unless something else is said: a usual level of a keypad."""
ENDS = 3
"""Packets that tell the end (RFC 4733, section 2.5.1.4)."""
MAX_DURATION = 0xFFFF
"""Of one event packet; what lasts longer goes on as another event with the next timestamp (section 2.5.1.3)."""
REMEMBERED = 16
"""Events whose late packets are known again."""
RESUMED_SECONDS = 0.3
"""An event that had no end yet and whose packets go on in another stream (a re-offer) so soon is the same press."""

_PAYLOAD = struct.Struct("!BBH")


@dataclass(frozen=True)
class EventPacket:
    """What one packet of an event says."""

    code: int
    end: bool
    duration: int
    """Timestamp units since the event's timestamp."""
    volume: int = VOLUME


def parse_event(payload: bytes) -> EventPacket | None:
    """None if it is no event. Of several in one packet the first counts."""
    if len(payload) < 4:
        return None
    code, flags, duration = _PAYLOAD.unpack_from(payload)
    return EventPacket(code, flags > 127, duration, flags & 0x3F)


def build_event(event: EventPacket) -> bytes:
    """The payload."""
    return _PAYLOAD.pack(event.code, (0x80 if event.end else 0) | event.volume, event.duration)


# --- sending --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outgoing:
    """What the sender puts in place of one block of audio."""

    event: EventPacket
    first: bool = False
    """It gets the marker, and its block's timestamp is the event's."""
    goes_on: bool = False
    """The press lasts longer than one event can tell: from here on it is the next one, whose timestamp is that of the
    end of the last one, MAX_DURATION later (RFC 4733, section 2.5.1.3)."""


def packets_of(
    digit: str, duration: float, gap: float, block: int, clock: int, volume: int = VOLUME
) -> Iterator[Outgoing | None]:
    """One item for each block of `block` timestamp units: packets of the event, its end three times, then None
    (silence) until the gap is over. `duration` and `gap` in seconds; a press is at least one block long. `volume` in
    dBm0 below zero. Where one more event would be shorter than a block, it is left out."""
    code = EVENTS.index(digit.upper())
    blocks = max(1, round(duration * clock / block))
    begun = told = 0  # events of which the press consists, and what the last one has told
    for n in range(blocks):
        goes_on = n * block // MAX_DURATION > begun
        begun += goes_on
        told = min((n + 1) * block - begun * MAX_DURATION, MAX_DURATION)
        yield Outgoing(EventPacket(code, False, told, volume), n == 0, goes_on)
    for _ in range(ENDS):
        yield Outgoing(EventPacket(code, True, told, volume))
    for _ in range(max(0, round(gap * clock / block) - ENDS)):
        yield None


# --- receiving ------------------------------------------------------------------------------------------------


_Key = tuple[int, int, int]
"""Stream, SSRC and timestamp: of all packets of one event, and of no other."""


@dataclass
class _Running:
    """The press that was told last."""

    key: _Key
    code: int
    duration: int
    """Timestamp units since the key's timestamp."""
    before: int
    """Timestamp units of it before that."""
    ended: bool
    heard: float


class EventReceiver:
    """Each press once, when the first packet of it comes, whichever that is. Goes on over a change of streams."""

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._known: deque[_Key] = deque(maxlen=REMEMBERED)

    @property
    def duration(self) -> int:
        """Timestamp units that the press has lasted which was told last, as far as it is known."""
        return self._running.before + self._running.duration if self._running else 0

    def feed(self, packet: Packet, stream: int) -> str:
        """The digit that begins with this packet, else "". `stream` names the peer connection."""
        event = parse_event(packet.payload)
        if event is None or event.code >= len(EVENTS):
            return ""
        key = (stream, packet.ssrc, packet.timestamp)
        running = self._running
        if running is not None and running.key == key:
            running.duration = max(running.duration, event.duration)
            running.ended, running.heard = running.ended or event.end, packet.arrival
            return ""
        if key in self._known:
            return ""  # a late packet of an earlier press
        self._known.append(key)
        before = self._before(packet, event, key)
        if before is not None or not self._is_older(key):
            self._running = _Running(key, event.code, event.duration, before or 0, event.end, packet.arrival)
        return EVENTS[event.code] if before is None else ""

    def _before(self, packet: Packet, event: EventPacket, key: _Key) -> int | None:
        """If another timestamp is still the same press: how long it has lasted until then, in timestamp units."""
        running = self._running
        if running is None or packet.marker or running.ended or running.code != event.code:
            return None
        if running.key[:2] != key[:2]:
            resumed = packet.arrival - running.heard < RESUMED_SECONDS
            return running.before + running.duration if resumed else None
        step = signed(packet.timestamp - running.key[2])
        return running.before + step if MAX_DURATION <= step <= MAX_DURATION + 1 else None

    def _is_older(self, key: _Key) -> bool:
        """Its packets are late: the press that runs has begun after it."""
        running = self._running
        return running is not None and running.key[:2] == key[:2] and signed(key[2] - running.key[2]) < 0
