"""Softphone pages that call each other and the simulator's numbers: what a person hears, measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .conftest import BEEPS, PASSWORDS, PhoneMaker
from .simulator import Simulator
from .softphone import Softphone

pytestmark = [pytest.mark.browser, pytest.mark.audio]

A, B, C = BEEPS["46"], BEEPS["47"], BEEPS["48"]
MUSIC_HZ = 220.0
"""Sounds in every chord of the music on hold."""


def talking(caller: Softphone, callee: Softphone) -> None:
    """A call between two pages, up."""
    for phone in (caller, callee):
        phone.sign_in()
    caller.dial(callee.user)
    callee.expect_ringing()
    callee.answer()
    caller.expect_talking()
    callee.expect_talking()


def test_two_pages_talk_hold_resume_and_transfer_to_a_third(phone: PhoneMaker) -> None:
    anna, bruno, clara = phone("46"), phone("47"), phone("48")
    talking(anna, bruno)
    anna.heard(B)
    bruno.heard(A)
    anna.not_heard(A)

    anna.hold()
    bruno.not_heard(A)
    bruno.heard(MUSIC_HZ)
    anna.not_heard(B)

    anna.resume()
    bruno.heard(A)
    anna.heard(B)
    bruno.not_heard(MUSIC_HZ)

    clara.sign_in()
    anna.transfer("48")
    clara.expect_ringing()
    clara.answer()
    clara.heard(B)
    bruno.heard(C)
    anna.expect_call("Transferred to 48")
    bruno.expect_talking()

    clara.hang_up()
    bruno.expect_call("They hung up")
    for one in (anna, bruno, clara):
        one.expect_no_call()
        assert one.peers()["open"] == 0


def test_the_called_page_holds_and_hangs_up(phone: PhoneMaker) -> None:
    anna, bruno = phone("46"), phone("47")
    talking(anna, bruno)
    bruno.hold()
    anna.not_heard(B)
    anna.heard(MUSIC_HZ)
    bruno.resume()
    anna.heard(B)
    bruno.heard(A)
    bruno.hang_up()
    bruno.expect_call("You hung up")
    anna.expect_call("They hung up")


def test_the_caller_hangs_up(phone: PhoneMaker) -> None:
    anna, bruno = phone("46"), phone("47")
    talking(anna, bruno)
    anna.hang_up()
    anna.expect_call("You hung up")
    bruno.expect_call("They hung up")


def test_mute_is_silence(phone: PhoneMaker) -> None:
    anna, bruno = phone("46"), phone("47")
    talking(anna, bruno)
    bruno.heard(A)
    anna.mute(True)
    anna.expect_call("Talking, microphone off")
    bruno.not_heard(A)
    anna.heard(B)
    anna.mute(False)
    bruno.heard(A)


def test_two_calls_at_once_are_joined(phone: PhoneMaker) -> None:
    anna, bruno, clara = phone("46"), phone("47"), phone("48")
    talking(anna, bruno)
    clara.sign_in()
    anna.card("47").get_by_role("button", name="Transfer", exact=True).first.click()
    anna.dial("48")
    anna.expect_call("On hold", "47")
    clara.expect_ringing()
    clara.answer()
    anna.expect_call("Talking", "48")
    anna.heard(C)
    anna.not_heard(B)
    card = anna.card("48")
    card.get_by_role("button", name="Transfer", exact=True).first.click()
    whom = anna.page.get_by_label("Transfer to number")
    expect(whom.filter(visible=True)).to_have_count(1)  # a person of the list is meant for one call, not for either
    card.get_by_role("button", name=re.compile("Connect with")).click()
    bruno.heard(C)
    clara.heard(B)
    anna.expect_no_call()


def test_the_tone_is_heard_as_it_is(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in()
    anna.dial("600")
    anna.expect_talking()
    assert abs(anna.heard(1000) - 1000) <= 2
    anna.hold()
    anna.not_heard(1000)
    anna.resume()
    anna.heard(1000)
    anna.hang_up()
    anna.expect_no_call()


def test_the_keypad_of_a_call_goes_away_with_the_hold(phone: PhoneMaker) -> None:
    """Nobody would hear its keys; the one for another call is there instead, and only that."""
    anna = phone("46").sign_in()
    anna.dial("600")
    anna.expect_talking()
    anna.key("5")
    anna.hold()
    expect(anna.page.get_by_label("Keypad of this call")).to_be_hidden()
    expect(anna.page.get_by_label("Keypad", exact=True)).to_be_visible()
    expect(anna.page.get_by_role("heading", name="Another call")).to_be_visible()


def test_the_echo_gives_back_what_was_said(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in()
    anna.dial("601")
    anna.expect_talking()
    anna.heard(A)


def test_keys_are_heard_at_the_other_side(phone: PhoneMaker) -> None:
    anna, bruno = phone("46"), phone("47")
    talking(anna, bruno)
    bruno.heard(A)
    anna.key("111111")
    bruno.heard(697)
    bruno.heard(A)
    anna.key("999999")
    bruno.heard(1477)


def test_the_browsers_own_microphone_is_heard(browser: Browser, sim: Simulator) -> None:
    """Nothing is put in place of getUserMedia here: Chromium's fake device beeps, through its noise suppression."""
    with browser.new_context(permissions=["microphone"]) as context:
        anna = Softphone(context, sim.url, "46", PASSWORDS["46"], 0).sign_in()
        anna.dial("601")
        anna.expect_talking()
        anna.heard_anything()


