"""The simulation finds what it is there to find."""

from __future__ import annotations

import pytest

from .life import live
from .mutants import MUTANTS

ENOUGH = 25
"""Runs in which a bug must show."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_bug_that_was_put_in_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in, finding, first = MUTANTS[name]
    put_in(monkeypatch)
    found = next((outcome.wrong for outcome in map(live, range(first, first + ENOUGH)) if outcome.wrong), "")
    assert finding in found
