"""The softphone page against a PBX of which the test says every frame: signing in, staying in, what is shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from .conftest import BEEPS
from .fake_pbx import ORIGIN, FakePbx
from .softphone import Softphone

pytestmark = pytest.mark.browser

INVITE = {
    "invitesdp": "v=0", "callid": "in-1", "cseq": 3, "from": '"Bob" <sip:47@localhost>', "from-user": "47",
    "from-display": "Bob", "to": "<sip:46@localhost>",
}  # fmt: skip

PEOPLE = [
    {"account": "45", "type": "extensions", "name": "Bot", "registered": True},
    {"account": "46", "type": "extensions", "name": "Ann", "registered": "true"},
    {"account": "47", "type": "extensions", "name": "Bob", "registered": True, "dnd": True},
    {"account": "48", "type": "extensions", "name": "Cleo", "registered": False},
    {"account": "700", "type": "hunts", "name": "Sales"},
]


def signed_in(page46: Softphone) -> Softphone:
    return page46.open().sign_in()


def people(fake_pbx: FakePbx, *calls: dict[str, Any]) -> None:
    fake_pbx.say({"action": "domain-state", "accounts": PEOPLE, "calls": list(calls)})


# --- signing in, and staying in ---------------------------------------------------------------------------------------


def test_signing_in_opens_the_socket_and_registers(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    assert fake_pbx.logins == ["46"]
    assert fake_pbx.urls[0].endswith("/websocket?domain=localhost&user=46")
    assert [frame["action"] for frame in fake_pbx.frames] == ["avoid-disconnect", "domain-calls", "sip-register"]
    assert fake_pbx.sent("sip-register")[0]["useragent"]


def test_the_address_fills_in_who_and_whom_to_call(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.open("#user=46&dial=45")
    expect(page46.page.get_by_label("Extension", exact=True)).to_have_value("46")
    expect(page46.page.get_by_label("Password", exact=True)).to_be_focused()
    page46.sign_in()
    expect(page46.page.get_by_label("Number to call")).to_have_value("45")
    assert not fake_pbx.sent("sdp-packet"), "the person calls, not the page"


def test_a_domain_can_be_named(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.user = "46@example.com"
    signed_in(page46)
    assert fake_pbx.urls[0].endswith("?domain=example.com&user=46")


def test_a_wrong_password_is_told(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.open()
    assert page46.page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0, "a scrollbar for nothing"
    page46.sign_in("bad", ready=False)
    expect(page46.page.get_by_role("alert").filter(has_text="wrong extension or password")).to_be_visible()
    expect(page46.page.get_by_role("button", name="Sign in")).to_be_enabled()
    assert not fake_pbx.sockets
    page46.sign_in("good")


def test_a_pbx_out_of_reach_is_told(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.open()
    fake_pbx.up = False
    page46.sign_in(ready=False)
    expect(page46.page.get_by_role("alert").filter(has_text="can't be reached")).to_be_visible()


def test_a_lost_connection_comes_back_with_a_new_login(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.up = False
    fake_pbx.drop()
    expect(page46.page.locator("#connection")).to_have_text("Not connected")
    expect(page46.page.get_by_text("The connection to the PBX was lost")).to_be_visible()
    fake_pbx.up = True
    page46.page.get_by_role("button", name="Try now").click()
    expect(page46.page.locator("#connection")).to_have_text("Ready for calls")
    expect(page46.page.get_by_text("The connection to the PBX was lost")).to_be_hidden()
    assert fake_pbx.logins == ["46", "46"]
    assert len(fake_pbx.sent("sip-register")) == 2


def test_it_comes_back_by_itself(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.drop()
    expect(page46.page.locator("#connection")).to_have_text("Ready for calls", timeout=10_000)
    assert len(fake_pbx.sockets) == 2


def test_a_password_that_was_changed_leads_to_the_sign_in(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    page46.page.route("**/rest/system/session", lambda route: route.fulfill(status=403, body="false"))
    fake_pbx.drop()
    told = page46.page.get_by_role("alert").filter(has_text="no longer takes this password")
    expect(told).to_be_visible(timeout=10_000)


def test_keepalive_and_registration_go_on(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.page.clock.install()
    signed_in(page46)
    page46.page.clock.fast_forward(31_000)
    page46.page.wait_for_function("true")
    expect(page46.page.locator("#connection")).to_have_text("Ready for calls")
    assert len(fake_pbx.sent("avoid-disconnect")) == 2
    assert len(fake_pbx.sent("sip-register")) == 2, "at half of the 60 seconds that the PBX gave"


def test_a_registration_without_an_answer_is_told(page46: Softphone, fake_pbx: FakePbx) -> None:
    fake_pbx.registers = False
    page46.page.clock.install()
    page46.open().sign_in(ready=False)
    expect(page46.page.locator("#connection")).to_have_text("Registering…")
    people(fake_pbx)
    page46.expect_presence("45", "Free")
    page46.page.clock.fast_forward(11_000)
    expect(page46.page.get_by_text("does not confirm the registration")).to_be_visible()


def test_a_socket_that_has_silently_died_is_noticed(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.page.clock.install()
    signed_in(page46)
    fake_pbx.registers = False
    page46.page.clock.fast_forward(31_000)  # the registration is refreshed, and nothing comes back
    page46.page.clock.fast_forward(11_000)
    fake_pbx.registers = True
    expect(page46.page.locator("#connection")).to_have_text("Not connected")
    page46.page.clock.fast_forward(1_000)
    expect(page46.page.locator("#connection")).to_have_text("Ready for calls")
    assert len(fake_pbx.sockets) == 2


def test_signing_out_leaves_nothing_behind(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.say(INVITE)
    page46.expect_ringing()
    page46.page.get_by_role("button", name="Sign out").click()
    expect(page46.page.get_by_label("Password", exact=True)).to_have_value("")
    assert [frame["code"] for frame in fake_pbx.sent("sip-busy")] == [486]
    page46.page.wait_for_timeout(1500)
    assert len(fake_pbx.sockets) == 1, "it does not connect again"


# --- incoming ---------------------------------------------------------------------------------------------------------


def test_an_invite_rings_and_can_be_rejected(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.say(INVITE)
    page46.expect_ringing()
    expect(page46.card()).to_contain_text("Bob")
    expect(page46.page.get_by_role("alert").filter(has_text="Incoming call from Bob")).to_have_count(1)
    assert fake_pbx.sent("sip-ringing") == [{"action": "sip-ringing", "callid": "in-1", "cseq": 3}]
    page46.reject()
    page46.expect_call("Rejected")
    assert fake_pbx.sent("sip-busy") == [{"action": "sip-busy", "callid": "in-1", "cseq": 3, "code": 486}]


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ({"cancel": "true", "callid": "in-1"}, {"action": "cancel-response", "callid": "in-1"}),
        ({"bye": "true", "callid": "in-1", "cseq": 9}, {"action": "bye-response", "callid": "in-1", "cseq": 9}),
    ],
)
def test_a_caller_who_gives_up(
    page46: Softphone, fake_pbx: FakePbx, frame: dict[str, Any], answer: dict[str, Any]
) -> None:
    signed_in(page46)
    fake_pbx.say(INVITE)
    page46.expect_ringing()
    fake_pbx.say(frame)
    page46.expect_call("Missed call")
    assert fake_pbx.frames[-1] == answer


def test_the_second_copy_of_an_invite_is_no_second_call(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.say(INVITE)
    fake_pbx.say(INVITE)
    page46.expect_ringing()
    expect(page46.card()).to_have_count(1)


def test_a_bye_for_a_call_that_is_gone_is_answered(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    fake_pbx.say({"bye": "true", "callid": "nobody", "cseq": 2})
    page46.page.wait_for_timeout(200)
    assert fake_pbx.frames[-1] == {"action": "bye-response", "callid": "nobody", "cseq": 2}


def test_names_from_the_network_are_text(page46: Softphone, fake_pbx: FakePbx) -> None:
    evil = '<img src=x onerror="document.title=1"><b>Bob'
    signed_in(page46)
    fake_pbx.say({**INVITE, "from-display": evil})
    fake_pbx.say({"action": "domain-state", "accounts": [{"account": "47", "name": evil, "type": evil}]})
    expect(page46.card().locator(".name")).to_have_text(evil)
    expect(page46.page.locator(".people .name")).to_have_text(evil)
    assert page46.page.locator("img, b").count() == 0


@pytest.mark.parametrize(
    "nonsense", ["{", "[]", "7", '{"sdp": 7}', '{"candidate": {}}', '{"action": "call-state", "calls": 7}']
)
def test_nonsense_of_the_pbx_harms_nothing(page46: Softphone, fake_pbx: FakePbx, nonsense: str) -> None:
    signed_in(page46)
    fake_pbx.sockets[-1].send(nonsense)
    fake_pbx.say(INVITE)
    page46.expect_ringing()


# --- who is there -----------------------------------------------------------------------------------------------------


def test_who_is_on_which_extension(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    people(fake_pbx)
    for account, text in [("45", "^Free"), ("46", "^You · Free"), ("47", "Do not disturb"), ("48", "Not here")]:
        page46.expect_presence(account, text)
    page46.expect_presence("700", "Group")
    expect(page46.page.locator("#me")).to_have_text("Ann 46")
    fake_pbx.say({"action": "user-state", "account": "47", "dnd": False, "calls": [{"id": "1"}]})
    page46.expect_presence("47", "In a call")
    fake_pbx.say({"action": "user-state", "account": "47"})
    page46.expect_presence("47", "^Free")


def test_calls_of_the_domain(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    people(fake_pbx)
    call = {"id": "9", "state": "alerting", "from-number": "45", "to-number": "47", "start": 1}
    fake_pbx.say({"action": "call-state", "calls": [call]})
    page46.expect_presence("47", "Ringing")
    expect(page46.page.locator("#domain-calls li")).to_have_text("Bot → Bob · ringing")
    fake_pbx.say({"action": "call-state", "calls": {**call, "state": "connected"}})
    page46.expect_presence("45", "In a call")
    fake_pbx.say({"action": "call-state", "calls": []})
    page46.expect_presence("45", "Free")
    expect(page46.page.locator("#domain-calls li")).to_have_count(0)


def test_a_touch_on_a_person_calls(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    people(fake_pbx)
    page46.page.locator('[data-account="45"]').click()
    page46.expect_call("Calling…", "Bot")
    assert fake_pbx.sent("sdp-packet")[0]["to"] == "45"


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text"),
    [(486, "Busy (486)"), (603, "Declined (603)"), (404, "No such number (404)"), (499, "Odd (499)")],
)
def test_a_refusal_is_told(page46: Softphone, fake_pbx: FakePbx, code: int, text: str) -> None:
    signed_in(page46)
    page46.dial("45")
    page46.expect_call("Calling…")
    callid = fake_pbx.sent("sdp-packet")[0]["callid"]
    fake_pbx.say({"sdp": "", "callid": callid, "code": code, "reason": "Odd", "cseq": 1})
    page46.expect_call(text)
    assert len(fake_pbx.sent("sip-ack")) == 1
    assert page46.peers()["open"] == 0


def test_giving_up_says_bye_and_a_late_answer_gets_it_again(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    page46.dial("45")
    page46.expect_call("Calling…")
    page46.hang_up()
    page46.expect_call("Cancelled")
    callid = fake_pbx.sent("sdp-packet")[0]["callid"]
    fake_pbx.say({"sdp": "v=0", "callid": callid, "code": 200})
    page46.page.wait_for_timeout(200)
    assert fake_pbx.sent("sip-bye") == [{"action": "sip-bye", "callid": callid, "caller": "true"}] * 2


REFUSED = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }"


def test_a_refused_microphone_is_told_and_nothing_is_sent(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.page.add_init_script(REFUSED)
    signed_in(page46)
    page46.dial("45")
    page46.expect_call(re.compile("The microphone was refused"))
    assert not fake_pbx.sent("sdp-packet")


def test_a_refused_microphone_lets_an_incoming_call_ring_on(page46: Softphone, fake_pbx: FakePbx) -> None:
    page46.page.add_init_script(REFUSED)
    signed_in(page46)
    fake_pbx.say(INVITE)
    page46.answer()
    expect(page46.card().locator(".note")).to_contain_text("The microphone was refused")
    page46.expect_ringing()
    assert not fake_pbx.sent("sdp-200ok")


def test_without_https_the_page_says_why_it_can_not_call(context: BrowserContext, fake_pbx: FakePbx) -> None:
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'mediaDevices', {get: () => undefined})")
    phone = Softphone(context, ORIGIN, "46", "good", BEEPS["46"]).open()
    expect(phone.page.get_by_text("only over https")).to_be_visible()
    phone.sign_in()
    phone.dial("45")
    phone.expect_call(re.compile("only over https"))
    assert not phone.errors


# --- how it looks and is handled --------------------------------------------------------------------------------------


def no_sideways_scroll(phone: Softphone) -> None:
    width, seen = phone.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= seen


def too_small(phone: Softphone) -> list[str]:
    """Visible buttons and fields that a finger can't hit: under 44 px."""
    found: list[str] = phone.page.evaluate(
        """() => [...document.querySelectorAll("button, input, summary")]
            .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 1)
            .filter((e) => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 44)
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    return found


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone(page46: Softphone, fake_pbx: FakePbx, width: int) -> None:
    page46.page.set_viewport_size({"width": width, "height": 640})
    page46.open()
    no_sideways_scroll(page46)
    assert not too_small(page46)
    page46.sign_in()
    people(fake_pbx)
    fake_pbx.say({**INVITE, "from-display": "Bartholomew-Maximilian " * 3})
    page46.expect_ringing()
    no_sideways_scroll(page46)
    assert not too_small(page46)
    page46.reject()
    page46.dial("45")
    page46.expect_call("Calling…", "45")
    no_sideways_scroll(page46)
    assert not too_small(page46)


def test_the_page_keeps_to_its_own_policy(page46: Softphone, fake_pbx: FakePbx) -> None:
    said: list[str] = []
    page46.page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    requests: list[str] = []
    page46.page.on("request", lambda request: requests.append(request.url))
    signed_in(page46)
    fake_pbx.say(INVITE)
    page46.expect_ringing()
    assert not said
    assert all(url.startswith(ORIGIN) for url in requests)


def test_the_ring_can_be_muted_and_stays_so(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    mute = page46.page.get_by_role("button", name="Mute ring")
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "true")
    page46.page.reload()
    page46.sign_in()
    expect(mute).to_have_attribute("aria-pressed", "true")


def test_keys_dial_answer_and_reject(page46: Softphone, fake_pbx: FakePbx) -> None:
    signed_in(page46)
    page46.page.locator("#me").focus()
    page46.page.keyboard.type("45")
    expect(page46.page.get_by_label("Number to call")).to_have_value("45")
    page46.page.keyboard.press("Enter")
    page46.expect_call("Calling…", "45")
    expect(page46.card("45")).to_be_focused()
    page46.hang_up()
    fake_pbx.say(INVITE)
    page46.expect_call("Incoming call", "Bob")
    page46.page.keyboard.press("Escape")
    page46.expect_call("Rejected", "Bob")
