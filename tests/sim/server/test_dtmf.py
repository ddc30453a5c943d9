"""Digits in the audio."""

from __future__ import annotations

import numpy as np
import pytest

from vodiabot.sim.server.dtmf import COLUMNS, KEYS, ROWS, DigitDetector
from vodiabot.sim.server.tones import Samples, music

NOISE = np.random.default_rng(7)


def press(key: str, rate: int, on: float = 0.1, off: float = 0.08, amplitude: float = 5000) -> Samples:
    row = next(i for i, keys in enumerate(KEYS) if key in keys)
    time = np.arange(round(on * rate)) / rate
    both = sum(np.sin(2 * np.pi * hz * time) for hz in (ROWS[row], COLUMNS[KEYS[row].index(key)]))
    return np.concatenate([amplitude * both, np.zeros(round(off * rate))]).astype(np.int16)


def detect(samples: Samples, rate: int) -> str:
    detector = DigitDetector()
    frame = rate // 50
    return "".join(detector.feed(samples[i : i + frame], rate) for i in range(0, len(samples), frame))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_each_key_is_told_once(rate: int) -> None:
    keys = "".join(KEYS)
    assert detect(np.concatenate([press(key, rate) for key in keys]), rate) == keys


def test_the_same_key_pressed_twice_is_two_digits_and_held_is_one() -> None:
    assert detect(np.concatenate([press("5", 8000), press("5", 8000)]), 8000) == "55"
    assert detect(press("5", 8000, on=1.0), 8000) == "5"


def test_short_presses_in_noise_are_heard() -> None:
    sound = np.concatenate([press(key, 8000, on=0.06, off=0.06) for key in "4711#"])
    noisy = sound + NOISE.normal(0, 500, len(sound)).astype(np.int16)
    assert detect(noisy, 8000) == "4711#"


@pytest.mark.parametrize("hz", [440.0, 600.0, 697.0, 770.0, 941.0, 1000.0, 1209.0])
def test_a_single_tone_is_no_digit(hz: float) -> None:
    time = np.arange(16000) / 8000
    assert detect((8000 * np.sin(2 * np.pi * hz * time)).astype(np.int16), 8000) == ""


def test_music_and_noise_are_no_digits() -> None:
    assert detect(music(8000), 8000) == ""
    assert detect(NOISE.normal(0, 4000, 80_000).astype(np.int16), 8000) == ""
