"""How hypothesis searches, and which tests may run at the same time.

Hypothesis tries the same examples in each test run, so that a red run is about the change that it tests.
`pytest --hypothesis-profile=search` looks further, by other examples each time. What that finds becomes an `@example`
or a test of its own. Neither has a deadline: a machine may be busy.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")

ONE_BY_ONE = "tests/simulation/"
"""Tests that compute for long and share nothing: they come last, so that no worker is without work at the end."""
TOGETHER = "tests/browser/"
"""Tests of one worker, so that there is one Chromium at a time: two of them take all processors."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n 2`. Else the tests of a file stay together, as they may share what is slow to make."""
    from xdist.scheduler import LoadScopeScheduling  # here: who tests without xdist need not have it

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(TOGETHER):
                return TOGETHER
            return nodeid if nodeid.startswith(ONE_BY_ONE) else nodeid.partition("::")[0]

    return Scheduling(config, log)
