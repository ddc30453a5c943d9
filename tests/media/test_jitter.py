"""The jitter buffer under all that networks do: always a block a tick, and a low delay again when they are good."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.media.codecs import CODECS
from vodiabot.media.jitter import CAPACITY, FIRST, LEAST, MOST, JitterBuffer, Kind
from vodiabot.media.rtp import TIMESTAMPS

from .receiving import BEGAN, Source, late, listen, receiver, sine, without

HZ = 440.0
CLICK = 1000
UNIT = 160
"""Timestamp units of a packet of 20 ms, at a clock of 8000."""
PCMU = CODECS["PCMU"]


def played(buffer: JitterBuffer, ticks: int, began: float) -> list[tuple[Kind, bytes]]:
    return [buffer.next(began + i * 0.02)[0:3:2] for i in range(ticks)]


def put(buffer: JitterBuffer, n: int, at: float, *, shift: int = 0) -> None:
    timestamp = (shift + n * UNIT) % TIMESTAMPS
    buffer.put(timestamp, PCMU, b"%d" % n, UNIT, at)


# --- order and loss -------------------------------------------------------------------------------------------


def test_it_puts_in_order() -> None:
    buffer = JitterBuffer(8000)
    for n in (1, 0, 3, 2, 4):
        put(buffer, n, 5.0)
    assert [p for kind, p in played(buffer, 5, 5.2) if kind is Kind.PLAY] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_doubled_packet_is_played_once() -> None:
    buffer = JitterBuffer(8000)
    for n in (0, 0, 1, 1, 2, 2):
        put(buffer, n, 5.0)
    assert [p for _, p in played(buffer, 3, 5.2)] == [b"0", b"1", b"2"]


def test_a_lost_packet_is_recovered_from_the_one_behind_it() -> None:
    buffer = JitterBuffer(8000)
    for n in (0, 1, 4):
        put(buffer, n, 5.0)
    steps = played(buffer, 5, 5.2)
    assert steps == [(Kind.PLAY, b"0"), (Kind.PLAY, b"1"), (Kind.CONCEAL, b""), (Kind.RECOVER, b"4"), (Kind.PLAY, b"4")]


def test_time_stands_still_while_nothing_is_there() -> None:
    buffer = JitterBuffer(8000)
    put(buffer, 0, 5.0)
    steps = [kind for kind, _ in played(buffer, 6, 5.2)]
    assert steps == [Kind.PLAY, Kind.CONCEAL, Kind.CONCEAL, Kind.FADE, Kind.NOTHING, Kind.NOTHING]


def test_what_comes_after_a_pause_waits_for_the_full_depth() -> None:
    buffer = JitterBuffer(8000)
    for n in range(3):
        put(buffer, n, 5.0 + n * 0.02)
    played(buffer, 10, 5.04)
    put(buffer, 100, 7.0)
    steps = played(buffer, 3, 7.001)
    assert [kind for kind, _ in steps] == [Kind.NOTHING, Kind.PLAY, Kind.CONCEAL]


@pytest.mark.parametrize("first", [1, 5])
def test_after_a_pause_a_flood_is_not_played_late(first: int) -> None:
    buffer = JitterBuffer(8000)
    put(buffer, 0, 5.0)
    played(buffer, 10, 5.04)
    for n in range(first, 46):
        put(buffer, n, 5.9)
    kind, payload = played(buffer, 1, 5.92)[0]
    assert kind is Kind.PLAY
    assert int(payload) >= 44


@pytest.mark.parametrize("gap", [30, 100, 160, 200, 230, 250, 330, 480, 1000])
def test_what_is_made_up_is_as_long_as_the_gap(gap: int) -> None:
    buffer = JitterBuffer(8000)
    put(buffer, 0, 5.0)
    put(buffer, 1, 5.0, shift=gap)
    steps = [buffer.next(5.2 + i * 0.02) for i in range(12)]
    last = next(i for i, step in enumerate(steps) if step.payload == b"1" and step.kind is Kind.PLAY)
    assert sum(step.units for step in steps[1:last]) == gap


@pytest.mark.parametrize("timestamp", [0, 2**31 - 5 * UNIT, TIMESTAMPS - 5 * UNIT, TIMESTAMPS - 1])
def test_timestamps_and_sequence_numbers_wrap(timestamp: int) -> None:
    packets = Source(timestamp=timestamp, sequence=65530).tone(3, HZ)
    ear = receiver("PCMU")
    heard = listen(ear, without(packets, [4, 5, 6, 30]), 3.5)
    assert ear.lost == 4
    assert ear.received == len(packets) - 4
    assert heard.part(1.5, 3).holes == []
    assert heard.part(1.5, 3).clicks(HZ).max() < CLICK


# --- jitter ---------------------------------------------------------------------------------------------------


def jittered(seconds: float, spread: float, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [chance.uniform(0, spread) for _ in range(round(seconds * 50) + 50)]


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.06, 0.1, 0.18])
def test_it_is_as_deep_as_the_jitter_needs(spread: float) -> None:
    delays = jittered(20, spread)
    heard = listen(receiver("PCMU"), late(Source().tone(20, HZ), lambda i: delays[i]), 20.5)
    good = heard.part(4, 19.9)
    assert sum(hole[1] for hole in good.holes) < 0.05
    assert len([x for x in good.clicks(HZ) if x > CLICK]) < 100
    assert spread - 0.03 < np.median(heard.depths[200:950]) < spread + 0.06
    assert good.hz == pytest.approx(HZ, abs=2)


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.2, 0.35])
def test_ten_good_seconds_bring_the_delay_back(spread: float) -> None:
    delays = jittered(10, spread)
    packets = late(Source().tone(22, HZ), lambda i: delays[i] if i < 500 else 0.0)
    ear = receiver("PCMU")
    heard = listen(ear, packets, 23)
    assert ear.target < 0.05
    assert heard.talk[1] - (BEGAN + 22) < 0.08, "the true delay at the end"
    assert heard.depths[1020:1090].max() < 0.08


@pytest.mark.parametrize("stall", [0.1, 0.3, 0.6, 1.5, 5.0])
def test_a_stall_and_the_flood_after_it(stall: float) -> None:
    """Nothing comes for a while, then all at once: it is not played late for long."""
    packets = late(Source().tone(22, HZ), lambda i: max(0.0, stall - (i - 200) * 0.02) if i >= 200 else 0.0)
    ear = receiver("PCMU")
    heard = listen(ear, packets, 23)
    assert heard.talk[1] - (BEGAN + 22) < 0.1
    if stall > MOST:  # which no depth would have covered
        assert heard.depths[round((11 + stall) * 50) : 1000].max() < 0.05
    after = heard.part(4 + stall + 0.3, 21.9)
    assert after.holes == []
    assert heard.part(15 + stall, 21.9).clicks(HZ).max() < CLICK


@pytest.mark.parametrize("gap", [0.1, 0.3, 0.7, 2.0, 5.0, 60.0])
def test_after_a_pause_the_depth_is_there_again(gap: float) -> None:
    """Discontinuous sending: the timestamps have gone on, nothing came. What follows is as jittery as before."""
    delays = jittered(30, 0.06, seed=3)
    first = late(Source().tone(8, HZ), lambda i: delays[i])
    skipped = round(gap * 50)
    units = Source().timestamp + (len(first) + skipped) * UNIT
    began = BEGAN + (len(first) + skipped) * 0.02
    source = replace(Source(), timestamp=units, sequence=1000 + len(first))
    second = late(source.tone(8, HZ, began), lambda i: delays[500 + i])
    heard = listen(receiver("PCMU"), first + second, began - BEGAN + 9)
    good = heard.part(began - BEGAN + 0.1, began - BEGAN + 7.9)
    assert sum(hole[1] for hole in good.holes) <= 0.03
    assert heard.talk[1] - (began + 8) < 0.13


@pytest.mark.parametrize("step", [0.08, 0.3, 0.6, 0.95, 3.0])
def test_the_way_becomes_longer_for_good(step: float) -> None:
    packets = late(Source().tone(20, HZ), lambda i: step if i >= 300 else 0.0)
    ear = receiver("PCMU")
    heard = listen(ear, packets, 21 + step)
    assert heard.part(6 + step + 0.2, 19.9 + step).holes == []
    assert ear.concealed / 8000 < 0.2
    assert heard.talk[1] - (BEGAN + 20 + step) < 0.08


@pytest.mark.parametrize("step", [0.08, 0.3, 0.6, 0.95, 3.0])
def test_the_way_becomes_shorter_for_good(step: float) -> None:
    packets = late(Source().tone(20, HZ), lambda i: step if i < 300 else 0.0)
    heard = listen(receiver("PCMU"), packets, 21 + step)
    assert heard.part(6 + step + 0.5, 19.9).holes == []
    assert heard.talk[1] - (BEGAN + 20) < 0.1


@pytest.mark.parametrize("ppm", [-200, 200])
@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_another_clock_for_ten_minutes(codec: str, ppm: int) -> None:
    """The other side's clock is not ours: no delay that grows, no hole that comes again."""
    seconds = 600
    delays = jittered(seconds, 0.004)
    cycle = Source(codec).send(sine(HZ, 1.0, CODECS[codec].rate))
    units = round(0.02 * CODECS[codec].clock)
    packets = [
        cycle[i % 50]._replace(sequence=i % 65536, timestamp=i * units, arrival=BEGAN + i * 0.02 * (1 + ppm / 1e6))
        for i in range(seconds * 50)
    ]
    ear = receiver(codec)
    heard = listen(ear, late(packets, lambda i: delays[i]), seconds * (1 + ppm / 1e6) - 0.1)
    assert heard.depths[100:].min() > 0.005
    assert heard.depths[100:].max() < 0.05
    assert ear.concealed / 8000 < 0.2
    assert heard.part(2, seconds - 1).holes == []


