"""G.711 µ-law and A-law, by table: each of 65536 samples has its byte, each of 256 bytes its sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ..audio import Samples

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Law:
    """One of the two; `encode` is indexed by the sample's 16 bits, `decode` by the byte."""

    name: str


MU_LAW = Law("mu")
A_LAW = Law("a")


@cache
def tables(law: Law) -> tuple[Bytes, Samples]:
    """Samples to bytes, bytes to samples."""
    decode = _mu_law() if law is MU_LAW else _a_law()
    return _nearest(decode), decode


def _mu_law() -> Samples:
    """ITU-T G.711, table 2: the bits are inverted; 8 segments of 16 steps, with a bias of 33 (of 14 bits)."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 1) + 33) << ((code >> 4) & 7)) - 33
    samples: Samples = (np.where(code & 0x80, -magnitude, magnitude) * 4).astype(np.int16)
    return samples


def _a_law() -> Samples:
    """ITU-T G.711, table 1: the even bits are inverted; the first two segments have the same step."""
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 7, code & 0x0F
    low = (step << 1) + 1
    magnitude = np.where(segment == 0, low, (low + 32) << np.maximum(segment - 1, 0))
    samples: Samples = (np.where(code & 0x80, magnitude, -magnitude) * 8).astype(np.int16)
    return samples


def _nearest(decode: Samples) -> Bytes:
    """For each of the 65536 samples the byte whose sample is nearest (of equals, the lower one). Silence is the
    positive zero, as everybody sends it."""
    order = np.argsort(decode, kind="stable")
    levels = decode[order].astype(np.int32)
    middles = (levels[:-1] + levels[1:]) / 2
    every = np.arange(-32768, 32768)
    nearest = order[np.searchsorted(middles, every, side="left")].astype(np.uint8)
    nearest[32768] = nearest[32769]
    return np.concatenate((nearest[32768:], nearest[:32768]))  # indexed by the unsigned 16 bits


class G711Encoder:
    """See `kinds.Encoder`."""

    def __init__(self, law: Law) -> None:
        self._table = tables(law)[0]

    def encode(self, samples: Samples) -> bytes:
        return self._table.take(samples, mode="wrap").tobytes()  # -1 is 65535; nothing is checked, which is quicker

    def expect_loss(self, part: float) -> None:
        """Nothing can be prepared."""


class G711Decoder:
    """See `kinds.Decoder`."""

    def __init__(self, law: Law) -> None:
        self._table = tables(law)[1]

    def decode(self, payload: bytes) -> Samples:
        return self._table.take(np.frombuffer(payload, np.uint8), mode="wrap")

    def conceal(self, n: int) -> Samples | None:
        return None

    def recover(self, payload: bytes, n: int) -> Samples | None:
        return None
