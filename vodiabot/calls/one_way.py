"""One-way audio: whether it is news that nothing is heard of the other side. Pure; time passed in."""

from __future__ import annotations

import math

from .. import events
from ..ports import FarSideHeard, FarSideSilent
from ..protocol import steps

PATIENCE = 5.0
"""Seconds that the other side has, from the answer or the end of a hold, for its first audio."""


class FarSideChanged(steps.Fact, frozen=True, kw_only=True):
    """The other side is not heard for `seconds`, though it should be; None: it is heard again. In turns."""

    seconds: float | None


class OneWay:
    """What media tells of silence, against what signalling knows: nobody has to be heard on hold, or before the answer.

    Media tells a silence once. So one that is told too early is kept, and is news when it has gone on for long enough.
    """

    def __init__(self) -> None:
        self.deadline = math.inf
        """When to call `judge` at the latest."""
        self._silent_since: float | None = None
        self._expected_since: float | None = None
        self._told = False

    def hear(self, news: FarSideSilent | FarSideHeard, now: float) -> None:
        """What media tells; `judge` comes after it."""
        self._silent_since = now - news.seconds if isinstance(news, FarSideSilent) else None

    def judge(self, expected: bool, now: float) -> FarSideChanged | None:
        """`expected`: the other side should be heard now. Gives what is news."""
        if not expected:
            self._expected_since = None
        elif self._expected_since is None:
            self._expected_since = now
        self.deadline = math.inf
        if self._silent_since is None:
            if self._told:
                self._told = False
                return FarSideChanged(seconds=None)
        elif not self._told and self._expected_since is not None:
            return self._judge_silence(max(self._silent_since, self._expected_since), now)
        return None

    def _judge_silence(self, since: float, now: float) -> FarSideChanged | None:
        assert self._silent_since is not None
        # media has judged by its own bound already; ours is for the part of the silence that counts
        if since > self._silent_since and now < since + PATIENCE:
            self.deadline = since + PATIENCE
            return None
        self._told = True
        return FarSideChanged(seconds=now - since)


def events_of(fact: FarSideChanged, call_id: str, at: float) -> list[events.CallEvent]:
    """As plugins hear it."""
    if fact.seconds is None:
        return [events.CallChanged(at=at, call_id=call_id, what="far_side_heard")]
    return [
        events.CallChanged(at=at, call_id=call_id, what="far_side_silent"),
        events.CallSilent(at=at, call_id=call_id, seconds=fact.seconds),
    ]
