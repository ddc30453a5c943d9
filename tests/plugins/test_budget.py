"""Error budget and backoff, against their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.plugins.budget import Backoff, Budget


@given(
    st.lists(st.floats(0, 200), min_size=1, max_size=60).map(sorted), st.integers(1, 12), st.sampled_from([1.0, 60.0])
)
def test_too_many_are_as_many_as_the_budget_within_the_window(times: list[float], errors: int, window: float) -> None:
    budget = Budget(errors, window)
    for index, now in enumerate(times):
        within = sum(1 for t in times[: index + 1] if t > now - window)
        assert budget.spend(now) == (within >= errors)
        assert budget.spent(now) == within


def test_a_budget_of_one_forgives_nothing_and_errors_far_apart_are_forgiven() -> None:
    assert Budget(1, 60).spend(0)
    budget = Budget(2, 60)
    assert [budget.spend(t) for t in (0, 60, 120, 179)] == [False, False, False, True]
    budget.clear()
    assert not budget.spend(180)


def test_quarantines_double_to_a_quarter_of_an_hour_and_are_forgotten_after_a_healthy_one() -> None:
    backoff = Backoff()
    assert [backoff.next(0) for _ in range(7)] == [30, 60, 120, 240, 480, 900, 900]
    assert backoff.next(3599) == 900
    assert backoff.next(3600) == 30
    assert backoff.next(0) == 60


@pytest.mark.parametrize("healthy_for", [0.0, 3600.0])
def test_the_first_quarantine_is_the_shortest(healthy_for: float) -> None:
    assert Backoff().next(healthy_for) == 30
