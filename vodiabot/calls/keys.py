"""Digits to be sent, as a plugin writes them; digits that come, as it takes them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import trio

from ..errors import UsageError

PAUSE = 0.5
"""Seconds that each `,` or `w` waits."""

DURATION = (0.04, 8.0)
"""Seconds of a press, and of the pause after it: a shorter one need not be recognised (ITU-T Q.24)."""

VOLUME = (-36.0, 0.0)
"""dBm0: whoever hears digits takes what lies between (RFC 4733, section 2.3.3)."""

_PARTS = re.compile(r"[0-9*#A-D]+|[,W]+")


def parts_of(text: str) -> list[str | float]:
    """Runs of digits, and seconds of pause between them: `12,,3` is `["12", 1.0, "3"]`. Raises UsageError."""
    capitals = text.upper()
    wrong = next((given for given, key in zip(text, capitals, strict=False) if not _PARTS.fullmatch(key)), None)
    if wrong is not None or len(capitals) != len(text):
        raise UsageError(f"{wrong or text!r} can't be sent as DTMF: there are 0-9, *, #, A-D, and , or w for a pause")
    return [part if part[0] not in ",W" else PAUSE * len(part) for part in _PARTS.findall(capitals)]


@dataclass(frozen=True)
class Press:
    """How keys are pressed: for how long, with which pause after each, how loud."""

    duration: float
    gap: float
    volume: float

    def check(self) -> None:
        """Raises UsageError."""
        for name, value, least, most, unit in (
            ("duration", self.duration, *DURATION, "seconds"),
            ("gap", self.gap, *DURATION, "seconds"),
            ("volume", self.volume, *VOLUME, "dBm0"),
        ):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not least <= value <= most:
                raise UsageError(f"send_dtmf: {name} is {least:g} to {most:g} {unit}, not {value!r}")


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
