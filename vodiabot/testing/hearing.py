"""What somebody hears, in order, and what of it was expected so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import trio

from .sounds import Sound, fits, name_of
from .story import Unexpected

SILENCE = "silence"

MOMENT = 0.02
"""Seconds of a sound that nobody hears: a frame."""

LONGEST_TEXT = 60.0
"""Seconds that may pass until something ends of which it is not known how long it is."""


class Waiting(Protocol):
    """What `Exchange` and a live stage have."""

    async def until(self, holds: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None: ...
    def wrong(self, what: str) -> Unexpected: ...
    def news(self) -> None: ...


class Hearing:
    """One person's ears."""

    def __init__(self, stage: Waiting, who: str, *, since: Callable[[float], float]) -> None:
        """`since`: seconds of the story for a `trio.current_time`."""
        self.heard: list[Sound] = []
        """Oldest first."""
        self._stage = stage
        self._who = who
        self._since = since
        self._noticed = 0
        """So many were expected, or passed over."""

    def hear(self, sound: Sound) -> None:
        """It begins or ends."""
        if sound.ended is None:
            self.heard.append(sound)
        self._stage.news()

    async def hears(
        self, what: Any, *, within: float, whole: bool, is_over: Callable[[], bool], why: Callable[[], str]
    ) -> Sound:
        """See `Person.hears`. `is_over`: nothing more will be heard; `why`: in words."""
        until = trio.current_time() + within
        while True:
            await self._stage.until(
                lambda: self._next(what) is not None or is_over(),
                until - trio.current_time(),
                lambda: f"{self._who} heard nothing{' more' * bool(self._noticed)} within {within:g} s, "
                f"expected {name_of(what)}",
            )
            sound = self._next(what)
            if sound is None or fits(what, sound.what) or trio.current_time() - sound.began >= MOMENT:
                break
            await trio.sleep(MOMENT)  # it may be cut off before anybody hears it
        if sound is None:
            raise self._stage.wrong(f"{self._who} expected {name_of(what)}, but {why()}")
        if not fits(what, sound.what):
            at = self._since(sound.began)
            raise self._stage.wrong(f"{self._who} heard {sound.name} at {at:.1f} s, expected {name_of(what)}")
        self._noticed = self.heard.index(sound) + 1
        if whole:
            await self._until_heard(sound)
        return sound

    def _next(self, wanted: Any) -> Sound | None:
        """The first sound that was not expected yet."""
        last = self.heard[self._noticed - 1].what if self._noticed else None
        for sound in self.heard[self._noticed :]:
            if sound.name == SILENCE:
                continue
            again = last is not None and sound.what == last
            if fits(wanted, sound.what) or not (again or _is_cut_at_once(sound)):
                return sound
        return None

    async def _until_heard(self, sound: Sound) -> None:
        patience = (sound.duration or LONGEST_TEXT) + 1.0
        await self._stage.until(
            lambda: _end_of(sound) is not None, patience, lambda: f"{sound.name} did not end within {patience:g} s"
        )
        if not sound.whole and (end := _end_of(sound)) is not None:
            heard = end - sound.began
            message = f"{self._who} heard only {heard:.1f} s of the {sound.duration:.1f} s of {sound.name}"
            raise self._stage.wrong(message)

    async def hears_nothing(self, seconds: float) -> None:
        """For so long, nothing new is heard."""
        known = len(self.heard)
        with trio.move_on_after(seconds):
            await self._stage.until(lambda: len(self.heard) > known, seconds + 1, lambda: "")
            sound = self.heard[known]
            at = self._since(sound.began)
            raise self._stage.wrong(f"{self._who} heard {sound.name} at {at:.1f} s, expected nothing")


def _is_cut_at_once(sound: Sound) -> bool:
    """As a prompt for whose key somebody did not wait."""
    end = _end_of(sound)
    return end is not None and end - sound.began < MOMENT and not sound.whole


def _end_of(sound: Sound) -> float | None:
    """When the one who hears it has heard the last of it."""
    return sound.ended if sound.lost is None else sound.lost
