"""RTP packets: what is built is read, what comes is read whatever it has before and behind the payload."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.media.rtp import SEQUENCES, TIMESTAMPS, Packet, Unwrapped, build, is_rtcp, parse, signed

BITS_32 = st.integers(0, TIMESTAMPS - 1)
HEADER = struct.Struct("!BBHII")


def datagram(
    payload: bytes, *, csrcs: int = 0, extension: bytes | None = None, padding: int = 0, version: int = 2
) -> bytes:
    first = version << 6 | (padding > 0) << 5 | (extension is not None) << 4 | csrcs
    words = b"" if extension is None else struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
    fill = bytes(padding - 1) + bytes([padding]) if padding else b""
    return HEADER.pack(first, 0x80 | 8, 513, 1026, 77) + bytes(4 * csrcs) + words + payload + fill


@given(st.integers(0, 127), st.booleans(), st.integers(0, SEQUENCES - 1), BITS_32, BITS_32, st.binary(max_size=400))
def test_what_is_built_is_read(kind: int, marker: bool, sequence: int, timestamp: int, ssrc: int, load: bytes) -> None:
    data = build(kind, marker, sequence, timestamp, ssrc, load)
    assert parse(data, 1.5) == Packet(kind, marker, sequence, timestamp, ssrc, load, 1.5)


@given(
    st.binary(max_size=200),
    st.integers(0, 15),
    st.none() | st.integers(0, 20).map(lambda words: bytes(4 * words)),
    st.integers(0, 255),
)
def test_only_the_payload_is_payload(payload: bytes, csrcs: int, extension: bytes | None, padding: int) -> None:
    packet = parse(datagram(payload, csrcs=csrcs, extension=extension, padding=padding), 0.0)
    assert packet == Packet(8, True, 513, 1026, 77, payload, 0.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        datagram(b"x" * 20, version=1),
        datagram(b"", csrcs=3)[:20],
        datagram(b"", extension=bytes(8))[:14],
        datagram(b"", extension=bytes(8))[:18],
        HEADER.pack(0xA0, 8, 1, 1, 1) + b"\x09",
    ],
)
def test_what_is_cut_off_is_nothing(data: bytes) -> None:
    assert parse(data, 0.0) is None


@given(st.binary(max_size=100))
def test_no_datagram_raises(data: bytes) -> None:
    packet = parse(data, 0.0)
    assert packet is None or len(packet.payload) <= len(data) - 12
    assert isinstance(is_rtcp(data), bool)


@pytest.mark.parametrize(("second", "expected"), [(200, True), (207, True), (0, False), (0x80 | 111, False)])
def test_rtcp_is_known_by_its_type(second: int, expected: bool) -> None:
    assert is_rtcp(bytes([0x80, second, 0, 0])) is expected


@given(st.integers(-(10**12), 10**12), st.sampled_from([SEQUENCES, TIMESTAMPS, 1 << 24]))
def test_a_signed_difference(n: int, modulus: int) -> None:
    assert -modulus // 2 <= signed(n, modulus) < modulus // 2
    assert (signed(n, modulus) - n) % modulus == 0


@given(st.integers(0, SEQUENCES - 1), st.lists(st.integers(-30000, 30000)))
def test_a_counter_goes_on_beyond_its_wraps(first: int, steps: list[int]) -> None:
    unwrap, expected = Unwrapped(SEQUENCES), first
    assert unwrap(first) == first
    for step in steps:
        expected += step
        assert unwrap(expected % SEQUENCES) == expected
