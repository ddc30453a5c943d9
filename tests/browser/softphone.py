"""The softphone page as a person has it: what can be done with it, seen on it and heard from it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, expect

EARS = Path(__file__).with_name("ears.js")

LOUD_DB = -42.0
"""A beep of the pages is about -15 dB of full scale at its frequency; what isn't there is under -60."""

ENOUGH_TICKS = 5
"""Of 40 ms each: one beep of 200 ms."""

SECONDS_TO_SETTLE = 0.6
"""What was said before is still in the jitter buffers of both sides."""


class Softphone:
    """One page, signed in as one extension. `beep_hz`: what its microphone says; 0 leaves the browser's own."""

    def __init__(self, context: BrowserContext, url: str, user: str, password: str, beep_hz: float) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.page.add_init_script(EARS.read_text().replace("__BEEP_HZ__", str(beep_hz)))
        self.url = url
        self.user = user
        self.password = password
        self.beep_hz = beep_hz
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    # --- what a person does ---

    def open(self, fragment: str = "") -> Softphone:
        """Load the page."""
        self.page.goto(f"{self.url}/{fragment}")
        return self

    def sign_in(self, password: str | None = None, *, ready: bool = True) -> Softphone:
        """Open the page if need be, and sign in; with `ready`, wait for the registration."""
        if self.page.url == "about:blank":
            self.open()
        self.page.get_by_label("Extension", exact=True).fill(self.user)
        self.page.get_by_label("Password", exact=True).fill(self.password if password is None else password)
        self.page.get_by_role("button", name="Sign in").click()
        if ready:
            expect(self.page.locator("#connection")).to_have_text("Ready for calls", timeout=15_000)
        return self

    def dial(self, number: str) -> None:
        self.page.get_by_label("Number to call").fill(number)
        self.page.get_by_role("button", name="Call", exact=True).click()

    def answer(self) -> None:
        self._press("Answer")

    def reject(self) -> None:
        self._press("Reject")

    def hang_up(self) -> None:
        self._press("Hang up")

    def hold(self) -> None:
        self._press("Hold")
        self.expect_call("On hold")

    def resume(self) -> None:
        self._press("Resume")
        self.expect_talking()

    def mute(self, on: bool) -> None:
        self._press("Mute" if on else "Unmute")

    def transfer(self, to: str) -> None:
        """Blind."""
        self._press("Transfer")
        self.page.get_by_label("Transfer to number").fill(to)
        self.page.locator(".panel").get_by_role("button", name="Transfer", exact=True).click()

    def key(self, keys: str) -> None:
        """Keys of the keypad of the call that is up."""
        if not self.page.get_by_label("Keypad of this call").is_visible():
            self._press("Keypad")
        for key in keys:
            self.page.get_by_label("Keypad of this call").locator(f'[data-key="{key}"]').click()

    def _press(self, button: str) -> None:
        self.page.locator(".call").get_by_role("button", name=button, exact=True).first.click()

    # --- what a person sees ---

    def card(self, party: str | None = None) -> Locator:
        """The cards of calls, or of those with a number or name."""
        cards = self.page.locator(".call")
        return cards.filter(has=self.page.locator(".party", has_text=party)) if party else cards

    def expect_call(self, state: str | re.Pattern[str], party: str | None = None, timeout: float = 10) -> None:
        """A call of the page says that it is in this state."""
        expect(self.card(party).locator(".state").first).to_have_text(state, timeout=timeout * 1000)

    def expect_ringing(self, timeout: float = 10) -> None:
        self.expect_call("Incoming call", timeout=timeout)

    def expect_talking(self, timeout: float = 10) -> None:
        self.expect_call("Talking", timeout=timeout)

    def expect_no_call(self, timeout: float = 10) -> None:
        """No call is up; the card of one that has ended may still be seen."""
        up = self.page.locator('.call:not([data-state="ended"])')
        expect(up).to_have_count(0, timeout=timeout * 1000)

    def expect_presence(self, account: str, text: str, timeout: float = 10) -> None:
        """The list of people says this of an extension."""
        shown = self.page.locator(f'[data-account="{account}"] .presence')
        expect(shown).to_have_text(re.compile(text), timeout=timeout * 1000)

    # --- what a person hears ---

    def heard(self, hz: float, timeout: float = 10) -> float:
        """Wait until this frequency is heard, from now on; the frequency as measured, where it was the strongest.
        Raises AssertionError, with what was heard instead."""
        since = self._now()
        until = time.monotonic() + timeout
        while True:
            loud = [db for db in self._levels(hz, since) if db > LOUD_DB]
            if len(loud) >= ENOUGH_TICKS:
                return self._strongest(hz, since)
            if time.monotonic() > until:
                raise AssertionError(f"{self.user} did not hear {hz:g} Hz in {timeout:g} s; {self._summary(since)}")
            self.page.wait_for_timeout(100)

    def heard_anything(self, timeout: float = 10) -> None:
        """Wait until any sound is heard, from now on. Raises AssertionError."""
        since = self._now()
        until = time.monotonic() + timeout
        while not self._peaks(since):
            assert time.monotonic() < until, f"{self.user} heard nothing in {timeout:g} s"
            self.page.wait_for_timeout(100)

    def not_heard(self, hz: float, seconds: float = 1.5) -> None:
        """Nothing of this frequency is heard in the next `seconds`, after what was under way has settled."""
        self.page.wait_for_timeout(SECONDS_TO_SETTLE * 1000)
        since = self._now()
        self.page.wait_for_timeout(seconds * 1000)
        levels = self._levels(hz, since)
        loud = sum(db > LOUD_DB for db in levels)
        assert levels, f"{self.user} has no audio to listen to"
        assert not loud, f"{self.user} heard {hz:g} Hz in {loud} of {len(levels)} ticks; {self._summary(since)}"

    def peers(self) -> dict[str, int]:
        """`made` and `open` peer connections of the page."""
        counted: dict[str, int] = self.page.evaluate("window.ears.peers()")
        return counted

    def _now(self) -> float:
        return float(self.page.evaluate("window.ears.now()"))

    def _levels(self, hz: float, since: float) -> list[float]:
        levels: list[float] = self.page.evaluate("([hz, since]) => window.ears.levels(hz, since)", [hz, since])
        return levels

    def _peaks(self, since: float) -> list[float]:
        peaks: list[float] = self.page.evaluate("(since) => window.ears.peaks(since)", since)
        return peaks

    def _strongest(self, hz: float, since: float) -> float:
        near = sorted(peak for peak in self._peaks(since) if abs(peak - hz) < 20)
        return near[len(near) // 2] if near else hz

    def _summary(self, since: float) -> str:
        peaks = self._peaks(since)
        return f"its strongest frequencies were {sorted(set(map(round, peaks)))[:20]}" if peaks else "it heard silence"
