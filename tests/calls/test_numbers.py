from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.calls.numbers import normalise, same_number, user_part


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("45", "45"),
        ("sip:45@example.com", "45"),
        ('"Anna B" <sip:45@example.com>', "45"),
        ("<sips:45@example.com:5061;transport=tls>", "45"),
        ("45@example.com", "45"),
        ("tel:+49-30-123456", "+4930123456"),
        ("+1 (978) 555-0123", "+19785550123"),
        ("0049 30 123456", "+4930123456"),
        ("00", "00"),
        ("*97", "*97"),
        ("sales", "sales"),
        ("", ""),
    ],
)
def test_numbers_come_to_one_form(text: str, number: str) -> None:
    assert normalise(text) == number


@given(st.text(max_size=40))
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == normalise(normalise(once))
    assert isinstance(user_part(text), str)


@given(st.text(alphabet="0123456789", min_size=1, max_size=6))
def test_a_number_is_the_same_as_its_uri(number: str) -> None:
    assert same_number(number, f'"X" <sip:{number}@dom>')


def test_an_empty_number_is_nobodys() -> None:
    assert not same_number("", "")
