"""Texts to sound: chosen, cut, spoken, kept and played."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from ..errors import SpeechFailed, SpeechUnavailable
from .cache import MEGABYTE, Cache, Lease
from .choice import choose, no_such_voice
from .espeak import Espeak, EspeakProgram
from .lead import cut_lead
from .piper import Piper
from .process import run
from .providers import Flite, Provider
from .sentences import pieces
from .wanted import Settings, Wanted, wanted

Play = Callable[[Any], Awaitable[None]]

CHILDREN = max(1, min(4, os.cpu_count() or 1))
"""That speak at once: more would only take the processor from the audio."""

log = structlog.get_logger(__name__)

KEY_VERSION = 1
"""Another one makes the files of older versions strangers, to be spoken again."""


class Speech:
    """`ports.SpeechPort`: one a bot."""

    def __init__(self, settings: Settings, cache: Cache, providers: Sequence[Provider]) -> None:
        """`providers`: all that are known, the best first."""
        self._settings = settings
        self._cache = cache
        self._providers = providers
        self._children = trio.CapacityLimiter(CHILDREN)

    async def say(self, text: str, play: Play, *, voice: str | None = None, language: str | None = None) -> None:
        """See `ports.SpeechPort`."""
        how = wanted(self._settings, voice, language)
        parts = pieces(text)
        providers = await trio.to_thread.run_sync(choose, self._providers, self._settings.provider, how)
        with self._cache.lease() as lease:
            speak = partial(self._spoken, providers=providers, how=how, lease=lease)
            if len(parts) == 1:
                await _play(play, *await speak(parts[0]))
            elif parts:
                await _play_ahead(parts, speak, play)
            else:
                await trio.lowlevel.checkpoint()

    def provider(self, voice: str | None = None) -> str:
        """Who speaks a text, by that voice or the usual one. Reads the disk, and may ask a program: not for the trio
        thread. Raises SpeechUnavailable."""
        return choose(self._providers, self._settings.provider, wanted(self._settings, voice, None))[0].name

    async def _spoken(
        self, text: str, *, providers: Sequence[Provider], how: Wanted, lease: Lease
    ) -> tuple[Path, float]:
        """By the first that has the voice; the next one stands in for one that fails."""
        failure: SpeechFailed | None = None
        for provider in providers:
            name = key_of(provider.identity, how, text)
            try:
                return await self._cache.get(name, lease, partial(self._speak, provider, how, text))
            except _NoSuchVoice:
                continue
            except SpeechFailed as exc:
                log.warning("a text was not spoken", provider=provider.identity, why=str(exc), letters=len(text))
                failure = failure or exc
        raise failure or no_such_voice(providers, how)

    async def _speak(self, provider: Provider, how: Wanted, text: str, out: Path) -> None:
        prepared = provider.prepared(text)
        async with self._children:
            for command in provider.commands(how):
                if await run(command, prepared, out):
                    await trio.to_thread.run_sync(cut_lead, out)
                    return
        raise _NoSuchVoice


class _NoSuchVoice(SpeechUnavailable):
    """Of one provider; another may have it."""


async def _play(play: Play, path: Path, seconds: float) -> None:
    if seconds:  # "…" and the like are silent
        await play(path)


async def _play_ahead(
    parts: Sequence[str], speak: Callable[[str], Awaitable[tuple[Path, float]]], play: Play
) -> None:
    """Each is played while the next one is being spoken."""
    put, take = trio.open_memory_channel[tuple[Path, float]](1)
    errors: list[Exception] = []

    async def produce() -> None:
        with put:
            for part in parts:
                await put.send(await speak(part))

    async def consume() -> None:
        async for path, seconds in take:
            await _play(play, path, seconds)

    async with trio.open_nursery() as nursery:

        async def guarded(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except Exception as exc:  # noqa: BLE001 - raised below, outside of the nursery, which would wrap it
                errors.append(exc)
                if not isinstance(exc, SpeechUnavailable | SpeechFailed):
                    nursery.cancel_scope.cancel()  # what was spoken before a failure is still heard

        nursery.start_soon(guarded, produce)
        nursery.start_soon(guarded, consume)
    if errors:
        raise errors[0]


def key_of(identity: str, how: Wanted, text: str) -> str:
    """The name of a spoken text in the cache."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    whole = json.dumps([KEY_VERSION, identity, how.voice, how.language, how.speed, digest])
    return hashlib.sha256(whole.encode()).hexdigest()


def speech_of(settings: Settings, state_dir: Path) -> Speech:
    """As `[speech]` says. Nothing is started or read yet, and whether a provider is there is seen when a text is to be
    spoken."""
    cache = Cache(state_dir / "speech", settings.cache_mb * MEGABYTE)
    return Speech(settings, cache, (Piper(settings.model), Flite(), Espeak(), EspeakProgram()))
