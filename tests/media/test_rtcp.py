"""RTCP: our counts against a straightforward reference, and reports whatever they hold."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vodiabot.media import rtcp
from vodiabot.media.rtcp import Block, Reception, Report, SenderInfo, build, goodbye, ntp, parse, round_trip
from vodiabot.media.rtp import SEQUENCES, TIMESTAMPS

CLOCK = 8000
BITS_32 = st.integers(0, TIMESTAMPS - 1)
Came = tuple[int, int, float]
"""Number of the packet (which does not wrap), timestamp units (likewise), arrival in seconds."""


def counted(came: Sequence[Came], sequence: int = 0, timestamp: int = 0, clock: int = CLOCK) -> Reception:
    reception = Reception(7, clock)
    for n, units, arrival in came:
        reception.count((sequence + n) % SEQUENCES, (timestamp + units) % TIMESTAMPS, arrival)
    return reception


class Reference:
    """RFC 3550, appendix A.3 and A.8, with numbers that do not wrap."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.jitter = 0.0
        self.transit: float | None = None
        self.prior = (0, 0)

    def count(self, n: int, units: int, arrival: float) -> None:
        self.numbers.append(n)
        transit = arrival * CLOCK - units
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
        self.transit = transit

    @property
    def expected(self) -> int:
        return max(self.numbers) - min(self.numbers) + 1

    def fraction(self) -> float:
        expected, received = self.expected - self.prior[0], len(self.numbers) - self.prior[1]
        self.prior = self.expected, len(self.numbers)
        return 0.0 if expected == 0 or expected < received else (expected - received) / expected


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(-20, 20)), min_size=1, max_size=30),
        max_size=5,
    ),
    st.integers(0, SEQUENCES - 1),
    BITS_32,
)
def test_losses_and_jitter_as_the_standard_counts_them(
    intervals: list[list[tuple[int, int, int]]], sequence: int, timestamp: int
) -> None:
    """Each packet lost, single or doubled, up to 9 packets late, and up to 20 ms of jitter; a report an interval."""
    reception, reference, n = Reception(7, CLOCK), Reference(), 0
    for interval in intervals:
        packets = []
        for times, late, ms in interval:
            packets += [(n + late, n, n * 0.02 + ms / 1000)] * times
            n += 1
        assume(packets)
        for _, number, arrival in sorted(packets):
            reference.count(number, number * 160, arrival)
            at = (timestamp + number * 160) % TIMESTAMPS
            reception.count((sequence + number) % SEQUENCES, at, arrival)
        block = reception.block(0, 0.0)
        assert block.part_lost == pytest.approx(reference.fraction())
        assert block.lost == reference.expected - len(reference.numbers)
        assert reception.lost == max(0, block.lost)
        assert reception.received == len(reference.numbers)
        first, highest = reference.numbers[0], max(reference.numbers)
        assert block.highest == (sequence + first) % SEQUENCES + highest - first
        assert block.jitter == pytest.approx(reference.jitter, abs=0.51)


def test_the_highest_number_counts_wraps() -> None:
    reception = counted([(n, n * 160, n * 0.02) for n in range(70000) if n % 10], sequence=65530)
    assert reception.block(0, 0.0).highest == 65530 + 69999
    assert reception.lost == 6999


@pytest.mark.parametrize("lost", [1, 100, 2000])
def test_losses_over_the_wrap(lost: int) -> None:
    numbers = [n for n in range(3000) if not 1 < n - 100 <= lost + 1]
    reception = counted([(n, n * 160, n * 0.02) for n in numbers], sequence=SEQUENCES - 103)
    assert reception.lost == lost
    assert reception.block(0, 0.0).part_lost == pytest.approx(lost / 3000)


@pytest.mark.parametrize("sequence", [0, 3, 20000, 40000, 65535])
def test_numbers_that_begin_anew(sequence: int) -> None:
    """A sender that starts again: what was lost before stays lost, what is lost after it is counted again."""
    reception = counted([(n, n * 160, n * 0.02) for n in range(500) if n != 50], sequence=30000)
    for n in range(300):
        if n not in (100, 101):
            reception.count((sequence + n) % SEQUENCES, n * 160, 20 + n * 0.02)
    assert reception.lost == 3
    assert reception.block(0, 0.0).highest == sequence + 299


def test_an_early_packet_that_comes_second() -> None:
    reception = counted([(1, 160, 0.0), (0, 0, 0.0), (2, 320, 0.04), (4, 640, 0.08)], sequence=SEQUENCES - 1)
    assert (reception.lost, reception.received) == (1, 4)


