"""Keys as telephone-events (RFC 4733): what they look like, and how presses are told from packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from .rtp import Rtp, ahead

KEYS = "0123456789*#ABCD"
"""By their event codes (RFC 4733 section 3.2)."""

_PAYLOAD = struct.Struct("!BBH")
_END = 0x80
VOLUME = 10
"""dB below 0 dBm0, as phones send it."""

LONGEST = 0xFFFF
"""The greatest duration; a longer press goes on in another segment, later by as much (section 2.5.1.3)."""
NEARLY = 0xF000
"""A duration that may be the last of a full segment, if the packet with the full one was lost."""

FORGOTTEN = 480_000
"""A timestamp that is farther back than this (ten seconds of 48 kHz) is no late packet: its sender has begun anew."""


def payload(key: str, duration: int, *, end: bool) -> bytes:
    """`duration`: so far, in units of the timestamp."""
    return _PAYLOAD.pack(KEYS.index(key), _END * end | VOLUME, min(duration, LONGEST))


@dataclass(frozen=True)
class _Press:
    ssrc: int
    start: int
    code: int
    duration: int
    ended: bool


class EventListener:
    """The presses in the events of one leg.

    A press is known by its RTP timestamp, which all of its packets bear: any of them will do, and repeated ones add
    nothing.
    """

    def __init__(self) -> None:
        self._last: _Press | None = None

    def feed(self, packet: Rtp) -> str:
        """The key whose press this packet is the first of; "" for one that is known, late, or no key."""
        if len(packet.payload) < _PAYLOAD.size:
            return ""
        code, flags, duration = _PAYLOAD.unpack_from(packet.payload)
        if code >= len(KEYS):
            return ""
        press = _Press(packet.ssrc, packet.timestamp, code, duration, bool(flags & _END))
        last, later = self._last, 1
        if last is not None and last.ssrc == press.ssrc:
            later = ahead(last.start, press.start, 32)
            if later == 0:
                longest = max(last.duration, duration)
                self._last = replace(last, duration=longest, ended=last.ended or press.ended)
            if -FORGOTTEN < later <= 0:
                return ""
        known = last is not None and not packet.marker and _continues(last, press, later)
        self._last = press
        return "" if known else KEYS[code]


def _continues(last: _Press, press: _Press, later: int) -> bool:
    """The next segment of a long press."""
    same = (last.ssrc, last.code) == (press.ssrc, press.code)
    return same and not last.ended and last.duration >= NEARLY and NEARLY <= later <= LONGEST


def duration_of(packet: Rtp) -> int:
    """Of an event's packet, in units of the timestamp; 0 if it is none."""
    if len(packet.payload) < _PAYLOAD.size:
        return 0
    return int(_PAYLOAD.unpack_from(packet.payload)[2])
