"""What really arrives at somebody's phone: how loud it is, at which pitch, and whether it is like a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...media.sources import as_source
from ...media.sources.base import AtRate

RATE = 8000
"""Hz of what is listened to."""

FRAME = 160
"""Samples of 20 ms."""

AUDIBLE = 100.0
"""Effective amplitude (of 32767) from which on there is sound; noise of codecs is below."""

LONGEST = 30.0
"""Seconds that are remembered."""

Samples = npt.NDArray[np.float64]


class Ears:
    """What came, with its time: a frame of 20 ms each 20 ms."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, Samples]] = []

    def hear(self, at: float, frame: bytes) -> None:
        """`at`: when it came, in seconds of `trio.current_time`."""
        self._frames.append((at, np.frombuffer(frame, np.int16).astype(np.float64)))
        if len(self._frames) > LONGEST * RATE / FRAME:
            del self._frames[: len(self._frames) // 4]

    def between(self, began: float, until: float) -> Samples:
        """All samples that came in that time."""
        frames = [frame for at, frame in self._frames if began <= at <= until]
        return np.concatenate(frames) if frames else np.zeros(0)

    def audible(self, began: float, until: float) -> float:
        """Seconds of that time in which there was sound."""
        samples = self.between(began, until)
        return float((_loudness(samples) > AUDIBLE).sum() * FRAME / RATE)

    def loudest_hz(self, began: float, until: float) -> float:
        """Of the strongest tone in that time; 0.0 if there was none."""
        samples = self.between(began, until)
        loud = _loud(samples)
        if len(loud) < RATE // 10:
            return 0.0
        size = 4 * len(loud)
        spectrum = np.abs(np.fft.rfft(loud * np.hanning(len(loud)), size))
        return float(np.fft.rfftfreq(size, 1 / RATE)[spectrum.argmax()])

    def likeness(self, source: Any, began: float, until: float) -> float:
        """How much it is like a source, 0 to 1: by how strong which pitch was when, which survives any codec."""
        came, wanted = spectrogram(self.between(began, until)), spectrogram(read(source, until - began))
        return best_match(came, wanted)


def _loudness(samples: Samples) -> Samples:
    """Effective amplitude of each frame."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.zeros(0)


def _loud(samples: Samples) -> Samples:
    """Without the frames in which there was nothing."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return whole[_loudness(samples) > AUDIBLE].ravel()


def read(source: Any, seconds: float) -> Samples:
    """The beginning of a source."""
    reader = AtRate(as_source(source).open(RATE), RATE)
    blocks: list[npt.NDArray[np.int16]] = []
    try:
        while sum(map(len, blocks)) < seconds * RATE and (block := reader.read()) is not None:
            blocks.append(block)
    finally:
        reader.close()
    samples = np.concatenate(blocks) if blocks else np.zeros(0)
    return samples[: round(seconds * RATE)].astype(np.float64)


def spectrogram(samples: Samples) -> Samples:
    """For each 20 ms, how strong each of 20 bands up to 3.6 kHz is; the square root tames the loudest."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.abs(np.fft.rfft(whole * np.hanning(FRAME), axis=1))[:, 2:72]
    return np.asarray(np.sqrt(power.reshape(len(whole), -1, 5 if power.shape[1] % 5 == 0 else 1).sum(axis=2)))


def best_match(came: Samples, wanted: Samples) -> float:
    """The best likeness (cosine around the mean) over all places at which `wanted` may begin in `came`."""
    length = min(len(came), len(wanted))
    if length < 5:
        return 0.0
    wanted = wanted[:length]
    places = range(0, len(came) - length + 1)
    return max((_cosine(came[at : at + length], wanted) for at in places), default=0.0)


def _cosine(a: Samples, b: Samples) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return 0.0 if size == 0 else float((a * b).sum() / size)