def test_early_media_is_heard_before_the_answer(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in()
    anna.dial("605")
    anna.expect_call("Ringing…")
    anna.expect_talking()
    anna.heard(1000)


@pytest.mark.parametrize(
    ("number", "text"),
    [("602", "Busy (486)"), ("603", "Declined (603)"), ("999", "No such number (404)")],
)
def test_a_refusal_is_told(phone: PhoneMaker, number: str, text: str) -> None:
    anna = phone("46").sign_in()
    anna.dial(number)
    anna.expect_call(text)
    assert anna.peers()["open"] == 0


def test_the_other_side_hangs_up(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in()
    anna.dial("604")
    anna.expect_talking()
    anna.expect_call("They hung up")


def test_an_offer_of_the_pbx_in_the_call_is_answered(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in()
    anna.dial("607")
    anna.expect_talking()
    anna.heard(1000)
    anna.page.wait_for_timeout(2500)  # the re-offer comes 1.5 s after the answer
    anna.expect_talking()
    anna.heard(1000)


def test_a_rejected_call_is_told_to_the_caller(phone: PhoneMaker) -> None:
    anna, bruno = phone("46").sign_in(), phone("47").sign_in()
    anna.dial("47")
    bruno.expect_ringing()
    bruno.reject()
    bruno.expect_call("Rejected")
    anna.expect_call("Busy (486)")


def test_giving_up_ends_the_ringing(phone: PhoneMaker) -> None:
    anna, bruno = phone("46").sign_in(), phone("47").sign_in()
    anna.dial("47")
    bruno.expect_ringing()
    anna.hang_up()
    bruno.expect_call("Missed call")
    anna.expect_call("Cancelled")


def test_a_group_rings_all_and_the_first_wins(phone: PhoneMaker) -> None:
    anna, bruno, clara = phone("46").sign_in(), phone("47").sign_in(), phone("48").sign_in()
    clara.dial("700")
    anna.expect_ringing()
    bruno.expect_ringing()
    bruno.answer()
    clara.heard(B)
    anna.expect_call("Missed call")


def test_who_is_there_and_in_a_call(phone: PhoneMaker) -> None:
    anna, bruno = phone("46").sign_in(), phone("47").sign_in()
    anna.expect_presence("47", "Free")
    anna.expect_presence("48", "Not here")
    bruno.dial("600")
    anna.expect_presence("47", "In a call")
    expect(anna.page.locator("#domain-calls li")).to_contain_text(["Person 47 →"])
    bruno.hang_up()
    anna.expect_presence("47", "Free")
    bruno.page.get_by_role("button", name="Sign out").click()
    anna.expect_presence("47", "Not here")


def test_a_wrong_password_is_told(phone: PhoneMaker) -> None:
    anna = phone("46").sign_in("wrong", ready=False)
    expect(anna.page.get_by_role("alert").filter(has_text="wrong extension or password")).to_be_visible()


def test_a_wrong_domain_is_told(phone: PhoneMaker) -> None:
    anna = phone("46").open("#domain=elsewhere.example").sign_in(ready=False)
    expect(anna.page.get_by_role("alert").filter(has_text="is “elsewhere.example” its domain?")).to_be_visible()
    anna.page.get_by_label("Domain of the PBX").fill("localhost")
    anna.sign_in()


def test_two_tabs_of_one_browser_are_two_phones(browser: Browser, sim: Simulator) -> None:
    with browser.new_context(permissions=["microphone"]) as one_for_both:
        anna = Softphone(one_for_both, sim.url, "46", PASSWORDS["46"], A)
        bruno = Softphone(one_for_both, sim.url, "47", PASSWORDS["47"], B)
        talking(anna, bruno)
        anna.heard(B)
        bruno.heard(A)
        assert not anna.errors + bruno.errors


def test_a_whole_call_by_the_keyboard(phone: PhoneMaker) -> None:
    anna, bruno = phone("46").open("#user=46"), phone("47").sign_in()
    keys = anna.page.keyboard
    expect(anna.page.get_by_label("Password", exact=True)).to_be_focused()
    keys.type(PASSWORDS["46"])
    keys.press("Enter")
    expect(anna.page.get_by_label("Number to call")).to_be_focused()
    expect(anna.page.locator("#connection")).to_have_text("Ready for calls")
    keys.type("47")
    keys.press("Enter")
    bruno.expect_ringing()
    bruno.page.keyboard.press("Enter")
    anna.expect_talking()
    bruno.heard(A)
    keys.type("5")
    expect(anna.page.get_by_label("Keys sent")).to_have_text("5")
    keys.press("Escape")
    tab_to(anna, "Hold")
    keys.press("Enter")
    anna.expect_call("On hold")
    bruno.not_heard(A)
    tab_to(anna, "Resume")
    keys.press("Space")
    anna.expect_talking()
    bruno.heard(A)
    tab_to(anna, "Hang up")
    keys.press("Enter")
    bruno.expect_call("They hung up")
    expect(anna.page.get_by_label("Number to call")).to_be_focused()


def tab_to(phone: Softphone, button: str) -> None:
    """Press Tab until the button has the focus, as one sees it: never more than once around."""
    for _ in range(60):
        focused = phone.page.evaluate("document.activeElement.innerText?.trim() ?? ''")
        if focused == button:
            return
        phone.page.keyboard.press("Tab")
    raise AssertionError(f"{button} can't be reached by Tab")


def test_the_page_comes_back_after_the_pbx_was_gone(browser: Browser, tmp_path: Path) -> None:
    with Simulator(tmp_path, PASSWORDS) as own, browser.new_context(permissions=["microphone"]) as context:
        anna = Softphone(context, own.url, "46", PASSWORDS["46"], A).sign_in()
        own.kill()
        expect(anna.page.locator("#connection")).to_have_text("Not connected")
        own.start()
        expect(anna.page.locator("#connection")).to_have_text("Ready for calls", timeout=30_000)
        anna.dial("600")
        anna.heard(1000)
        assert not anna.errors


# --- the newer dialect ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modern_sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(Path(tmp_path_factory.mktemp("modern")), PASSWORDS, "modern") as running:
        yield running


def test_pages_talk_at_a_modern_pbx(browser: Browser, modern_sim: Simulator) -> None:
    with browser.new_context(permissions=["microphone"]) as one, browser.new_context(permissions=["microphone"]) as two:
        anna = Softphone(one, modern_sim.url, "46", PASSWORDS["46"], A)
        bruno = Softphone(two, modern_sim.url, "47", PASSWORDS["47"], B)
        talking(anna, bruno)
        anna.heard(B)
        bruno.heard(A)
        anna.hold()
        bruno.not_heard(A)
        anna.resume()
        bruno.heard(A)
        anna.heard(B)
        anna.hang_up()
        bruno.expect_call("They hung up")
        assert not anna.errors + bruno.errors
