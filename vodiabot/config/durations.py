"""Durations as an operator writes them: `"30s"`, `"1h30m"`, `"250ms"`, or a plain number of seconds."""

from __future__ import annotations

import math
import re

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""Seconds a unit, largest first: the order in which they may be written."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PATTERN = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit})?" for unit in UNITS))


def seconds(value: object) -> float:
    """The seconds that a value of bot.toml means. Raises ValueError, without the value in its message."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be a time such as "30s" or "1h30m", or a number of seconds')
    total = _of_text(value) if isinstance(value, str) else _of_number(value)
    if not math.isfinite(total) or total < 0:
        raise ValueError("must be a time that is not negative and not endless")
    return total


def _of_number(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _of_text(text: str) -> float:
    found = _PATTERN.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError('must be a time such as "30s", "5m", "1h30m" or "250ms"')
    return sum(float(number) * UNITS[unit] for unit, number in found.groupdict().items() if number)
