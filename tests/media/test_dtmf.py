"""Finding digits in audio: by tables and over noise, levels and twist; and none in speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.errors import UsageError
from vodiabot.media.audio import to_int16
from vodiabot.media.dtmf import LOOKS_TO_END, RATE, TONES, DtmfDetector, digits_source
from vodiabot.media.sources import AtRate

DIGITS = st.sampled_from(sorted(TONES))


def press(
    digit: str, seconds: float, *, level: float = 0.28, twist_db: float = 0, off: float = 0
) -> np.ndarray:
    """One press; `off`: how much too high the tones are, as a fraction."""
    row, column = (hz * (1 + off) for hz in TONES[digit])
    at = np.arange(round(seconds * RATE)) / RATE
    return level * (
        np.sin(2 * np.pi * row * at) + 10 ** (twist_db / 20) * np.sin(2 * np.pi * column * at + 1)
    )


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


def found(wave: np.ndarray, block: int = 160) -> str:
    samples, detector = to_int16(wave * 32767), DtmfDetector()
    return "".join(detector.feed(samples[i : i + block]) for i in range(0, len(samples), block))


@pytest.mark.parametrize("digit", sorted(TONES))
@pytest.mark.parametrize("seconds", [0.04, 0.1, 2.0])
def test_each_digit_once_however_long(digit: str, seconds: float) -> None:
    assert found(np.concatenate((quiet(0.03), press(digit, seconds), quiet(0.1)))) == digit


def test_it_is_told_when_it_begins() -> None:
    assert found(press("5", 0.06)) == "5"


@pytest.mark.parametrize("block", [1, 33, 160, 960, 8000])
def test_any_size_of_block(block: int) -> None:
    wave = np.concatenate([np.concatenate((press(d, 0.05), quiet(0.05))) for d in "1470#"])
    assert found(wave, block) == "1470#"


@pytest.mark.parametrize("pause", [0.04, 0.06, 0.5])
def test_the_same_digit_again_after_a_pause(pause: float) -> None:
    wave = np.concatenate([np.concatenate((press("7", 0.06), quiet(pause))) for _ in range(5)])
    assert found(wave) == "77777"


@pytest.mark.parametrize("dropout", [0.002, 0.005, 0.01])
def test_a_short_dropout_is_no_second_press(dropout: float) -> None:
    assert LOOKS_TO_END > 4
    for lead in range(0, 51, 7):
        wave = np.concatenate(
            (np.zeros(lead), press("7", 0.08), quiet(dropout), press("7", 0.08), quiet(0.1))
        )
        assert found(wave) == "7"


@settings(deadline=None, max_examples=150)
@given(
    digits=st.text(DIGITS, min_size=1, max_size=5),
    seconds=st.floats(0.04, 0.15),
    pause=st.floats(0.045, 0.2),
    level_db=st.floats(-25, -7),
    twist_db=st.floats(-4, 4),
    off=st.floats(-0.012, 0.012),
    snr_db=st.floats(15, 60),
    lead=st.integers(0, 400),
    seed=st.integers(0, 2**32 - 1),
)
def test_digits_in_noise(
    digits: str,
    seconds: float,
    pause: float,
    level_db: float,
    twist_db: float,
    off: float,
    snr_db: float,
    lead: int,
    seed: int,
) -> None:
    level = 10 ** (level_db / 20)
    one = [
        np.concatenate((press(d, seconds, level=level, twist_db=twist_db, off=off), quiet(pause)))
        for d in digits
    ]
    wave = np.concatenate((np.zeros(lead), *one, quiet(0.05)))
    weaker = level * min(1.0, 10 ** (twist_db / 20))
    noise = np.random.default_rng(seed).normal(0, weaker / 10 ** (snr_db / 20), len(wave))
    assert found(np.clip(wave + noise, -1, 1)) == digits


# --- what is no digit ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(level=st.floats(0.001, 0.5), seed=st.integers(0, 2**32 - 1))
def test_noise_has_no_digits(level: float, seed: int) -> None:
    assert found(np.clip(np.random.default_rng(seed).normal(0, level, RATE), -1, 1)) == ""


@pytest.mark.parametrize(
    "hz", [*sorted({hz for pair in TONES.values() for hz in pair}), 350, 425, 440, 1000, 2100]
)
def test_one_tone_is_no_digit(hz: float) -> None:
    assert found(0.5 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)) == ""


@pytest.mark.parametrize("pair", [(350, 440), (440, 480), (480, 620), (697, 770), (1209, 1336), (800, 1400)])
def test_other_pairs_of_tones_are_no_digit(pair: tuple[float, float]) -> None:
    at = np.arange(RATE) / RATE
    assert found(sum(0.25 * np.sin(2 * np.pi * hz * at) for hz in pair)) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("twist_db", [-14, 14])
def test_too_much_twist_is_no_digit(twist_db: float) -> None:
    assert found(press("5", 0.2, level=0.1, twist_db=twist_db)) == ""


def voice(seconds: float, seed: int) -> np.ndarray:
    """Something like speech: a gliding pitch with all its harmonics through gliding formants, in
    syllables."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    knots = np.linspace(0, n, round(seconds * 6))

    def glide(low: float, high: float) -> np.ndarray:
        return np.interp(np.arange(n), knots, rng.uniform(low, high, len(knots)))

    pitch, loud = glide(85, 300), np.clip(glide(-0.5, 1), 0, 1)
    formants = [(glide(250, 900), 90), (glide(900, 2500), 120), (glide(2300, 3400), 180)]
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = np.zeros(n)
    for k in range(1, 40):
        hz = k * pitch
        gain = sum(1 / (1 + ((hz - at) / width) ** 2) for at, width in formants)
        wave += np.where(hz < 3700, gain, 0) * np.sin(k * phase) / k**0.3
    wave = wave * loud + 0.02 * rng.normal(0, 1, n) * glide(0, 1)
    return 0.6 * wave / np.max(np.abs(wave))


@pytest.mark.parametrize("seed", range(6))
def test_voices_have_no_digits(seed: int) -> None:
    assert found(voice(10, seed)) == ""


# --- making them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_what_is_made_is_found(rate: int) -> None:
    digits = "0123456789*#ABCD"
    reader = AtRate(digits_source(digits.lower(), 0.05, 0.05).open(rate), 8000)
    blocks = []
    while (block := reader.read()) is not None:
        blocks.append(block)
    samples = np.concatenate(blocks)
    assert len(samples) == pytest.approx(16 * 0.1 * 8000, abs=16)
    assert found(np.concatenate((samples / 32767, quiet(0.05)))) == digits


@pytest.mark.parametrize(("volume", "db"), [(10, 0.0), (30, -20.0), (36, -26.0), (0, 4.9)])
def test_how_loud_the_tones_are(volume: int, db: float) -> None:
    """At the loudest nothing is cut off, which would be heard as other tones."""
    usual, made = (digits_source("5", 0.1, 0.06, v).open(8000).read() for v in (10, volume))
    assert usual is not None
    assert made is not None
    assert 20 * np.log10(np.abs(made).max() / np.abs(usual).max()) == pytest.approx(db, abs=0.3)
    assert np.abs(made).max() < 32767


@pytest.mark.parametrize("wrong", ["x", "1 2", "é", "1,2"])
def test_other_characters_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError):
        digits_source(wrong)
