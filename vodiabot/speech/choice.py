"""Which provider speaks."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SpeechUnavailable
from .providers import Provider
from .wanted import Wanted


def choose(known: Sequence[Provider], setting: str, wanted: Wanted) -> list[Provider]:
    """Those that may speak it, the best first, of all (`auto`) or of the one that is set. `known`: the best first.

    Raises SpeechUnavailable, with what to install.
    """
    allowed = [provider for provider in known if setting in ("auto", provider.name)]
    here = [provider for provider in allowed if provider.here]
    if not here:
        raise SpeechUnavailable(_not_here(setting, allowed))
    able = [provider for provider in here if provider.may_speak(wanted)]
    if not able:
        raise no_such_voice(here, wanted)
    return able


def no_such_voice(asked: Sequence[Provider], wanted: Wanted) -> SpeechUnavailable:
    """For the exception."""
    names = " and ".join(dict.fromkeys(provider.name for provider in asked))
    what = "voice" if wanted.voice is None else f"voice {wanted.voice!r}"
    what += "" if wanted.language is None else f" for the language {wanted.language!r}"
    have = "has" if len({provider.name for provider in asked}) == 1 else "have"
    return SpeechUnavailable(f"{names} {have} no {what}")


def _not_here(setting: str, allowed: Sequence[Provider]) -> str:
    ways = " or ".join(provider.install for provider in allowed)
    if setting == "auto":
        return "no speech provider is installed, so nothing can be spoken: pip install 'vodiabot[speech]'"
    return f"the speech provider {setting} is not installed: {ways}"
