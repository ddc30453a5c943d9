"""Whether what the settings of plugins want to be heard can be had on this machine: else the first caller finds out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..config.model import SpeechConfig
from ..config.option_types import Mark
from ..errors import Problem, SourceError, SpeechUnavailable
from ..plugins import LoadedPlugin, problem_at
from ..plugins.marks import marked
from ..speech import Speech, speech_of

RATE = 48000
"""Any will do: of the sound, no more than its beginning is read."""


def inaudible(config: Config, plugins: Sequence[LoadedPlugin]) -> list[Problem]:
    """Sound files that are none, texts that nobody speaks, voices that nobody has. Touches the disk, and may start
    programs: not for the trio thread."""
    speech = speech_of(config.speech, config.bot.state_dir)
    found = list(_of_speech_itself(config, speech))
    mute = bool(found)  # told once, not again for each text
    for plugin in plugins:
        for mark, key, value in marked(plugin.config) if plugin.config is not None else ():
            why = _why_not(mark, value, speech, mute)
            if why:
                found.append(problem_at(config.where, f"plugin.{plugin.name}.{key}", why))
    return found


def _of_speech_itself(config: Config, speech: Speech) -> Iterator[Problem]:
    """Nobody needs one who plays files only, unless `[speech]` asks for it."""
    if config.speech == SpeechConfig():
        return
    if why := _speaks(speech):
        named = [key for key in ("provider", "voice", "language") if f"speech.{key}" in config.where.lines]
        yield problem_at(config.where, f"speech.{named[0]}" if named else "speech", why)


def _why_not(mark: Mark, value: Any, speech: Speech, mute: bool) -> str:
    if not value:
        return ""
    if mark is Mark.SOUND:
        return playable(Path(value))
    if mark is Mark.VOICE:
        return _speaks(speech, str(value))
    return "" if mute else _speaks(speech)


def _speaks(speech: Speech, voice: str | None = None) -> str:
    try:
        speech.provider(voice)
    except SpeechUnavailable as exc:
        return str(exc)
    return ""


def playable(file: Path) -> str:
    """Why it can't be played; "" if it can."""
    from ..media.sources import as_source  # here: who names no sound need not wait for the audio libraries

    try:
        reader = as_source(file).open(RATE)
    except SourceError as exc:
        return str(exc)
    reader.close()
    return ""
