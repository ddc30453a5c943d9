"""The vendor's example, frame by frame as it prints them, in a real Chromium against the simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from .conftest import BEEPS, PASSWORDS, PhoneMaker
from .simulator import Simulator
from .softphone import Softphone

pytestmark = [pytest.mark.browser, pytest.mark.audio]

HERE = Path(__file__).parent
A, B, C = BEEPS["46"], BEEPS["47"], BEEPS["48"]
MUSIC_HZ = 220.0


class VendorPage(Softphone):
    """The same ears and beeps, another page."""

    def start(self) -> VendorPage:
        self.page.route(f"{self.url}/vendor_page.js", lambda route: route.fulfill(path=HERE / "vendor_page.js"))
        # A document that Playwright made up may not open a socket to this machine: so it is put into one that it may.
        self.page.goto(f"{self.url}/style.css")
        self.page.set_content((HERE / "vendor_page.html").read_text())
        self._run("start", self.user, self.password, "localhost")
        return self

    def call(self, number: str) -> None:
        self._run("call", number)

    def hold(self) -> None:
        self._run("hold")

    def resume(self) -> None:
        self._run("resume")

    def hang_up(self) -> None:
        self._run("hangUp")

    def transfer(self, to: str, id_: str = "") -> None:
        self._run("transfer", id_, self.user, to)

    def _run(self, name: str, *arguments: Any) -> None:
        self.page.evaluate("([name, args]) => window.vendor[name](...args)", [name, list(arguments)])

    @property
    def sent(self) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = self.page.evaluate("window.vendor.sent")
        return frames

    @property
    def received(self) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = self.page.evaluate("window.vendor.received")
        return frames

    @property
    def failures(self) -> list[str]:
        """What the browser refused: a second answer, a candidate that can't be read."""
        failures: list[str] = self.page.evaluate("window.vendor.failures")
        return failures

    def wait_for(self, key: str, timeout: float = 10) -> dict[str, Any]:
        """The first frame with this key. Raises AssertionError."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if found := [frame for frame in self.received if frame.get(key)]:
                return found[0]
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no {key}; it got {[sorted(frame) for frame in self.received]}")


@pytest.fixture
def vendor(browser: Browser, sim: Simulator) -> Iterator[VendorPage]:
    with browser.new_context(permissions=["microphone"]) as context:
        page = VendorPage(context, sim.url, "46", PASSWORDS["46"], A).start()
        yield page
        assert not page.errors
        assert not page.failures


def test_the_tone_hold_resume_hang_up(vendor: VendorPage, phone: PhoneMaker) -> None:
    watcher = phone("48").sign_in()
    vendor.call("600")
    assert abs(vendor.heard(1000) - 1000) <= 2
    watcher.expect_presence("46", "In a call")
    vendor.hold()
    vendor.page.wait_for_timeout(1000)
    vendor.resume()
    vendor.heard(1000)
    vendor.hang_up()
    watcher.expect_presence("46", "Not here|Free")
    actions = [frame["action"] for frame in vendor.sent if frame["action"] != "ice-candidate"]
    assert actions == ["avoid-disconnect", "sdp-packet", "wrtc-hold", "wrtc-hold", "sip-bye"]
    nameless = [frame for frame in vendor.sent if frame["action"] in ("wrtc-hold", "sip-bye", "ice-candidate")]
    assert not any("callid" in frame for frame in nameless)
    assert [frame["holdcmd"] for frame in vendor.sent if frame["action"] == "wrtc-hold"] == ["sendonly", "sendrecv"]
    assert any(frame["candidate"] is None for frame in vendor.sent if frame["action"] == "ice-candidate")


def test_one_answer_then_candidates_as_strings(vendor: VendorPage) -> None:
    vendor.call("600")
    vendor.heard(1000)
    flat = [frame for frame in vendor.received if frame.get("sdp") or frame.get("candidate")]
    assert [bool(frame.get("sdp")) for frame in flat] == [True] + [False] * (len(flat) - 1)
    assert len(flat) > 1
    assert all(isinstance(frame.get("sdp") or frame.get("candidate"), str) for frame in flat)


def test_it_talks_to_a_page_holds_resumes_and_transfers(vendor: VendorPage, phone: PhoneMaker) -> None:
    bruno, clara = phone("47").sign_in(), phone("48").sign_in()
    vendor.call("47")
    bruno.expect_ringing()
    bruno.answer()
    vendor.heard(B)
    bruno.heard(A)

    vendor.hold()
    bruno.not_heard(A)
    bruno.heard(MUSIC_HZ)

    vendor.resume()
    bruno.heard(A)
    vendor.heard(B)

    call_id = next(frame["callid"] for frame in vendor.sent if frame["action"] == "sdp-packet")
    vendor.transfer("48", call_id)
    clara.expect_ringing()
    clara.answer()
    bruno.heard(C)
    clara.heard(B)
    bye = vendor.wait_for("bye")
    assert vendor.sent[-1] == {"action": "bye-response", "callid": bye["callid"]}


def test_the_other_page_hangs_up(vendor: VendorPage, phone: PhoneMaker) -> None:
    bruno = phone("47").sign_in()
    vendor.call("47")
    bruno.expect_ringing()
    bruno.answer()
    bruno.heard(A)
    bruno.hang_up()
    bye = vendor.wait_for("bye")
    assert vendor.sent[-1] == {"action": "bye-response", "callid": bye["callid"]}


def test_giving_up_without_a_callid(vendor: VendorPage, phone: PhoneMaker) -> None:
    bruno = phone("47").sign_in()
    vendor.call("47")
    bruno.expect_ringing()
    vendor.hang_up()
    bruno.expect_call("Missed call")
