"""What must not leave the house: secrets always, numbers and names if asked. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

LONG = 5
"""Digits from which on a number is one of the outside world; shorter ones are extensions and services, by which calls
are routed, and say little of anybody."""

SECRET_KEYS = re.compile(r"pass(word|wd)?$|^pin$|secret|token|session|cookie|credential|authori[sz]ation|^auth$", re.I)
"""Keys whose values are never written [guess: no frame that is known has one]."""

NAME_KEYS = frozenset(
    {"from-display", "to-display", "from-name", "to-name", "name", "display", "first-name", "last-name"}
)
TEXT_KEYS = frozenset({"message", "des", "text"})
"""What people wrote."""
ID_KEYS = frozenset({"callid", "id", "id2", "cseq", "tag", "action", "response"})
"""By which frames belong together; a candidate is left alone, too."""

_NUMBER = re.compile(rf"(?<![\w.-])\+?\d{{{LONG},}}(?![\w.:-])")
_DISPLAY = re.compile(r'"[^"]*"(?=\s*<sips?:)')
_SDP_SECRETS = re.compile(r"^(a=ice-pwd:|a=crypto:\d+ \S+ inline:)\S+", re.MULTILINE)


class Mask:
    """Makes frames that can be shown to others. The same number becomes the same other number within a tape."""

    def __init__(self, *, numbers: bool, key: bytes, clean: Callable[[str], str] = str) -> None:
        """`numbers`: names, numbers of the outside world and what people wrote are masked, too. `key`: random, of this
        tape alone. `clean` takes known secrets out of a text."""
        self._numbers = numbers
        self._key = key
        self._clean = clean

    def frame(self, value: Any, key: str = "") -> Any:
        """A frame, parsed, or a part of it."""
        if isinstance(value, dict):
            return {self.text(str(k)): self.frame(v, str(k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.frame(item, key) for item in value]
        if SECRET_KEYS.search(key) and value not in (None, "", True, False):
            return "***"
        if isinstance(value, str):
            return self._string(value, key)
        return value

    def _string(self, value: str, key: str) -> str:
        if key in ID_KEYS or value.startswith("candidate:"):
            return self._clean(value)
        if value.startswith("v=0"):
            return self._clean(_SDP_SECRETS.sub(r"\1***", value))
        if self._numbers and key in NAME_KEYS and value:
            return value if value.isdigit() and len(value) < LONG else self._pseudonym(value)
        if self._numbers and key in TEXT_KEYS:
            return "…" if value else value
        return self.text(value)

    def text(self, value: str) -> str:
        """Any text: an address, a reason, a frame that is no JSON."""
        if self._numbers:
            value = _DISPLAY.sub(lambda found: f'"{self._pseudonym(found[0][1:-1])}"', value)
            value = _NUMBER.sub(lambda found: self._other_number(found[0]), value)
        return self._clean(value)

    def _digest(self, value: str) -> int:
        return int.from_bytes(hmac.digest(self._key, value.encode(), hashlib.sha256)[:16], "big")

    def _pseudonym(self, name: str) -> str:
        return f"Name {self._digest(name) % 10000:04}"

    def _other_number(self, number: str) -> str:
        """As long as the number, and with its `+` or `0` in front."""
        kept = re.match(r"\+|0*", number)
        head = kept[0] if kept else ""
        length = len(number) - len(head)
        return head + str(self._digest(number) % (9 * 10 ** (length - 1)) + 10 ** (length - 1)) if length else number
