"""Whether what the settings of plugins want to be heard can be had on this machine: else the first caller finds out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..config.option_types import Mark
from ..errors import Problem, SourceError, SpeechUnavailable
from ..plugins import LoadedPlugin, problem_at
from ..plugins.marks import marked
from ..speech import Speech, speech_of

RATE = 48000
"""Any will do: of the sound, no more than its beginning is read."""


def inaudible(config: Config, plugins: Sequence[LoadedPlugin]) -> tuple[list[Problem], list[Problem]]:
    """What is wrong: sound files that are none, voices that nobody has. And what this machine lacks, though the bot
    runs without: somebody who speaks its texts. Touches the disk, and may start programs: not for the trio thread."""
    speech = speech_of(config.speech, config.bot.state_dir)
    asked = [key for key in ("provider", "voice", "language") if f"speech.{key}" in config.where.lines]
    mute = _speaks(speech)
    problems = [problem_at(config.where, f"speech.{asked[0]}", mute)] if mute and asked else []
    notes: list[Problem] = []
    for plugin in plugins:
        for mark, key, value in marked(plugin.config) if plugin.config is not None else ():
            full = f"plugin.{plugin.name}.{key}"
            if mute and mark is not Mark.SOUND:
                if value and not problems:  # else it has been told
                    notes.append(problem_at(config.where, full, mute))
            elif value and (why := _why_not(mark, value, speech)):
                problems.append(problem_at(config.where, full, why))
    return problems, notes


def _why_not(mark: Mark, value: Any, speech: Speech) -> str:
    match mark:
        case Mark.SOUND:
            return playable(Path(value))
        case Mark.VOICE:
            return _speaks(speech, str(value))
        case Mark.SPOKEN:
            return ""


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
