"""Transfers: who stays keeps its leg, who transfers gets a bye; a refused one changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sim.core.kit import Client, Lab, config, conversation, number
from vodiabot.sim.config import Service, SimConfig
from vodiabot.sim.core import effects as e

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])


def sdp_effects(lab: Lab, leg: str) -> int:
    """How often anything was done to a leg's descriptions."""
    kinds = (e.MakeOffer, e.MakeAnswer, e.ApplyAnswer)
    return len([effect for effect in lab.effects if isinstance(effect, kinds) and effect.leg == leg])


@BOTH
@pytest.mark.parametrize("action", ["blind-transfer2", "blind-transfer"])
@pytest.mark.parametrize("by", ["caller", "callee"])
def test_blind(action: str, by: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    clara = lab.client("48")
    ids = {anna: "c1", bruno: bruno.invite()["callid"]}
    mover, stays = (anna, bruno) if by == "caller" else (bruno, anna)
    leg = lab.leg(ids[stays])["id"]
    before = sdp_effects(lab, leg)
    mover.say(action, id=ids[mover], from_=mover.user, to="48")
    bye = [frame for frame in mover.frames if "bye" in frame]
    assert [(frame["callid"], "code" in frame) for frame in bye] == [(ids[mover], False)]
    assert clara.invite()["from-number"] == stays.user
    assert lab.hears(ids[stays]) == "ringback"
    clara.say("sip-ringing", callid=clara.invite()["callid"])
    clara.answer()
    assert (lab.hears(ids[stays]), lab.hears(clara.invite()["callid"])) == ("48", stays.user)
    assert sdp_effects(lab, leg) == before, "only what it hears has changed"
    assert not [frame for frame in stays.frames if "sdp" in frame or "bye" in frame]
    entry = stays.entry()
    assert entry is not None
    assert "48" in str(entry)
    mover.say("bye-response", callid=ids[mover], cseq=bye[0]["cseq"])
    clara.say("sip-bye")
    assert stays.of("bye") == ["true"]
    assert not lab.legs
    assert lab.logged("warning") == []


@BOTH
@pytest.mark.parametrize(
    ("to", "code"), [(number("refuse-transfer"), 603), (number("busy"), 486), ("999", 404), ("48", 480), ("45", 486)]
)
def test_a_refused_one_comes_back(to: str, code: int, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    lab.client("45")
    lab.do(lambda now: lab.pbx.set_dnd(now, "45", True))
    before = lab.pbx.snapshot()
    [refusal] = anna.say("blind-transfer2", id="c1", from_="46", to=to)
    assert (refusal["callid"], refusal["code"], bool(refusal["reason"])) == ("c1", code, True)
    assert lab.pbx.snapshot() == before, "the caller is on the line again"
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv")
    assert lab.hears(bruno.invite()["callid"]) == "46"


def test_to_oneself_or_to_who_is_transferred_with_no_other_phone() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    assert anna.say("blind-transfer2", id="c1", to="47")[0]["code"] == 480
    assert len(lab.legs) == 2
    anna.say("blind-transfer2", id="c1", to="46")
    assert anna.invite()["from-number"] == "47", "back to one's own phone"
    anna.answer()
    assert lab.hears(bruno.invite()["callid"]) == "46"


@BOTH
@pytest.mark.parametrize(("how", "code"), [("refuses", 486), ("is not there any more", 480), ("does not answer", 480)])
def test_once_taken_the_target_is_the_business_of_who_stays(how: str, code: int, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    clara = lab.client("48")
    anna.say("blind-transfer2", id="c1", to="48")
    if how == "refuses":
        clara.say("sip-busy", code=486)
    elif how == "is not there any more":
        clara.close()
    else:
        for _ in range(4):
            lab.wait(25)
            bruno.say("avoid-disconnect")
            clara.say("avoid-disconnect")
    assert [frame["code"] for frame in bruno.frames if "bye" in frame] == [code]
    assert not lab.legs


def test_to_a_group() -> None:
    lab = Lab(config())
    anna, bruno = conversation(lab, "48", "47")
    bot, other = lab.client("45"), lab.client("46")
    anna.say("blind-transfer2", id="c1", to="700")
    bot.answer()
    assert other.of("cancel")
    assert lab.hears(bruno.invite()["callid"]) == "45"


@pytest.mark.parametrize(
    ("kind", "first", "later"),
    [
        ("tone", "tone 1000.0", "tone 1000.0"),
        ("echo", "echo", "echo"),
        ("ring", "ringback", "tone 1000.0"),
        ("early", "ringback", "tone 1000.0"),
        ("media-stop", "tone 1000.0", "nothing"),
        ("no-answer", "ringback", "ringback"),
    ],
)
def test_to_a_service(kind: str, first: str, later: str) -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    leg = bruno.invite()["callid"]
    anna.say("blind-transfer2", id="c1", to=number(kind))
    assert anna.of("bye") == ["true"]
    assert lab.hears(leg) == first
    lab.wait(4)
    assert lab.hears(leg) == later


def test_a_service_is_transferred_to_an_extension() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("600")
    anna.answer("c1")
    anna.say("blind-transfer2", id="c1", to="47")
    assert anna.of("bye") == ["true"]
    bruno.answer()
    assert lab.hears(bruno.invite()["callid"]) == "tone 1000.0"
    bruno.say("blind-transfer2", to=number("echo"))  # no id: the newest
    assert not lab.legs, "two services have nothing to say to each other"


def test_what_a_service_had_planned_is_void_after_a_transfer() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.say("blind-transfer2", id="c1", to=number("bye"))
    bruno.say("blind-transfer2", to="600")  # at the other end is the service now: the call ends
    assert not lab.legs
    lab.wait(10)
    anna.dial(number("bye"), "c2")
    anna.answer("c2")
    clara = lab.client("48")
    anna.dial("48", "c3")
    clara.answer()
    anna.answer("c3")
    anna.say("att-transfer", id="c3", id2="c2", from_="46", to="48")
    assert lab.hears(clara.invite()["callid"]) == "tone 1000.0"
    lab.wait(2.1)
    assert clara.of("bye") == ["true"], "planned anew, for the call that it is in now"


def test_before_the_pick_up_there_is_nothing_to_transfer() -> None:
    lab = Lab()
    anna, _ = lab.client("46"), lab.client("47")
    anna.dial("47")
    anna.say("blind-transfer2", id="c1", to="600")
    assert "the call is" in lab.logged("warning")[-1]
    assert len(lab.legs) == 2


# --- attended --------------------------------------------------------------------------------------------------------


def two_calls(lab: Lab) -> tuple[Client, Client, Client]:
    """46 talks to 47 (held) and to 48."""
    anna, bruno = conversation(lab)
    clara = lab.client("48")
    anna.say("wrtc-hold", callid="c1", holdcmd="sendonly")
    anna.dial("48", "c2")
    clara.say("sip-ringing", callid=clara.invite()["callid"])
    if isinstance(anna.of("sdp")[-1], dict):
        anna.answer("c2")
    clara.answer()
    anna.frames.clear()
    return anna, bruno, clara


@BOTH
def test_attended(dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno, clara = two_calls(lab)
    at_bruno, at_clara = bruno.invite()["callid"], clara.invite()["callid"]
    assert (lab.hears(at_bruno), lab.hears(at_clara)) == ("music", "46")
    before = [sdp_effects(lab, lab.leg(name)["id"]) for name in (at_bruno, at_clara)]
    anna.say("att-transfer", id="c1", from_="46", id2="c2", to="48")
    assert sorted(frame["callid"] for frame in anna.frames if "bye" in frame) == ["c1", "c2"]
    assert (lab.hears(at_bruno), lab.hears(at_clara)) == ("48", "47")
    assert [sdp_effects(lab, lab.leg(name)["id"]) for name in (at_bruno, at_clara)] == before
    assert [(call["from"], call["to"], call["state"]) for call in lab.calls] == [("47", "48", "connected")]
    clara.say("sip-bye")
    assert bruno.of("bye") == ["true"]
    assert not lab.legs


def test_attended_with_a_hold_of_the_other_side_keeps_it() -> None:
    lab = Lab()
    anna, bruno, clara = two_calls(lab)
    bruno.say("wrtc-hold", holdcmd="sendonly")
    anna.say("att-transfer", id="c1", id2="c2")
    assert lab.hears(clara.invite()["callid"]) == "music"
    bruno.say("wrtc-hold", holdcmd="sendrecv")
    assert lab.hears(clara.invite()["callid"]) == "47"


def test_attended_before_the_second_is_answered_is_refused() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    lab.client("48")
    anna.dial("48", "c2")
    before = lab.pbx.snapshot()
    assert anna.say("att-transfer", id="c1", id2="c2")[0]["code"] == 480
    assert lab.pbx.snapshot() == before
    assert not bruno.of("bye")


def test_attended_between_a_service_and_a_person() -> None:
    lab = Lab(config("modern", Service("999", "tone", hz=440.0)))
    anna, bruno = conversation(lab)
    anna.dial("999", "c2")
    anna.answer("c2")
    anna.say("att-transfer", id="c2", id2="c1")
    assert lab.hears(bruno.invite()["callid"]) == "tone 440.0"
    assert [(call["from"], call["to"], call["service"]) for call in lab.calls] == [("47", "999", "tone")]


def test_attended_between_two_services_ends_both() -> None:
    lab = Lab()
    anna = lab.client("46")
    for to, name in (("600", "c1"), ("601", "c2")):
        anna.dial(to, name)
        anna.answer(name)
    anna.say("att-transfer", id="c1", id2="c2")
    assert len(anna.of("bye")) == 2
    assert not lab.legs
    assert not lab.calls


# --- calls of others -------------------------------------------------------------------------------------------------


def managed() -> SimConfig:
    """45 may act on everybody's calls."""
    standard = config()
    first, *others = standard.extensions
    return replace(standard, extensions=(replace(first, manages_calls=True), *others))


def test_who_manages_calls_may_act_on_one_by_its_id() -> None:
    lab = Lab(managed())
    anna, bruno = conversation(lab)
    boss, clara = lab.client("45"), lab.client("48")
    call = lab.calls[0]["id"]
    boss.say("blind-transfer2", id=call, from_="sip:47@localhost", to="48")
    assert bruno.of("bye") == ["true"]
    clara.answer()
    assert lab.hears("c1") == "48"
    boss.say("rec-call", id=call, from_="46", startstop="on")
    assert anna.actions("rec-start")
    boss.say("rec-call", id=call, startstop="off")
    assert anna.actions("rec-stop")
    boss.say("clear-call", id=call, from_="46")
    assert not lab.legs


def test_without_a_from_the_phone_that_rings_or_was_called_is_meant() -> None:
    lab = Lab(managed())
    anna, desk, boss = lab.client("46"), lab.phone("47"), lab.client("45")
    anna.dial("47")
    call = lab.calls[0]["id"]
    boss.say("accept-call", id=call)
    assert desk.state == "up"
    anna.answer("c1")
    boss.say("hold-call", id=call)
    assert desk.state == "holding"
    assert lab.hears("c1") == "music"
    boss.say("clear-call", id=call)
    assert not lab.legs


@pytest.mark.parametrize("action", ["blind-transfer2", "rec-call", "clear-call", "hold-call", "accept-call"])
def test_who_takes_no_part_in_a_call_is_told_403(action: str) -> None:
    lab = Lab()
    conversation(lab)
    boss = lab.client("45")
    before = lab.pbx.snapshot()
    call = lab.calls[0]["id"]
    [refusal] = boss.say(action, id=call, from_="47", to="600", startstop="on")
    assert (refusal["response"], refusal["id"], refusal["code"]) == (action, call, 403)
    assert lab.pbx.snapshot() == before
    lab.pbx.permit_control("45", True)
    boss.say("clear-call", id=call)
    assert not lab.legs


def test_who_takes_part_may_act_on_the_other_sides_leg() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    bruno.say("rec-call", id="c1", startstop="on")
    assert anna.actions("rec-start")
