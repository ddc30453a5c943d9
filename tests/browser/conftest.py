"""A real Chromium, a running simulator, and softphones in the hands of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from .chromium import launch
from .fake_pbx import ORIGIN, FakePbx
from .simulator import Simulator
from .softphone import Softphone

PASSWORDS = {"45": "bot", "46": "secret46", "47": "secret47", "48": "secret48"}

BEEPS = {"46": 700.0, "47": 900.0, "48": 1250.0}
"""Hertz of each page's microphone. The simulator's music has nothing between 400 and 1100 Hz."""

PhoneMaker = Callable[[str], Softphone]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser process for all tests; each page has a profile of its own in it."""
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile."""
    with browser.new_context(permissions=["microphone"]) as made:
        yield made


@pytest.fixture(scope="package")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator with extensions 45 to 48 and the usual services, in a process of its own."""
    with Simulator(Path(tmp_path_factory.mktemp("sim")), PASSWORDS) as running:
        yield running


@pytest.fixture
def phone(browser: Browser, sim: Simulator) -> Iterator[PhoneMaker]:
    """`phone("46")`: a softphone page of that extension, not signed in yet. Each has its own beeps."""
    made: list[Softphone] = []

    def make(user: str) -> Softphone:
        context = browser.new_context(permissions=["microphone"])
        made.append(Softphone(context, sim.url, user, PASSWORDS[user], BEEPS[user]))
        return made[-1]

    yield make
    errors = [error for one in made for error in one.errors]
    for one in made:
        one.context.close()
    assert not errors, f"errors in the page: {errors}"


@pytest.fixture
def fake_pbx(context: BrowserContext) -> FakePbx:
    """A PBX without audio, whose every frame the test says."""
    return FakePbx(context)


@pytest.fixture
def page46(context: BrowserContext, fake_pbx: FakePbx) -> Iterator[Softphone]:
    """A softphone at the fake PBX, not signed in yet."""
    made = Softphone(context, ORIGIN, "46", "good", BEEPS["46"])
    yield made
    assert not made.errors, f"errors in the page: {made.errors}"
