"""What the page takes from frames: its own module, run in Chromium, against tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from .fake_pbx import ORIGIN, FakePbx

pytestmark = pytest.mark.browser

LINE = "candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host"


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Browser) -> Iterator[Run]:
    """`run("partyOf", "45")`: what a function of the module gives. It is pure, so one page does for all tests."""
    with browser.new_context() as context:
        FakePbx(context)
        page = context.new_page()
        page.goto(ORIGIN)
        script = "async ([name, args]) => (await import('/frames.js'))[name](...args)"
        yield lambda function, *arguments: page.evaluate(script, [function, list(arguments)])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"action": "call-state", "calls": []}', "call-state"),
        ('{"sdp": "v=0", "action": "bye"}', "sdp"),
        ('{"bye": "true", "candidate": "x"}', "candidate"),
        ('{"invitesdp": "v=0", "candidate": "x"}', "invitesdp"),
        ('{"cancel": true}', "cancel"),
        ('{"action": 7}', ""),
        ("{}", ""),
    ],
)
def test_a_frame_is_known_by_its_flat_key_first(run: Run, text: str, kind: str) -> None:
    assert run("parseFrame", text)["kind"] == kind


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", '"text"', "7"])
def test_nonsense_is_no_frame(run: Run, text: str) -> None:
    assert run("parseFrame", text) is None


@pytest.mark.parametrize(
    ("frame", "lines"),
    [
        ({"candidate": LINE}, [LINE]),
        ({"candidate": {"candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0}}, [LINE]),
        ({"candidate": None}, []),
        ({"candidate": ""}, []),
        (
            {"candidate": LINE, "adr": [["192.0.2.1", 6000], ["192.0.2.2", "7000"]]},
            [LINE.replace("10.0.0.1 5000", "192.0.2.1 6000"), LINE.replace("10.0.0.1 5000", "192.0.2.2 7000")],
        ),
    ],
)
def test_candidates_of_every_shape(run: Run, frame: dict[str, Any], lines: list[str]) -> None:
    assert [found["candidate"] for found in run("candidatesOf", frame)] == lines


@pytest.mark.parametrize(
    ("address", "number", "name"),
    [
        ('"Ann A" <sip:45@localhost>', "45", "Ann A"),
        ("Ann <sip:45@localhost;user=phone>", "45", "Ann"),
        ("<sip:+4930123@example.com>", "+4930123", ""),
        ("sip:45@localhost", "45", ""),
        ("45", "45", ""),
        (None, "", ""),
    ],
)
def test_addresses(run: Run, address: str | None, number: str, name: str) -> None:
    assert run("partyOf", address) == {"number": number, "name": name}


@pytest.mark.parametrize(
    ("header", "dialect"),
    [("Vodia-PBX/69.5.3", "modern"), ("Vodia-PBX/70.1", "modern"), ("Vodia-PBX/67.0", "classic"), (None, "")],
)
def test_the_dialect_by_the_version(run: Run, header: str | None, dialect: str) -> None:
    assert run("dialectOf", header) == dialect


OPEN = {"type": "", "sdp": "v=0\r\na=setup:actpass\r\n"}
FIXED = {"type": "", "sdp": "v=0\r\na=setup:passive\r\n"}


@pytest.mark.parametrize(
    ("description", "offering", "dialect", "role"),
    [
        ({"type": "offer", "sdp": "a=setup:active"}, True, "classic", "offer"),
        ({"type": "answer", "sdp": "a=setup:actpass"}, True, "modern", "answer"),
        (OPEN, True, "modern", "offer"),
        (OPEN, True, "", "offer"),
        (OPEN, True, "classic", "answer"),
        (FIXED, True, "modern", "answer"),
        (OPEN, False, "classic", "offer"),
        (FIXED, False, "modern", "late"),
        ({"type": "answer", "sdp": "a=setup:active"}, False, "modern", "late"),
    ],
)
def test_offer_or_answer(run: Run, description: dict[str, str], offering: bool, dialect: str, role: str) -> None:
    assert run("roleOf", description, offering, dialect) == role


@pytest.mark.parametrize(
    ("entry", "connected"),
    [
        ({"id": "1", "state": "connected"}, True),
        ({"id": "1", "callstate": "connected"}, True),
        ({"id": "1", "state": "alerting", "connect": 1700000000}, True),
        ({"id": "1", "state": "alerting", "connect": ""}, False),
        ({"id": "1", "state": "alerting", "connect": 0}, False),
        ({"id": "1", "callstate": "ringback"}, False),
    ],
)
def test_a_call_of_the_list_is_connected(run: Run, entry: dict[str, Any], connected: bool) -> None:
    assert run("callEntryOf", entry)["connected"] is connected
