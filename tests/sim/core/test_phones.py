"""Phones of the PBX's own, remote control of the desk phone, and the levers."""

from __future__ import annotations

import pytest

from tests.sim.core.kit import ANSWER, Client, Lab, config, conversation, number
from vodiabot.sim.core import effects as e

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])

# --- a caller --------------------------------------------------------------------------------------------------------


@BOTH
def test_a_phone_calls_an_extension(dialect: str) -> None:
    lab = Lab(config(dialect))
    bot, phone = lab.client("45"), lab.phone("46")
    lab.do(lambda now: phone.dial(now, "45"))
    assert phone.state == "calling"
    invite = bot.invite()
    assert (invite["from-number"], invite["from-display"]) == ("46", "Anna")
    bot.answer()
    leg = invite["callid"]
    assert phone.state == "up"
    assert lab.hears(leg) == "silence", "it says nothing yet"
    lab.do(lambda now: phone.say(now, e.Tone(440)))
    assert lab.hears(leg) == "tone 440"
    assert phone.hears == e.FromLeg(lab.leg(leg)["id"])
    lab.do(phone.hold)
    assert (phone.state, lab.hears(leg)) == ("holding", "music")
    lab.do(phone.resume)
    assert lab.hears(leg) == "tone 440"
    lab.do(lambda now: phone.press(now, "12#"))
    assert lab.media_of(e.PressDigits) == [e.PressDigits(lab.leg(leg)["id"], "12#")]
    lab.do(lambda now: lab.pbx.news(now, e.DigitHeard(lab.leg(leg)["id"], "7")))
    assert phone.digits == "7"
    lab.do(phone.hang_up)
    assert bot.of("bye") == ["true"]
    assert (phone.state, lab.legs) == ("idle", [])


def test_nothing_of_it_reaches_the_shell() -> None:
    lab = Lab()
    phone, other = lab.phone("46"), lab.phone("47", answers_after=1)
    lab.do(lambda now: phone.dial(now, "47"))
    lab.wait(2)
    assert (phone.state, other.state) == ("up", "up")
    lab.do(phone.hang_up)
    lab.wait(10)
    assert (phone.state, other.state) == ("idle", "idle")
    assert {type(effect) for effect in lab.effects} == {e.Log}
    assert lab.logged("warning") == [], "it answers byes and cancels, as it should"
    assert lab.pbx.snapshot()["awaited"] == {}


@pytest.mark.parametrize(("to", "code"), [("48", 480), ("999", 404), (number("busy"), 486)])
def test_it_is_told_why_not(to: str, code: int) -> None:
    lab = Lab()
    phone = lab.phone("46")
    lab.do(lambda now: phone.dial(now, to))
    assert (phone.state, phone.code) == ("idle", code)


@BOTH
def test_it_hears_services_and_gives_up(dialect: str) -> None:
    lab = Lab(config(dialect, rename_calls=True))
    phone = lab.phone("46")
    lab.do(lambda now: phone.dial(now, number("reoffer")))
    assert phone.hears == e.Tone(1000.0)
    lab.wait(5)
    assert phone.state == "up", "it answers new offers"
    assert phone.call_id.startswith("pbx-"), "and knows the name that the PBX gave the call"
    lab.do(phone.hang_up)
    lab.do(lambda now: phone.dial(now, number("no-answer")))
    assert phone.state == "calling"
    lab.do(phone.hang_up)
    assert phone.state == "idle"
    assert not lab.calls
    assert lab.logged("warning") == []


# --- a called party --------------------------------------------------------------------------------------------------


@BOTH
def test_it_rings_and_answers_by_itself_or_when_told(dialect: str) -> None:
    lab = Lab(config(dialect))
    bot = lab.client("45")
    patient, hand = lab.phone("46", answers_after=3), lab.phone("47")
    bot.dial("46", "c1")
    assert patient.state == "ringing"
    assert bot.codes, "it has said that it rings"
    if dialect == "modern":
        bot.answer("c1")
    lab.wait(3.1)
    assert patient.state == "up"
    bot.say("sip-bye", callid="c1")
    bot.dial("47", "c2")
    lab.do(hand.answer)
    assert hand.state == "up"
    bot.say("sip-bye", callid="c2")
    bot.dial("47", "c3")
    lab.do(lambda now: hand.refuse(now, 603))
    assert bot.codes[-1] == 603
    bot.dial("47", "c4")
    bot.say("sip-bye", callid="c4")
    assert hand.state == "idle"
    lab.wait(10)
    assert [line for line in lab.logged("warning") if "no answer came" in line] == []


