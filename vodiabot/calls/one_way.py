"""One-way audio: whether it is news that nothing is heard of the other side, or that it does not hear us. Pure; time
passed in."""

from __future__ import annotations

import math

from .. import events
from ..ports import FarSideDeaf, FarSideHeard, FarSideHears, FarSideSilent, OneWayNews
from ..protocol import steps

PATIENCE = 5.0
"""Seconds that each side has, from the answer or the end of a hold, for its first audio to arrive."""


class FarSideChanged(steps.Fact, frozen=True, kw_only=True):
    """The other side is not heard for `seconds`, though it should be; None: it is heard again. In turns."""

    seconds: float | None

    def in_words(self) -> str:
        return "the other side is not heard" if self.seconds else "the other side is heard again"

    def events(self, call_id: str, at: float) -> list[events.CallEvent]:
        """As plugins hear it."""
        if self.seconds is None:
            return [events.CallChanged(at=at, call_id=call_id, what="far_side_heard")]
        return [
            events.CallChanged(at=at, call_id=call_id, what="far_side_silent"),
            events.CallSilent(at=at, call_id=call_id, seconds=self.seconds),
        ]


class FarSideHearing(steps.Fact, frozen=True, kw_only=True):
    """The other side has not heard us for `seconds`, though it should; None: it hears us again. In turns."""

    seconds: float | None

    def in_words(self) -> str:
        return "the other side does not hear us" if self.seconds else "the other side hears us again"

    def events(self, call_id: str, at: float) -> list[events.CallEvent]:
        """As plugins hear it."""
        if self.seconds is None:
            return [events.CallChanged(at=at, call_id=call_id, what="far_side_hears")]
        return [
            events.CallChanged(at=at, call_id=call_id, what="far_side_deaf"),
            events.CallUnheard(at=at, call_id=call_id, seconds=self.seconds),
        ]


class BothWays:
    """What there is to be told of either way."""

    def __init__(self) -> None:
        self._to_us, self._from_us = OneWay(), FromUs()

    @property
    def deadline(self) -> float:
        """When to call `judge` at the latest."""
        return self._to_us.deadline

    def hear(self, news: OneWayNews, now: float) -> None:
        """What media tells; `judge` comes after it."""
        if isinstance(news, FarSideSilent | FarSideHeard):
            self._to_us.hear(news, now)
        else:
            self._from_us.hear(news, now)

    def judge(self, expected: bool, now: float) -> list[FarSideChanged | FarSideHearing]:
        """`expected`: each side should hear the other now."""
        both = self._to_us.judge(expected, now), self._from_us.judge(expected, now)
        return [fact for fact in both if fact is not None]


class FromUs:
    """What media tells of our audio at the other side, against what signalling knows: on hold nobody need hear us.

    Media tells it anew whenever it is confirmed. That decides: an earlier word says nothing of the time after a hold,
    and the next word of a side that hears again comes when it likes.
    """

    def __init__(self) -> None:
        self._news: FarSideDeaf | FarSideHears | None = None
        self._expected_since: float | None = None
        self._told = False

    def hear(self, news: FarSideDeaf | FarSideHears, now: float) -> None:
        """What media tells; `judge` comes after it."""
        self._news = news

    def judge(self, expected: bool, now: float) -> FarSideHearing | None:
        """`expected`: the other side should hear us now. Gives what is news."""
        news, self._news = self._news, None
        if not expected:
            self._expected_since = None
        elif self._expected_since is None:
            self._expected_since = now
        if isinstance(news, FarSideHears) and self._told:
            self._told = False
            return FarSideHearing(seconds=None)
        if isinstance(news, FarSideDeaf) and not self._told and self._expected_since is not None:
            return self._judge(now - max(now - news.seconds, self._expected_since))
        return None

    def _judge(self, seconds: float) -> FarSideHearing | None:
        self._told = seconds >= PATIENCE
        return FarSideHearing(seconds=seconds) if self._told else None


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
