"""How hypothesis searches, and which tests may run at the same time, or again.

Hypothesis tries the same examples in each test run, so that a red run is about the change that it tests.
`pytest --hypothesis-profile=others` tries others each time, `--hypothesis-profile=search` ten times as many. What that
finds becomes an `@example` or a test of its own. None has a deadline: a machine may be busy.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import calm

settings.register_profile("fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")

ONE_BY_ONE = "tests/simulation/"
"""Tests that compute for long and share nothing: they come last, so that no worker is without work at the end."""
TOGETHER = "tests/browser/"
"""Tests of one worker, so that there is one Chromium at a time: two of them take all processors."""


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """What structlog does anyhow, but for tracebacks: in colours, with the source around each line, they took most of
    the time of the tests in which much fails."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(calm.Repeats(), "vodiabot-tests-calm")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n 2`. Else the tests of a file stay together, as they may share what is slow to make."""
    from xdist.scheduler import LoadScopeScheduling  # here: who tests without xdist need not have it

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(TOGETHER):
                return TOGETHER
            return nodeid if nodeid.startswith(ONE_BY_ONE) else nodeid.partition("::")[0]

        def _assign_work_unit(self, node: Any) -> None:
            """The last worker takes the tests that compute, the others those that keep time: they wait more than they
            compute, and too many of those that compute beside them would make them late."""
            keeping_time = node.gateway.id != f"gw{self.numnodes - 1}"
            wanted = (scope for scope in self.workqueue if keeps_time(config.rootpath, scope) == keeping_time)
            if scope := next(wanted, None):
                self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return Scheduling(config, log)


@functools.cache
def keeps_time(root: Path, scope: str) -> bool:
    """Has this file tests with real audio, or a page?"""
    if scope == TOGETHER:
        return True
    text = (root / scope.partition("::")[0]).read_text()
    return any(f"mark.{name}" in text for name in calm.LIVE)
