"""RTP headers, against aiortc's reading of them."""

from __future__ import annotations

import struct

import pytest
from aiortc.rtp import RtcpPacket, RtcpSenderInfo, RtcpSrPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.sim.server.rtp import BadRtp, Rtp, ahead, is_rtcp, parse, with_report

WORDS = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    Rtp, st.integers(0, 127), st.integers(0, 0xFFFF), WORDS, WORDS, st.binary(max_size=200), st.booleans()
)


@given(PACKETS)
def test_a_packet_is_read_as_it_was_written_here_and_elsewhere(packet: Rtp) -> None:
    assert parse(packet.pack()) == packet
    theirs = RtpPacket.parse(packet.pack())
    assert (theirs.payload_type, theirs.sequence_number, theirs.timestamp) == (
        packet.payload_type, packet.sequence, packet.timestamp,
    )  # fmt: skip
    assert (theirs.ssrc, theirs.payload, bool(theirs.marker)) == (packet.ssrc, packet.payload, packet.marker)


def test_what_stands_between_header_and_payload_is_left_out() -> None:
    head = struct.pack("!BBHLL", 0x80 | 0x30 | 2, 5, 1, 2, 3)
    sources, extension = bytes(8), struct.pack("!HH", 0xBEDE, 1) + b"\x10\x30\x00\x00"
    assert parse(head + sources + extension + b"sound" + b"\x00\x00\x03").payload == b"sound"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    try:
        parse(data)
    except BadRtp:
        return


CUT_OFF = (
    b"",
    b"\x80" * 11,
    b"\x40" + bytes(20),
    b"\x90" + bytes(11),
    b"\x90" + bytes(13) + b"\x00\x09",
    b"\xa0" + bytes(11) + b"\xff",
    b"\x8f" + bytes(20),
)


@pytest.mark.parametrize("data", CUT_OFF)
def test_what_is_cut_off_is_no_packet(data: bytes) -> None:
    with pytest.raises(BadRtp):
        parse(data)


@given(WORDS, st.integers(-(2**31), 2**31 - 1))
def test_numbers_are_compared_around_their_end(start: int, step: int) -> None:
    assert ahead(start, (start + step) % 2**32, 32) == step


def test_a_report_is_put_right_and_the_rest_left_alone() -> None:
    info = RtcpSenderInfo(ntp_timestamp=1, rtp_timestamp=2, packet_count=3, octet_count=4)
    other = RtcpSrPacket(ssrc=9, sender_info=info)
    [first, second] = RtcpPacket.parse(with_report(bytes(other) + bytes(other), 1_000_000_000.5, 2**32 + 7, 8, 9))
    assert isinstance(first, RtcpSrPacket)
    assert first.ssrc == 9
    assert first.sender_info.ntp_timestamp >> 32 == 3_208_988_800
    assert first.sender_info.ntp_timestamp & 0xFFFFFFFF == 0x80000000
    assert (first.sender_info.rtp_timestamp, first.sender_info.packet_count, first.sender_info.octet_count) == (7, 8, 9)
    assert bytes(second) == bytes(other)
    assert with_report(b"\x81\xcb\x00\x01\x00\x00\x00\x09", 0, 0, 0, 0) == b"\x81\xcb\x00\x01\x00\x00\x00\x09"
    assert is_rtcp(bytes(other))
    assert not is_rtcp(Rtp(111, 1, 1, 1, b"", marker=True).pack())
