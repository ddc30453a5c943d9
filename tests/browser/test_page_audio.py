"""The page's offers and answers, against a far end in the browser: both dialects, re-offers, keys, several calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from .conftest import BEEPS
from .fake_pbx import ORIGIN, FakePbx, Frame
from .softphone import Softphone

pytestmark = pytest.mark.browser

FAR_END = Path(__file__).with_name("far_end.js")


@pytest.fixture
def line(context: BrowserContext, fake_pbx: FakePbx) -> Iterator[Line]:
    """A softphone, signed in, with the far end of its audio in its page."""
    context.add_init_script(FAR_END.read_text())
    made = Line(Softphone(context, ORIGIN, "46", "good", BEEPS["46"]), fake_pbx)
    yield made
    assert not made.phone.errors, f"errors in the page: {made.phone.errors}"


class Line:
    """The PBX's side of calls: signalling by the fake, audio by the far end."""

    def __init__(self, phone: Softphone, pbx: FakePbx) -> None:
        self.phone = phone
        self.pbx = pbx

    def far(self, function: str, *arguments: Any) -> Any:
        return self.phone.page.evaluate("([name, args]) => window.farEnd[name](...args)", [function, list(arguments)])

    def last(self, action: str, count: int = 1, seconds: float = 5) -> Frame:
        """Wait for the page's nth frame of an action."""
        for _ in range(int(seconds * 20)):
            if len(self.pbx.sent(action)) >= count:
                return self.pbx.sent(action)[-1]
            self.phone.page.wait_for_timeout(50)
        raise AssertionError(f"no {action}; the page sent {[frame['action'] for frame in self.pbx.frames]}")

    def answer(self, count: int = 1, **more: Any) -> str:
        """Answer the page's offer, and give it its own candidates; the call-id."""
        packet = self.last("sdp-packet", count)
        sdp = self.far("answer", packet["sdp"]["sdp"])
        for sent in self.pbx.sent("ice-candidate"):
            if sent["callid"] == packet["callid"] and sent["candidate"]:
                self.far("add", sent["candidate"])
        self.pbx.say({"sdp": sdp, "callid": packet["callid"], "code": 200, **more})
        return str(packet["callid"])

    def talk(self, number: str = "45", count: int = 1) -> str:
        """A call that the page placed, up; the call-id."""
        self.phone.dial(number)
        callid = self.answer(count)
        self.phone.expect_call("Talking", number)
        return callid


def test_classic_the_page_offers(line: Line) -> None:
    line.phone.sign_in()
    line.phone.dial("45")
    packet = line.last("sdp-packet")
    assert packet["to"] == "45"
    assert packet["sdp"]["type"] == "offer"
    assert line.last("ice-candidate")["callid"] == packet["callid"]
    assert "a=candidate" not in packet["sdp"]["sdp"], "candidates trickle, they are not waited for"
    line.answer()
    line.phone.expect_talking()
    assert line.last("sip-ack")["callid"] == packet["callid"]


def test_a_second_answer_changes_nothing(line: Line) -> None:
    line.phone.sign_in()
    line.phone.dial("45")
    packet = line.last("sdp-packet")
    sdp = line.far("answer", packet["sdp"]["sdp"])
    line.pbx.say({"sdp": sdp, "callid": packet["callid"], "code": 183})
    line.phone.expect_call("Ringing…")
    for _ in range(2):
        line.pbx.say({"sdp": {"type": "answer", "sdp": sdp}, "callid": packet["callid"], "code": 200})
    line.pbx.say({"sdp": "", "callid": packet["callid"], "code": 200})
    line.phone.expect_talking()
    assert len(line.pbx.sent("sip-ack")) == 1
    assert line.phone.peers() == {"made": 1, "open": 1}


