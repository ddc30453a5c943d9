from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vodiabot.config.model import RouteConfig
from vodiabot.plugins import choose_route
from vodiabot.plugins.routes import matches


@pytest.mark.parametrize(
    ("pattern", "number"),
    [
        ("*", ""),
        ("*", "anonymous"),
        ("*", "45"),
        ("45", "45"),
        ("45", "sip:45@example.com"),
        ("45", '"Anna" <sip:45@example.com;user=phone>'),
        ("45", " 4 5 "),
        ("5??", "512"),
        ("5??", "sip:500@example.com"),
        ("+49*", "+4989123456"),
        ("+49*", "0049 89 / 123-456"),
        ("+49 (89) *", "+4989123456"),
        ("0049*", "+4989123456"),
        ("0049 89 123456", "+49.89.123456"),
        ("00?", "001"),
        ("001", "001"),
        ("*5", "45"),
        ("?97", "*97"),
        ("*97", "*97"),
        ("sales", "Sales"),
        ("sales-*", "sip:Sales-Team@example.com"),
        ("#31#", "#31#"),
    ],
)
def test_what_fits(pattern: str, number: str) -> None:
    assert matches(pattern, number)


@pytest.mark.parametrize(
    ("pattern", "number"),
    [
        ("45", "450"),
        ("45", "145"),
        ("45", ""),
        ("?", ""),
        ("5??", "5123"),
        ("5??", "51"),
        ("+49*", "49891234"),
        ("+49*", "+4"),
        ("+49*", "+1 49"),
        ("4.5", "4x5"),
        ("[45]", "4"),
        ("sales", "salesman"),
        ("4|5", "4"),
    ],
)
def test_what_does_not(pattern: str, number: str) -> None:
    assert not matches(pattern, number)


def test_the_first_that_matches_wins() -> None:
    routes = [
        RouteConfig(to="45", from_="+49*", plugin="german"),
        RouteConfig(to="45", plugin="any"),
        RouteConfig(to="*", from_="46", plugin="from46"),
    ]

    def plugin(to: str, from_: str) -> str | None:
        chosen = choose_route(routes, to, from_)
        return chosen.plugin if chosen else None

    assert plugin("45", "+4989123") == "german"
    assert plugin("45", "46") == "any"
    assert plugin("44", "46") == "from46"
    assert plugin("44", "") is None
    assert choose_route([], "45", "46") is None


numbers = st.from_regex(r"\+?[0-9]{1,12}", fullmatch=True)
anything = st.text(max_size=40)


@given(anything)
def test_a_star_fits_everything(number: str) -> None:
    assert matches("*", number)


@given(numbers)
def test_a_number_fits_itself_in_every_form(number: str) -> None:
    for form in (number, f"sip:{number}@example.com", f'"X" <sip:{number}@example.com>', " ".join(number)):
        assert matches(number, form)


@given(numbers, st.data())
def test_wildcards_stand_for_what_they_replace(number: str, data: st.DataObject) -> None:
    """Not where `00` stands for `+`: there the number is another than its digits."""
    if number.startswith("00"):
        return
    start = data.draw(st.integers(0, len(number)))
    end = data.draw(st.integers(start, len(number)))
    assert matches(number[:start] + "*" + number[end:], number)
    assert matches(number[:start] + "?" * (end - start) + number[end:], number)
    assert not matches(number[:start] + "?" * (end - start + 1) + number[end:], number)


@given(anything, anything)
def test_no_text_is_too_odd(pattern: str, number: str) -> None:
    assert matches(pattern, number) in (True, False)


@given(numbers, numbers)
@example("000", "+0")
def test_an_exact_pattern_fits_one_number_only(one: str, other: str) -> None:
    from vodiabot.calls.numbers import same_number

    assert matches(one, other) == same_number(one, other)


@pytest.mark.parametrize(
    ("pattern", "number", "fits"),
    [
        ("0711 123456", "+49711123456", True),
        ("+49711123456", "0711 / 123-456", True),
        ("0711*", "+49711123456", True),
        ("0711*", "0049 711 123456", True),
        ("0049711*", "0711123456", True),
        ("+49711*", "sip:0711123456@example.com", True),
        ("+49 (711) 12????", "0711123456", True),
        ("+490711*", "+490711123456", True),
        ("0711*", "+43711123456", False),
        ("0711*", "+1711123456", False),
        ("45", "+4945", False),
        ("112", "112", True),
    ],
)
def test_with_a_country_either_form_of_a_number_fits_either_form_of_a_pattern(
    pattern: str, number: str, fits: bool
) -> None:
    assert matches(pattern, number, "DE") is fits
    route = RouteConfig(to="45", from_=pattern, plugin="x")
    assert (choose_route([route], "45", number, "DE") is route) is fits
