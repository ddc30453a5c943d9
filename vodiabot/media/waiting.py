"""Samples that somebody has put in and that wait to be played. Not locked: that is its owner's."""

from __future__ import annotations

from collections import deque

import numpy as np

from .audio import RAMP_SECONDS, Samples, to_int16
from .edges import Edges


class Waiting:
    """In the order in which they were put in."""

    def __init__(self, rate: int) -> None:
        self.held = 0
        """Samples that wait."""
        self._rate, self._ramp = rate, round(RAMP_SECONDS * rate)
        self._edges = Edges()
        self._blocks: deque[Samples] = deque()
        self._sounding = False
        """What was taken last goes on in what waits."""

    def put(self, block: Samples) -> None:
        if len(block):
            self._blocks.append(block)
            self.held += len(block)

    def take(self, n: int) -> Samples | None:
        """Up to `n` samples; None if there are none. Where they are too few, they end softly, and begin so again."""
        return self._edges.through(self._taken(n), n, self._rate)

    def _taken(self, n: int) -> Samples | None:
        blocks = []
        while self._blocks and n > 0:
            first = self._blocks.popleft()
            if len(first) > n:
                self._blocks.appendleft(first[n:])
                first = first[:n]
            blocks.append(first)
            n -= len(first)
            self.held -= len(first)
        self._sounding = bool(blocks)
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate(blocks) if blocks else None

    def clear(self) -> None:
        """Drop what waits. What is being heard just now fades within 5 ms, so that it does not end with a click."""
        end = self._taken(self._ramp) if self._sounding else None
        self.drop()
        if end is not None:
            self.put(to_int16(end * np.linspace(1, 0, len(end), dtype=np.float32)))

    def drop(self) -> None:
        """All that waits, at once: nobody hears it."""
        self._blocks.clear()
        self.held = 0

    def cut(self) -> None:
        """What was taken last is not heard any more (a hold): there is nothing to fade."""
        self._sounding = False
        self._edges.cut()
