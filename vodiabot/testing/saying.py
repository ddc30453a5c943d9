"""Speech in virtual time: what is said takes as long as saying it would, and is known by its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from ..calls import Call
from .sounds import Spoken


@contextmanager
def speech() -> Iterator[None]:
    """In the body, `call.say(text)` plays `sounds.Spoken(text)`."""
    with patch.object(Call, "say", _say):
        yield


async def _say(call: Call, text: str) -> None:
    await call.play(Spoken(text))
