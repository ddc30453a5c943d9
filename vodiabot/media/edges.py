"""The edges of sound that breaks off in the middle of a wave and begins in one: a source that is late, a voice that
leaves. Cut off it would click."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .audio import RAMP_SECONDS

Block = npt.NDArray[Any]
"""Samples: int16, or sums of them."""

STEP = 200
"""Of a sample beside silence, from which on it is heard."""


class Edges:
    """A stream in blocks, whose edges become soft where there is less than was wanted."""

    def __init__(self, *, begins_softly: bool = False) -> None:
        """`begins_softly`: the first block is not the beginning of what it is of."""
        self.before: Block | None = None
        """The last block, if it was whole: what goes on from it may be set here instead of calling `through`."""
        self.broken = begins_softly
        """What comes next does not go on from it."""

    def through(self, block: Block | None, n: int, rate: int) -> Block | None:
        """What there is of the next `n` samples, which may be fewer or none; `n` of them, or None for silence."""
        if block is None or not len(block):
            last, self.before, self.broken = self.before, None, True
            return None if last is None or abs(int(last[-1])) < STEP else _ended(last[-1:], n + 1, rate)[1:]
        if self.broken and abs(int(block[0])) >= STEP:
            block = _risen(block, round(RAMP_SECONDS * rate))
        self.broken = len(block) < n
        self.before = None if self.broken else block
        return _ended(block, n, rate) if self.broken else block

    def cut(self) -> None:
        """What was given last is not heard any more (a hold): it has no end."""
        self.before = None


def _risen(block: Block, n: int) -> Block:
    n = min(n, len(block))
    rising = block[:n] * (np.arange(1, n + 1, dtype=np.float32) / n)
    return np.concatenate((rising.astype(block.dtype), block[n:]))


def _ended(block: Block, n: int, rate: int) -> Block:
    """`n` samples: behind the block its last one falls to silence, as far as there is room."""
    out = np.zeros(n, block.dtype)
    out[: len(block)] = block
    ramp = min(round(RAMP_SECONDS * rate), n - len(block))
    if abs(int(block[-1])) >= STEP:
        out[len(block) : len(block) + ramp] = block[-1] * (1 - np.arange(1, ramp + 1, dtype=np.float32) / ramp)
    return out
