"""Types for the options of plugins, of which `vodiabot check` says whether they can be had on this machine. In the
plugin they are a plain Path and plain texts."""

from __future__ import annotations

import enum
import types
import typing
from pathlib import Path
from typing import Annotated, Any


class Mark(enum.Enum):
    """What an option is for, where its type alone does not tell."""

    SOUND = "sound"
    SPOKEN = "spoken"
    VOICE = "voice"


SoundFile = Annotated[Path, Mark.SOUND]
"""A sound file to be played: relative to bot.toml, and it has to be there."""

SpokenText = Annotated[str, Mark.SPOKEN]
"""A text for `call.say`; "" for none. Something has to be installed that speaks."""

Voice = Annotated[str, Mark.VOICE]
"""A voice for `call.say(…, voice=…)`; "" for the usual one. Something has to be installed that has it."""


def marks_of(expected: Any) -> set[Mark]:
    """Of a type, or of one of its alternatives."""
    origin, args = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Annotated:
        return {mark for mark in args[1:] if isinstance(mark, Mark)} | marks_of(args[0])
    if origin in (typing.Union, types.UnionType):
        return {mark for arg in args for mark in marks_of(arg)}
    return set()