def test_an_answer_of_an_older_pbx_with_open_roles(line: Line) -> None:
    line.phone.sign_in()
    line.phone.dial("45")
    packet = line.last("sdp-packet")
    sdp = re.sub(r"a=setup:\w+", "a=setup:actpass", line.far("answer", packet["sdp"]["sdp"]))
    # A far end that answered as active would wait for the page to be passive: so only the page's side is looked at.
    line.pbx.say({"sdp": sdp, "callid": packet["callid"], "code": 200})
    line.phone.expect_call(re.compile("audio|Talking"))
    assert not line.pbx.sent("sdp-200ok"), "version 67 answers; it does not offer"


def test_the_pbx_may_name_the_call_anew(line: Line) -> None:
    line.phone.sign_in()
    line.phone.dial("45")
    line.answer(callid="pbx-7")
    line.phone.expect_talking()
    line.phone.hang_up()
    assert line.last("sip-bye") == {"action": "sip-bye", "callid": "pbx-7", "caller": "true"}


def modern_call(line: Line) -> str:
    """The PBX looks at no offer of ours; it makes its own, and tells in call-state alone that somebody answered."""
    line.pbx.server = "Vodia-PBX/70.1"
    line.phone.sign_in()
    line.phone.dial("45")
    callid = str(line.last("sdp-packet")["callid"])
    line.pbx.say({"sdp": line.far("offer"), "callid": callid, "code": 183, "cseq": 5})
    line.far("accept", answered(line, callid, 5)["sdp"]["sdp"])
    line.phone.expect_call("Ringing…")
    entry = {"id": "pbx-1", "state": "connected", "connect": 1, "from-number": "46", "to-number": "45"}
    line.pbx.say({"action": "call-state", "calls": [entry]})
    line.phone.expect_talking()
    return callid


def answered(line: Line, callid: str, cseq: int, count: int = 1) -> Frame:
    frame = line.last("sdp-200ok", count)
    assert (frame["callid"], frame["cseq"], frame["sdp"]["type"]) == (callid, cseq, "answer")
    return frame


def test_modern_the_pbx_offers(line: Line) -> None:
    modern_call(line)
    assert line.phone.peers() == {"made": 2, "open": 1}, "the peer connection of the unused offer is closed"
    assert len(line.pbx.sent("sip-ack")) == 1


def test_a_new_offer_in_the_call_with_new_keys_makes_a_new_peer(line: Line) -> None:
    callid = modern_call(line)
    line.pbx.say({"sdp": line.far("offer"), "callid": callid, "cseq": 6})
    line.far("accept", answered(line, callid, 6, 2)["sdp"]["sdp"])
    line.phone.expect_talking()
    assert line.phone.peers() == {"made": 3, "open": 1}


def test_an_incoming_call_is_answered(line: Line) -> None:
    line.phone.sign_in()
    candidate = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"
    line.pbx.say({"candidate": candidate, "callid": "in-1"})
    line.pbx.say({"invitesdp": line.far("offer"), "callid": "in-1", "cseq": 1, "from": '"Bob" <sip:47@localhost>'})
    line.phone.answer()
    line.far("accept", answered(line, "in-1", 1)["sdp"]["sdp"])
    line.phone.expect_talking()
    line.phone.hang_up()
    assert line.last("sip-bye") == {"action": "sip-bye", "callid": "in-1", "caller": "false"}
    assert line.phone.peers()["open"] == 0


def test_hold_and_resume_say_so(line: Line) -> None:
    line.phone.sign_in()
    callid = line.talk()
    line.phone.hold()
    held = {"action": "wrtc-hold", "callid": callid, "calldir": "caller"}
    assert line.last("wrtc-hold") == {**held, "holdcmd": "sendonly"}
    line.phone.resume()
    assert line.last("wrtc-hold", 2) == {**held, "holdcmd": "sendrecv"}


