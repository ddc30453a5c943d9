"""RTP packets (RFC 3550 section 5.1), read and written by the simulator's own hand."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_FIXED = struct.Struct("!BBHLL")
_REPORT = struct.Struct("!LLLLL")
"""Of a sender report, from its ninth byte on: NTP seconds and fraction, RTP timestamp, packets, octets."""

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


class BadRtp(ValueError):
    """Not an RTP packet; the message says why."""


@dataclass(frozen=True, slots=True)
class Rtp:
    """One packet, without what the simulator has no use for: extensions, contributing sources, padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        """The packet as it is sent."""
        head = 0x80, self.marker << 7 | self.payload_type, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF
        return _FIXED.pack(*head, self.ssrc) + self.payload


def parse(data: bytes) -> Rtp:
    """Raises BadRtp."""
    if len(data) < _FIXED.size or data[0] >> 6 != 2:
        raise BadRtp("no RTP header")
    flags, kind, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    start = _FIXED.size + 4 * (flags & 0x0F)
    if flags & 0x10:
        if len(data) < start + 4:
            raise BadRtp("its extension is cut off")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    end = len(data) - (data[-1] if flags & 0x20 else 0)
    if end < start:
        raise BadRtp("it ends before its payload")
    return Rtp(kind & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(kind & 0x80))


def ahead(of: int, one: int, bits: int) -> int:
    """How far `one` is ahead of `of`, both counted in so many bits; negative if it is behind."""
    half = 1 << (bits - 1)
    return (one - of + half) % (1 << bits) - half


def is_rtcp(data: bytes) -> bool:
    """By its packet type (RFC 5761 section 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def with_report(data: bytes, now: float, timestamp: int, packets: int, octets: int) -> bytes:
    """A compound RTCP packet whose sender report, if it begins with one, says this. `now`: seconds since 1970."""
    if data[1] != 200 or len(data) < 8 + _REPORT.size:
        return data
    whole, part = divmod(now + NTP_EPOCH, 1.0)
    numbers = int(whole), int(part * 0x100000000), timestamp, packets, octets
    report = _REPORT.pack(*(number & 0xFFFFFFFF for number in numbers))
    return data[:8] + report + data[8 + _REPORT.size :]
