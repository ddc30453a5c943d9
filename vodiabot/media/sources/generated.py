"""Sounds that are computed: tones, silence, and the signals of a phone line. All inline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from ..audio import Samples, silence, to_int16
from .base import CHUNK_SECONDS, Reader
from .joined import Playlist


@dataclass(frozen=True)
class Tone:
    """One or more sine tones together; `seconds` None: without end."""

    hz: tuple[float, ...]
    seconds: float | None = None
    level: float = 0.5
    """Amplitude of each, 0 to 1 (full scale)."""
    inline = True

    @property
    def duration(self) -> float | None:
        """Seconds."""
        return self.seconds

    def open(self, rate: int) -> Reader:
        return ToneReader(self, rate)


def tone(hz: float, seconds: float | None = None, level: float = 0.5) -> Tone:
    """A sine tone."""
    return Tone((hz,), seconds, level)


def silence_for(seconds: float | None = None) -> Tone:
    """Silence as a source: a pause in a playlist."""
    return Tone((), seconds)


class ToneReader:
    """Sines whose phase goes on from block to block."""

    def __init__(self, spec: Tone, rate: int) -> None:
        self.rate = rate
        self._spec = spec
        self._at = 0
        self._end = None if spec.seconds is None else round(spec.seconds * rate)

    def read(self) -> Samples | None:
        n = round(CHUNK_SECONDS * self.rate)
        n = n if self._end is None else min(n, self._end - self._at)
        if n <= 0:
            return None
        seconds = np.arange(self._at, self._at + n) / self.rate
        self._at += n
        waves = [np.sin(2 * np.pi * hz * seconds) for hz in self._spec.hz]
        return to_int16(np.sum(waves, axis=0) * self._spec.level * 32767) if waves else silence(n)

    def close(self) -> None:
        self._end = 0


# --- the signals of a phone line -------------------------------------------------------------------------------

SIGNALS: dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "eu": {
        "ringback": ((425.0,), (1.0, 4.0)),
        "busy": ((425.0,), (0.5, 0.5)),
        "congestion": ((425.0,), (0.25, 0.25)),
    },
    "us": {
        "ringback": ((440.0, 480.0), (2.0, 4.0)),
        "busy": ((480.0, 620.0), (0.5, 0.5)),
        "congestion": ((480.0, 620.0), (0.25, 0.25)),
    },
    "uk": {
        "ringback": ((400.0, 450.0), (0.4, 0.2, 0.4, 2.0)),
        "busy": ((400.0,), (0.375, 0.375)),
        "congestion": ((400.0,), (0.4, 0.35, 0.225, 0.525)),
    },
}
"""Frequencies in Hz, and seconds of sound and silence in turns (ITU-T E.180, supplement 2)."""
SIGNAL_LEVEL = 0.15
"""Amplitude: about -16 dBFS, as exchanges send them."""


def signal(kind: str, country: str = "eu") -> Playlist:
    """`ringback`, `busy` or `congestion` without end, as in `eu` (most of Europe), `us` or `uk`. Raises UsageError."""
    try:
        hz, cadence = SIGNALS[country][kind]
    except KeyError:
        raise UsageError(f"no signal {kind!r} of {country!r}: ringback, busy, congestion; eu, us, uk") from None
    parts = [Tone(() if i % 2 else hz, seconds, SIGNAL_LEVEL) for i, seconds in enumerate(cadence)]
    return Playlist(tuple(parts), loop=True)
