"""Answers, plays a greeting, waits a moment and hangs up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from vodiabot import Call, SoundFile, SpeechFailed, SpeechUnavailable, SpokenText, hookimpl

SHIPPED = Path(__file__).parent / "greeting.wav"
"""The greeting that comes with the plugin; ORIGIN tells how it was made."""


@dataclass
class Config:
    """`[plugin.greeter]`"""

    file: SoundFile | None = None
    """A sound file to play, relative to bot.toml. It wins over `text`."""
    text: SpokenText = ""
    """A text to speak by a speech provider; without one, or if it fails, the shipped greeting is played."""
    pause: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """Seconds between the greeting's end and hanging up."""
    can_speak: bool = field(default=True, init=False)
    """No option: found out at the first call, so that the lack of speech is told once."""


@hookimpl
async def answer_call(call: Call, config: Config, log: Any) -> None:
    """The whole call. If the caller hangs up first, `CallEnded` ends it here."""
    await call.answer()
    await _greet(call, config, log)
    await call.sleep(config.pause)
    await call.hangup()


async def _greet(call: Call, config: Config, log: Any) -> None:
    if config.file is None and config.text and config.can_speak:
        try:
            await call.say(config.text)
        except SpeechUnavailable as exc:
            config.can_speak = False
            log.warning("the shipped greeting is played instead of the text", why=str(exc))
        except SpeechFailed as exc:  # it may well speak to the next caller
            log.warning("the text could not be spoken, the shipped greeting is played", why=str(exc))
        else:
            return
    await call.play(config.file or SHIPPED)
