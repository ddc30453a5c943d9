"""What is played to the other side: one thing after another, over and over, beside what else happens."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
import trio

from ..errors import CallEnded, SourceError
from .leg import Leg

FRAME = 0.02
"""Seconds; a loop of nothing goes round no faster."""

SOUND_FILES = (".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a", ".aac", ".au", ".aiff", ".wma")
"""A string that ends so names a file also where it is missing: its name is not to be read to a caller."""

LONGEST_SHOWN = 64
"""Characters of a text that an error shows."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Text:
    """A text to be spoken where a source is played: `call.play(["chime.wav", Text("Welcome.")])`."""

    text: str
    voice: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class HowToPlay:
    """`gain` in dB, fades in seconds; `fade_in` is for the beginning, `fade_out` for when it is stopped."""

    gain: float = 0.0
    fade_in: float = 0.0
    fade_out: float = 0.0
    loop: bool = False


def prompt_of(what: Any) -> Any:
    """A prompt as `Call.play` takes it: a string is a text to be spoken unless it names a sound, by an address with
    `://`, a file that is there, or the ending of a sound file. In a list, each of its items likewise."""
    if isinstance(what, list | tuple):
        return [prompt_of(item) for item in what]
    return Text(what) if isinstance(what, str) and not _names_sound(what) else what


def _names_sound(text: str) -> bool:
    return "://" in text or text.lower().endswith(SOUND_FILES) or os.path.isfile(text)


def check_sounds(what: Any) -> None:
    """A text where only a sound can be played, most likely: told before anything is heard, by what helps. Raises
    SourceError."""
    for item in what if isinstance(what, list | tuple) else [what]:
        if isinstance(item, list | tuple):
            check_sounds(item)
        elif isinstance(item, str) and _may_be_text(item):
            shown = item if len(item) <= LONGEST_SHOWN else f"{item[:LONGEST_SHOWN]}…"
            raise SourceError(f'{shown!r} is no file; a text is spoken with say(), or in a list as Text("…")')


def _may_be_text(text: str) -> bool:
    if "://" in text or text.lower().endswith(SOUND_FILES):
        return False
    looks_so = " " in text or os.path.splitext(text)[1] in ("", ".")
    return looks_so and not os.path.exists(text)


async def play_all(leg: Leg, source: Any, how: HowToPlay, say: Callable[..., Awaitable[None]]) -> None:
    """See `Call.play`."""
    parts = _parts_of(source)
    fade_in = how.fade_in
    while True:
        began = trio.current_time()
        for part in parts:
            if isinstance(part, Text):
                await say(part.text, voice=part.voice, language=part.language, gain=how.gain)
            else:
                await leg.media.play(part, gain=how.gain, fade_in=fade_in, fade_out=how.fade_out)
            fade_in = 0.0
        if not how.loop:
            return
        await trio.sleep_until(began + FRAME)


def _parts_of(source: Any) -> list[Any]:
    """What is played one after the other: texts, sources, and lists of sources that follow one another, between which
    media leaves no gap."""
    if not isinstance(source, list | tuple):
        return [source]
    parts: list[Any] = []
    for is_text, run in groupby(source, lambda item: isinstance(item, Text)):
        items = list(run)
        parts += items if is_text or len(items) == 1 else [items]
    return parts


@asynccontextmanager
async def play_beside(leg: Leg, play: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Plays until the body is left. It runs as a task of the leg's, so the body's exceptions stay as they are; its own
    mistake is raised when the body is left without one."""
    stop, done = trio.CancelScope(), trio.Event()
    errors: list[Exception] = []

    async def run() -> None:
        try:
            with stop:
                await play()
        except CallEnded:
            return
        except Exception as exc:  # noqa: BLE001 - a Source may be a plugin's: it is raised there, and harms no call
            log.warning("what was to play beside a call does not", call=leg.id, why=repr(exc))
            errors.append(exc)
        finally:
            done.set()

    leg.spawn(run)
    try:
        yield
    finally:
        stop.cancel()
        with trio.CancelScope(shield=True):
            await done.wait()
    if errors:
        raise errors[0]
