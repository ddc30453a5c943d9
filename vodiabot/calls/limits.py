"""What a bot may dial, and how often: `[limits]` of bot.toml, enforced below all plugins.

It has to hold whoever wrote the number: an author who was careless with what a caller typed, or a voice agent that was
talked into it. So a number counts for what the PBX would reach by it, however it is spelled, and what can be read in
more than one way (parameters, pauses, other hosts, control characters) is refused, unless everything is allowed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Sequence

from ..errors import NotAllowed
from .numbers import forms, normalise, plain_number

WINDOW = 60.0
"""Seconds over which `dials_per_minute` and `chats_per_minute` count."""

DOMAIN_ACCOUNTS = "@domain"
"""The pattern that stands for every account of the bot's own domain."""

EVERYTHING = "*"
"""The pattern with which even numbers at other hosts may be dialled."""

LONGEST_SHOWN = 64
"""Characters of a number that a refusal shows: whoever calls a webhook may send a million."""

_ADDRESS = re.compile(
    r"<?(?:(?:sips?:)?(?P<user>[^@]+)@(?P<host>[^@]+?)(?::[0-9]{1,5})?|(?:sips?|tel):(?P<only>[^@]+))>?", re.IGNORECASE
)
_NUMERIC_PATTERN = re.compile(r"\+?[0-9*?#]*[0-9+][0-9*?#]*")
_ANYTHING = re.compile(".*", re.DOTALL)
_IN_A_NAME = frozenset("+*#.-_0123456789")
"""Besides letters. Whatever else there is may end a number, add to it, or name a host, wherever it is read."""


def _as_regex(pattern: str) -> re.Pattern[str]:
    """`*` is any run of characters, `?` one character; everything else is itself. In a pattern for numbers they stand
    for keys of a telephone only: `5*` is no name that begins with a 5.

    Feature codes of the PBX, which may call back whoever called last or forward an extension to anywhere, are allowed
    by their own star alone: `???` is none of them, and `*97` is that code and not every number that ends in 97.
    """
    if pattern == EVERYTHING:
        return _ANYTHING
    numeric = _NUMERIC_PATTERN.fullmatch(pattern)
    stars = len(pattern) - len(pattern.lstrip("*")) if numeric else 0
    one = "[0-9*#]" if numeric else "."
    parts = [{"*": one + "*", "?": one}.get(c, re.escape(c)) for c in pattern[stars:]]
    begin = re.escape(pattern[:stars]) if stars else "(?![*#])" if pattern[:1] in "*?" else ""
    return re.compile(begin + "".join(parts), re.DOTALL)


class UsedUp(NotAllowed):
    """The number may be dialled, or the message sent, but not now."""


class PerMinute:
    """So many times a minute, by all plugins together."""

    def __init__(self, key: str, most: int) -> None:
        """`key`: of `[limits]`. `most` may be changed at any time; what was done in the last minute counts."""
        self._key = key
        self.most = most
        self.refused = 0
        """How many times it was too often."""
        self._recent: deque[float] = deque()

    def count(self, now: float) -> None:
        """Once more at `now` (seconds, monotonic). Raises UsedUp; what is refused is not counted."""
        while self._recent and self._recent[0] <= now - WINDOW:
            self._recent.popleft()
        if len(self._recent) >= self.most:
            self.refused += 1
            raise UsedUp(f"[limits] {self._key} = {self.most} are used up")
        self._recent.append(now)


class DialGuard:
    """Decides on each number that the bot is about to reach: dial, transfer, consult, park and the desk phone alike."""

    def __init__(
        self,
        allow: Sequence[str],
        per_minute: int,
        accounts: Callable[[], Collection[str]],
        domain: str = "",
        country: str = "",
    ) -> None:
        self._dials = PerMinute("dials_per_minute", per_minute)
        self.hold_to(allow, per_minute)
        self._accounts = accounts
        self._domain = domain
        self._country = country
        self._not_allowed = 0

    @property
    def refused(self) -> dict[str, int]:
        """How many dials each limit has refused."""
        return {"dial_allow": self._not_allowed, "dials_per_minute": self._dials.refused}

    def hold_to(self, allow: Sequence[str], per_minute: int) -> None:
        """Other limits, from now on; the dials of the last minute count."""
        self._domain_allowed = DOMAIN_ACCOUNTS in allow
        self._all_allowed = EVERYTHING in allow
        self._patterns = [_as_regex(p) for p in allow if p != DOMAIN_ACCOUNTS]
        self._dials.most = per_minute

    def check_number(self, to: str) -> None:
        """As `check`, of what is to be dialled later: it is not counted. Raises NotAllowed."""
        if not self.allows(to):
            self._not_allowed += 1
            raise NotAllowed(self._refusal(to))

    def check(self, to: str, now: float) -> None:
        """Count one dial to `to` at `now` (seconds, monotonic). Raises NotAllowed; a refused one is not counted."""
        self.check_number(to)
        self._dials.count(now)

    def _refusal(self, to: str) -> str:
        """For an author whose bot.toml may have no [limits] at all: the default is no word of his."""
        shown = repr(to if len(to) <= LONGEST_SHOWN else f"{to[:LONGEST_SHOWN]}…")
        readable = self._number_in(to.strip()) is not None
        if self._domain_allowed and readable and not self._accounts():
            return f"{shown} may be an account of this domain, but the PBX has not told its accounts yet"
        if not self._domain_allowed or self._patterns or not readable:
            return f"{shown} is not in [limits] dial_allow"
        return (
            f"{shown} is no account of this domain, and those alone may be dialled unless bot.toml names others: "
            f'allow it with [limits] dial_allow = ["@domain", "5??", ...]'
        )

    def allows(self, to: str) -> bool:
        """Whether a pattern fits, regardless of how many dials there were."""
        number = self._number_in(to.strip())
        if number is None:
            return self._all_allowed and bool(normalise(to)) and not re.search(r"[\r\n\0]", to.strip())
        written = {*forms(number, self._country)}
        if self._domain_allowed and any(form in self._accounts() for form in written | {plain_number(number)}):
            return True
        return any(p.fullmatch(form) for p in self._patterns for form in written)

    def _number_in(self, to: str) -> str | None:
        """The number or name that the PBX reads in it; None where that is open, or is at another host."""
        address = _ADDRESS.fullmatch(to)
        if address is None:
            return to if plain_number(to) or _is_name(to) else None
        if address["host"] is not None and address["host"].lower() != self._domain.lower():
            return None
        user = address["only"] or address["user"]  # goes over the wire as it is, so it must be plain
        return user if _is_name(user) else None


def _is_name(text: str) -> bool:
    return bool(text) and all(c in _IN_A_NAME or c.isalpha() for c in text)
