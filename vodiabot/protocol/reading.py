"""Reads the values of one JSON object generously: what the PBX sends is not always of the type one would
expect.

Two kinds of field: without the *needed* ones the frame makes no sense, so they raise FrameError when they
can't be understood; a *descriptive* one that can't be understood counts as missing, since a strange display
name must not cost a call.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..errors import FrameError

_TRUE = frozenset({"true", "1", "yes", "on"})
_LEADING_INT = re.compile(r"\s*(-?\d{1,9})(?!\d)")
_I64 = 2**63


def as_text(value: Any) -> str | None:
    """A string, or a number or boolean as JSON would print it; None for anything else, `null` included."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _I64 else None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _I64 else repr(value)
    return None


def as_number(value: Any) -> float | None:
    """A finite number, or a string that is one; None for anything else."""
    if isinstance(value, bool):
        return None
    if not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_integer(value: Any) -> int | None:
    """An integer below 10^9, `"486"` and `"486 Busy Here"` too; None for anything else."""
    if isinstance(value, str):
        found = _LEADING_INT.match(value)
        return int(found[1]) if found else None
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 1e9 else None


def as_flag(value: Any) -> bool | None:
    """true, `"true"`, `1`, `"on"`, a list that is not empty; None where the value is missing (`null`)."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip().lower() in _TRUE
    return bool(value)


class Reader:
    """One JSON object of a frame; `frame` is the kind that errors name."""

    __slots__ = ("data", "frame")

    def __init__(self, frame: str, data: dict[str, Any]) -> None:
        self.frame = frame
        self.data = data

    def error(self, field: str, message: str) -> FrameError:
        """The error that names this frame and a field of it."""
        return FrameError(self.frame, field, message)

    def text(self, *names: str) -> str:
        """The first of these descriptive fields that has a text, else ""."""
        for name in names:
            if (text := as_text(self.data.get(name))) is not None:
                return text
        return ""

    def needed_text(self, name: str) -> str:
        """A field without which the frame makes no sense. Raises FrameError when it is missing, empty or no
        text."""
        text = as_text(self.data.get(name))
        if not text:
            raise self.error(name, "missing or not a text")
        return text

    def id(self, name: str) -> str:
        """A call-id that older PBXs may leave out (then ""). Raises FrameError when it is there but no
        text."""
        value = self.data.get(name)
        text = as_text(value)
        if text is None and value is not None:
            raise self.error(name, "not a text")
        return text or ""

    def maybe_text(self, name: str) -> str | None:
        """A descriptive text, or None where it is missing."""
        return as_text(self.data.get(name))

    def cseq(self) -> str | int | None:
        """`cseq` as it came, since it is echoed; None where it is missing or neither text nor integer."""
        value = self.data.get("cseq")
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _I64:
            return value
        return None if isinstance(value, bool) else as_text(value) or None

    def code(self) -> int | None:
        """`code`, a SIP status; None where it is missing or none."""
        code = as_integer(self.data.get("code"))
        return code if code is not None and 100 <= code <= 699 else None

    def number(self, name: str) -> float | None:
        """A finite number, or None."""
        return as_number(self.data.get(name))

    def flag(self, name: str) -> bool | None:
        """A boolean, or None where it is missing."""
        return as_flag(self.data.get(name))
