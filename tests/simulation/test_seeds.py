"""Two hundred hours of life; `python -m tests.simulation --seeds 10000` lives longer."""

from __future__ import annotations

import pytest

from .__main__ import replay_command
from .life import live

PER_TEST = 4


@pytest.mark.parametrize("first", range(0, 200, PER_TEST))
def test_whatever_happens(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        outcome = live(seed)
        assert not outcome.wrong, f"seed {seed}: {outcome.wrong}\nagain: {replay_command(seed)}"


def test_a_run_can_be_had_again() -> None:
    assert live(3, seconds=900).print == live(3, seconds=900).print


def test_enough_happens_in_an_hour_to_be_worth_it() -> None:
    outcomes = [live(seed) for seed in range(300, 304)]
    reasons = sum((outcome.reasons for outcome in outcomes), outcomes[0].reasons - outcomes[0].reasons)
    assert sum(outcome.calls for outcome in outcomes) > 200
    assert sum(outcome.faults for outcome in outcomes) > 15
    assert {"hangup", "busy", "no_answer", "remote_hangup", "transferred", "cancelled", "rejected"} <= set(reasons)
