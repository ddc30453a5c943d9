"""How hypothesis searches, and which tests may run at the same time.

Hypothesis tries the same examples in each test run, so that a red run is about the change that it tests.
`pytest --hypothesis-profile=search` looks further, by other examples each time. What that finds becomes an `@example`
or a test of its own. Neither has a deadline: a machine may be busy.

With `-n 2 --dist loadgroup` the tests of a file stay together, as they may share what is slow to make. Those that say
otherwise (by `xdist_group`) come one by one when the files are through, so that no worker is without work at the end.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
