"""From blocks to packets: sequence, timestamp, marker, digits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.media import rtp
from vodiabot.media.audio import silence
from vodiabot.media.codecs import CODECS
from vodiabot.media.sender import Press, Sender
from vodiabot.media.telephone_event import ENDS, MAX_DURATION, parse_event

from .sending import EVENT_TYPE, LINEAR, LINEAR_TYPE

BLOCK = 160


def sender(sequence: int | None = None, timestamp: int | None = None) -> Sender:
    made = Sender(LINEAR_TYPE, LINEAR, 77)
    made.events(EVENT_TYPE, 8000)
    if sequence is not None:
        made._sequence = sequence
    if timestamp is not None:
        made._timestamp = timestamp
    return made


def parsed(data: bytes) -> rtp.Packet:
    packet = rtp.parse(data, 0.0)
    assert packet is not None
    return packet


def packets(made: Sender, n: int, level: int = 5) -> list[rtp.Packet]:
    return [parsed(made.packet(np.full(BLOCK, level, np.int16))) for _ in range(n)]


def press(made: Sender, digit: str = "5", duration: float = 0.1, gap: float = 0.1) -> tuple[Press, list[bool]]:
    done: list[bool] = []
    pressed = Press(digit, duration, gap, done.append)
    made.press(pressed)
    return pressed, done


def test_beginnings_are_random_and_the_sequence_is_in_its_lower_half() -> None:
    many = [parsed(Sender(LINEAR_TYPE, LINEAR, 1).packet(None)) for _ in range(50)]
    assert len({p.timestamp for p in many}) > 45
    assert len({p.sequence for p in many}) > 45
    assert all(p.sequence < 1 << 15 for p in many)


def test_one_by_one_and_over_both_wraps() -> None:
    made = sender(rtp.SEQUENCES - 2, rtp.TIMESTAMPS - 3 * BLOCK)
    got = packets(made, 6)
    assert [p.sequence for p in got] == [65534, 65535, 0, 1, 2, 3]
    assert [p.timestamp for p in got] == [*(rtp.TIMESTAMPS - n * BLOCK for n in (3, 2, 1)), 0, BLOCK, 2 * BLOCK]
    assert {p.ssrc for p in got} == {77}


def test_silence_is_sent_as_such_and_changes_nothing_else() -> None:
    made = sender()
    got = [parsed(made.packet(None if n % 2 else np.ones(BLOCK, np.int16))) for n in range(6)]
    assert all(b.sequence - a.sequence == 1 and b.timestamp - a.timestamp == BLOCK for a, b in pairwise(got))
    assert [p.marker for p in got] == [True] + [False] * 5
    assert got[1].payload == silence(BLOCK).tobytes()
    assert (made.packets, made.octets) == (6, 6 * 2 * BLOCK)


def test_time_passes_while_nothing_is_sent_and_what_comes_then_is_marked() -> None:
    made = sender(10, 0)
    packets(made, 2)
    for _ in range(3):
        made.skip()
    made.skip(7)
    after = packets(made, 2)
    assert [p.sequence for p in after] == [12, 13], "no packet, no number"
    assert [p.timestamp for p in after] == [12 * BLOCK, 13 * BLOCK]
    assert [p.marker for p in after] == [True, False]
    assert made.packets == 4


def test_another_codec_goes_on_with_number_and_time() -> None:
    made = sender(10, 0)
    packets(made, 1)
    made.use(111, CODECS["opus"])
    first, second = (parsed(made.packet(silence(320))) for _ in range(2))
    made.use(0, CODECS["PCMU"])
    third = parsed(made.packet(None))
    assert [p.payload_type for p in (first, second, third)] == [111, 111, 0]
    assert [p.sequence for p in (first, second, third)] == [11, 12, 13]
    assert [p.timestamp for p in (first, second, third)] == [BLOCK, BLOCK + 960, BLOCK + 1920]
    assert third.payload == b"\xff" * 160
    assert not first.marker


def test_the_same_codec_again_keeps_its_state() -> None:
    made = Sender(111, CODECS["opus"], 1)
    before = made._encoder
    made.use(96, CODECS["opus"])
    assert made._encoder is before
    made.use(0, CODECS["PCMU"])
    assert made._encoder is not before


# --- digits -----------------------------------------------------------------------------------------------------


def test_a_digit_in_the_midst_of_audio() -> None:
    made = sender(100, 0)
    packets(made, 2)
    _, done = press(made, "5", duration=0.1, gap=0.1)
    got = packets(made, 12)
    events = [p for p in got if p.payload_type == EVENT_TYPE]
    told = [parse_event(p.payload) for p in events]
    assert len(events) == 5 + ENDS
    assert {p.timestamp for p in events} == {2 * BLOCK}, "all that of the beginning"
    assert [p.marker for p in events] == [True] + [False] * 7
    assert [e.duration for e in told if e] == [160, 320, 480, 640, 800, 800, 800, 800]
    assert [e.end for e in told if e] == [False] * 5 + [True] * ENDS
    assert {e.code for e in told if e} == {5}
    assert [p.sequence for p in got] == list(range(102, 114))
    after = got[8:]
    assert {p.payload_type for p in after} == {LINEAR_TYPE}
    assert [p.timestamp for p in after] == [(10 + n) * BLOCK for n in range(4)], "the time has gone on"
    assert [bool(np.frombuffer(p.payload, np.int16).any()) for p in after] == [False, False, True, True]
    assert done == [True]


def test_a_long_press_at_a_fast_clock_is_several_events_that_follow_one_another() -> None:
    made = sender(100, 0)
    made.use(111, CODECS["opus"])
    made.events(EVENT_TYPE, 48000)
    press(made, "5", duration=3.0)
    events = [p for p in (parsed(made.packet(None)) for _ in range(150 + ENDS)) if p.payload_type == EVENT_TYPE]
    assert [p.marker for p in events] == [True] + [False] * (149 + ENDS)
    ends = {p.timestamp: event.duration for p in events if (event := parse_event(p.payload)) is not None}
    assert ends == {0: MAX_DURATION, MAX_DURATION: MAX_DURATION, 2 * MAX_DURATION: 3 * 48000 - 2 * MAX_DURATION}
    assert [e.end for e in map(parse_event, (p.payload for p in events)) if e] == [False] * 150 + [True] * ENDS


@pytest.mark.parametrize(("before", "more", "total"), [(3, [640, 800], 800), (5, [], 800), (20, [], 3200)])
def test_a_long_press_that_nobody_wants_any_more_ends_and_says_so(before: int, more: list[int], total: int) -> None:
    made = sender(100, 0)
    pressed, _ = press(made, "5", duration=5.0)
    packets(made, before)
    made.withdraw(pressed)
    told = [parse_event(p.payload) for p in packets(made, 9) if p.payload_type == EVENT_TYPE]
    assert [(e.duration, e.end) for e in told if e] == [(n, False) for n in more] + [(total, True)] * ENDS
    assert not made.dialling


def test_how_loud_a_key_is_pressed() -> None:
    made = sender()
    made.press(Press("5", 0.1, 0.1, lambda sent: None, 36))
    told = [parse_event(p.payload) for p in packets(made, 8)]
    assert {e.volume for e in told if e} == {36}


def test_digits_one_after_the_other_and_what_plays_is_silent_between() -> None:
    made = sender()
    all_done = [press(made, digit, 0.04, 0.1)[1] for digit in "12"]
    got = packets(made, 20)
    kinds = "".join(
        "e" if p.payload_type == EVENT_TYPE else "a" if np.frombuffer(p.payload, np.int16).any() else "s" for p in got
    )
    assert kinds == "eeeeesseeeee" + "ss" + "a" * 6
    assert all_done == [[True], [True]]
    starts = {p.timestamp for p in got if p.payload_type == EVENT_TYPE}
    assert len(starts) == 2


def test_whether_a_digit_is_what_leaves() -> None:
    made = sender()
    press(made, duration=0.02, gap=0.1)
    said = []
    for _ in range(8):
        packets(made, 1)
        said.append(made.dialling)
    assert said == [True] * 6 + [False] * 2


def test_a_digit_over_both_wraps() -> None:
    made = sender(rtp.SEQUENCES - 3, rtp.TIMESTAMPS - BLOCK)
    press(made, duration=0.1)
    got = packets(made, 12)
    events = [p for p in got if p.payload_type == EVENT_TYPE]
    assert {p.timestamp for p in events} == {rtp.TIMESTAMPS - BLOCK}
    assert [p.sequence for p in got] == [(rtp.SEQUENCES - 3 + n) % rtp.SEQUENCES for n in range(12)]
    assert got[8].timestamp == 7 * BLOCK


def test_a_hold_in_the_midst_of_a_digit() -> None:
    """It goes on where it was, and the audio after it has its time."""
    made = sender(0, 0)
    press(made, duration=0.06, gap=0.06)
    before = packets(made, 2)
    made.skip(5)
    after = packets(made, 6)
    events = [p for p in before + after if p.payload_type == EVENT_TYPE]
    assert len({p.timestamp for p in events}) == 1
    assert [p.marker for p in events].count(True) == 1
    assert sum(bool(e and e.end) for e in (parse_event(p.payload) for p in events)) == ENDS
    assert [p.timestamp for p in after if p.payload_type == LINEAR_TYPE] == [11 * BLOCK, 12 * BLOCK]


def test_another_payload_type_and_clock_in_the_midst_of_a_digit() -> None:
    made = sender(0, 0)
    press(made, duration=0.1)
    packets(made, 2)
    made.use(111, CODECS["opus"])
    made.events(110, 48000)
    told = [parse_event(parsed(made.packet(None)).payload) for _ in range(6)]
    assert [e.duration for e in told if e] == [n * 960 for n in (3, 4, 5, 5, 5, 5)]
    assert [e.end for e in told if e] == [False] * 3 + [True] * 3


def test_without_events_there_is_no_press() -> None:
    made = sender()
    made.events(None, 8000)
    with pytest.raises(ValueError, match="not negotiated"):
        press(made)


def test_released_digits_are_told() -> None:
    made = sender()
    pressed = [press(made)[1] for _ in range(3)]
    packets(made, 2)
    made.release()
    made.release()
    assert pressed == [[True], [False], [False]]
    assert packets(made, 1)[0].payload_type == LINEAR_TYPE


def test_a_withdrawn_digit_is_not_sent_and_one_that_has_begun_has_an_end() -> None:
    made = sender()
    (first, done), (second, undone), (third, late) = (press(made, digit) for digit in "123")
    packets(made, 2)
    for one in (first, second, second):
        made.withdraw(one)
    told = [parse_event(p.payload) for p in packets(made, 40) if p.payload_type == EVENT_TYPE]
    assert {e.code for e in told if e} == {1, 3}
    assert sum(bool(e and e.end) for e in told) == 2 * ENDS
    assert (done, undone, late) == ([True], [], [True])
    made.withdraw(third)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, rtp.SEQUENCES - 1),
    st.integers(0, rtp.TIMESTAMPS - 1),
    st.lists(st.sampled_from(["play", "silence", "skip", "press", "release", "opus", "linear"]), max_size=40),
)
def test_whatever_happens_numbers_and_time_go_on(sequence: int, timestamp: int, what: list[str]) -> None:
    made = sender(sequence, timestamp)
    rate, units, sent = 8000, 0, 0
    for step in [*what, "play"]:
        if step == "press":
            press(made, duration=0.03, gap=0.05)
        elif step == "release":
            made.release()
        elif step in ("opus", "linear"):
            rate = 48000 if step == "opus" else 8000
            made.use(*((111, CODECS["opus"]) if step == "opus" else (LINEAR_TYPE, LINEAR)))
            made.events(110 if step == "opus" else EVENT_TYPE, rate)
        elif step == "skip":
            made.skip(2)
            units += 2 * rate // 50
        else:
            block = silence(320 if rate == 48000 else BLOCK)
            packet = parsed(made.packet(block if step == "play" else None))
            assert packet.sequence == (sequence + sent) % rtp.SEQUENCES
            if packet.payload_type in (111, LINEAR_TYPE):
                assert packet.timestamp == (timestamp + units) % rtp.TIMESTAMPS
            sent += 1
            units += rate // 50
    assert made.packets == sent
    assert made.timestamp == (timestamp + units) % rtp.TIMESTAMPS
