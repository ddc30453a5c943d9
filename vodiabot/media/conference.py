"""Legs that hear one another: each hears the sum of all others. On the media loop, a block at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import MediaError
from .audio import FRAME_SECONDS, Blocks, Samples
from .edges import Edges

Mixed = np.ndarray[tuple[int], np.dtype[np.int32]]


class Member(Protocol):
    """The sound of a leg, as a conference knows it."""

    conference: Conference | None


class _Voice:
    """What one member said last, at each rate that somebody listens with."""

    def __init__(self) -> None:
        self.block: Samples | None = None
        self.rate = 0
        self._edges = Edges(begins_softly=True)
        self._blocks: dict[int, Blocks] = {}
        self._at_rate: dict[int, Samples | None] = {}

    def say(self, block: Samples | None, rate: int) -> None:
        self.block, self.rate = self._edges.through(block, round(FRAME_SECONDS * rate), rate), rate
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
        self._leaving: list[_Voice] = []
        """Of those who have just left or fallen silent: their ends are heard in the next tick."""
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
        voice = self._voices.pop(leg, None)
        if voice is not None:
            leg.conference = None
            self._leave(voice)

    def fell_silent(self, leg: Member) -> None:
        """A member, between two ticks, and says nothing more for now."""
        voice = self._voices.get(leg)
        if voice is not None:
            self._voices[leg] = _Voice()
            self._leave(voice)

    def _leave(self, voice: _Voice) -> None:
        voice.say(None, voice.rate)
        self._leaving.append(voice)
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
            self._leaving.clear()

    def hear(self, leg: Member, rate: int) -> Mixed | None:
        """What the others said, 20 ms at `rate`, not clipped yet; None for silence. Do not write into it."""
        own = self._voices.get(leg)
        if own is None or len(self._voices) + len(self._leaving) < 2:
            return None
        total = self._sum(rate)
        said = own.at(rate)
        return total if said is None else total - said

    def _sum(self, rate: int) -> Mixed:
        """Of everybody: made once a tick and rate, so that many members do not cost their square."""
        if rate not in self._sums:
            total = np.zeros(round(FRAME_SECONDS * rate), np.int32)
            for voice in (*self._voices.values(), *self._leaving):
                block = voice.at(rate)
                if block is not None:
                    total[: len(block)] += block
            self._sums[rate] = total
        return self._sums[rate]
