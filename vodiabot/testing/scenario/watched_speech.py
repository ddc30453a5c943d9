"""What a bot with a real speech provider says, as one sound however many pieces it is played in."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

import trio

from ...errors import SpeechUnavailable
from ...ports import SpeechPort
from ..sounds import Sound, Spoken


class Listener(Protocol):
    """The stage."""

    notes: list[str]

    def sound(self, label: str, sound: Sound) -> None: ...


class BeingSaid:
    """One text, from its first piece to its end."""

    def __init__(self, text: str, listener: Listener) -> None:
        self._text, self._listener = text, listener
        self._label = ""
        self._sound: Sound | None = None

    def begins(self, label: str) -> None:
        """A piece of it is played at a leg."""
        if self._sound is None:
            # how long it will take is not known: what ends by itself is whole
            self._label, self._sound = label, Sound(Spoken(self._text), 0.0, began=trio.current_time())
            self._listener.sound(label, self._sound)

    def ends(self, *, whole: bool) -> None:
        """It was said, or stopped."""
        if self._sound is not None:
            self._sound.ended = trio.current_time()
            self._sound.duration = self._sound.ended - self._sound.began if whole else math.inf
            self._listener.sound(self._label, self._sound)


being_said: ContextVar[BeingSaid | None] = ContextVar("vodiabot_testing_being_said", default=None)
"""What this task is saying; None: it is not speaking. For whoever watches what is played."""


class WatchedSpeech:
    """`ports.SpeechPort`: another one, watched."""

    def __init__(self, speech: SpeechPort, listener: Listener, *, hums: bool) -> None:
        """`hums`: where the other one can't speak, a hum as long as the text is played."""
        self._speech, self._listener, self._hums = speech, listener, hums

    async def say(
        self,
        text: str,
        play: Callable[[Any], Awaitable[None]],
        *,
        voice: str | None = None,
        language: str | None = None,
    ) -> None:
        said, whole = BeingSaid(text, self._listener), False
        token = being_said.set(said)
        try:
            try:
                await self._speech.say(text, play, voice=voice, language=language)
            except SpeechUnavailable as exc:
                if not self._hums:
                    raise
                self._note(exc)
                await play(Spoken(text))
            whole = True
        finally:
            being_said.reset(token)
            said.ends(whole=whole)

    def _note(self, exc: SpeechUnavailable) -> None:
        note = f"a hum stands for what the bot says, as it can't be spoken here: {exc}"
        if note not in self._listener.notes:
            self._listener.notes.append(note)
