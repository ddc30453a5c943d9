"""RTP packets (RFC 3550, section 5.1). Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
VERSION = 0x80
TIMESTAMPS = 1 << 32
SEQUENCES = 1 << 16


class Packet(NamedTuple):
    """One RTP packet as it came."""

    payload_type: int
    marker: bool
    sequence: int
    """16 bits, wraps."""
    timestamp: int
    """32 bits, wraps; in units of the codec's RTP clock."""
    ssrc: int
    payload: bytes
    arrival: float
    """Seconds on the media loop's clock."""


def parse(data: bytes, arrival: float) -> Packet | None:
    """The packet in a datagram whose SRTP was taken off; None if it is no RTP."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != VERSION:
        return None
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:  # a header extension; nothing of it is used
        if end < start + 4:
            return None
        start += 4 + 4 * _EXTENSION.unpack_from(data, start)[1]
    if first & 0x20:  # padding; its last byte says how much
        end -= data[-1]
    if start > end:
        return None
    return Packet(second & 0x7F, second > 127, sequence, timestamp, ssrc, data[start:end], arrival)


def build(payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    """The datagram, before SRTP."""
    second = payload_type | 0x80 if marker else payload_type
    return _HEADER.pack(VERSION, second, sequence, timestamp, ssrc) + payload


def is_rtcp(datagram: bytes) -> bool:
    """Whether a datagram of SRTP is RTCP: by its packet type, which no RTP payload type may look like (RFC 5761)."""
    return len(datagram) > 1 and 192 <= datagram[1] <= 223


def signed(difference: int, modulus: int = TIMESTAMPS) -> int:
    """A difference of two wrapping counters, as a number between minus and plus half the modulus."""
    half = modulus // 2
    return (difference + half) % modulus - half


class Unwrapped:
    """A wrapping counter that goes on beyond its wraps: 65534, 65535, 0 → 65534, 65535, 65536."""

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus
        self._last: int | None = None

    def __call__(self, value: int) -> int:
        """The value that is nearest to the last one."""
        last, modulus = self._last, self._modulus
        if last is not None:
            half = modulus >> 1
            value = last + (value - last + half) % modulus - half  # as `signed`
        self._last = value
        return value
