"""Calls between clients: who rings, who is told what, how it ends. Frames as PROTOCOL.md has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.core.kit import ANSWER, CHROMIUM, OFFER, Client, Lab, config, conversation
from vodiabot.sim.core import effects as e
from vodiabot.sim.core.calls import NO_ANSWER_YET, RING_TIMEOUT

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])

# --- from the call to the pick-up ------------------------------------------------------------------------------------


def test_classic_answers_the_offer() -> None:
    lab = Lab(config("classic"))
    anna, bruno = lab.client("46"), lab.client("47")
    assert [frame["action"] for frame in anna.dial("47")] == ["user-state", "user-state"], "both are busy now"
    assert lab.media_of(e.MakeAnswer) == [e.MakeAnswer("leg1", 1, OFFER)]
    invite = bruno.invite()
    assert invite["invitesdp"].startswith("v=0")
    assert invite["from"] == '"Anna" <sip:46@localhost>'
    assert (invite["from-user"], invite["from-number"], invite["from-display"]) == ("46", "46", "Anna")
    assert (invite["to-user"], invite["to"], invite["group"]) == ("47", "<sip:47@localhost>", "")
    assert invite["callid"] not in ("c1", lab.calls[0]["id"])
    bruno.say("sip-ringing", callid=invite["callid"], cseq=invite["cseq"])
    assert (anna.codes, anna.of("sdp")) == ([180], [""])
    bruno.answer()
    assert anna.codes == [180, 200]
    assert "setup:active" in anna.of("sdp")[-1]
    assert lab.media_of(e.ApplyAnswer) == [e.ApplyAnswer("leg2", 1, ANSWER)]
    assert (lab.hears("c1"), lab.hears(invite["callid"])) == ("47", "46")
    assert {leg["state"] for leg in lab.legs} == {"up"}


def test_modern_makes_an_offer_of_its_own() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.say("own-calls", subscribe=True)
    anna.dial("47")
    assert lab.media_of(e.MakeAnswer) == [], "our SDP is not used"
    anna.say("ice-candidate", callid="c1", candidate={"candidate": "candidate:1 1 udp 1 192.0.2.9 9 typ host"})
    assert lab.media_of(e.AddCandidate) == [], "nor are its candidates"
    assert (lab.hears("c1"), lab.hears(bruno.invite()["callid"])) == ("ringback", "silence")
    bruno.say("sip-ringing", callid=bruno.invite()["callid"])
    offer = next(frame for frame in anna.frames if "sdp" in frame)
    assert (offer["code"], offer["sdp"]["type"], offer["callid"]) == (183, "offer", "c1")
    assert "actpass" in offer["sdp"]["sdp"]
    anna.answer("c1")
    anna.say("ice-candidate", callid="c1", candidate={"candidate": "candidate:1 1 udp 1 192.0.2.9 9 typ host"})
    assert len(lab.media_of(e.AddCandidate)) == 1
    bruno.answer()
    assert anna.codes == [183], "that it was picked up says call-state alone"
    entry = anna.entry()
    assert entry is not None
    assert (entry["state"], bool(entry["connect"])) == ("connected", True)
    assert lab.hears("c1") == "47"


@BOTH
@pytest.mark.parametrize("useragent", [CHROMIUM, ""])
def test_a_browser_gets_one_answer_as_a_string_and_candidates_after_it(dialect: str, useragent: str) -> None:
    lab = Lab(config(dialect))
    page, bruno = lab.client("46", useragent=useragent, registered=False), lab.client("47")
    page.dial("47")
    bruno.say("sip-ringing", callid=bruno.invite()["callid"])
    bruno.answer()
    told = [frame for frame in page.frames if frame.get("sdp") or frame.get("candidate")]
    if useragent or dialect == "classic":
        assert [isinstance(frame.get("sdp") or frame["candidate"], str) for frame in told] == [True] * len(told)
        assert "setup:active" in told[0]["sdp"]
    else:
        assert told[0]["sdp"]["type"] == "offer"
    assert [bool(frame.get("sdp")) for frame in told] == [True] + [False] * (len(told) - 1)
    assert len(told) > 1


def test_browsers_can_be_treated_as_the_dialect_says() -> None:
    lab = Lab(config(browsers_offer=False))
    page = lab.client("46", useragent=CHROMIUM)
    page.dial("600")
    assert page.of("sdp")[0]["type"] == "offer"


def test_an_old_pbx_marks_its_answer_actpass_and_drops_the_mid_but_not_to_browsers() -> None:
    lab = Lab(config("classic", sloppy_setup=True))
    old, page = lab.client("46"), lab.client("47", useragent=CHROMIUM)
    old.dial("600", "c1")
    page.dial("600", "c2")
    assert "a=setup:actpass" in old.of("sdp")[-1]
    assert "a=mid" not in old.of("sdp")[-1]
    assert "a=setup:active" in page.of("sdp")[-1]


@BOTH
def test_candidates_never_come_before_their_description(dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    assert not anna.of("candidate")
    assert [("invitesdp" in f, "candidate" in f) for f in bruno.frames[-2:]] == [(True, False), (False, True)]
    adr = [frame.get("adr") for frame in bruno.frames if "candidate" in frame]
    assert adr == [[["192.0.2.1", 5001]] if dialect == "modern" else None]


@pytest.mark.parametrize("to", ["47", "47@localhost", "sip:47@localhost", '"Bruno" <sip:47@localhost>', 47])
def test_ways_to_write_a_number(to: Any) -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial(to)
    assert bruno.invite()["from-user"] == "46"


@pytest.mark.parametrize("sdp", [OFFER, {"type": "offer", "sdp": OFFER}])
def test_an_offer_as_text_or_object(sdp: Any) -> None:
    lab = Lab(config("classic"))
    lab.client("46").say("sdp-packet", to="600", callid="c", sdp=sdp)
    assert lab.media_of(e.MakeAnswer)[0].offer == OFFER


def test_the_pbx_may_bring_a_call_id_of_its_own() -> None:
    lab = Lab(config(rename_calls=True))
    anna, _ = lab.client("46"), lab.client("47", registered=False)
    anna.dial("600")
    name = anna.frames[-1]["callid"]
    assert name != "c1"
    anna.answer(name)
    assert [leg["callid"] for leg in lab.legs] == [name]
    anna.say("sip-bye", callid="c1", caller="true")
    assert not lab.legs, "the old name is still known"


def test_415_for_who_takes_our_offer_for_an_answer() -> None:
    lab = Lab()
    anna = lab.client("46")
    anna.dial("600")
    lab.wait(NO_ANSWER_YET - 0.1)
    assert lab.legs
    lab.wait(0.2)
    assert [(frame["code"], frame["callid"]) for frame in anna.frames if "bye" in frame] == [(415, "c1")]
    assert not lab.legs


def test_415_at_the_pick_up_where_the_offer_has_long_been_out() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    bruno.say("sip-ringing")
    lab.wait(NO_ANSWER_YET + 1)
    assert len(lab.legs) == 2, "before the pick-up there is time"
    bruno.answer()
    assert [frame["code"] for frame in anna.frames if "bye" in frame] == [415]
    assert bruno.of("bye") == ["true"]


def test_one_acknowledgement_by_the_caller_alone() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.say("sip-ack", callid="c1")
    assert lab.logged("warning") == []
    anna.say("sip-ack", callid="c1")
    bruno.say("sip-ack")
    assert ["before" in line or "nothing to" in line for line in lab.logged("warning")] == [True, True]


# --- several phones --------------------------------------------------------------------------------------------------


@BOTH
def test_all_phones_ring_the_first_answer_wins_the_others_are_cancelled(dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, desk, app = lab.client("46"), lab.client("47"), lab.client("47")
    lab.client("47", registered=False)
    anna.dial("47")
    assert desk.invite()["callid"] != app.invite()["callid"]
    app.answer()
    assert [frame["callid"] for frame in desk.frames if "cancel" in frame] == [desk.invite()["callid"]]
    assert not app.of("cancel")
    assert lab.pbx.snapshot()["awaited"] == {desk.invite()["callid"]: "cancel-response"}
    desk.say("cancel-response")
    assert lab.pbx.snapshot()["awaited"] == {}
    desk.answer()
    assert len(lab.legs) == 2, "too late"
    assert lab.logged("warning") == []


def test_a_group_rings_its_members_and_says_so() -> None:
    lab = Lab()
    clara, anna, bot = lab.client("48"), lab.client("46"), lab.client("45")
    clara.dial("700")
    assert (anna.invite()["group"], bot.invite()["group"]) == ("700", "700")
    assert anna.invite()["to-user"] == "700"
    anna.say("sip-busy", callid=anna.invite()["callid"], cseq=1, code=486)
    assert len(lab.calls) == 1, "the other one still rings"
    bot.answer()
    assert {leg["user"] for leg in lab.legs} == {"45", "48"}


def test_a_caller_does_not_ring_his_own_socket_but_his_other_ones() -> None:
    lab = Lab()
    one, other = lab.client("46"), lab.client("46")
    one.dial("46")
    assert not one.of("invitesdp")
    assert len(other.of("invitesdp")) == 1


@BOTH
@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("sip-busy", {"code": 486}, 486),
        ("sip-busy", {"code": "603"}, 603),
        ("sip-busy", {}, 486),
        ("sip-bye", {"caller": "false"}, 486),
        ("sip-bye", {}, 486),
    ],
)
def test_the_last_refusal_reaches_the_caller(action: str, fields: dict[str, Any], code: int, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    bruno.say(action, **fields)  # without a call-id: the newest
    frame = [frame for frame in anna.frames if "sdp" in frame][-1]
    assert (frame["code"], frame["sdp"], bool(frame["reason"])) == (code, "", True)
    assert not lab.legs
    assert not lab.calls
    anna.say("sip-ack", callid="c1")
    assert lab.logged("warning") == []


def test_603_ends_it_for_all_486_for_one() -> None:
    lab = Lab()
    anna, desk, app = lab.client("46"), lab.client("47"), lab.client("47")
    anna.dial("47")
    desk.say("sip-busy", code=486)
    assert app.of("cancel") == []
    app.say("sip-busy", code=486)
    anna.dial("47", "c2")
    desk.say("sip-busy", code=603)
    assert len(app.of("cancel")) == 1
    assert anna.codes == [486, 603]


@pytest.mark.parametrize(("to", "code"), [("999", 404), ("48", 480), ("+4930123456", 404)])
def test_nobody_there(to: str, code: int) -> None:
    lab = Lab()
    anna = lab.client("46")
    lab.client("48", registered=False)
    anna.dial(to)
    assert anna.codes == [code]
    assert not lab.calls


def test_nobody_answers() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    for _ in range(int(RING_TIMEOUT) // 30 + 1):
        lab.wait(30)
        for client in (anna, bruno):
            client.say("sip-register", useragent="test")
    assert anna.codes[-1] == 480
    assert bruno.of("cancel")
    assert not lab.calls


@BOTH
def test_a_long_call_does_not_end_by_itself(dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    anna.dial("600", "c2")
    anna.answer("c2")
    for _ in range(200):
        lab.wait(30)
        for client in (anna, bruno):
            client.say("avoid-disconnect")
    assert len(lab.legs) == 3


# --- giving up, hanging up -------------------------------------------------------------------------------------------


def test_the_caller_gives_up() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    anna.say("sip-bye", callid="c1", caller="true")
    assert len(bruno.of("cancel")) == 1
    assert not anna.of("bye"), "it is over by its own word"
    assert not lab.calls
    bruno.answer()
    anna.say("sip-bye", callid="c1", caller="true")
    assert lab.logged("warning") == [], "what crosses is no mistake"


@BOTH
@pytest.mark.parametrize("by", ["caller", "callee"])
@pytest.mark.parametrize("named", [True, False])
def test_a_hang_up_ends_both_and_awaits_the_response(by: str, named: bool, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    ids = {anna: "c1", bruno: bruno.invite()["callid"]}
    ender, other = (anna, bruno) if by == "caller" else (bruno, anna)
    ender.say("sip-bye", **({"callid": ids[ender], "caller": "true"} if named else {}))
    [bye] = [frame for frame in other.frames if "bye" in frame]
    assert (bye["bye"], bye["callid"], "code" in bye) == ("true", ids[other], False)
    assert not lab.legs
    assert {effect.leg for effect in lab.media_of(e.CloseMedia)} == {"leg1", "leg2"}
    assert lab.pbx.snapshot()["awaited"] == {ids[other]: "bye-response"}
    other.say("bye-response", callid=ids[other], cseq=bye["cseq"])
    assert lab.pbx.snapshot()["awaited"] == {}
    lab.wait(6)
    assert lab.logged("warning") == []


def test_a_bye_that_is_not_answered_is_told() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.say("sip-bye", callid="c1")
    bruno.say("bye-response", cseq=99)
    assert "cseq" in lab.logged("warning")[-1]
    lab.wait(6)
    assert "bye-response" in lab.logged("warning")[-1]
    assert lab.pbx.snapshot()["awaited"] == {}


def test_the_pbx_hangs_up() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    lab.do(lambda now: lab.pbx.hang_up(now, "c1"))
    assert anna.of("bye") == bruno.of("bye") == ["true"]
    assert not lab.legs


def test_the_pbx_stops_one_phone_that_rings() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    lab.do(lambda now: lab.pbx.hang_up(now, bruno.invite()["callid"]))
    assert bruno.of("cancel")
    assert anna.codes == [480]


# --- frames that make no sense ---------------------------------------------------------------------------------------


def fresh(lab: Lab) -> Client:
    client = lab.client("46")
    client.dial("600", "mine")
    client.answer("mine")
    return client


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ({"action": "sdp-packet", "callid": "c", "sdp": OFFER}, "to"),
        ({"action": "sdp-packet", "callid": "c", "to": "600"}, "sdp"),
        ({"action": "sdp-packet", "callid": "c", "to": "600", "sdp": "hello"}, "sdp"),
        ({"action": "sdp-packet", "callid": "mine", "to": "600", "sdp": OFFER}, "in use"),
        ({"action": "sdp-packet", "callid": "x" * 300, "to": "600", "sdp": OFFER}, "too long"),
        ({"action": "sip-bye", "callid": "other"}, "no call other"),
        ({"action": "sdp-200ok", "callid": "mine", "sdp": ANSWER}, "no offer"),
        ({"action": "sdp-200ok", "callid": "mine"}, "sdp"),
        ({"action": "sip-busy", "callid": "mine", "code": 486}, "the call is up"),
        ({"action": "sip-ringing", "callid": "mine"}, "the call is up"),
        ({"action": "wrtc-hold", "callid": "mine"}, "holdcmd"),
        ({"action": "wrtc-hold", "callid": "mine", "holdcmd": "inactive"}, "holdcmd"),
        ({"action": "ice-candidate", "callid": "mine", "candidate": 5}, "candidate"),
        ({"action": "blind-transfer2", "id": "mine"}, "to"),
        ({"action": "blind-transfer2", "id": "nothing", "to": "47"}, "no call nothing"),
        ({"action": "att-transfer", "id": "mine", "id2": "mine"}, "id2"),
        ({"action": "chat", "dest": "999", "message": "x"}, "dest"),
        ({"action": "bye-response", "callid": "mine"}, "nobody has asked"),
        ({"action": "blf", "add": "500"}, "add"),
        ({"action": "dance"}, "not known"),
        ({"action": 5}, "no action"),
        ([], "no JSON object"),
    ],
)
def test_it_is_logged_and_changes_nothing(frame: Any, why: str) -> None:
    import json

    lab = Lab()
    client = fresh(lab)
    before = lab.pbx.snapshot()
    assert client.send(json.dumps(frame)) == []
    assert why in lab.logged("warning")[-1]
    assert lab.pbx.snapshot() == before


def test_a_leg_is_its_own_users_alone() -> None:
    lab = Lab()
    fresh(lab)
    other = lab.client("47")
    other.say("sip-bye", callid="mine")
    assert len(lab.legs) == 1
    assert "there is no call" in lab.logged("warning")[-1]


def test_who_has_ended_a_call_says_no_more_of_it() -> None:
    lab = Lab()
    client = fresh(lab)
    client.say("sip-bye", callid="mine")
    for late in ("ice-candidate", "sip-bye", "sip-ack"):
        client.say(late, callid="mine", candidate=None)
    assert lab.logged("warning") == [], "these may cross"
    client.say("wrtc-hold", callid="mine", holdcmd="sendonly")
    assert "is over" in lab.logged("warning")[-1]
    other = lab.client("47")
    client.dial("47", "c2")
    other.say("sip-busy")
    other.say("sip-ringing")
    assert len(lab.logged("warning")) == 2


def test_an_invite_can_not_be_answered_before_it_is_sent() -> None:
    lab = Lab(media=False)
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    bruno.say("sdp-200ok", sdp=ANSWER)
    assert [leg["state"] for leg in lab.legs] == ["trying", "offered"]


@BOTH
def test_an_sdp_that_can_not_be_used_is_488(dialect: str) -> None:
    lab = Lab(config(dialect), media=False)
    anna = lab.client("46")
    anna.dial("600")
    lab.do(lambda now: lab.pbx.news(now, e.MediaFailed("leg1", 1, "no common codec")))
    assert 488 in anna.codes + [frame.get("code") for frame in anna.frames if "bye" in frame]
    assert not lab.legs


def test_news_of_an_old_peer_or_an_unknown_leg_changes_nothing() -> None:
    lab = Lab()
    anna, _ = conversation(lab)
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    before = lab.pbx.snapshot()
    for news in (e.MediaLost("leg1", 1), e.MediaFailed("leg1", 1, "x"), e.MediaUp("leg9", 1)):
        assert lab.do(lambda now, news=news: lab.pbx.news(now, news)) == []  # type: ignore[misc]
    assert lab.pbx.snapshot() == before
