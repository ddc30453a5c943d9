"""`ports.SpeechPort` in virtual time: what is said takes as long as saying it would, and is known by its text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from .sounds import Spoken


@dataclass(frozen=True)
class SaidText:
    """One `say`, as it was asked for."""

    text: str
    voice: str | None = None
    language: str | None = None


class VirtualSpeech:
    """Give it to the bot: `Bot(…, speech=VirtualSpeech())`. The far side hears `sounds.Spoken(text)`, so a test finds
    what was said by its text in what it heard (`Played.source.text`), whole, however long it is."""

    def __init__(self) -> None:
        self.said: list[SaidText] = []
        """All that was to be said, oldest first."""
        self.fails_with: Exception | None = None
        """What `say` raises from now on, such as SpeechUnavailable; None: it speaks."""

    async def say(
        self,
        text: str,
        play: Callable[[Any], Awaitable[None]],
        *,
        voice: str | None = None,
        language: str | None = None,
    ) -> None:
        """See `ports.SpeechPort`."""
        await trio.lowlevel.checkpoint()
        self.said.append(SaidText(text, voice, language))
        if self.fails_with is not None:
            raise self.fails_with
        await play(Spoken(text))
