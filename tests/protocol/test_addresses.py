from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.protocol import addresses
from vodiabot.protocol.addresses import parse_address


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [
        ('"Ann Lee" <sip:45@dom>', "Ann Lee", "45"),
        ('"A \\"B\\" C" <sips:45@dom:5061;transport=tls>', 'A "B" C', "45"),
        ("Ann <sip:45@dom>;tag=1", "Ann", "45"),
        ("<sip:+4930123@dom>", "", "+4930123"),
        ("sip:45@dom", "", "45"),
        ("SIP:45", "", "45"),
        ("tel:+4930123;ext=5", "", "+4930123"),
        ("45@dom", "", "45"),
        ("45", "", "45"),
        ("+4930123", "", "+4930123"),
        ("anonymous", "", "anonymous"),
        ("", "", ""),
        (' \t"Ann"  <sip:45@dom>', "Ann", "45"),
        ("  Ann  <sip:45@dom>", "Ann", "45"),
        ("  45 ", "", "45"),
        ('"Ann" <sip:45', "Ann", "45"),
    ],
)
def test_what_the_pbx_writes_into_from_and_to(text: str, name: str, number: str) -> None:
    assert parse_address(text) == (name, number)


@given(st.text(alphabet='"\\<>@;: sip45', max_size=40))
def test_never_raises(text: str) -> None:
    name, number = parse_address(text)
    assert isinstance(name, str)
    assert isinstance(number, str)


@pytest.mark.parametrize("text", ["\\a" * 2000, "", "a", '"a"', '"'])
def test_a_hostile_address_takes_no_time(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot hears nobody meanwhile. A pattern that tries every way of sharing the blanks out would take till the
    test's time limit and beyond: it took seconds for 2,000 of them."""
    monkeypatch.setattr(addresses, "LONGEST", 10**6)
    for hostile in (" " * 50_000 + text, '"' + text + " " * 50_000, text + " " * 50_000 + "<"):
        parse_address(hostile)
