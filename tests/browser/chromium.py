"""Which Chromium the tests drive, and how."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Playwright

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
MISSING = (
    "these tests need Chromium: `apt-get install chromium`, or `playwright install chromium`, or name one in $CHROMIUM"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """$CHROMIUM, or the system's; None: what Playwright may have installed itself."""
    if named := os.environ.get("CHROMIUM"):
        return named
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """A browser with a fake microphone. Fails the test, clearly, if there is none: these tests are never skipped."""
    path = find_chromium()
    if path is None and not Path(playwright.chromium.executable_path).exists():
        pytest.fail(MISSING, pytrace=False)
    try:
        return playwright.chromium.launch(executable_path=path, args=FLAGS, headless=True)
    except Error as exc:
        pytest.fail(f"Chromium ({path or 'of Playwright'}) doesn't start: {exc.message}", pytrace=False)