def test_keys_say_nothing_of_the_jitter() -> None:
    reception = counted([(n, n * 160, n * 0.02) for n in range(50)])
    for n in range(50, 100):
        reception.count_untimed(n)
    assert reception.jitter == pytest.approx(0.0, abs=1e-9)
    assert reception.lost == 0


def test_another_clock_is_no_jitter() -> None:
    reception = counted([(n, n * 960, n * 0.02) for n in range(50)], clock=48000)
    reception.use(8000)
    for n in range(50, 100):
        reception.count(n, n * 160, n * 0.02)
    assert reception.jitter == pytest.approx(0.0, abs=1e-9)


# --- reports --------------------------------------------------------------------------------------------------

PARTS = st.integers(0, 255).map(lambda n: n / 256)
BLOCKS = st.builds(Block, BITS_32, PARTS, st.integers(-(1 << 23), (1 << 23) - 1), BITS_32, BITS_32, BITS_32, BITS_32)
INFOS = st.builds(SenderInfo, st.integers(0, (1 << 64) - 1), BITS_32, BITS_32, BITS_32)
REPORTS = st.builds(Report, BITS_32, st.none() | INFOS, st.lists(BLOCKS, max_size=31).map(tuple))


@given(REPORTS, st.text(max_size=80))
def test_what_is_built_is_read(report: Report, cname: str) -> None:
    data = build(report, cname)
    assert len(data) % 4 == 0
    assert parse(data) == [report]
    assert parse(data + goodbye(report.ssrc)) == [report]


def test_what_does_not_fit_is_cut_to_what_does() -> None:
    block = Block(1, 1.0, 1 << 30, 5, 1 << 40, 0, 1 << 40)
    (report,) = parse(build(Report(1, SenderInfo(1, 2, TIMESTAMPS + 3, TIMESTAMPS + 4), (block,)), "a"))
    assert report.blocks == (Block(1, 255 / 256, 0x7FFFFF, 5, 0xFFFFFFFF, 0, 0xFFFFFFFF),)
    assert report.sender == SenderInfo(1, 2, 3, 4)


def test_bytes_of_the_standard() -> None:
    """A receiver's report written out by hand (RFC 3550, section 6.4.2)."""
    words = [0x81C90007, 0x11, 0x22, 0x40FFFFFF, 0x10005, 9, 0xABCD, 0x8000]
    expected = Report(0x11, None, (Block(0x22, 0.25, -1, 0x10005, 9, 0xABCD, 0x8000),))
    data = struct.pack("!8I", *words)
    assert parse(data) == [expected]
    assert build(expected, "")[: len(data)] == data


@given(st.binary(max_size=200))
def test_no_packet_raises(data: bytes) -> None:
    parse(data)


@given(REPORTS, st.data())
def test_no_broken_packet_raises(report: Report, data: st.DataObject) -> None:
    whole = bytearray(build(report, "name") + goodbye(report.ssrc) + build(report, "name"))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    parse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def test_what_is_unknown_is_left_out() -> None:
    report = Report(1, None, ())
    feedback = struct.pack("!BBHII", 0x81, 205, 2, 1, 2)
    application = struct.pack("!BBHI4s", 0x80, 204, 2, 1, b"abcd")
    assert parse(feedback + build(report, "x") + application + goodbye(1)) == [report]
    assert parse(goodbye(1)) == []


# --- the round trip -------------------------------------------------------------------------------------------


@given(st.floats(0, 4e9), st.floats(0, 30), st.floats(0, 20))
def test_the_round_trip(sent: float, way: float, held: float) -> None:
    """Their block refers to our report of `sent`; they held it for a while, and it took `way` in all on the way."""
    report = SenderInfo(ntp(sent), 0, 0, 0).middle
    assume(report)
    reception = counted([(0, 0, 0.0)])
    (answer,) = parse(build(Report(7, None, (reception.block(report, held),)), ""))
    assert round_trip(answer.blocks[0], sent + held + way) == pytest.approx(way, abs=1e-4)


def test_no_round_trip_of_no_report() -> None:
    reception = counted([(0, 0, 0.0)])
    assert round_trip(reception.block(0, 3.0), 100.0) is None
    assert reception.block(0, 3.0).delay == 0


@pytest.mark.parametrize("wrong", [-1.0, -0.002, 61.0])
def test_a_round_trip_that_makes_no_sense_is_none(wrong: float) -> None:
    block = Block(1, 0.0, 0, 0, 0, SenderInfo(ntp(1e9), 0, 0, 0).middle, 0)
    assert round_trip(block, 1e9 + wrong) is None


def test_the_first_report_is_soon() -> None:
    assert rtcp.FIRST_INTERVAL < rtcp.INTERVAL
