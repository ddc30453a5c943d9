"""What a plugin sends by `call.audio()`, as sounds that begin and end: somebody hears them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import trio

from .sounds import Samples, Sound

PAUSE = 0.2
"""Seconds without sound after which the next samples are another sound: more than the gaps of one that is streamed."""

AUDIBLE = 100
"""Amplitude (of 32767) from which on samples are heard."""


class Utterances:
    """The sounds of one door. Silence that is sent is none."""

    def __init__(self, rate: int, tell: Callable[[Sound], None]) -> None:
        """`tell` gets each sound when it begins, and again when it has ended."""
        self._rate = rate
        self._tell = tell
        self._sound: Sound | None = None
        self._until = 0.0

    def sent(self, samples: bytes, until: float) -> None:
        """`until`: when the last of them will have left."""
        if not samples or np.abs(np.frombuffer(samples, np.int16).astype(np.int32)).max() < AUDIBLE:
            return
        self._until = until
        if self._sound is not None:
            self._sound.what.raw += samples
            return
        sound = self._sound = Sound(Samples(self._rate, bytearray(samples)), 0.0, began=trio.current_time())
        trio.lowlevel.spawn_system_task(self._until_it_is_over, sound)
        self._tell(sound)

    async def _until_it_is_over(self, sound: Sound) -> None:
        while self._sound is sound and (left := self._until + PAUSE - trio.current_time()) > 0:  # noqa: ASYNC110 - more is sent
            await trio.sleep(left)
        if self._sound is sound:
            self._ends(self._until)

    def cut(self) -> None:
        """What has not left yet never will. Idempotent."""
        if self._sound is not None:
            self._ends(min(trio.current_time(), self._until))

    def _ends(self, at: float) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.ended = at
            sound.duration = at - sound.began
            self._tell(sound)


class WatchedAudio:
    """A `ports.MediaAudio` that tells what is sent; what is not here is the audio's own."""

    def __init__(self, audio: Any, tell: Callable[[Sound], None]) -> None:
        self.utterances = Utterances(audio.rate, tell)
        self._audio = audio
        self._empty_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._audio, name)

    async def send(self, samples: bytes) -> None:
        await self._audio.send(samples)
        self._empty_at = max(trio.current_time(), self._empty_at) + len(samples) / 2 / self._audio.rate
        self.utterances.sent(samples, self._empty_at)

    def clear(self) -> None:
        self._audio.clear()
        self._empty_at = 0.0
        self.utterances.cut()
