"""RTCP (RFC 3550, section 6): counting what comes, and the reports both ways. Pure; all times are given."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .rtp import SEQUENCES, TIMESTAMPS, Unwrapped, signed

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203
NTP_EPOCH = 2208988800
"""Seconds from 1900 to 1970."""
INTERVAL = 5.0
"""Seconds between reports on average (RFC 3550, section 6.2)."""
FIRST_INTERVAL = 1.0
"""Seconds to the first one, so that short calls have a round trip too."""
MISORDERED = 100
"""Packets by which a sequence number may lie behind the highest and still be of the same count."""
DROPOUT = 3000
"""Packets by which it may lie ahead: a minute of loss (RFC 3550, appendix A.1)."""
HALF = TIMESTAMPS // 2
ANOTHER_COUNT = 1.0
"""Seconds of difference between two transit times which are no jitter but another count of timestamps."""


class Reception:
    """Counts one source's packets (RFC 3550, appendix A.3 and A.8)."""

    def __init__(self, ssrc: int, clock: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self.jitter = 0.0
        """Seconds."""
        self._clock = clock
        self._unwrap = Unwrapped(SEQUENCES)
        self._first: int | None = None
        self._highest = 0
        self._before = 0  # expected in earlier counts
        self._transit: tuple[int, float] | None = None
        self._reported = (0, 0)  # expected and received at the last report

    def use(self, clock: int) -> None:
        """From here on timestamps count `clock` units a second."""
        self._clock, self._transit = clock, None

    def count(self, sequence: int, timestamp: int, arrival: float) -> None:
        """A packet came; `arrival` in seconds."""
        self.count_untimed(sequence)
        if self._transit is not None:
            last, then = self._transit
            # As `signed`, written out: this is done for each packet.
            units = (timestamp - last + HALF) % TIMESTAMPS - HALF
            difference = abs(arrival - then - units / self._clock)
            if difference < ANOTHER_COUNT:
                self.jitter += (difference - self.jitter) / 16
        self._transit = (timestamp, arrival)

    def count_untimed(self, sequence: int) -> None:
        """A packet came whose timestamp is not that of its sending."""
        number = self._unwrap(sequence)
        self.received += 1
        if self._first is None or not -MISORDERED < number - self._highest < DROPOUT:
            self._before = self.expected
            self._unwrap = Unwrapped(SEQUENCES)
            self._first = self._highest = self._unwrap(sequence)
        elif number > self._highest:
            self._highest = number
        elif number < self._first:
            self._first = number

    @property
    def expected(self) -> int:
        """Packets that the other side has sent, as far as its sequence numbers say."""
        return self._before if self._first is None else self._before + self._highest - self._first + 1

    @property
    def lost(self) -> int:
        """Packets, never less than 0 (a doubled packet counts twice as received)."""
        return max(0, self.expected - self.received)

    def block(self, last_report: int, since: float) -> Block:
        """A report block on what came since the last one. `last_report`: the middle 32 bits of the NTP time of the
        sender's latest report, 0 for none; `since`: seconds since that came."""
        expected, received = self.expected, self.received
        new_expected, new_received = expected - self._reported[0], received - self._reported[1]
        self._reported = (expected, received)
        part = max(0.0, 1 - new_received / new_expected) if new_expected > 0 else 0.0
        highest, jitter = self._highest % TIMESTAMPS, round(self.jitter * self._clock)
        delay = round(since * 65536) if last_report else 0
        return Block(self.ssrc, part, expected - received, highest, jitter, last_report, delay)


@dataclass(frozen=True)
class Block:
    """A report block: what one side says of the other's packets."""

    ssrc: int
    part_lost: float
    """0 to 1, since the report before."""
    lost: int
    """In all; less than 0 where more packets came doubled than were lost."""
    highest: int
    """Sequence number, with its wraps above the lower 16 bits."""
    jitter: int
    """Timestamp units."""
    last_report: int
    delay: int
    """Since that report came, in units of 1/65536 s."""

    def pack(self) -> bytes:
        lost = max(-0x800000, min(self.lost, 0x7FFFFF)) & 0xFFFFFF
        part = min(255, int(self.part_lost * 256))
        head = struct.pack("!IIII", self.ssrc, part << 24 | lost, self.highest, min(self.jitter, 0xFFFFFFFF))
        return head + struct.pack("!II", self.last_report, min(self.delay, 0xFFFFFFFF))


@dataclass(frozen=True)
class SenderInfo:
    """What a sender says of itself."""

    ntp: int
    """64 bits: seconds since 1900 and their fraction."""
    timestamp: int
    packets: int
    octets: int

    @property
    def middle(self) -> int:
        """The 32 bits that a report block refers to."""
        return self.ntp >> 16 & 0xFFFFFFFF


@dataclass(frozen=True)
class Report:
    """A sender's or receiver's report."""

    ssrc: int
    sender: SenderInfo | None
    blocks: tuple[Block, ...]


def ntp(wall: float) -> int:
    """Seconds since the epoch as an NTP timestamp of 64 bits."""
    return int((wall + NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def build(report: Report, cname: str) -> bytes:
    """A compound packet: the report, and the name that belongs to it (RFC 3550, section 6.1)."""
    body = struct.pack("!I", report.ssrc)
    if (sender := report.sender) is not None:
        counts = sender.packets % TIMESTAMPS, sender.octets % TIMESTAMPS
        body += struct.pack("!QIII", sender.ntp, sender.timestamp, *counts)
    body += b"".join(block.pack() for block in report.blocks)
    kind = SENDER_REPORT if report.sender else RECEIVER_REPORT
    return _packet(kind, len(report.blocks), body) + _description(report.ssrc, cname)


def goodbye(ssrc: int) -> bytes:
    """That a source ends."""
    return _packet(GOODBYE, 1, struct.pack("!I", ssrc))


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    item = struct.pack("!IBB", ssrc, 1, len(name)) + name
    return _packet(DESCRIPTION, 1, item + bytes(4 - len(item) % 4))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def parse(data: bytes) -> list[Report]:
    """The reports in a compound packet; what is wrong or unknown in it is left out."""
    found = []
    for count, kind, body in _packets(data):
        fixed = {SENDER_REPORT: 24, RECEIVER_REPORT: 4}.get(kind)
        if fixed is not None and len(body) >= fixed + 24 * count:
            found.append(_report(kind, count, body, fixed))
    return found


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return
        yield first & 0x1F, kind, data[at + 4 : end]
        at = end


def _report(kind: int, count: int, body: bytes, fixed: int) -> Report:
    (ssrc,) = struct.unpack_from("!I", body)
    info = SenderInfo(*struct.unpack_from("!QIII", body, 4)) if kind == SENDER_REPORT else None
    return Report(ssrc, info, tuple(_block(body, fixed + 24 * n) for n in range(count)))


def _block(body: bytes, at: int) -> Block:
    ssrc, losses, highest, jitter, last_report, delay = struct.unpack_from("!IIIIII", body, at)
    lost = signed(losses & 0xFFFFFF, 1 << 24)
    return Block(ssrc, (losses >> 24) / 256, lost, highest, jitter, last_report, delay)


ROUNDED = 65
"""Units of 1/65536 s, a millisecond: so much less than nothing is a short way whose times were rounded."""


def round_trip(block: Block, wall: float) -> float | None:
    """Seconds, from a block that refers to a report of ours; None if it refers to none or makes no sense."""
    if not block.last_report:
        return None
    now = ntp(wall) >> 16 & 0xFFFFFFFF
    units = signed(now - block.last_report - block.delay)
    return max(0, units) / 65536 if -ROUNDED <= units < 65536 * 60 else None
