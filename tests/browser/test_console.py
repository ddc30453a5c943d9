"""The console's page, with a bot's state as the test says it."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from vodiabot.console.serving import HEADERS

pytestmark = pytest.mark.browser

ORIGIN = "http://localhost:8322"
"""Nothing listens there: all requests are answered by Playwright."""

STATIC = Path(__file__).parents[2] / "vodiabot" / "console" / "static"

ANNA = {"account": "46", "type": "extensions", "name": "Anna", "registered": True, "dnd": False, "in_call": True}
GROUP = {"account": "700", "type": "hunts", "name": "700", "registered": False, "dnd": False, "in_call": False}
TONE = {**GROUP, "account": "600", "type": "services", "name": "tone"}

STATE: dict[str, Any] = {
    "sessions": [{"extension": "45", "up": True, "trouble": ""}],
    "calls": [{"remote": "Anna", "direction": "incoming", "state": "up", "started": 1, "answered": None}],
    "domain_calls": [],
    "accounts": [GROUP, TONE, ANNA],
    "plugins": [{"name": "notify", "state": "quarantined", "detail": "10 errors"}],
}


@pytest.fixture
def page(context: BrowserContext) -> Page:
    def answer(route: Route) -> None:
        file = STATIC / (route.request.url.removeprefix(f"{ORIGIN}/") or "index.html")
        headers = {name.decode(): value.decode() for name, value in HEADERS.items()}
        headers["content-type"] = mimetypes.guess_type(file.name)[0] or "text/plain"
        route.fulfill(body=file.read_bytes(), headers=headers)

    page = context.new_page()
    page.route(f"{ORIGIN}/**", answer)
    page.route(f"{ORIGIN}/state.json", lambda route: route.fulfill(json=STATE))
    return page


def test_it_shows_calls_people_numbers_and_plugins(page: Page) -> None:
    page.goto(f"{ORIGIN}/")
    expect(page.locator("#health")).to_have_text("the session is up")
    expect(page.locator("#calls li")).to_contain_text("Anna")
    expect(page.get_by_role("region", name="Other calls in the domain")).to_contain_text("no other call")
    expect(page.locator("#people li")).to_have_text(["Anna46in a call"])
    expect(page.locator("#numbers li")).to_have_text(["tone600service", "700group"])  # nobody's: neither here nor free
    expect(page.locator("#plugins li")).to_have_text("notifyquarantined10 errors")


def test_a_bot_that_does_not_answer_is_told(page: Page) -> None:
    page.goto(f"{ORIGIN}/")
    expect(page.locator("#health")).to_have_text("the session is up")
    page.route(f"{ORIGIN}/state.json", lambda route: route.abort())
    expect(page.locator("#health")).to_contain_text("the bot does not answer")
    expect(page.locator("body")).to_have_class("stale")
    page.unroute(f"{ORIGIN}/state.json")
    page.route(f"{ORIGIN}/state.json", lambda route: route.fulfill(json=STATE))
    expect(page.locator("body")).not_to_have_class("stale")