# --- other counts, strays -------------------------------------------------------------------------------------


def test_a_stray_timestamp_empties_nothing() -> None:
    packets = Source().tone(6, HZ)
    strays = [
        packets[i]._replace(timestamp=(i * 7919777) % TIMESTAMPS, arrival=packets[i].arrival + 0.001)
        for i in range(50, 280, 10)
    ]
    heard = listen(receiver("PCMU"), packets + strays, 6.5)
    assert heard.part(1, 5.9).holes == []
    assert heard.part(1, 5.9).clicks(HZ).max() < CLICK


def test_a_very_late_packet_empties_nothing() -> None:
    packets = Source().tone(8, HZ)
    again = [p._replace(arrival=p.arrival + 1.7) for p in packets[50:300:7]]
    ear = receiver("PCMU")
    heard = listen(ear, packets + again, 8.5)
    assert heard.part(1, 7.9).holes == []
    assert heard.part(1, 7.9).clicks(HZ).max() < CLICK


@pytest.mark.parametrize("jump", [-(2**31), -800000, -7000, -1600, 1600, 7000, 800000, 2**31 - 1])
def test_the_same_source_counts_anew(jump: int) -> None:
    first = Source().tone(4, HZ)
    began = BEGAN + len(first) * 0.02
    timestamp = (Source().timestamp + len(first) * UNIT + jump) % TIMESTAMPS
    second = replace(Source(), timestamp=timestamp, sequence=1000 + len(first)).tone(11, HZ, began)
    heard = listen(receiver("PCMU"), first + second, began - BEGAN + 12)
    silent = max(0.36, jump / 8000 if 0 < jump < 8000 else 0)
    assert heard.part(began - BEGAN + silent, began - BEGAN + 10.9).holes == []
    assert heard.talk[1] - (began + 11) < 0.1


