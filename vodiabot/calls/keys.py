"""Digits to be sent, as a plugin writes them; digits that come, as it takes them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress

import trio

from ..errors import UsageError

PAUSE = 0.5
"""Seconds that each `,` or `w` waits."""

_PARTS = re.compile(r"[0-9*#A-D]+|[,W]+")


def parts_of(text: str) -> list[str | float]:
    """Runs of digits, and seconds of pause between them: `12,,3` is `["12", 1.0, "3"]`. Raises UsageError."""
    capitals = text.upper()
    wrong = next((given for given, key in zip(text, capitals, strict=False) if not _PARTS.fullmatch(key)), None)
    if wrong is not None or len(capitals) != len(text):
        raise UsageError(f"{wrong or text!r} can't be sent as DTMF: there are 0-9, *, #, A-D, and , or w for a pause")
    return [part if part[0] not in ",W" else PAUSE * len(part) for part in _PARTS.findall(capitals)]


def forget(digits: trio.MemoryReceiveChannel[str]) -> None:
    """Those that came and that nobody took."""
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            digits.receive_nowait()


class Pressed(AsyncIterator[str]):
    """The digits that come. No async generator: one that is left in the midst holds what it waits for until it is
    collected, and trio complains of that."""

    def __init__(self, digits: trio.MemoryReceiveChannel[str]) -> None:
        self._digits = digits

    async def __anext__(self) -> str:
        try:
            return await self._digits.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """For those who close what they iterate over. There is nothing to be closed."""
