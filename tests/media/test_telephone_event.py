"""Keys as RTP telephone-events: whatever of their packets comes, each press is told once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vodiabot.media.rtp import TIMESTAMPS, Packet
from vodiabot.media.telephone_event import (
    EVENTS,
    MAX_DURATION,
    REMEMBERED,
    RESUMED_SECONDS,
    EventPacket,
    EventReceiver,
    build_event,
    packets_of,
    parse_event,
)

BLOCK, CLOCK = 160, 8000
STREAM = 1


def packet(digit: str, timestamp: int, duration: int, *, end: bool = False, marker: bool = False, at: float = 0.0,
           ssrc: int = 7, payload_type: int = 101, volume: int = 10) -> Packet:  # fmt: skip
    payload = build_event(EventPacket(EVENTS.index(digit), end, duration, volume))
    return Packet(payload_type, marker, 0, timestamp % TIMESTAMPS, ssrc, payload, at)


def press(digit: str, timestamp: int, *, blocks: int = 5, at: float = 0.0, ssrc: int = 7) -> list[Packet]:
    """All packets of a press."""
    grow = [
        packet(digit, timestamp, (n + 1) * BLOCK, marker=n == 0, at=at + n * 0.02, ssrc=ssrc) for n in range(blocks)
    ]
    end = [packet(digit, timestamp, blocks * BLOCK, end=True, at=at + (blocks + n) * 0.02, ssrc=ssrc) for n in range(3)]
    return grow + end


def told(packets: list[Packet], stream: int = STREAM) -> str:
    events = EventReceiver()
    return "".join(events.feed(p, stream) for p in packets)


# --- payloads -------------------------------------------------------------------------------------------------


@given(st.integers(0, 255), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 63))
def test_what_is_built_is_read(code: int, end: bool, duration: int, volume: int) -> None:
    event = EventPacket(code, end, duration, volume)
    assert parse_event(build_event(event)) == event


def test_the_payload_of_the_standard() -> None:
    """RFC 4733, section 5, the 9 of the example: volume 7, 1600 units, ended."""
    assert parse_event(bytes([9, 0x80 | 7, 0x06, 0x40])) == EventPacket(9, True, 1600, 7)
    assert build_event(EventPacket(9, True, 1600, 7)) == bytes([9, 0x87, 0x06, 0x40])


@given(st.binary(max_size=20), st.integers(0, TIMESTAMPS - 1))
def test_no_payload_raises(payload: bytes, timestamp: int) -> None:
    events = EventReceiver()
    assert events.feed(Packet(101, False, 0, timestamp, 7, payload, 0.0), STREAM) in EVENTS


# --- presses --------------------------------------------------------------------------------------------------

DIGITS = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=REMEMBERED)
HALF = TIMESTAMPS // 2


@given(st.data(), DIGITS, st.integers(0, TIMESTAMPS - 1))
def test_any_part_of_the_packets_in_order(data: st.DataObject, digits: list[str], begin: int) -> None:
    """Any are lost, any come doubled: each press of which one packet came is told once, in order."""
    came, expected = [], ""
    for n, digit in enumerate(digits):
        whole = press(digit, begin + n * 1600, at=n * 0.2)
        times = data.draw(st.lists(st.integers(0, 3), min_size=len(whole), max_size=len(whole)))
        part = [p for p, count in zip(whole, times, strict=True) for _ in range(count)]
        came += part
        expected += digit if part else ""
    assert told(came) == expected


@given(st.data(), DIGITS, st.integers(0, TIMESTAMPS - 1))
def test_any_part_of_the_packets_in_any_order(data: st.DataObject, digits: list[str], begin: int) -> None:
    whole = [p for n, digit in enumerate(digits) for p in press(digit, begin + n * 1600, at=n * 0.2)]
    came = data.draw(st.lists(st.sampled_from(whole), max_size=3 * len(whole)))
    expected = {p.timestamp: EVENTS[p.payload[0]] for p in came}
    assert Counter(told(came)) == Counter(expected.values())


@given(st.sampled_from(EVENTS), st.integers(1, 20), st.integers(0, 19), st.integers(0, TIMESTAMPS - 1))
def test_the_duration_is_that_of_the_longest_packet(digit: str, blocks: int, lost: int, timestamp: int) -> None:
    events = EventReceiver()
    whole = press(digit, timestamp, blocks=blocks)
    for p in reversed(whole[min(lost, blocks) :]):
        events.feed(p, STREAM)
    assert events.duration == blocks * BLOCK


def test_a_long_press_is_one_press() -> None:
    """Above 8191 and above 32767 units: durations are 16 bits without a sign."""
    events = EventReceiver()
    assert "".join(events.feed(p, STREAM) for p in press("5", 100, blocks=400)) == "5"
    assert events.duration == 64000


@pytest.mark.parametrize("lost", [0, 1, 300])
@pytest.mark.parametrize("step", [MAX_DURATION, MAX_DURATION + 1])
def test_a_press_longer_than_its_field_is_one_press(step: int, lost: int) -> None:
    """Another event takes over with the next timestamp (RFC 4733, section 2.5.1.3)."""
    events = EventReceiver()
    begin = TIMESTAMPS - 1000
    first = [packet("5", begin, n * BLOCK, marker=n == 1) for n in range(1, 410)]
    segments = [
        *first[: len(first) - lost],
        *[packet("5", begin + step, n * BLOCK) for n in range(1, 410)],
        *[packet("5", begin + 2 * step, n * BLOCK, end=n > 100) for n in range(1, 103)],
    ]
    assert "".join(events.feed(p, STREAM) for p in segments) == "5"
    assert events.duration == 2 * step + 102 * BLOCK


@pytest.mark.parametrize("gap", [160, 480, 8000, 40000])
@pytest.mark.parametrize("kept", [slice(0, 5), slice(5, 8), slice(1, 5), slice(2, 3)])
def test_two_equal_keys_are_two_presses(gap: int, kept: slice) -> None:
    """Even where the first ones' ends, and the second ones' first packets with their marker, got lost."""
    second = 1000 + 5 * BLOCK + gap
    assert told(press("7", 1000)[kept] + press("7", second, at=0.3 + gap / CLOCK)[kept]) == "77"


def test_a_quick_hand() -> None:
    keys = [press("1", 1000 + n * 320, blocks=1, at=n * 0.04) for n in range(12)]
    assert told([p for key in keys for p in key]) == "1" * 12


@pytest.mark.parametrize("volume", [0, 10, 36, 63])
def test_the_volume_does_not_matter(volume: int) -> None:
    assert told([packet("3", 5, 160, volume=volume)]) == "3"


@pytest.mark.parametrize("code", [16, 17, 32, 64, 255])
def test_a_hook_flash_and_what_is_no_key_are_ignored(code: int) -> None:
    other = packet("1", 900, 160)
    flash = other._replace(payload=bytes([code]) + other.payload[1:])
    assert told([*press("1", 100)[:4], flash, *press("1", 100)[4:], *press("2", 5000)]) == "12"


# --- streams change -------------------------------------------------------------------------------------------


def test_a_press_goes_on_over_a_reoffer() -> None:
    """Another peer connection or source, other timestamps, perhaps another payload type: still held down."""
    events = EventReceiver()
    old, new = press("9", 1000, blocks=10), press("9", 777000, blocks=10, at=0.2, ssrc=8)
    heard = [events.feed(p, 1) for p in old[:10]] + [events.feed(p._replace(payload_type=96), 2) for p in new[3:]]
    assert "".join(heard) == "9"
    assert events.duration == 20 * BLOCK


def test_the_payload_type_alone_changes() -> None:
    packets = press("9", 1000, blocks=10)
    assert told([*packets[:5], *[p._replace(payload_type=96) for p in packets[5:]]]) == "9"


@pytest.mark.parametrize(
    ("digit", "ended", "later", "marker"),
    [("9", True, 0.1, False), ("8", False, 0.1, False), ("9", False, RESUMED_SECONDS + 0.1, False),
     ("9", False, 0.1, True)],
)  # fmt: skip
def test_another_press_after_a_reoffer(digit: str, ended: bool, later: float, marker: bool) -> None:
    events = EventReceiver()
    old = press("9", 1000, blocks=10)
    heard = [events.feed(p, 1) for p in (old if ended else old[:10])]
    at = old[-1].arrival + later
    new = press(digit, 777000, at=at)[0 if marker else 1 :]
    assert "".join([*heard, *(events.feed(p, 2) for p in new)]) == "9" + digit


def test_late_packets_of_the_old_stream_tell_nothing() -> None:
    events = EventReceiver()
    old, new = press("9", 1000, blocks=10), press("4", 777000, at=0.3, ssrc=8)
    heard = [events.feed(p, 1) for p in old[:9]]
    for late, fresh in zip(old[9:12], new, strict=False):
        heard += [events.feed(fresh, 2), events.feed(late, 1)]
    heard += [events.feed(p, 2) for p in new]
    assert "".join(heard) == "94"


# --- what we send is what we understand -----------------------------------------------------------------------


@given(st.sampled_from(EVENTS), st.floats(0, 9), st.floats(0, 1), st.sampled_from([(160, 8000), (960, 48000)]))
@example("0", 4.1, 0.0, (960, 48000))
def test_what_we_send(digit: str, duration: float, gap: float, clock: tuple[int, int]) -> None:
    steps = list(packets_of(digit.lower(), duration, gap, *clock))
    sent = [step for step in steps if step is not None]
    assert sent[0].first
    assert not any(step.first for step in sent[1:])
    assert [step.event.end for step in sent[-4:]] == [False, True, True, True]
    assert len({step.event.duration for step in sent[-4:]}) == 1
    events = EventReceiver()
    timestamps = accumulate((MAX_DURATION if step.goes_on else 0 for step in sent[1:]), initial=5)
    packets = [
        Packet(101, step.first, 0, timestamp, 7, build_event(replace(step.event, volume=0)), i * 0.02)
        for i, (step, timestamp) in enumerate(zip(sent, timestamps, strict=True))
    ]
    assert "".join(events.feed(p, STREAM) for p in packets) == digit
    untold = max(1, round(duration * 50)) * clock[0] - events.duration
    assert 0 <= untold < clock[0], "also what is longer than one event can tell"
    assert untold == 0 or events.duration % MAX_DURATION == 0
    assert all(step.event.duration <= MAX_DURATION for step in sent)