def test_a_second_call_gets_486() -> None:
    lab = Lab()
    one, two = lab.client("45"), lab.client("48")
    phone = lab.phone("46", answers_after=0)
    one.dial("46", "c1")
    assert phone.state == "up"
    two.dial("46", "c2")
    assert two.codes[-1] == 486
    assert phone.state == "up"


def test_two_phones_of_an_extension() -> None:
    lab = Lab()
    bot, one, two = lab.client("45"), lab.phone("46"), lab.phone("46")
    bot.dial("46")
    assert (one.state, two.state) == ("ringing", "ringing")
    lab.do(two.answer)
    assert (one.state, two.state) == ("idle", "up")


def test_it_transfers() -> None:
    lab = Lab()
    bot, phone, clara = lab.client("45"), lab.phone("46", answers_after=0), lab.client("48")
    bot.dial("46")
    bot.answer("c1")
    lab.do(lambda now: phone.transfer(now, "48"))
    assert phone.state == "idle"
    clara.answer()
    assert lab.hears("c1") == "48"


def test_unplugged_it_is_gone_in_every_state() -> None:
    lab = Lab()
    bot, phone = lab.client("45"), lab.phone("46")
    bot.dial("46", "c1")
    lab.do(phone.unplug)
    assert (phone.state, bot.codes[-1]) == ("unplugged", 486)
    lab.do(phone.plug_in)
    bot.dial("46", "c2")
    lab.do(phone.answer)
    lab.do(phone.unplug)
    assert bot.of("bye") == ["true"]
    for act in (phone.answer, phone.hang_up, phone.hold, phone.unplug):
        lab.do(act)
    lab.do(lambda now: phone.dial(now, "45"))
    assert not lab.legs
    assert not lab.pbx.snapshot()["sockets"].keys() - {bot.name}


def test_an_act_that_makes_no_sense_is_logged() -> None:
    lab = Lab()
    phone = lab.phone("46")
    lab.do(phone.answer)
    lab.do(lambda now: phone.dial(now, "600"))
    lab.do(lambda now: phone.dial(now, "601"))
    assert [line.split(" user")[0] for line in lab.logged("warning")] == ["phone refused"] * 2
    assert [call["to"] for call in lab.calls] == ["600"]
    with pytest.raises(KeyError):
        lab.pbx.phone("999")


# --- the desk phone --------------------------------------------------------------------------------------------------


def responses(client: Client, action: str) -> list[int]:
    return [frame["code"] for frame in client.frames if frame.get("response") == action]


