"""Digits to be sent, as a plugin writes them."""

from __future__ import annotations

import re

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
