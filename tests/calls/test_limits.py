from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.calls import DialGuard
from vodiabot.calls.numbers import dialable, normalise
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
        (("*97",), "*97", True),  # a feature code, and not what ends in 97
        (("*97",), "001978555097", False),
        (("*97",), "**97", False),
        (("*8*",), "*85701", True),
        (("*8*",), "001978555085", False),
        (("???",), "501", True),
        (("???",), "bob", True),
        (("???",), "*69", False),  # calls back whoever called last, wherever that is
        (("?*",), "*710019785550123", False),
        (("?9",), "*9", False),
        (("5??",), "5*1", True),
        (("*-sales",), "north-sales", True),
        (("*",), "*69", True),
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
    assert limited.refused == {"dial_allow": 0, "dials_per_minute": 1}


@pytest.mark.parametrize(
    ("allow", "to", "told"),
    [
        (("@domain",), "700", "'700' is no account of this domain.*allow it with .limits. dial_allow = "),
        (("@domain",), "700;x=1", "is not in .limits. dial_allow"),  # no pattern would allow this
        (("@domain", "6??"), "700", "is not in .limits. dial_allow"),
        (("6??",), "7" * 65, "^'7{64}…' is not in .limits. dial_allow"),
        (("6??",), "700", "is not in .limits. dial_allow"),
    ],
)
def test_the_refusal_tells_what_to_do_where_the_author_has_written_no_limits(
    allow: tuple[str, ...], to: str, told: str
) -> None:
    with pytest.raises(NotAllowed, match=told):
        guard(*allow).check(to, 0.0)


def test_before_the_pbx_has_told_its_accounts_a_refusal_says_so() -> None:
    early = DialGuard(["@domain"], 30, set, "example.com")
    with pytest.raises(NotAllowed, match="'500' may be an account of this domain, but the PBX has not told"):
        early.check("500", 0.0)


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


# --- spelling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "to", "allowed"),
    [
        (("+49*",), "0711 123456", True),
        (("0711*",), "+49 (0)711 123456", True),
        (("0711*",), "0049711123456", True),
        (("0*",), "+49711123456", True),
        (("0*",), "0019785550123", False),
        (("+49*",), "0019785550123", False),
        (("+49*",), "\u0660\u0660\u06619785550123", False),
        (("5??",), "\uff15\uff101", True),  # which is 501, and dialled as such
        (("5*",), "501,,0019785550123", False),
        (("5*",), "501;ext=0019785550123", False),
        (("5*",), "501w0019785550123", False),
        (("5*",), "501@elsewhere.example", False),
        (("5*",), "sip:501@elsewhere.example", False),
        (("5*",), "sip:501@example.com", True),
        (("5*",), "sip:501@example.com@elsewhere.example", False),
        (("5*",), "sip:501@elsewhere.example;x=@example.com", False),
        (("5*",), "<sip:0019785550123@example.com> <sip:501@example.com>", False),
        (("5*",), '"501" <sip:0019785550123@example.com>', False),
        (("5*",), "sip:501:0019785550123@example.com", False),
        (("5*",), "sip:5%30%31@example.com", False),
        (("5*",), "tel:501;phone-context=+1", False),
        (("5*",), "501\r\nVia: x", False),
        (("5*",), "sip:5\r\n01@example.com", False),
        (("5*",), "sip:5 01@example.com", False),
        (("sales*",), "sip:sales;x=y@example.com", False),
        (("sales*",), "sales-team", True),
        (("@domain",), "45;0019785550123", False),
        (("@domain",), "45\x00", True),  # dialled as 45
        (("@domain",), "+4945", False),
        (("4?",), "+49 45", False),
        (("@domain", "*85*"), "*85701", True),
        (("*",), "sip:501@elsewhere.example", True),
        (("*",), "501\r\nVia: x", False),
    ],
)
def test_spelling_opens_nothing(allow: tuple[str, ...], to: str, allowed: bool) -> None:
    assert DialGuard(allow, 30, lambda: ACCOUNTS, "example.com", "DE").allows(to) is allowed


@pytest.mark.parametrize("to", ["sip:500@example.com\r\n", "\tsip:500@example.com", " sales\n"])
def test_white_space_around_an_address_does_not_reach_the_pbx(to: str) -> None:
    assert guard("@domain", "sales").allows(to)
    assert dialable(to) == to.strip()


PIECES = st.sampled_from(
    [
        *["45", "500", "501", "5", "0", "00", "000", "49", "0049", "+49", "+", "011", "1", "1900"],
        *["711123456", "9785550123"],
        *["(0)", " ", "-", "/", ".", "(", ")", "\u00a0", "\u2011", "\u200b", "\u202e", "\t", "\r\n", "\x00"],
        *["\u0660\u0660", "\uff11", "\uff0b", "\u00b9", "\u2460", "\U0001d7ce", "\u07c0"],
        *[",", ",,", ";", ";ext=", ";phone-context=+1", "?", "&", "=", "%30", ":", "!", "|", "~"],
        *["p", "w", "*", "#", "_"],
        *["sip:", "SIP:", "sips:", "tel:", "<", ">", '"', "@", "@example.com", "@elsewhere.example", ":5060"],
    ]
)


def readings(wire: str) -> set[str]:
    """Every number that a careless PBX might read in what it is sent: before or after each sign that may end a number,
    with and without what stands between digits."""
    ascii_only = "".join(str(unicodedata.decimal(c, c)) for c in unicodedata.normalize("NFKC", wire))
    found = {ascii_only}
    without_port = re.sub(r"@example\.com(:[0-9]+)?", "", ascii_only)
    found |= set(re.split(r"[^0-9+*#()./\-\s\u200b\u202e_]+", without_port))
    return {number for text in found if (number := re.sub(r"[^0-9+*#]", "", text))}


def is_internal(number: str) -> bool:
    return number in ACCOUNTS or re.fullmatch("5[0-9*#]{2}", number) is not None


def is_german(number: str, country: str) -> bool:
    """What +49* is meant to allow, said in another way than the guard's."""
    german = {"": ("+49", "0049"), "DE": ("+49", "0049"), "US": ("+49", "01149")}[country]
    return number.startswith(german) or (country == "DE" and re.match("0[1-9]", number) is not None)


@settings(max_examples=1000)
@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.sampled_from(["", "DE", "US"]), st.booleans())
def test_no_spelling_reaches_what_is_not_allowed(to: str, country: str, abroad: bool) -> None:
    allow = ["@domain", "5??", "+49*"] if abroad else ["@domain", "5??"]
    limited = DialGuard(allow, 30, lambda: ACCOUNTS, "example.com", country)
    if not limited.allows(to):
        return
    wire = dialable(to)
    assert "elsewhere" not in wire
    assert not re.search(r"[;,?&%\x00-\x1f]", wire)
    for number in readings(wire):
        assert is_internal(number) or (abroad and is_german(number, country)), (to, wire, number)


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.sampled_from(["", "DE", "US"]))
def test_what_one_form_may_all_forms_may(to: str, country: str) -> None:
    limited = DialGuard(["@domain", "5??", "+49*", "0711*"], 30, lambda: ACCOUNTS, "example.com", country)
    assert not limited.allows(dialable(to)) or limited.allows(normalise(to, country))
