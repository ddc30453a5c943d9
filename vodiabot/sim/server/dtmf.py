"""Digits heard in the audio: a Goertzel bank on half-overlapping blocks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .tones import Samples

RATE = 8000
BLOCK = 205
"""Samples at 8 kHz: the usual length, for which the eight frequencies fall into bins of their own."""
HOP = BLOCK // 2

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")

MIN_AMPLITUDE = 250.0
"""Of each of the two tones; below it is noise."""
MIN_SHARE = 0.7
"""Share of the block's energy that the two tones must have, or it is speech or music."""
MIN_LEAD = 4.0
"""Power by which the loudest row (and column) leads the next, 6 dB."""
MAX_TWIST = 10.0
"""Power ratio between row and column, 10 dB."""
BLOCKS_ON = 2
"""Blocks in a row before a digit counts: tones from about 45 ms on."""
BLOCKS_OFF = 2
"""Blocks without it before the same key may count again."""


@cache
def _bank() -> NDArray[np.complex128]:
    time = np.arange(BLOCK) / RATE
    return np.asarray(np.exp(-2j * np.pi * np.outer((*ROWS, *COLUMNS), time)), dtype=np.complex128)


def key_in(block: NDArray[np.float64]) -> str:
    """The key whose tones these `BLOCK` samples at 8 kHz are; "" if none."""
    energy = float(block @ block)
    floor = (MIN_AMPLITUDE * BLOCK / 2) ** 2
    if energy * BLOCK / 2 < 2 * floor:
        return ""
    power = np.abs(_bank() @ block) ** 2
    rows, columns = power[:4], power[4:]
    row, column = int(np.argmax(rows)), int(np.argmax(columns))
    low, high = float(rows[row]), float(columns[column])
    if min(low, high) < floor or max(low, high) > MAX_TWIST * min(low, high):
        return ""
    if not (_leads(rows, row) and _leads(columns, column)):
        return ""
    return KEYS[row][column] if (low + high) * 2 / BLOCK >= MIN_SHARE * energy else ""


def _leads(power: NDArray[np.float64], best: int) -> bool:
    others = np.delete(power, best)
    return bool(power[best] >= MIN_LEAD * others.max())


class DigitDetector:
    """The digits of one stream of audio, each told once a press."""

    def __init__(self) -> None:
        self._rest = np.empty(0, dtype=np.float64)
        self._key = ""
        self._streak = 0
        self._pressed = ""
        self._misses = 0

    def feed(self, samples: Samples, rate: int) -> str:
        """The digits that these samples complete, mostly ""."""
        step = max(1, rate // RATE)
        audio = samples[: len(samples) // step * step].astype(np.float64)
        if step > 1:
            audio = audio.reshape(-1, step).mean(axis=1)
        self._rest = np.concatenate([self._rest, audio])
        digits = ""
        while len(self._rest) >= BLOCK:
            digits += self._next(key_in(self._rest[:BLOCK]))
            self._rest = self._rest[HOP:]
        return digits

    def _next(self, key: str) -> str:
        self._streak = self._streak + 1 if key == self._key else 1
        self._key = key
        if self._pressed and key != self._pressed:
            self._misses += 1
            if self._misses >= BLOCKS_OFF:
                self._pressed = ""
        else:
            self._misses = 0
        if key and key != self._pressed and self._streak >= BLOCKS_ON:
            self._pressed, self._misses = key, 0
            return key
        return ""
