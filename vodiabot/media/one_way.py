"""Whether the other side is heard at all: one-way audio. Pure; times are given, in seconds."""

from __future__ import annotations

from ..ports import FarSideHeard, FarSideSilent

LISTENED_EVERY = 1.0
"""Seconds between two looks."""
SILENT_SECONDS = 5.0
"""Without an audio packet, after which the audio is one-way: far more than any pause of a codec (0.4 s)."""


class OneWay:
    """Tells each silence once, and once that it is over."""

    def __init__(self) -> None:
        self._since = 0.0
        self._told = False

    def begin(self, now: float) -> None:
        """From here on the other side should be heard."""
        self._since = now

    def judge(self, last_packet: float | None, now: float) -> FarSideSilent | FarSideHeard | None:
        """What is to be told now; `last_packet`: when the last audio came."""
        seconds = now - max(self._since, last_packet or 0.0)
        if not self._told and seconds >= SILENT_SECONDS:
            self._told = True
            return FarSideSilent(seconds)
        if self._told and last_packet is not None and now - last_packet < LISTENED_EVERY:
            self._told = False
            return FarSideHeard()
        return None