@BOTH
@pytest.mark.parametrize("to", ["47", "600"])
def test_make_call_rings_ones_own_phones_and_dials_from_the_one_that_is_picked_up(to: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    page, desk, bruno = lab.client("46", registered=False), lab.client("46"), lab.client("47")
    page.say("make-call", to=to)
    assert responses(page, "make-call") == [200]
    assert desk.invite()["from-number"] == to, "whom it is to reach"
    assert not bruno.of("invitesdp")
    desk.answer()
    mine = desk.invite()["callid"]
    if to == "47":
        assert bruno.invite()["from-number"] == "46"
        assert lab.hears(mine) == "ringback"
        bruno.answer()
    assert lab.hears(mine) == ("47" if to == "47" else "tone 1000.0")
    assert [(call["from"], call["to"], call["state"]) for call in lab.calls] == [("46", to, "connected")]


@pytest.mark.parametrize(("to", "code"), [("48", 480), ("999", 404), (number("busy"), 486)])
def test_make_call_to_nobody_ends_with_the_code(to: str, code: int) -> None:
    lab = Lab()
    desk = lab.client("46")
    desk.say("make-call", to=to)
    desk.answer()
    assert [frame["code"] for frame in desk.frames if "bye" in frame] == [code]
    assert not lab.legs


def test_make_call_does_not_ring_the_client_that_asks_if_there_is_another_phone() -> None:
    lab = Lab()
    page, desk = lab.client("46"), lab.phone("46")
    page.say("make-call", to="600")
    assert desk.state == "ringing"
    assert not page.of("invitesdp")


def test_make_call_without_a_phone() -> None:
    lab = Lab()
    page = lab.client("46", registered=False)
    page.say("make-call", to="600")
    assert responses(page, "make-call") == [480]
    assert not lab.calls


def test_accept_hold_and_clear() -> None:
    lab = Lab()
    page, desk, bruno = lab.client("46"), lab.phone("46"), lab.client("47")
    bruno.dial("46")
    call = lab.calls[0]["id"]
    page.say("accept-call", id=call)
    assert (desk.state, responses(page, "accept-call")) == ("up", [200])
    assert page.of("cancel")
    bruno.answer("c1")
    page.say("own-calls", subscribe=True)
    page.say("hold-call", id=call)
    assert lab.hears("c1") == "music"
    assert (page.entry() or {})["state"] == "holding"
    page.say("hold-call", id=call)
    assert lab.hears("c1") == "silence"
    page.say("clear-call", id=call, connected="true")
    assert (desk.state, bruno.of("bye")) == ("idle", ["true"])
    bruno.dial("46", "c2")
    page.say("clear-call", id=lab.calls[0]["id"], connected="false")
    page.say("clear-call", id=lab.calls[0]["id"], connected="false")
    assert bruno.codes[-1] == 486


def test_a_call_that_rings_can_not_be_held() -> None:
    lab = Lab()
    page, bruno = lab.client("46"), lab.client("47")
    bruno.dial("46")
    page.say("hold-call", id=lab.calls[0]["id"])
    assert "the call is offered" in lab.logged("warning")[-1]
    assert responses(page, "hold-call") == [480]
    assert not any(leg["held"] for leg in lab.legs)


def test_a_client_can_not_be_made_to_answer() -> None:
    lab = Lab()
    page, bruno = lab.client("46"), lab.client("47")
    bruno.dial("46")
    page.say("accept-call", id=lab.calls[0]["id"])
    assert responses(page, "accept-call") == [480]
    assert lab.leg(page.invite()["callid"])["state"] == "offered"


# --- levers ----------------------------------------------------------------------------------------------------------


def test_a_call_can_be_forgotten_without_a_word() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    lab.do(lambda now: lab.pbx.forget_call(now, "c1"))
    assert not anna.of("bye") + bruno.of("bye")
    assert not lab.legs
    assert not lab.calls
    anna.say("sip-bye", callid="c1")
    assert lab.logged("warning") == []


def test_any_frame_at_all() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    lab.do(lambda now: lab.pbx.push_frame(now, "46", {"change": 1}))
    assert anna.frames[-1] == {"change": 1}
    assert {"change": 1} not in bruno.frames


def test_a_new_offer_on_demand() -> None:
    lab = Lab()
    anna, _ = conversation(lab)
    lab.do(lambda now: lab.pbx.reoffer(now, "c1", new_transport=True))
    lab.do(lambda now: lab.pbx.reoffer(now, "c1"))
    assert [frame["sdp"]["type"] for frame in anna.frames if "sdp" in frame] == ["offer"], "one at a time"
    anna.say("sdp-200ok", sdp=ANSWER)
    assert lab.media_of(e.ApplyAnswer)[-1].peer == 2


def test_levers_for_what_there_is_not() -> None:
    pbx = Lab().pbx
    for lever in (pbx.hang_up, pbx.reoffer, pbx.forget_call, pbx.park, pbx.lose_registration):
        with pytest.raises(KeyError):
            lever(0.0, "nothing")
    with pytest.raises(KeyError):
        pbx.set_dnd(0.0, "nobody", True)


def test_nobody_can_be_parked_who_is_not_there() -> None:
    lab = Lab()
    anna = lab.client("46")
    anna.dial("600")
    with pytest.raises(ValueError, match="nobody"):
        lab.pbx.park(lab.now, "c1")
