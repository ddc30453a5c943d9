"""Did this process have a processor while a test with real audio ran?

Audio keeps time: 50 packets a second, and a jitter buffer of some 40 ms at the far side. Where the machine stands still
for longer, a hole is right, and a test that finds one says nothing about the code. So a thread looks on. A failure
counts where there was no such stall; else the test is repeated, at most `TRIES` times in all, and the summary names it.
What is wrong in the code itself fails whether or not the machine stalls, and fails each time.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

STEP = 0.005
"""Seconds between two looks."""
STALL = 0.02
"""Seconds: a packet's length. It may be heard. On a machine with nothing else to do the longest is half of that."""
TRIES = 3

LIVE = ("audio", "browser")
"""Markers of the tests that keep time."""


class Witness:
    """The longest time in which this process did not run. A context manager; its thread ends with it."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="witness", daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        last = time.monotonic()
        while not self._over.wait(STEP):
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last - STEP), now


@contextmanager
def short_collections() -> Iterator[None]:
    """Thousands of tests and all that they import live to the end. To look at all that in each full garbage collection
    takes longer than audio can wait."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Repeats:
    """A plugin of pytest: runs the tests that keep time, and those again that had no chance to."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        if not any(item.get_closest_marker(name) for name in LIVE):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _reports(self, item: Any, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """Of the last try."""
        stalls: list[str] = []
        while True:
            if stalls:
                item._initrequest()
            with Witness() as witness, short_collections():
                reports = runtestprotocol(item, log=False, nextitem=nextitem)
            late = f"{witness.longest * 1000:.0f} ms"
            failed = any(report.failed for report in reports)
            if not failed or witness.longest < STALL or len(stalls) == TRIES - 1:
                break
            stalls.append(late)
        self._tell(reports, stalls, f"The longest time without a processor: {late}.")
        return reports

    def _tell(self, reports: list[pytest.TestReport], stalls: list[str], last: str) -> None:
        before = f" Tried before, with stalls of {', '.join(stalls)}." if stalls else ""
        for report in reports:
            if report.failed:
                report.sections.append(("how well the machine kept time", last + before))
            if report.when == "call" and stalls:
                report.user_properties.append(("stalls", ", ".join(stalls)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Also under xdist, whose workers hand their reports to the process that prints."""
        of_all = [r for rs in terminalreporter.stats.values() for r in rs if isinstance(r, pytest.TestReport)]
        repeated = [(r.nodeid, stalls) for r in of_all for name, stalls in r.user_properties if name == "stalls"]
        if repeated:
            terminalreporter.section("repeated, as the machine had stood still")
        for nodeid, stalls in repeated:
            terminalreporter.line(f"{nodeid}: {stalls}")
