"""DTMF as RTP telephone-events (RFC 4733). Pure.

An event is told by many packets with one timestamp, that of its beginning, and a duration that grows; its end is told
three times, since each may get lost.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .rtp import TIMESTAMPS, Packet, signed

EVENTS = "0123456789*#ABCD"
"""By event code (RFC 4733, table 3)."""
VOLUME = 10
"""dBm0 below zero, of each event that we send: a usual level of a keypad."""
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
    first: bool
    """It gets the marker, and its block's timestamp is the event's."""


def packets_of(digit: str, duration: float, gap: float, block: int, clock: int) -> Iterator[Outgoing | None]:
    """One item for each block of `block` timestamp units: packets of the event, its end three times, then None
    (silence) until the gap is over. `duration` and `gap` in seconds; a press is at least one block long."""
    code = EVENTS.index(digit.upper())
    blocks = max(1, min(round(duration * clock / block), MAX_DURATION // block))
    for n in range(1, blocks + 1):
        yield Outgoing(EventPacket(code, False, n * block), n == 1)
    for _ in range(ENDS):
        yield Outgoing(EventPacket(code, True, blocks * block), False)
    for _ in range(max(0, round(gap * clock / block) - ENDS)):
        yield None


# --- receiving ------------------------------------------------------------------------------------------------


@dataclass
class _Running:
    """The press that was told last."""

    stream: int
    ssrc: int
    code: int
    timestamp: int
    duration: int
    ended: bool
    heard: float


class EventReceiver:
    """Each press once, when the first packet of it comes, whichever that is. Goes on over a change of streams."""

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._known: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)

    def feed(self, packet: Packet, stream: int) -> str:
        """The digit that begins with this packet, else "". `stream` names the peer connection."""
        event = parse_event(packet.payload)
        if event is None or event.code >= len(EVENTS):
            return ""
        key = (stream, packet.ssrc, packet.timestamp)
        fresh = key not in self._known and not self._goes_on(packet, event, stream)
        if key not in self._known:
            self._known.append(key)
        self._note(packet, event, stream)
        return EVENTS[event.code] if fresh else ""

    def _goes_on(self, packet: Packet, event: EventPacket, stream: int) -> bool:
        """Whether another timestamp is still the same press."""
        running = self._running
        if running is None or packet.marker or running.ended or running.code != event.code:
            return False
        if (running.stream, running.ssrc) != (stream, packet.ssrc):
            return packet.arrival - running.heard < RESUMED_SECONDS
        step = signed(packet.timestamp - running.timestamp, TIMESTAMPS)
        return 0 < step <= MAX_DURATION + 1 and step >= running.duration > MAX_DURATION // 2

    def _note(self, packet: Packet, event: EventPacket, stream: int) -> None:
        running = self._running
        same = running is not None and (running.stream, running.ssrc, running.timestamp) == (
            stream,
            packet.ssrc,
            packet.timestamp,
        )
        if same and running is not None:
            running.duration = max(running.duration, event.duration)
            running.ended, running.heard = running.ended or event.end, packet.arrival
            return
        older = running is not None and (running.stream, running.ssrc) == (stream, packet.ssrc)
        if older and running is not None and signed(packet.timestamp - running.timestamp, TIMESTAMPS) < 0:
            return  # a late packet of an earlier press
        self._running = _Running(
            stream, packet.ssrc, event.code, packet.timestamp, event.duration, event.end, packet.arrival
        )
