"""One-way audio of a virtual leg, told as the real media tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from ..ports import FarSideDeaf, FarSideHeard, FarSideHears, FarSideSilent, OneWayNews
from .audio import VirtualAudio


class Ways:
    """Whether what either side sends arrives at the other: part of a `VirtualLeg`."""

    def __init__(self, on_event: Callable[[Any], None]) -> None:
        self.deaf = False
        """Nothing that the other side says or presses comes here: one-way audio."""
        self.doors: list[VirtualAudio] = []
        """Every `audio` that was opened."""
        self._tell_way: Callable[[OneWayNews], None] = on_event
        self._silent_since: float | None = None
        self._unheard_since: float | None = None

    def deafen(self) -> None:
        """For the test: no audio of the other side comes any more; see `fall_silent` for when that is noticed."""
        self.deaf = True
        for door in self.doors:
            door.says.clear()

    def fall_silent(self, seconds: float = 5.0) -> None:
        """For the test: no audio has come for so long, as the real media would tell after that time."""
        self.deafen()
        self._silent_since = trio.current_time() - seconds
        self._tell_way(FarSideSilent(seconds))

    def be_heard(self) -> None:
        """For the test: audio comes again."""
        self.deaf = False
        self._silent_since = None
        self._tell_way(FarSideHeard())

    def go_unheard(self, seconds: float = 10.0) -> None:
        """For the test: the other side reports that nothing of ours has come for so long; again: it confirms it."""
        self._unheard_since = trio.current_time() - seconds
        self._tell_way(FarSideDeaf(seconds))

    def arrive(self) -> None:
        """For the test: the other side reports that ours comes again."""
        self._unheard_since = None
        self._tell_way(FarSideHears())
