"""Speech of the kit: what is said takes as long as saying it would, and is known by its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

from ..calls import Call
from .sounds import Spoken

saying: ContextVar[str] = ContextVar("vodiabot_testing_saying", default="")
"""The text that this task speaks by a real provider; "" for none. For whoever watches what is played."""


@contextmanager
def speech() -> Iterator[None]:
    """In the body, `call.say(text)` plays `sounds.Spoken(text)`."""

    async def say(call: Call, text: str, *, gain: float = 0.0, **voice: Any) -> None:
        await call.play(Spoken(text), gain=gain)

    with patch.object(Call, "say", say):
        yield


@contextmanager
def watched_speech() -> Iterator[None]:
    """In the body, `call.say(text)` does what it does, with `saying` set meanwhile."""
    real = Call.say

    async def say(call: Call, text: str, **options: Any) -> None:
        token = saying.set(text)
        try:
            await real(call, text, **options)
        finally:
            saying.reset(token)

    with patch.object(Call, "say", say):
        yield
