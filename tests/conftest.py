"""How hypothesis searches: by the same examples in each test run, so that a red run is about the change that it tests.

`pytest --hypothesis-profile=search` looks further, by other examples each time. What that finds becomes an `@example`
or a test of its own. Neither has a deadline: a machine may be busy.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")
