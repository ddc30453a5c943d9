"""The silence before the first word."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from vodiabot.speech.lead import cut_lead

RATE = 8000


def written(path: Path, seconds_of_silence: float, *, channels: int = 1) -> None:
    silence = np.full(round(seconds_of_silence * RATE) * channels, 100, np.int16)
    word = np.full(RATE // 2 * channels, 5000, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.concatenate((silence, word)).tobytes())


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


@pytest.mark.parametrize(("lead", "left"), [(0.0, 0.5), (0.01, 0.51), (0.02, 0.52), (0.2, 0.52), (3.0, 0.52)])
def test_little_of_it_is_left(tmp_path: Path, lead: float, left: float) -> None:
    written(tmp_path / "x.wav", lead)
    cut_lead(tmp_path / "x.wav")
    assert seconds(tmp_path / "x.wav") == pytest.approx(left, abs=1 / RATE)


def test_what_is_no_speech_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    written(path, 1.0, channels=2)
    before = path.read_bytes()
    cut_lead(path)
    assert path.read_bytes() == before
    path.write_bytes(b"RIFF")
    cut_lead(path)
    assert path.read_bytes() == b"RIFF"
    cut_lead(tmp_path / "absent.wav")


def test_silence_stays_silence(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(RATE))
    cut_lead(path)
    assert seconds(path) == 0.5
