"""What a bot may dial, and how often: `[limits]` of bot.toml, enforced below all plugins."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Container, Sequence

from ..errors import NotAllowed
from .numbers import normalise, user_part

WINDOW = 60.0
"""Seconds over which `dials_per_minute` counts."""

DOMAIN_ACCOUNTS = "@domain"
"""The pattern that stands for every account of the bot's own domain."""


def _as_regex(pattern: str) -> re.Pattern[str]:
    """`*` is any run of characters, `?` one character; everything else is itself."""
    parts = [{"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern]
    return re.compile("".join(parts), re.DOTALL)


class DialGuard:
    """Decides on each number that the bot is about to reach: dial, transfer, consult and the desk phone alike."""

    def __init__(
        self,
        allow: Sequence[str],
        per_minute: int,
        accounts: Callable[[], Container[str]],
        domain: str = "",
    ) -> None:
        self._domain_allowed = DOMAIN_ACCOUNTS in allow
        self._patterns = [_as_regex(p) for p in allow if p != DOMAIN_ACCOUNTS]
        self._per_minute = per_minute
        self._accounts = accounts
        self._domain = domain
        self._recent: deque[float] = deque()

    def check(self, to: str, now: float) -> None:
        """Count one dial to `to` at `now` (seconds, monotonic). Raises NotAllowed; a refused one is not counted."""
        if not self.allows(to):
            raise NotAllowed(f"{to!r} is not in [limits] dial_allow")
        while self._recent and self._recent[0] <= now - WINDOW:
            self._recent.popleft()
        if len(self._recent) >= self._per_minute:
            raise NotAllowed(f"[limits] dials_per_minute = {self._per_minute} are used up")
        self._recent.append(now)

    def allows(self, to: str) -> bool:
        """Whether a pattern fits, regardless of how many dials there were."""
        number = normalise(to)
        if not number or any(c in number for c in "\r\n\0"):
            return False
        if self._domain_allowed and self._is_own(to) and number in self._accounts():
            return True
        return any(p.fullmatch(number) for p in self._patterns)

    def _is_own(self, to: str) -> bool:
        """A number with a foreign host (`45@elsewhere.example`) is not an account of this domain."""
        _, at, host = to.rpartition("@")
        host = re.split(r"[>;?:\s]", host)[0].lower()
        return not at or host == self._domain.lower() or user_part(to) == to
