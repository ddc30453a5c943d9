from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.calls import DialGuard
from vodiabot.errors import NotAllowed

ACCOUNTS = {"45", "500", "600"}


def guard(*allow: str, per_minute: int = 30) -> DialGuard:
    return DialGuard(allow, per_minute, lambda: ACCOUNTS, "example.com")


@pytest.mark.parametrize(
    ("allow", "to", "allowed"),
    [
        (("@domain",), "500", True),
        (("@domain",), "sip:500@example.com", True),
        (("@domain",), "500@EXAMPLE.com", True),
        (("@domain",), "sip:500@elsewhere.example", False),
        (("@domain",), "501", False),
        (("@domain",), "+4930123456", False),
        (("5??",), "501", True),
        (("5??",), "5012", False),
        (("5??",), "600", False),
        (("+49*",), "+49 30 123456", True),
        (("+49*",), "0049 (30) 123456", True),
        (("+49*",), "+4", False),
        (("*",), "anything", True),
        (("*",), "", False),
        (("5??",), "501\r\n", True),  # white space around a number is no number of its own
        (("a.b",), "axb", False),
        ((), "500", False),
    ],
)
def test_what_may_be_dialled(allow: tuple[str, ...], to: str, allowed: bool) -> None:
    assert guard(*allow).allows(to) is allowed


def test_dials_of_the_last_minute_count() -> None:
    limited = guard("*", per_minute=2)
    limited.check("1", 0.0)
    limited.check("2", 30.0)
    with pytest.raises(NotAllowed, match="dials_per_minute"):
        limited.check("3", 59.9)
    limited.check("3", 60.0)


def test_a_refused_dial_does_not_count() -> None:
    limited = guard("5??", per_minute=1)
    for _ in range(5):
        with pytest.raises(NotAllowed, match="dial_allow"):
            limited.check("900", 0.0)
    limited.check("500", 0.0)


@given(st.lists(st.floats(0, 600), max_size=60), st.integers(1, 5))
def test_never_more_than_allowed_in_any_minute(times: list[float], per_minute: int) -> None:
    limited = guard("*", per_minute=per_minute)
    granted = []
    for now in sorted(times):
        try:
            limited.check("1", now)
        except NotAllowed:
            continue
        granted.append(now)
    for start in granted:
        assert sum(start <= t < start + 60 for t in granted) <= per_minute
