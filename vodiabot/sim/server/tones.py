"""What the simulated PBX plays by itself, made by code.

Tests tell music from tones and speech by its frequencies: `MUSIC_HZ` sounds in each of its chords, and no note of it
lies between 400 and 1100 Hz, where test tones are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Mono audio."""

TONE_AMPLITUDE = 8000
"""Peak of a steady tone: -12 dB of full scale, which no codec clips."""

MUSIC_HZ = 220.0
"""A3, in every chord."""

MUSIC_CHORDS = ((220.0, 277.18, 329.63), (220.0, 277.18, 369.99), (220.0, 293.66, 369.99), (220.0, 261.63, 329.63))
"""Hertz: A, F sharp minor, D, A minor."""

CHORD_SECONDS = 1.6
CHORD_FADE_SECONDS = 0.08
"""Chords melt into each other over this time, so that nothing clicks."""

CALL_PROGRESS_HZ = 425.0
"""Ringback and busy, as in most of Europe (ITU-T E.180)."""

RINGBACK = ((1.0, True), (4.0, False))
BUSY = ((0.48, True), (0.48, False))
"""Seconds of sound and of silence, over and over."""


def sine(hz: float, rate: int, first: int, count: int, amplitude: float = TONE_AMPLITUDE) -> Samples:
    """`count` samples of a sine from sample number `first` on: the phase goes on from call to call."""
    cycles = (np.arange(first, first + count, dtype=np.float64) * (hz / rate)) % 1.0
    return np.asarray(np.rint(amplitude * np.sin(2 * np.pi * cycles)), dtype=np.int16)


def music(rate: int) -> Samples:
    """One turn of the music on hold; it may be repeated without a seam."""
    return np.concatenate([_chord(notes, rate) for notes in MUSIC_CHORDS])


def _chord(notes: tuple[float, ...], rate: int) -> Samples:
    count = round(CHORD_SECONDS * rate)
    time = np.arange(count) / rate
    sound = sum(np.sin(2 * np.pi * hz * time) for hz in notes) / len(notes)
    fade = np.clip(np.minimum(time, CHORD_SECONDS - time) / CHORD_FADE_SECONDS, 0.0, 1.0)
    return np.asarray(TONE_AMPLITUDE * sound * fade, dtype=np.int16)


def is_sounding(cadence: tuple[tuple[float, bool], ...], second: float) -> bool:
    """Whether a call progress tone sounds at this time since it began."""
    rest = second % sum(length for length, _ in cadence)
    for length, sounding in cadence:
        if rest < length:
            return sounding
        rest -= length
    return False