def test_what_is_kept_is_bounded() -> None:
    buffer = JitterBuffer(8000)
    for n in range(5000):
        put(buffer, n, 5.0)
    assert buffer.waiting <= CAPACITY
    step = buffer.next(5.0)
    assert step.kind is Kind.PLAY
    assert int(step.payload) > 4900, "the newest is worth more than the oldest"


def test_the_depth_in_a_pause_is_no_delay() -> None:
    heard = listen(receiver("PCMU"), Source().tone(1), 12)
    assert heard.depths.max() < 0.1


# --- any schedule ---------------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.tuples(st.just("good"), st.integers(1, 100), st.just(0.0)),
    st.tuples(st.just("jitter"), st.integers(1, 100), st.floats(0, 1.5)),
    st.tuples(st.just("lost"), st.integers(1, 60), st.just(0.0)),
    st.tuples(st.just("doubled"), st.integers(1, 50), st.floats(0, 3)),
    st.tuples(st.just("stalled"), st.integers(1, 150), st.just(0.0)),
    st.tuples(st.just("jumped"), st.integers(1, 30), st.floats(-5, 5)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(EVENTS, max_size=8), st.sampled_from(["PCMU", "opus", "G722"]), st.sampled_from([10, 20, 60]), st.randoms()
)
def test_any_schedule_and_ten_good_seconds(
    schedule: list[tuple[str, int, float]], codec: str, ms: int, chance: random.Random
) -> None:
    packets = Source(codec, ms / 1000).tone(11, HZ)
    units = packets[1].timestamp - packets[0].timestamp
    sent, n, timestamp, now = [], 0, 0, BEGAN
    for kind, count, value in schedule:
        until = now + count * ms / 1000
        for i in range(count):
            now += ms / 1000
            arrival = until if kind == "stalled" else now + (chance.uniform(0, value) if kind == "jitter" else 0)
            packet = packets[n % 50]._replace(sequence=n % 65536, timestamp=timestamp % TIMESTAMPS, arrival=arrival)
            n, timestamp = n + 1, timestamp + units
            sent += [] if kind == "lost" else [packet]
            if kind == "doubled":
                sent.append(packet._replace(arrival=arrival + value))
            elif kind == "jumped" and i == 0:
                timestamp += round(value * CODECS[codec].clock)
    good = [
        p._replace(
            sequence=(n + i) % 65536, timestamp=(timestamp + i * units) % TIMESTAMPS, arrival=now + (i + 1) * ms / 1000
        )
        for i, p in enumerate(packets)
    ]
    ear = receiver(codec)
    heard = listen(ear, sent + good, now - BEGAN + 12)
    assert ear._buffer is not None
    assert ear._buffer.waiting < 20
    assert LEAST <= ear.target <= 0.07 + 0.1 * (codec == "opus")
    assert heard.talk[1] - (now + 11) < 0.13 + ms / 1000
    assert heard.part(now - BEGAN + 10, now - BEGAN + 10.9).holes == []


def test_limits_make_sense() -> None:
    assert LEAST <= FIRST <= MOST
