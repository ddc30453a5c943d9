from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot import format_number
from vodiabot.calls.numbers import dialable, e164, forms, normalise, same_number, user_part


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
        ("+49 (0)30 123456", "+4930123456"),
        ("+49 (0) 30 / 123456", "+4930123456"),
        ("+39 06 1234 5678", "+390612345678"),
        ("00", "00"),
        ("0711 123456", "0711123456"),
        ("*97", "*97"),
        ("sales", "sales"),
        ("", ""),
    ],
)
def test_numbers_come_to_one_form(text: str, number: str) -> None:
    assert normalise(text) == number


STUTTGART = "+49711123456"


@pytest.mark.parametrize(
    ("country", "text", "number"),
    [
        ("DE", "0711 123456", STUTTGART),
        ("DE", "0711/123456", STUTTGART),
        ("DE", "(0711) 12 34 56", STUTTGART),
        ("DE", "+49 (0)711 123456", STUTTGART),
        ("DE", "+490711123456", STUTTGART),
        ("DE", "0049711123456", STUTTGART),
        ("DE", "0049 (0)711 123456", STUTTGART),
        ("DE", "sip:0711123456@example.com", STUTTGART),
        ("DE", "\u202a+49\u00a0711\u2011123456\u202c", STUTTGART),
        ("DE", "\u0660\u0667\u0661\u0661123456", STUTTGART),
        ("AT", "0043 1 58858", "+43158858"),
        ("US", "(978) 555-0123", "+19785550123"),
        ("US", "1-978-555-0123", "+19785550123"),
        ("US", "978.555.0123", "+19785550123"),
        ("US", "011 49 711 123456", STUTTGART),
        ("US", "+49 711 123456", STUTTGART),
        ("IT", "06 1234 5678", "+390612345678"),
        ("NO", "22 34 56 78", "+4722345678"),
        # no number of the public network, and so nothing to be changed
        ("DE", "45", "45"),
        ("DE", "012", "012"),
        ("DE", "110", "110"),
        ("DE", "112", "112"),
        ("DE", "116117", "116117"),
        ("US", "911", "911"),
        ("US", "5012", "5012"),
        ("GB", "999", "999"),
        ("DE", "*97", "*97"),
        ("DE", "*85701", "*85701"),
        ("DE", "*310711123456", "*310711123456"),
        ("DE", "sales", "sales"),
        ("DE", "anonymous", "anonymous"),
        ("DE", "", ""),
        ("DE", "711123456", "711123456"),
        ("DE", "49711123456", "49711123456"),
        ("US", "0049711123456", "0049711123456"),
        ("JP", "0033010441234567", "0033010441234567"),
    ],
)
def test_with_a_country_what_is_dialled_there_is_understood(country: str, text: str, number: str) -> None:
    assert normalise(text, country) == number


@given(st.text(max_size=40), st.sampled_from(["", "DE", "US", "IT", "BR"]))
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str, country: str) -> None:
    once = normalise(text, country)
    assert isinstance(user_part(text), str)
    if user_part(once) == once:
        assert normalise(once, country) == once


@given(st.text(alphabet="0123456789+*#", max_size=16), st.sampled_from(["", "DE", "US", "IT", "BR", "FI"]))
def test_digits_come_to_one_form_at_once(text: str, country: str) -> None:
    once = normalise(text, country)
    assert normalise(once, country) == once
    assert once in forms(text, country)


@given(st.text(alphabet="0123456789", min_size=1, max_size=6), st.sampled_from(["", "DE", "US", "NO"]))
def test_a_number_is_the_same_as_its_uri(number: str, country: str) -> None:
    assert same_number(number, f'"X" <sip:{number}@dom>', country)


COUNTRIES = st.sampled_from(["DE", "AT", "FR", "GB", "US", "IT", "ES", "NO", "CH", "JP", "RU", "AU", "BR", "HU"])


@given(COUNTRIES, st.sampled_from(["FIXED_LINE", "MOBILE"]))
def test_however_a_country_writes_its_numbers_they_are_the_same(country: str, kind: str) -> None:
    example = phonenumbers.example_number_for_type(country, getattr(phonenumbers.PhoneNumberType, kind))
    assert example is not None
    formats = phonenumbers.PhoneNumberFormat
    number = phonenumbers.format_number(example, formats.E164)
    for form in (formats.INTERNATIONAL, formats.NATIONAL, formats.RFC3966):
        written = phonenumbers.format_number(example, form)
        assert same_number(written, number, country), written
    assert format_number(number, country) == phonenumbers.format_number(example, formats.NATIONAL)
    assert format_number(number) == phonenumbers.format_number(example, formats.INTERNATIONAL)


def test_an_empty_number_is_nobodys() -> None:
    assert not same_number("", "")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("45", "45"),
        ("*97", "*97"),
        ("sales", "sales"),
        ("Anna B", "Anna B"),
        ("+49711123456", "+49711123456"),
        ("0049711123456", "0049711123456"),
        ("0711 123456", "0711123456"),
        ("0711/12 34-56", "0711123456"),
        ("+49 (0)711 123456", "+49711123456"),
        ("\u0664\u0665", "45"),
        ("501\r\n", "501"),
        ("sip:45@example.com", "sip:45@example.com"),
    ],
)
def test_what_is_dialled_stays_as_it_was_written_but_for_blanks(text: str, wire: str) -> None:
    assert dialable(text) == wire


@pytest.mark.parametrize(
    ("number", "country", "shown"),
    [
        (STUTTGART, "DE", "0711 123456"),
        (STUTTGART, "US", "+49 711 123456"),
        (STUTTGART, "", "+49 711 123456"),
        ("0711123456", "DE", "0711 123456"),
        ("0711123456", "", "0711123456"),
        ("+19785550123", "US", "(978) 555-0123"),
        ("+19785550123", "DE", "+1 978-555-0123"),
        ("45", "DE", "45"),
        ("112", "DE", "112"),
        ("*97", "DE", "*97"),
        ("sip:sales@dom", "DE", "sales"),
        ("+1", "DE", "+1"),
        ("", "DE", ""),
    ],
)
def test_numbers_for_people(number: str, country: str, shown: str) -> None:
    assert format_number(number, country) == shown


@pytest.mark.parametrize(
    ("text", "country", "known"),
    [
        ("0711 123456", "DE", STUTTGART),
        ("0711 123456", "", None),
        ("45", "DE", None),
        ("sales", "DE", None),
        ("+1", "", None),
    ],
)
def test_e164_or_nothing(text: str, country: str, known: str | None) -> None:
    assert e164(text, country) == known
