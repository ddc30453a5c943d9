"""Sound that is made up, or becomes shorter or longer: no click, the same pitch, the right length."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.media.audio import Samples, silence
from vodiabot.media.stretch import (
    FADED,
    FULL,
    LONGEST_PERIOD,
    SHORTEST_PERIOD,
    Concealment,
    blended,
    faded_in,
    faded_out,
    longer,
    period_of,
    shorter,
)

from .receiving import LOUD, sine

RATES = [8000, 16000]
LENGTHS = [0.01, 0.02, 0.03, 0.04, 0.06]
PITCHES = [100, 150, 220, 333, 400]


def residual(samples: Samples, hz: float, rate: int) -> float:
    """How far the sound is from a steady tone, at its worst."""
    x = samples.astype(float)
    return float(np.abs(x[2:] - 2 * np.cos(2 * np.pi * hz / rate) * x[1:-1] + x[:-2]).max())


def pulses(hz: float, seconds: float, rate: int) -> Samples:
    """As a voice has them: one sharp pulse a period."""
    phase = np.arange(round(seconds * rate)) * hz / rate % 1.0
    return np.rint(LOUD * np.exp(-12 * phase)).astype(np.int16)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [100, 150, 220, 400])
def test_the_period_of_a_voice(rate: int, hz: int) -> None:
    period, alike = period_of(pulses(hz, 0.04, rate), rate)
    times = period * hz / rate
    assert times == pytest.approx(round(times), abs=0.06), "one period or some whole ones"
    assert SHORTEST_PERIOD - 0.001 <= period / rate <= LONGEST_PERIOD + 0.001
    assert alike > 0.8


@pytest.mark.parametrize("n", [0, 1, 20, 40])
def test_too_little_has_no_period(n: int) -> None:
    period, alike = period_of(sine(200, 1, 8000)[:n], 8000, n // 2)
    assert alike == 0.0
    assert period > 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("hz", PITCHES)
def test_a_period_less_or_more_is_not_heard(rate: int, seconds: float, hz: int) -> None:
    tone = sine(hz, seconds * 3, rate)
    n = round(seconds * rate)
    before, block, after = tone[:n], tone[n : 2 * n], tone[2 * n :]
    for changed in (shorter(block, rate), longer(block, rate)):
        whole = np.concatenate((before, changed, after))
        assert abs(len(changed) - n) <= round(LONGEST_PERIOD * rate)
        assert residual(whole, hz, rate) < LOUD * 0.1
        assert np.abs(np.diff(whole.astype(int))).max() < np.abs(np.diff(tone.astype(int))).max() * 1.25 + 10


@pytest.mark.parametrize("seconds", LENGTHS)
def test_blocks_of_any_length_can_be_changed(seconds: float) -> None:
    """Else the delay of a far side that sends such packets would stay."""
    block = sine(300, seconds, 8000)
    assert len(shorter(block, 8000)) < len(block) < len(longer(block, 8000))


@pytest.mark.parametrize("n", [0, 1, 2, 20, 160])
def test_silence_is_changed_anywhere(n: int) -> None:
    block = silence(n)
    assert len(shorter(block, 8000)) == n - min(n // 2, 80)
    assert len(longer(block, 8000)) == n + min(n // 2, 80)


def test_what_has_no_period_stays() -> None:
    noise = np.random.default_rng(5).normal(0, 3000, 160).astype(np.int16)
    impulse = silence(160)
    impulse[100] = 30000
    assert len(shorter(impulse, 8000)) in (160, 80)
    assert len(shorter(noise, 8000)) >= 60


SOUNDS = st.lists(st.integers(-32768, 32767), max_size=500).map(lambda x: np.array(x, np.int16))


@given(SOUNDS, st.sampled_from(RATES), st.integers(0, 2000))
def test_no_sound_raises(sound: Samples, rate: int, n: int) -> None:
    assert len(shorter(sound, rate)) <= len(sound) <= len(longer(sound, rate))
    concealment = Concealment(rate)
    assert len(concealment.conceal(n)) == n
    assert np.array_equal(concealment.heard(sound)[len(sound) :], sound[len(sound) :])
    assert len(concealment.conceal(n)) == n
    assert len(concealment.heard(sound)) == len(sound)
    assert shorter(sound, rate).dtype == longer(sound, rate).dtype == concealment.conceal(9).dtype == np.int16


# --- concealment ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", [0.005, 0.01, 0.02, 0.06])
@pytest.mark.parametrize("hz", [120, 200, 310, 440])
def test_a_tone_goes_on_in_a_hole(rate: int, block: float, hz: int) -> None:
    n = round(block * rate)
    tone = sine(hz, 0.3, rate)
    concealment = Concealment(rate)
    heard = [concealment.heard(tone[i : i + n]) for i in range(0, round(0.12 * rate), n)]
    made = concealment.conceal(round(0.02 * rate))
    joined = np.concatenate((*heard, made))
    assert np.abs(made.astype(int)).max() > LOUD / 2
    assert np.abs(np.diff(joined.astype(int))).max() < np.abs(np.diff(tone.astype(int))).max() * 1.3 + 20


@pytest.mark.parametrize("pieces", [[160] * 5, [80] * 10, [20] * 40, [800]])
def test_it_fades_whatever_pieces_it_is_made_in(pieces: list[int]) -> None:
    concealment = Concealment(8000)
    concealment.heard(sine(200, 0.1, 8000))
    made = np.concatenate([concealment.conceal(n) for n in pieces]).astype(int)
    assert np.abs(made[: round(FULL * 8000)]).max() > 0.9 * LOUD
    assert not made[round(FADED * 8000) :].any()
    levels = np.abs(made[: round(FADED * 8000)]).reshape(-1, 40).max(axis=1)
    assert all(a >= b - 1 for a, b in itertools.pairwise(levels[2:]))


def test_what_comes_after_a_hole_is_blended_in() -> None:
    tone = sine(200, 0.1, 8000)
    concealment = Concealment(8000)
    concealment.heard(tone)
    made = concealment.conceal(160)
    after = concealment.heard(-tone[:160])
    joined = np.concatenate((made, after)).astype(int)
    assert np.abs(np.diff(joined)).max() < 2 * np.abs(np.diff(tone.astype(int))).max()
    assert np.array_equal(after[60:], -tone[60:160])


def test_without_a_hole_nothing_is_touched() -> None:
    tone = sine(200, 0.02, 8000)
    assert Concealment(8000).heard(tone) is tone


def test_before_anything_was_heard_there_is_silence() -> None:
    assert not Concealment(8000).conceal(500).any()


# --- fades ----------------------------------------------------------------------------------------------------


def test_fades() -> None:
    full = np.full(200, 10000, np.int16)
    out, into = faded_out(full).astype(int), faded_in(full, 50).astype(int)
    assert out[0] > 9900
    assert out[-1] < 100
    assert (np.diff(out) <= 0).all()
    assert into[0] < 200
    assert (into[50:] == 10000).all()
    assert len(faded_in(full[:10], 50)) == 10
    assert np.array_equal(blended(full, full), full)
