"""Two local legs joined, and what is in a recording."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trio

from vodiabot.media.bridge import BridgedLeg, MediaEngine
from vodiabot.ports import DtmfReceived, LocalCandidate, MediaEvent, MediaLost, MediaUp

PATIENCE = 15.0
"""Seconds that anything may take on a busy machine before a test gives up."""


class Heard:
    """The events of one leg, in order, and waiting for them."""

    def __init__(self) -> None:
        self.events: list[MediaEvent] = []
        self._more = trio.Event()

    def __call__(self, event: MediaEvent) -> None:
        self.events.append(event)
        self._more.set()
        self._more = trio.Event()

    def of(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind)]

    @property
    def digits(self) -> str:
        return "".join(e.digit for e in self.of(DtmfReceived))

    @property
    def ups(self) -> list[int]:
        return [e.generation for e in self.of(MediaUp)]

    @property
    def losses(self) -> list[int]:
        return [e.generation for e in self.of(MediaLost)]

    @property
    def candidates(self) -> list[LocalCandidate]:
        return self.of(LocalCandidate)

    async def until(self, seen: Any) -> None:
        with trio.fail_after(PATIENCE):
            while not seen(self):
                await self._more.wait()

    async def up(self, generation: int) -> None:
        await self.until(lambda h: generation in h.ups)


@dataclass
class End:
    """One side of a call."""

    leg: BridgedLeg
    heard: Heard = field(default_factory=Heard)


def end(engine: MediaEngine, label: str, codecs: Sequence[str] | None = None) -> End:
    heard = Heard()
    return End(engine.open(label, heard, codecs=codecs), heard)


async def connect(a: End, b: End, generation: int = 1) -> None:
    """`a` offers, `b` answers; returns when both are up."""
    offer = await a.leg.make_offer(generation)
    await a.leg.apply_answer(generation, await b.leg.make_answer(generation, offer))
    await a.heard.up(generation)
    await b.heard.up(generation)


@asynccontextmanager
async def call(engine: MediaEngine, codec: str = "PCMU") -> AsyncIterator[tuple[End, End]]:
    a, b = end(engine, "a", [codec]), end(engine, "b", [codec])
    await connect(a, b)
    try:
        yield a, b
    finally:
        await a.leg.aclose()
        await b.leg.aclose()


# --- sound --------------------------------------------------------------------------------------------------


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def write_wav(path: Path, channels: Sequence[np.ndarray], rate: int) -> None:
    """16 bit; each channel as floats of full scale 1."""
    data = (np.stack(channels, axis=1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data.tobytes())


def sine(hz: float, seconds: float, rate: int, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    """The frequency of the highest peak, between the bins."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    return float(np.argmax(spectrum) * rate / (4 * len(samples)))


def level(samples: np.ndarray) -> float:
    """RMS, full scale 1."""
    return float(np.sqrt(np.mean((samples / 32768.0) ** 2))) if len(samples) else 0.0


def sounding(samples: np.ndarray, rate: int, threshold: float = 0.02) -> np.ndarray:
    """For each 10 ms: is there sound?"""
    n = rate // 100
    blocks = samples[: len(samples) // n * n].reshape(-1, n) / 32768.0
    return np.sqrt(np.mean(blocks**2, axis=1)) > threshold


def seconds_of_sound(samples: np.ndarray, rate: int) -> float:
    return float(np.sum(sounding(samples, rate)) / 100)


def strength(samples: np.ndarray, rate: int, hz: float) -> float:
    """Amplitude of a sine of that frequency in the samples, full scale 1."""
    at = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate)
    return float(2 * np.abs(np.mean(samples / 32768.0 * at)))
