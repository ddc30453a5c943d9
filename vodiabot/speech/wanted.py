"""How a text is to be spoken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import SpeechUnavailable

_VOICE = re.compile(r"\w[\w ()+-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}")


class Settings(Protocol):
    """`[speech]` of bot.toml."""

    @property
    def provider(self) -> str: ...
    @property
    def voice(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def model(self) -> Path | None: ...
    @property
    def speed(self) -> float: ...
    @property
    def cache_mb(self) -> int: ...


@dataclass(frozen=True)
class Wanted:
    """A voice by the provider's name for it, or any voice of a language (as in `en-gb`: small letters, and -), at a
    speed, where 1 is the provider's own."""

    voice: str | None = None
    language: str | None = None
    speed: float = 1.0

    @property
    def languages(self) -> tuple[str, ...]:
        """The language, then what it is a kind of: `de-at`, `de`. Without one, English is meant."""
        parts = (self.language or "en").split("-")
        return tuple("-".join(parts[:n]) for n in range(len(parts), 0, -1))


def wanted(settings: Settings, voice: str | None, language: str | None) -> Wanted:
    """What a call says over what the configuration says: a call's own language does without the configured voice, which
    may be of another one. Raises SpeechUnavailable for what can be no voice or language anywhere."""
    usual = _tidy(settings.language)
    language = _tidy(language)
    if voice is None and language in (None, usual):
        voice, language = settings.voice, usual
    if voice is not None and not _VOICE.fullmatch(voice):
        raise SpeechUnavailable("there is no such voice: a name has letters, digits, blanks and _ + - ( )")
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise SpeechUnavailable('there is no such language: it is said as in "de" or "en-gb"')
    return Wanted(voice, language, settings.speed)


def _tidy(language: str | None) -> str | None:
    return None if language is None else language.strip().lower().replace("_", "-")
