"""Which route takes a call. Pure.

A pattern is a number or a name, in which `*` stands for any run of characters (also none) and `?` for one.
Numbers are compared in one form: without URI, spaces and punctuation, with `+` where it is known how (by
`[pbx] country`); a pattern for numbers of one's own country may be written in either form. Names are compared without
regard to case. A star in a number (`*97`) is matched by the pattern `?97`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ..calls.numbers import forms, normalise
from ..config.model import RouteConfig

_LIKE_A_NUMBER = re.compile(r"\+?[0-9*?#\s().\-/]+")
_FILLERS = re.compile(r"[\s().\-/]")


def choose(routes: Sequence[RouteConfig], to: str, from_: str, country: str = "") -> RouteConfig | None:
    """The first route that matches both the number that was called and the caller's; None if none does.

    Numbers may come in any form. An anonymous caller ("") matches only patterns that fit nothing, such as
    `*`.
    """
    for route in routes:
        if matches(route.to, to, country) and matches(route.from_, from_, country):
            return route
    return None


def matches(pattern: str, number: str, country: str = "") -> bool:
    """Whether a number, in whatever form, fits a pattern."""
    compiled = _compiled(pattern, country)
    return any(compiled.fullmatch(form.casefold()) for form in forms(number, country))


@lru_cache(maxsize=1024)
def _compiled(pattern: str, country: str) -> re.Pattern[str]:
    return re.compile("|".join(_as_regex(form) for form in _forms(pattern, country)), re.DOTALL)


def _forms(pattern: str, country: str) -> list[str]:
    """The pattern as numbers are written; `00…` with wildcards may be an international prefix or the start of a short
    number."""
    pattern = pattern.strip()
    if not _LIKE_A_NUMBER.fullmatch(pattern):
        return [normalise(pattern).casefold()]
    plain = _FILLERS.sub("", pattern)
    if "*" not in plain and "?" not in plain:
        return [plain, normalise(pattern, country)]
    return [plain, "+" + plain[2:]] if plain.startswith("00") else [plain]


def _as_regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
