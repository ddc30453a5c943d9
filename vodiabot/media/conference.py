"""Legs that hear one another: each hears the sum of all others. On the media loop, a block at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import MediaError
from .audio import FRAME_SECONDS, Blocks, Samples

Mixed = np.ndarray[tuple[int], np.dtype[np.int32]]


class Member(Protocol):
    """The sound of a leg, as a conference knows it."""

    conference: Conference | None


class _Voice:
    """What one member said last, at each rate that somebody listens with."""

    def __init__(self) -> None:
        self.block: Samples | None = None
        self.rate = 0
        self._blocks: dict[int, Blocks] = {}
        self._at_rate: dict[int, Samples | None] = {}

    def say(self, block: Samples | None, rate: int) -> None:
        self.block, self.rate = block, rate
        self._at_rate.clear()

    def at(self, rate: int) -> Samples | None:
        """The block at another rate; each is made once."""
        if rate == self.rate or (self.block is None and rate not in self._blocks):
            return self.block
        if rate not in self._at_rate:
            blocks = self._blocks.setdefault(rate, Blocks())
            self._at_rate[rate] = (
                blocks.rest() if self.block is None else blocks.to(rate, self.block, self.rate)
            )
        return self._at_rate[rate]


class Conference:
    """See `ports.MediaConference`; here for legs of the media loop."""

    def __init__(self) -> None:
        self._voices: dict[Member, _Voice] = {}
        self.closed = False
        self._sums: dict[int, Mixed] = {}

    def add(self, leg: Member) -> None:
        """Idempotent; a leg that is in another conference leaves that. Raises MediaError if this one is closed."""
        if self.closed:
            raise MediaError("the conference is closed")
        if leg.conference is self:
            return
        if leg.conference is not None:
            leg.conference.remove(leg)
        self._voices[leg] = _Voice()
        leg.conference = self

    def remove(self, leg: Member) -> None:
        """Idempotent."""
        if self._voices.pop(leg, None) is not None:
            leg.conference = None
            self._sums.clear()

    def close(self) -> None:
        """All leave. Idempotent."""
        self.closed = True
        for leg in list(self._voices):
            self.remove(leg)

    def say(self, leg: Member, block: Samples | None, rate: int) -> None:
        """What a member said in this tick; heard in the next."""
        voice = self._voices.get(leg)
        if voice is not None:
            voice.say(block, rate)
            self._sums.clear()

    def hear(self, leg: Member, rate: int) -> Mixed | None:
        """What the others said, 20 ms at `rate`, not clipped yet; None for silence. Do not write into it."""
        own = self._voices.get(leg)
        if len(self._voices) < 2 or own is None:
            return None
        total = self._sum(rate)
        said = own.at(rate)
        return total if said is None else total - said

    def _sum(self, rate: int) -> Mixed:
        """Of everybody: made once a tick and rate, so that many members do not cost their square."""
        if rate not in self._sums:
            total = np.zeros(round(FRAME_SECONDS * rate), np.int32)
            for voice in self._voices.values():
                block = voice.at(rate)
                if block is not None:
                    total[: len(block)] += block
            self._sums[rate] = total
        return self._sums[rate]
