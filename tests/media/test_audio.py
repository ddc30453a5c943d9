"""Blocks of samples: from one rate to another, cut off and let in again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.media.audio import RAMP_SECONDS, Blocks, Gate, Samples, Turned, _delay, mixed, silence
from vodiabot.media.waiting import Waiting

from .helpers import sine

RATES = [8000, 16000, 24000, 48000]


def tone_of(hz: float, seconds: float, rate: int, level: float = 0.5) -> Samples:
    return np.rint(32767 * sine(hz, seconds, rate, level)).astype(np.int16)


# --- from one rate to another -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("wanted", RATES)
def test_the_end_of_a_sound_comes_out_and_is_not_heard_later(rate: int, wanted: int) -> None:
    blocks = Blocks()
    assert blocks.rest() is None
    sound = tone_of(400, 0.11, rate)[: round(0.1 * rate)]
    n = rate // 50
    out = [blocks.to(wanted, sound[at : at + n], rate) for at in range(0, len(sound), n)]
    rest = blocks.rest()
    assert blocks.rest() is None
    if rate == wanted:
        assert rest is None
        return
    assert rest is not None
    assert len(rest) == wanted // 50
    whole = np.concatenate([*out, rest])
    when = np.arange(len(whole)) / wanted - _delay(rate, wanted) / rate
    own = 32767 * 0.5 * np.sin(2 * np.pi * 400 * when)
    assert np.abs(whole - own)[(when > 0.004) & (when < 0.096)].max() < 100
    assert np.abs(whole[when > 0.104]).max() < 10
    assert not blocks.to(wanted, silence(n), rate).any(), "nothing of it is left"


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(RATES), st.lists(st.sampled_from(RATES), min_size=1, max_size=25), st.integers(1, 3000))
def test_whatever_the_rates_no_seam_and_nothing_lost(base: int, rates: list[int], length: int) -> None:
    """Compared with the tone itself, sampled at the rate of each block."""
    sound = tone_of(300, 2.0, base)[: length * base // 8000]
    rest = sound

    def take(n: int) -> Samples:
        nonlocal rest
        assert n >= 0
        out, rest = rest[:n], rest[n:]
        return out

    turned = Turned(base, take, silence(0))
    wanted = iter([*rates, *[rates[-1]] * 200])
    at = 0.0
    while len(rest) or turned.pending:
        rate = next(wanted)
        out = turned.pull(rate)
        when = at + np.arange(len(out)) / rate
        own = 32767 * 0.5 * np.sin(2 * np.pi * 300 * when)
        inside = (when > 0.004) & (when < len(sound) / base - 0.004)
        assert np.abs(out - own)[inside].max(initial=0) < 200
        at += 0.02
    assert at >= len(sound) / base - 1e-9
    assert at < len(sound) / base + 0.02
    assert len(turned.pull(base)) == 0


def test_in_the_same_rate_samples_stay_as_they_are() -> None:
    sound = np.arange(1000, dtype=np.int16)
    parts = [sound[160:]]

    def take(n: int) -> Samples:
        out, parts[0] = parts[0][:n], parts[0][n:]
        return out

    turned = Turned(8000, take, sound[:160])
    turned.pull(16000)
    back = np.concatenate([turned.pull(8000) for _ in range(5)])
    assert list(back) == list(range(320, 1000))


# --- a gate -----------------------------------------------------------------------------------------------------


def ones(n: int = 160) -> Samples:
    return np.full(n, 10000, np.int16)


def test_an_open_gate_is_not_there() -> None:
    gate, block = Gate(), ones()
    assert gate.through(block, 8000) is block
    assert gate.through(None, 8000) is None


@pytest.mark.parametrize("rate", [8000, 16000])
def test_it_closes_and_opens_in_5_ms(rate: int) -> None:
    gate, n = Gate(), rate // 50
    gate.through(ones(n), rate)
    gate.open = False
    closing = gate.through(ones(n), rate)
    assert closing is not None
    assert gate.through(ones(n), rate) is None
    gate.open = True
    opening = gate.through(ones(n), rate)
    assert opening is not None
    ramp = round(RAMP_SECONDS * rate)
    step = 10000 / ramp
    assert np.abs(np.diff(closing[:ramp].astype(int), prepend=10000) + step).max() <= 1
    assert not closing[ramp:].any()
    assert np.abs(np.diff(opening[:ramp].astype(int), prepend=0) - step).max() <= 1
    assert (opening[ramp:] == 10000).all()
    assert gate.settled


def test_what_was_silent_before_does_not_fade_out() -> None:
    gate = Gate()
    gate.through(None, 8000)
    gate.open = False
    assert gate.through(ones(), 8000) is None


def test_what_was_cut_off_elsewhere_fades_in() -> None:
    gate = Gate()
    gate.through(ones(), 8000)
    gate.cut()
    again = gate.through(ones(), 8000)
    assert again is not None
    assert again[0] < 1000
    gate.open = False
    gate.cut()
    assert gate.through(ones(), 8000) is None


# --- sums -------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.integers(-32768, 32767)), min_size=1, max_size=10))
def test_a_sum_saturates(values: list[int | None]) -> None:
    blocks = [None if v is None else np.full(3, v, np.int16) for v in values]
    out = mixed(blocks[0], blocks[1:])
    there = [v for v in values if v is not None]
    if out is None:
        assert not there
    else:
        assert out.dtype == np.int16
        assert list(out) == [max(-32768, min(32767, sum(there)))] * 3


# --- what waits -------------------------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.tuples(st.just("put"), st.integers(0, 400)), st.tuples(st.just("take"), st.integers(1, 400))))
)
def test_what_is_taken_is_what_was_put_in(steps: list[tuple[str, int]]) -> None:
    """But where it ran dry: it ends within 5 ms, and begins so again."""
    waiting, put, taken, soft = Waiting(8000), 0, 0, 0
    for what, n in steps:
        if what == "put":
            waiting.put(np.arange(put, put + n).astype(np.int16))
            put += n
        else:
            block = waiting.take(n)
            got = min(n, put - taken)
            assert block is None or len(block) == n
            assert block is not None or got == 0
            if block is not None:
                assert list(block[soft:got]) == list(np.arange(taken, taken + got)[soft:].astype(np.int16))
                assert not block[got + 40 :].any()
            taken += got
            soft = 0 if got == n else 40
        assert waiting.held == put - taken


def test_what_is_dropped_fades_if_it_was_being_heard() -> None:
    waiting = Waiting(8000)
    waiting.put(ones(400))
    waiting.clear()
    assert waiting.held == 0, "nobody had heard any of it"
    waiting.put(ones(400))
    waiting.take(160)
    waiting.clear()
    end = waiting.take(160)
    assert end is not None
    assert not end[40:].any()
    assert np.abs(np.diff(end.astype(int), prepend=10000, append=0)).max() < 300
    waiting.put(ones(400))
    waiting.take(160)
    waiting.cut()
    waiting.clear()
    assert waiting.held == 0, "it was cut off before"
