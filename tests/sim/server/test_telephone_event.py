"""Presses told from packets, and keys as they are pressed: without a connection."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.sim.server.dtmf import DigitDetector
from vodiabot.sim.server.keypad import MAX_WAITING, Keypad, Slot
from vodiabot.sim.server.rtp import Rtp
from vodiabot.sim.server.telephone_event import KEYS, EventListener, duration_of, payload


def event(key: str, start: int, duration: int, *, end: bool = False, marker: bool = False, ssrc: int = 1) -> Rtp:
    body = struct.pack("!BBH", KEYS.index(key), end << 7 | 10, duration)
    return Rtp(101, 0, start % 2**32, ssrc, body, marker)


def press(key: str, start: int) -> list[Rtp]:
    held = [event(key, start, 160 * n, marker=n == 1) for n in range(1, 5)]
    return held + [event(key, start, 800, end=True)] * 3


def heard(packets: list[Rtp]) -> str:
    listener = EventListener()
    return "".join(listener.feed(packet) for packet in packets)


@given(st.text(KEYS, max_size=8), st.data())
def test_a_press_is_told_once_as_long_as_one_of_its_packets_comes(keys: str, data: st.DataObject) -> None:
    packets, start = [], data.draw(st.integers(0, 2**32 - 1))
    for key in keys:
        start += data.draw(st.integers(801, 400_000))
        kept = data.draw(st.sets(st.integers(0, 6), min_size=1))
        repeated = data.draw(st.integers(1, 2))
        packets += [packet for i, packet in enumerate(press(key, start)) if i in kept for _ in range(repeated)]
    assert heard(packets) == keys


def test_a_packet_of_the_press_before_comes_late() -> None:
    one, two = press("1", 1000), press("2", 3000)
    assert heard([*one[:4], *two[:2], *one[4:], *two[2:]]) == "12"


def test_another_sender_and_one_that_begins_anew_are_heard() -> None:
    other = [event("1", 5, 160, ssrc=2)]
    assert heard([*press("1", 900_000), *other, *press("1", 900_000)]) == "111"
    assert heard([*press("1", 900_000), *press("1", 5)]) == "11"


@pytest.mark.parametrize("last", [0xFFFF, 0xFFFF - 960])
def test_a_press_that_is_longer_than_a_duration_can_say_is_one(last: int) -> None:
    first = [event("5", 0, n, marker=n == 960) for n in (960, 30_000, last)]
    second = [event("5", 0xFFFF, n) for n in (960, 30_000, 0xFFFF)]
    third = [event("5", 2 * 0xFFFF, n, end=n == 4000) for n in (960, 4000, 4000)]
    assert heard(first + second + third) == "5"
    assert heard([*first, event("5", 0xFFFF, 960, marker=True)]) == "55"
    assert heard([*first, event("6", 0xFFFF, 960)]) == "56"
    assert heard([*first, event("5", 0, last, end=True), event("5", 0xFFFF, 960)]) == "55"


@pytest.mark.parametrize("body", [b"", b"\x01\x0a\x00", struct.pack("!BBH", 16, 10, 800), b"\xff" * 4])
def test_what_is_no_key_is_nothing(body: bytes) -> None:
    assert heard([Rtp(101, 0, 7, 1, body)]) == ""


def test_durations() -> None:
    assert payload("#", 800, end=True) == bytes([11, 0x8A, 3, 32])
    assert duration_of(Rtp(101, 0, 0, 1, payload("#", 100_000, end=False))) == 0xFFFF
    assert duration_of(Rtp(101, 0, 0, 1, b"")) == 0


# --- the keypad ------------------------------------------------------------------------------------------------------


def test_keys_are_pressed_one_after_the_other_for_100_ms_with_60_ms_between() -> None:
    pad = Keypad()
    pad.press("1 x5")
    slots: list[Slot | None] = []
    while pad.busy:
        slots.append(pad.next(len(slots) * 160))
    assert pad.next(0) is None
    said = [slot.event(8000) for slot in slots if slot]
    for number, key in enumerate("15"):
        mine = said[number * 8 : number * 8 + 8]
        assert mine[:5] == [payload(key, 160 * n, end=n == 5) for n in range(1, 6)]
        assert mine[5:] == [mine[4], mine[4], b""]
    assert [slot.start for slot in slots if slot] == [0] * 8 + [1280] * 8
    assert [i for i, slot in enumerate(slots) if slot and slot.first] == [0, 8]


def test_keys_that_wait_are_bounded() -> None:
    pad = Keypad()
    for _ in range(30):
        pad.press("0123456789")
    pressed = 0
    while pad.next(0):
        pressed += 1
    assert pressed == 8 * MAX_WAITING


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_each_key_sounds_as_itself(rate: int) -> None:
    pad, detector = Keypad(), DigitDetector()
    pad.press(KEYS.lower())
    found = ""
    while slot := pad.next(0):
        found += detector.feed(slot.tones(rate, rate // 50), rate)
    assert found == KEYS
