"""What must not leave the house: secrets always, numbers and names if asked. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any

LONG = 5
"""Digits from which on a number is one of the outside world; shorter ones are extensions and services, by which calls
are routed, and say little of anybody."""

SECRET_KEYS = re.compile(r"pass(word|wd)?$|^pin$|secret|token|session|cookie|credential|authori[sz]ation|^auth$", re.I)
"""Keys whose values are never written [guess: no frame that is known has one]."""

NAME_KEYS = re.compile(r"name|display|company|organi[sz]ation|mail|street|city|address$|contact|title", re.I)
"""Keys of names of people, and of what else belongs to one; of unknown frames, too, such as `crmcontact`."""
TEXT_KEYS = frozenset({"message", "des", "text", "sub", "subject", "body", "note", "notes", "comment", "content"})
"""What people wrote."""
ID_KEYS = frozenset({"callid", "id", "id2", "cseq", "tag", "action", "response", "adr"})
"""By which frames belong together; a candidate and its addresses are left alone, too."""
CLOCK_KEYS = re.compile(r"^(start|connect(ed)?|end(ed)?|expires?|date|duration|seconds|port|.*time|.*stamp)$", re.I)
"""Keys whose numbers are no telephone numbers: a call's time is one of the things by which it is known."""

_DIGITS = re.compile(r"(?<!\w)(?<!\d\.)\(?\+?\d(?:[ ()/-]{0,2}\d)*(?!\w)(?!\.\d)")
"""Digits, also as people group them."""
_GROUPED = 7
"""Digits from which on groups of digits are one number even if it begins with neither `+`, `(` nor `0`."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# a name without quotes has a bound, as the search for one in a long text would take the square of its length
_DISPLAY = re.compile(r'"(?P<quoted>[^"]*)"(?=\s*<)|(?P<bare>[^\s"<>@:;,][^"<>@:;,]{0,59}?)(?=\s*<(?:sips?|tel):)')
_SDP_SECRETS = re.compile(r"(a=ice-pwd:|a=crypto:\d+ \S+ inline:)[^\s\\\"]+")
_SDP_OWNER = re.compile(r"^(o=)\S+|^([siuep]=).*?(?=\r?$)", re.MULTILINE)
"""Lines of a description that may name somebody."""
_URL_SECRETS = re.compile(r"\b(session|token|password|passwd|pwd|secret)=[^\s&;<>\"']+", re.I)


class Mask:
    """Makes frames that can be shown to others. The same number becomes the same other number within a tape."""

    def __init__(
        self, *, numbers: bool, key: bytes, clean: Callable[[str], str] = str, kept: Iterable[str] = ()
    ) -> None:
        """`numbers`: names, numbers of the outside world and what people wrote are masked, too. `key`: random, of this
        tape alone. `clean` takes known secrets out of a text. `kept`: the bot's extensions, however long; those of the
        domain are learnt from its accounts."""
        self._numbers = numbers
        self._key = key
        self._clean = clean
        self._kept = set(kept)

    def frame(self, value: Any, key: str = "") -> Any:
        """A frame, parsed, or a part of it."""
        if isinstance(value, dict):
            return {self.text(str(k)): self.frame(v, str(k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.frame(item, key) for item in value]
        if SECRET_KEYS.search(key) and value not in (None, "") and not isinstance(value, bool):
            return "***"
        if isinstance(value, str):
            return self._string(value, key)
        if self._numbers and isinstance(value, int) and key not in ID_KEYS and not CLOCK_KEYS.search(key):
            return value if abs(value) < 10 ** (LONG - 1) else int(self.text(str(value)))
        return value

    def _string(self, value: str, key: str) -> str:
        if key == "account":
            self._kept.add(value)
        if key in ID_KEYS or value.startswith("candidate:"):
            return self._clean(value)
        if value.lstrip().startswith("v=0"):
            return self._description(value)
        if self._numbers and NAME_KEYS.search(key) and value:
            return self._name(value)
        if self._numbers and key in TEXT_KEYS:
            return "…" if value else value
        if CLOCK_KEYS.search(key) and value.replace(".", "", 1).isdigit():
            return value
        return self.text(value)

    def _description(self, value: str) -> str:
        value = _SDP_SECRETS.sub(r"\1***", value)
        if self._numbers:
            value = _SDP_OWNER.sub(lambda found: f"{found[1] or found[2]}-", value)
        return self._clean(value)

    def text(self, value: str) -> str:
        """Any text: an address, a reason."""
        value = _URL_SECRETS.sub(r"\1=***", _SDP_SECRETS.sub(r"\1***", value))
        if self._numbers:
            value = _DISPLAY.sub(self._other_display, value)
            value = _DIGITS.sub(lambda found: self._other_digits(found[0]), value)
        return self._clean(value)

    def broken(self, value: str) -> str:
        """A frame that is no JSON: nobody knows what in it is a name."""
        return f"(no JSON: {len(value)} characters)" if self._numbers else self.text(value)

    def _digest(self, value: str) -> int:
        return int.from_bytes(hmac.digest(self._key, value.encode("utf-8", "replace"), hashlib.sha256)[:16], "big")

    def _name(self, name: str) -> str:
        """Another one; an extension's number that stands for it stays."""
        return name if name.isdigit() and len(name) < LONG else f"Name {self._digest(name) % 10000:04}"

    def _other_display(self, found: re.Match[str]) -> str:
        quoted = found["quoted"]
        return self._name(found["bare"]) if quoted is None else f'"{self._name(quoted) if quoted else ""}"'

    def _other_digits(self, text: str) -> str:
        """Digits as they stand in a text, grouped or not: another number in the same groups."""
        digits = re.sub(r"[^\d+]", "", text)
        length = len(digits.lstrip("+"))
        if length < LONG or digits in self._kept or _DATE.match(text):
            return text
        if text[0] not in "+(0" and length < _GROUPED and not text.isdigit():
            return re.sub(rf"\d{{{LONG},}}", lambda found: self._other_number(found[0]), text)
        others = iter(self._other_number(digits).lstrip("+"))
        return re.sub(r"\d", lambda _: next(others), text)

    def _other_number(self, number: str) -> str:
        """As long as the number, and with its `+` or `0` in front."""
        kept = re.match(r"\+|0*", number)
        head = kept[0] if kept else ""
        length = len(number) - len(head)
        return head + str(self._digest(number) % (9 * 10 ** (length - 1)) + 10 ** (length - 1)) if length else number
