"""Times as an operator writes them."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.config.durations import UNITS, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("1m30s500ms", 90.5),
        ("0s", 0.0),
        (" 30s ", 30.0),
        (30, 30.0),
        (0.25, 0.25),
    ],
)
def test_right_ones(value: object, expected: float) -> None:
    assert seconds(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value",
    [
        *("", "30", "s", "-5s", "30 s", "30S", "30s5m", "5m5m", "1e3s", "٣s", ".5s", "5.s", "30sec"),
        *(-1, math.inf, math.nan, -math.inf, 10**400, "9" * 400 + "s", True, None, [], {}),
    ],
)
def test_wrong_ones(value: object) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        seconds(value)


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(0, 10_000), min_size=1))
def test_any_units_in_order_add_up(parts: dict[str, int]) -> None:
    text = "".join(f"{parts[unit]}{unit}" for unit in UNITS if unit in parts)
    assert seconds(text) == pytest.approx(sum(number * UNITS[unit] for unit, number in parts.items()))


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert seconds(text) >= 0
