"""Audio to payloads. aiortc takes encoded packets as well as frames, and these are cheaper than its own encoders: G.711
by table, Opus in mono, no resampler in the way."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from .tones import Samples

FRAME_SECONDS = 0.02
OPUS_BIT_RATE = 48_000
"""Mono; plenty for tones and voice."""


class Encoder(Protocol):
    """One direction of one leg."""

    rate: int
    """Of the samples that it takes, in hertz."""
    clock: int
    """Of the RTP timestamps, in hertz; not always the rate (G.722)."""

    def encode(self, samples: Samples) -> bytes:
        """The payload of 20 ms; b"" if the codec keeps it back."""


def encoder(codec: str) -> Encoder:
    """For "opus", "G722", "PCMU" or "PCMA"."""
    match codec:
        case "PCMU":
            return _Table(ulaw_table())
        case "PCMA":
            return _Table(alaw_table())
        case "G722":
            return _Libav("g722", 16_000, 8_000)
        case _:
            return _Libav("libopus", 48_000, 48_000, OPUS_BIT_RATE)


class _Table:
    rate = clock = 8000

    def __init__(self, table: NDArray[np.uint8]) -> None:
        self._table = table

    def encode(self, samples: Samples) -> bytes:
        return self._table[samples.view(np.uint16)].tobytes()


class _Libav:
    def __init__(self, name: str, rate: int, clock: int, bit_rate: int | None = None) -> None:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, AudioCodecContext)
        context.format, context.layout, context.sample_rate = av.AudioFormat("s16"), av.AudioLayout("mono"), rate
        context.time_base = Fraction(1, rate)
        if bit_rate:
            context.bit_rate = bit_rate
            context.options = {"application": "voip"}
        self.rate, self.clock = rate, clock
        self._context, self._pts = context, 0

    def encode(self, samples: Samples) -> bytes:
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self._pts, Fraction(1, self.rate)
        self._pts += len(samples)
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


@cache
def ulaw_table() -> NDArray[np.uint8]:
    """µ-law (ITU-T G.711) of each 16-bit sample, indexed by the sample as unsigned."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(linear), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(linear < 0, 0x80, 0)
    return np.asarray(~(sign | (exponent << 4) | mantissa) & 0xFF, dtype=np.uint8)


@cache
def alaw_table() -> NDArray[np.uint8]:
    """A-law (ITU-T G.711) of each 16-bit sample, indexed by the sample as unsigned."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(linear < 0, -linear - 1, linear) >> 3
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    sign = np.where(linear < 0, 0x00, 0x80)
    return np.asarray((sign | (segment << 4) | mantissa) ^ 0x55, dtype=np.uint8)