def test_another_call_holds_the_first(line: Line) -> None:
    line.phone.sign_in()
    first = line.talk("45")
    second = line.talk("47", 2)
    line.phone.expect_call("On hold", "45")
    assert line.last("wrtc-hold")["callid"] == first
    line.phone.card("45").get_by_role("button", name="Resume").click()
    line.phone.expect_call("On hold", "47")
    line.phone.expect_call("Talking", "45")
    assert [(f["callid"], f["holdcmd"]) for f in line.pbx.sent("wrtc-hold")[1:]] == [
        (second, "sendonly"), (first, "sendrecv"),
    ]  # fmt: skip


def test_a_call_that_comes_while_talking_waits_for_the_person(line: Line) -> None:
    line.phone.sign_in()
    first = line.talk("45")
    hold = line.phone.card("45").get_by_role("button", name="Hold")
    hold.focus()
    line.pbx.say({"invitesdp": line.far("offer"), "callid": "in-1", "cseq": 1, "from": "sip:47@localhost"})
    line.phone.expect_call("Incoming call", "47")
    line.phone.page.wait_for_timeout(200)
    expect(hold).to_be_focused()
    line.phone.expect_call("Talking", "45")
    line.phone.answer()
    line.far("accept", answered(line, "in-1", 1)["sdp"]["sdp"])
    line.phone.expect_call("Talking", "47")
    line.phone.expect_call("On hold", "45")
    assert line.pbx.sent("wrtc-hold")[-1]["callid"] == first


def test_enter_in_the_empty_number_field_answers(line: Line) -> None:
    line.phone.sign_in()
    line.pbx.say({"invitesdp": line.far("offer"), "callid": "in-1", "cseq": 1, "from": "sip:47@localhost"})
    line.phone.expect_ringing()
    line.phone.page.get_by_label("Number to call").press("Enter")
    line.far("accept", answered(line, "in-1", 1)["sdp"]["sdp"])
    line.phone.expect_talking()


def test_two_calls_are_joined(line: Line) -> None:
    line.phone.sign_in()
    first, second = line.talk("45"), line.talk("47", 2)
    card = line.phone.card("47")
    card.get_by_role("button", name="Transfer", exact=True).click()
    card.get_by_role("button", name="Connect with 45").click()
    assert line.last("att-transfer") == {"action": "att-transfer", "id": second, "from": "46", "id2": first, "to": "45"}
    for callid in (first, second):
        line.pbx.say({"bye": "true", "callid": callid, "cseq": 1})
    line.phone.expect_no_call()
    line.phone.expect_call("Transferred to 45", "47")


def test_a_transfer_that_is_refused_leaves_the_call(line: Line) -> None:
    line.phone.sign_in()
    callid = line.talk()
    line.phone.transfer("99")
    assert line.last("blind-transfer2") == {"action": "blind-transfer2", "id": callid, "from": "46", "to": "99"}
    line.phone.expect_call("Transferring to 99…")
    line.pbx.say({"sdp": "", "callid": callid, "code": 404})
    expect(line.phone.card().locator(".note")).to_have_text("The transfer to 99 failed: No such number (404).")
    line.phone.expect_talking()


def test_digits_that_are_typed_go_to_the_call(line: Line) -> None:
    line.phone.sign_in()
    line.talk()
    line.phone.page.keyboard.type("12#")
    expect(line.phone.page.get_by_label("Keys sent")).to_have_text("12#")
    expect(line.phone.page.get_by_label("Number to call")).to_have_value("")
    line.phone.page.keyboard.press("Escape")
    expect(line.phone.page.get_by_label("Keypad of this call")).to_be_hidden()
    line.phone.expect_talking()


def test_audio_that_dies_is_set_up_anew_and_then_given_up(line: Line) -> None:
    line.phone.page.clock.install()
    line.phone.sign_in()
    callid = line.talk()
    line.far("close")
    renewed = line.last("wrtc-hold", seconds=40)
    assert (renewed["callid"], renewed["holdcmd"], renewed["sdp"]["type"]) == (callid, "sendrecv", "offer")
    line.phone.page.clock.fast_forward(11_000)
    line.phone.expect_call("The audio connection was lost.")
    assert line.last("sip-bye")["callid"] == callid
