"""DTMF inside the audio: making the tones, and finding them (a bank of Goertzel filters).

Pure. The numbers of the detector follow ITU-T Q.24 where it has any: twist, the shortest tone (40 ms), the
shortest pause (40 ms), an interruption that does not count (10 ms).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .audio import NOTHING, Blocks, Samples
from .sources import Playlist, Source, Tone, silence_for
from .telephone_event import VOLUME

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")
TONES = {key: (ROWS[r], COLUMNS[c]) for r, line in enumerate(KEYS) for c, key in enumerate(line)}

LEVEL = 0.28
"""Amplitude of each of the two tones: -11 dBFS, about -8 dBm0 on a phone line, the usual level of a
keypad. It goes with the VOLUME of an event."""
LOUDEST = 0.49
"""Amplitude of each of the two tones beyond which their sum would be cut off."""


def digits_of(text: str) -> str:
    """In capitals. Raises UsageError on anything but `0-9*#A-D`."""
    wrong = next((d for d in text if d.upper() not in TONES), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} is no DTMF digit (0-9, *, #, A-D)")
    return text.upper()


def digits_source(digits: str, duration: float = 0.1, gap: float = 0.06, volume: int = VOLUME) -> Source:
    """The tones of a string of digits, a pause after each; `volume` as of an event, in dBm0 below zero. Raises
    UsageError on anything but `0-9*#A-D`."""
    pause = silence_for(gap)
    level = min(LEVEL * 10 ** ((VOLUME - volume) / 20), LOUDEST)
    parts = [part for d in digits_of(digits) for part in (Tone(TONES[d], duration, level), pause)]
    return Playlist(tuple(parts))


# --- finding them -------------------------------------------------------------------------------------------

RATE = 8000
WINDOW = 205
"""Samples a look, 25.6 ms: the classic length, whose bins come closest to the eight tones."""
HOP = 51
"""Samples between looks: a tone of 40 ms fills at least two whole windows wherever it begins."""
LOOKS_TO_BEGIN = 2
"""Consecutive looks with the same digit that make it a press."""
LOOKS_TO_END = 6
"""Consecutive looks without it that end the press: a gap of about 25 ms. A dropout of 10 ms is 4 looks."""
FLOOR_DB = -42.0
"""dBFS of the weaker tone below which nothing is a digit."""
QUIET = 300
"""Peak of a block (of 32767) that two tones of that level exceed: each has 370."""
TWIST_DB = 9.0
"""Largest difference between the two tones, either way (Q.24 asks for 4 and 8, and a little is lost
off-centre)."""
ALONE_DB = 8.0
"""By which each tone exceeds all others of its group."""
PURITY = 0.64
"""Part of a window's energy that the two tones hold; speech stays far below."""
HARMONIC_DB = 10.0
"""By which the upper tone exceeds its second harmonic; voices have strong ones. (The lower tone's would
lie among the upper tones.)"""


_SHAPE = np.hanning(WINDOW + 2)[1:-1]
"""A bell over the window: a tone 1.5 % off its place (Q.24) loses 2 dB with it, 7 without."""


def _bank(frequencies: tuple[float, ...]) -> npt.NDArray[np.complex128]:
    bank: npt.NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW), frequencies) / RATE)
    return bank


_TONES = ROWS + COLUMNS
_BASIS = np.concatenate((_bank(_TONES), _bank(tuple(2 * f for f in COLUMNS))), axis=1)


_INDEX = np.arange(WINDOW) + HOP * np.arange(16)[:, None]
_FLOOR = 10 ** (FLOOR_DB / 10)


def _windows(samples: Samples, n: int) -> npt.NDArray[np.float64]:
    """The first `n` windows, full scale 1."""
    index = _INDEX[:n] if n <= len(_INDEX) else np.arange(WINDOW) + HOP * np.arange(n)[:, None]
    out: npt.NDArray[np.float64] = samples[index] / 32768.0
    return out


def _db(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 10 * np.log10(power + 1e-12)


def look(windows: npt.NDArray[np.float64]) -> list[str]:
    """The digit in each row of `windows` (n rows of WINDOW samples, full scale 1), empty for none."""
    shaped = windows * _SHAPE
    # Scaled so that a sine on its place has its mean power, and the total is the window's mean power.
    power = np.abs(shaped @ _BASIS) ** 2 * (2 / np.sum(_SHAPE) ** 2)
    total = np.sum(shaped**2, axis=1) / np.sum(_SHAPE**2)
    both = power[:, :4].max(axis=1) + power[:, 4:8].max(axis=1)
    pure = (both >= PURITY * total) & (both > _FLOOR)  # nearly always false, and then all is said
    return [_judge(p) if good else "" for p, good in zip(power, pure, strict=True)]


def _judge(power: npt.NDArray[np.float64]) -> str:
    r, c = int(np.argmax(power[:4])), int(np.argmax(power[4:8]))
    level = _db(power)
    row, column = level[r], level[4 + c]
    if min(row, column) < FLOOR_DB or abs(row - column) > TWIST_DB:
        return ""
    other_row, other_column = np.max(np.delete(level[:4], r)), np.max(np.delete(level[4:8], c))
    others = max(other_row - row, other_column - column)
    harmonic = level[8 + c] - column
    return KEYS[r][c] if others < -ALONE_DB and harmonic < -HARMONIC_DB else ""


class DtmfDetector:
    """Digits in a stream of int16 mono samples at 8000 a second; each press once, when it begins."""

    def __init__(self) -> None:
        self._samples = NOTHING
        self._candidate = ""
        self._hits = 0
        self._pressed = ""
        self._misses = 0

    def feed(self, samples: Samples) -> str:
        """The digits that began in this block (mostly none)."""
        self._samples = np.concatenate((self._samples, samples))
        n = (len(self._samples) - WINDOW) // HOP + 1
        if n <= 0:
            return ""
        looked, self._samples = self._samples, self._samples[n * HOP :]
        # The commonest case by far is also the cheapest: what is so quiet holds no digit.
        quiet = max(int(looked.max()), -int(looked.min())) < QUIET
        return "".join(map(self._step, [""] * n if quiet else look(_windows(looked, n))))

    def _step(self, digit: str) -> str:
        self._hits = self._hits + 1 if digit and digit == self._candidate else int(bool(digit))
        self._candidate = digit
        if self._pressed:
            self._misses = 0 if digit == self._pressed else self._misses + 1
            if self._misses >= LOOKS_TO_END:
                self._pressed = ""
        if self._hits >= LOOKS_TO_BEGIN and digit != self._pressed:
            self._pressed, self._misses = digit, 0
            return digit
        return ""


class DigitListener:
    """Finds in-band DTMF in what is heard."""

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found = found
        self._detector = DtmfDetector()
        self._blocks = Blocks()

    def push(self, samples: Samples, rate: int) -> None:
        for digit in self._detector.feed(self._blocks.to(RATE, samples, rate)):
            self._found(digit)
