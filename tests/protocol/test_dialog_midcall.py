"""Answered calls: hold, resume, re-offers, transfers, lost media (PROTOCOL.md section 4)."""

from __future__ import annotations

import pytest

from vodiabot.protocol import messages as m
from vodiabot.protocol import steps as s
from vodiabot.protocol.dialects import Dialect
from vodiabot.protocol.dialog import State

from .script import CLASSIC, MODERN, Script, answer, calling, incoming, offer, up

HELD = [
    "Hold call_id=c1 side=caller",
    "SetSending sending=False",
    "LegChanged what=held",
    "Settled intent=hold",
]
RESUMED = ["SetSending sending=True", "LegChanged what=resumed", "Settled intent=resume"]
BACK = ["Resume call_id=c1 side=caller sdp=<our-offer-2>"]


# --- hold and resume ----------------------------------------------------------------------------------------


def test_classic_hold_and_resume_with_a_new_offer() -> None:
    leg = up(CLASSIC)
    assert leg.want(s.WantHold()) == HELD
    assert leg.dialog.held
    assert leg.wait(600) == []
    assert leg.want(s.WantResume()) == ["MakeOffer generation=2"]
    assert leg.found(2, "candidate:ours") == []
    assert leg.offer_made(2) == [*BACK, "SendCandidate call_id=c1 candidate=candidate:ours"]
    assert leg.dialog.held
    assert leg.sdp(answer("a2", ufrag="new")) == ["ApplyAnswer generation=2 answer=<a2>", *RESUMED]
    assert not leg.dialog.held
    assert leg.media_up(2) == []
    assert leg.wait(600) == []


def test_resume_answered_with_actpass_of_a_new_connection() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    assert leg.sdp(offer("a2", ufrag="new"))[0] == "ApplyAnswer generation=2 answer=<a2>"


def test_resume_with_an_offer_whose_media_comes_up_without_a_frame() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    assert leg.media_up(2) == RESUMED


def test_resume_with_an_offer_that_nobody_answers() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    assert leg.wait(9.9) == []
    assert leg.wait(0.2) == [
        "SetSending sending=False",
        "Settled intent=resume error=the PBX did not answer the offer",
    ]
    assert leg.dialog.held
    assert leg.wait(60) == []
    assert leg.want(s.WantResume()) == ["MakeOffer generation=3"]


def test_resume_with_an_offer_that_is_refused() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    assert leg.sdp(code=488)[-1] == "Settled intent=resume error=the PBX refused with 488 code=488"


def test_resume_whose_offer_cannot_be_made() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.media_failed(2, "offer")[-1] == "Settled intent=resume error=no common codec"
    assert leg.dialog.state.value == "held"


def test_resumed_but_the_media_does_not_come_up() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    leg.sdp(answer("a2", ufrag="new"))
    assert leg.wait(11)[:2] == ["HangUp call_id=c1 caller=True", "LegEnded reason=media_failed"]


def test_modern_resume_without_sdp_and_without_an_answer() -> None:
    leg = up(MODERN, "incoming")
    assert leg.want(s.WantHold())[0] == "Hold call_id=c1 side=callee"
    assert leg.want(s.WantResume()) == ["Resume call_id=c1 side=callee", "SetSending sending=True"]
    assert leg.wait(1.1) == RESUMED
    assert leg.wait(600) == []


@pytest.mark.parametrize("text", ["", answer("a2")])
def test_modern_resume_answered_at_once(text: str) -> None:
    """By a code alone, or by an SDP that is called an answer."""
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.sdp(text, code=200, sdp_type="answer") == RESUMED


def test_modern_resume_answered_by_the_pbxs_own_offer() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.sdp(offer("re", ufrag="new"), cseq=5) == ["MakeAnswer generation=3 offer=<re>"]
    assert leg.answer_made(3) == ["AcceptCall call_id=c1 sdp=<our-answer-3> cseq=5", *RESUMED]


def test_modern_resume_refused() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.hears(m.Informational(kind="response", call_id="c1", code=481)) == [
        "SetSending sending=False",
        "Settled intent=resume error=the PBX refused with 481 code=481",
    ]
    assert leg.dialog.held


def test_either_way_can_be_asked_for() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    assert leg.want(s.WantResume(new_offer=True)) == ["MakeOffer generation=3"]
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    assert leg.want(s.WantResume(new_offer=False))[0] == "Resume call_id=c1 side=caller"


def test_a_resume_without_media_needs_an_offer() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    assert leg.media_lost(2) == []
    assert leg.wait(60) == []
    assert leg.want(s.WantResume()) == ["MakeOffer generation=3"]


def test_the_pbx_answers_our_hold_with_an_offer() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    assert leg.sdp(offer("re", direction="recvonly"), cseq=3) == ["MakeAnswer generation=1 offer=<re>"]
    assert leg.answer_made(1) == ["AcceptCall call_id=c1 sdp=<our-answer-1> cseq=3"]
    assert not leg.dialog.held_by_remote


def test_hold_again_while_media_recovers_drops_our_offer() -> None:
    leg = up(CLASSIC)
    leg.media_lost(1)
    assert leg.want(s.WantHold()) == HELD
    assert leg.offer_made(2) == []
    assert leg.wait(60) == []


# --- the PBX's re-offers ------------------------------------------------------------------------------------


def test_a_re_offer_of_the_same_connection() -> None:
    leg = up()
    assert leg.sdp(offer("re"), cseq=2) == ["MakeAnswer generation=1 offer=<re>"]
    assert leg.answer_made(1) == ["AcceptCall call_id=c1 sdp=<our-answer-1> cseq=2"]
    assert leg.sdp(offer("re"), cseq=2) == []
    assert leg.wait(60) == []


def test_a_re_offer_of_another_connection() -> None:
    leg = up()
    assert leg.sdp(offer("re", ufrag="new"), cseq=2) == ["MakeAnswer generation=2 offer=<re>"]
    assert leg.answer_made(2) == ["AcceptCall call_id=c1 sdp=<our-answer-2> cseq=2"]
    assert leg.wait(11)[1] == "LegEnded reason=media_failed"


def test_the_same_text_with_another_cseq_is_another_offer() -> None:
    leg = up()
    leg.sdp(offer("re"), cseq=2)
    leg.answer_made(1)
    assert leg.sdp(offer("re"), cseq=3) == ["MakeAnswer generation=1 offer=<re>"]


def test_without_cseq_the_pbx_may_come_back_to_an_older_offer() -> None:
    leg = up()
    for text in (offer("a"), offer("b"), offer("a")):
        assert leg.sdp(text) != []
        assert leg.sdp(text) == []
        leg.answer_made(1)
        assert leg.sdp(text) == []


def test_a_second_re_offer_waits_for_the_first() -> None:
    leg = up()
    leg.sdp(offer("a"), cseq=2)
    assert leg.sdp(offer("b", ufrag="new"), cseq=3) == []
    assert leg.answer_made(1) == [
        "AcceptCall call_id=c1 sdp=<our-answer-1> cseq=2",
        "MakeAnswer generation=2 offer=<b>",
    ]
    assert leg.answer_made(2) == ["AcceptCall call_id=c1 sdp=<our-answer-2> cseq=3"]


def test_a_re_offer_that_cannot_be_answered() -> None:
    leg = up()
    leg.sdp(offer("re"))
    assert leg.media_failed(1, "answer") == []
    assert leg.wait(60) == []
    leg.sdp(offer("re2", ufrag="new"))
    assert leg.media_failed(2, "answer")[1] == "LegEnded reason=media_failed"


def test_duplicates_of_the_answer_in_mid_call() -> None:
    leg = up()
    assert leg.sdp(answer("first"), code=200, cseq=1) == []
    leg = up(MODERN)
    assert leg.sdp(offer("first"), code=200, cseq=1) == []


# --- glare --------------------------------------------------------------------------------------------------


def test_glare_while_our_offer_is_out() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    leg.offer_made(2)
    assert leg.sdp(offer("theirs"), cseq=2) == ["MakeAnswer generation=3 offer=<theirs>"]
    assert leg.answer_made(3) == ["AcceptCall call_id=c1 sdp=<our-answer-3> cseq=2"]
    leg.media_up(3)
    assert leg.wait(1.9) == []
    assert leg.wait(0.2) == ["MakeOffer generation=4"]
    leg.offer_made(4)
    assert leg.sdp(answer("a4", ufrag="new"))[1:] == RESUMED


def test_glare_while_our_offer_is_made() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.sdp(offer("theirs"), cseq=2) == ["MakeAnswer generation=3 offer=<theirs>"]
    assert leg.offer_made(2) == []
    assert leg.wait(2.1) == []  # theirs is not answered yet
    leg.answer_made(3)
    assert leg.wait(2.1) == ["MakeOffer generation=4"]


def test_a_resume_while_we_answer_an_offer_of_the_pbx_comes_after_the_answer() -> None:
    leg = up()
    leg.want(s.WantHold())
    leg.sdp(offer("theirs"), cseq=5)
    leg.sdp(offer("next"), cseq=6)
    assert leg.want(s.WantResume()) == []
    assert leg.answer_made(1)[-1] == "MakeAnswer generation=1 offer=<next>"
    assert leg.answer_made(1) == ["AcceptCall call_id=c1 sdp=<our-answer-1> cseq=6", "MakeOffer generation=2"]
    assert leg.offer_made(2) == ["Resume call_id=c1 side=caller sdp=<our-offer-2>"]
    leg.sdp(answer("taken", ufrag="new"), code=200, cseq=7)
    assert leg.dialog.state is State.UP


def test_a_modern_pbx_answers_our_offer_with_its_own() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantResume(new_offer=True))
    leg.offer_made(3)
    assert leg.sdp(offer("theirs", ufrag="new")) == ["MakeAnswer generation=4 offer=<theirs>"]
    assert leg.answer_made(4)[1:] == RESUMED
    leg.media_up(4)
    assert leg.wait(60) == []


# --- held by the other side ---------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
def test_held_by_the_other_side_by_a_re_offer(direction: str) -> None:
    leg = up()
    assert leg.sdp(offer("re", direction=direction), cseq=2)[0] == "LegChanged what=held_by_remote"
    assert leg.dialog.held_by_remote
    assert leg.lists(state="connected") == []
    assert leg.sdp(offer("re2"), cseq=3)[0] == "LegChanged what=resumed_by_remote"
    assert not leg.dialog.held_by_remote


def test_held_by_the_other_side_by_call_state() -> None:
    leg = up()
    assert leg.lists(state="onhold") == ["LegChanged what=held_by_remote"]
    assert leg.lists(state="onhold") == []
    assert leg.lists(state="connected") == ["LegChanged what=resumed_by_remote"]


def test_our_own_hold_is_not_taken_for_the_other_sides() -> None:
    leg = up()
    leg.want(s.WantHold())
    for state in ("onhold", "holding", "connected"):
        assert leg.lists(state=state) == []
    assert not leg.dialog.held_by_remote


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_we_take_back_who_holds_us_too(dialect: Dialect) -> None:
    leg = up(dialect)
    leg.want(s.WantHold())
    leg.want(s.WantResume(new_offer=False))
    for state in ("holding", "onhold"):
        assert leg.lists(state=state) == []
    leg.wait(1)
    assert leg.dialog.state is State.UP
    assert leg.dialog.held_by_remote
    assert leg.lists(state="connected") == ["LegChanged what=resumed_by_remote"]


# --- transfer -----------------------------------------------------------------------------------------------


def test_a_transfer_that_is_taken() -> None:
    leg = up()
    assert leg.want(s.WantTransfer(to="500")) == ["BlindTransfer id=c1 from_=45 to=500"]
    assert leg.bye(cseq=8) == [
        "AnswerBye call_id=c1 cseq=8",
        "Settled intent=transfer",
        "LegEnded reason=transferred",
        "CloseMedia",
    ]


def test_a_transfer_that_call_state_shows_as_taken() -> None:
    leg = up()
    leg.want(s.WantTransfer(to="500"))
    assert leg.lists(state="connected", extensions=("45",)) == []
    assert leg.lists(state="ringing", extensions=("500",), from_number="46", to_number="500") == [
        "Settled intent=transfer",
        "LegEnded reason=transferred",
        "CloseMedia",
    ]
    assert leg.bye() == ["AnswerBye call_id=c1"]


@pytest.mark.parametrize(
    "message",
    [
        m.Sdp(call_id="c1", sdp="", code=404),
        m.Informational(kind="response", call_id="c1", code=404),
    ],
)
def test_a_transfer_that_is_refused_and_the_call_comes_back(message: m.Message) -> None:
    leg = up(CLASSIC)
    leg.want(s.WantTransfer(to="500"))
    assert leg.hears(message) == [
        "LegChanged what=transfer_refused",
        "Settled intent=transfer error=the PBX refused with 404 code=404",
        "MakeOffer generation=2",
    ]
    assert leg.offer_made(2) == BACK
    assert leg.sdp(answer("a2", ufrag="new")) == ["ApplyAnswer generation=2 answer=<a2>"]
    assert leg.media_up(2) == []
    assert leg.wait(60) == []


def test_a_transfer_of_which_nothing_is_heard() -> None:
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantTransfer(to="500"))
    assert leg.wait(9.9) == []
    assert leg.wait(0.2) == [
        "LegChanged what=transfer_refused",
        "Settled intent=transfer error=nothing was heard of the transfer",
        "SetSending sending=True",
        "LegChanged what=resumed",
        "Resume call_id=c1 side=caller",
    ]
    assert not leg.dialog.held
    assert leg.want(s.WantTransfer(to="501")) == ["BlindTransfer id=c1 from_=45 to=501"]


def test_a_refused_transfer_whose_resume_fails() -> None:
    leg = up(CLASSIC)
    leg.want(s.WantTransfer(to="500"))
    leg.sdp(code=404)
    leg.offer_made(2)
    assert leg.wait(11)[:2] == ["HangUp call_id=c1 caller=True", "LegEnded reason=media_lost"]


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_a_resume_while_the_socket_is_away_keeps_the_connection_that_there_is(dialect: Dialect) -> None:
    leg = up(dialect)
    leg.want(s.WantHold())
    leg.socket_lost()
    assert leg.want(s.WantResume()) == ["Settled intent=resume error=connection lost"]
    assert leg.dialog.state is State.HELD
    leg.dialog.socket_back(leg.now)
    leg.want(s.WantResume())
    assert leg.dialog.state is State.RESUMING


def _just_answered(direction: str) -> Script:
    """The audio is on its way up."""
    if direction == "incoming":
        leg = incoming()
        leg.want(s.WantAnswer())
        leg.answer_made(1)
    else:
        leg = calling()
        leg.sdp(answer("a1"), code=200)
    return leg


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_audio_that_is_on_its_way_up_needs_no_socket(direction: str) -> None:
    leg = _just_answered(direction)
    assert leg.socket_lost() == []
    leg.media_up(1)
    assert leg.dialog.state is State.UP
    assert leg.wait(100) == []
    assert "LegEnded reason=connection_lost" in leg.media_lost(1)


def test_audio_that_does_not_come_up_while_the_socket_is_away() -> None:
    leg = _just_answered("outgoing")
    leg.socket_lost()
    assert leg.wait(9.9) == []
    assert "LegEnded reason=connection_lost" in leg.wait(0.2)


def test_the_socket_dies_before_the_answer_is_out() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    assert leg.socket_lost() == ["LegEnded reason=connection_lost", "CloseMedia"]
    leg = calling(MODERN)
    leg.sdp(offer("first"), code=200)
    assert leg.socket_lost() == ["HangUp call_id=c1 caller=True", "LegEnded reason=connection_lost", "CloseMedia"]


def test_a_join_that_is_taken_or_refused() -> None:
    leg = up()
    leg.want(s.WantHold())
    assert leg.want(s.WantJoin(other_call_id="c2", to="500")) == [
        "AttendedTransfer id=c1 from_=45 id2=c2 to=500"
    ]
    assert leg.wait(10.1) == [
        "LegChanged what=transfer_refused",
        "Settled intent=join error=nothing was heard of the transfer",
    ]
    assert leg.dialog.held
    leg.want(s.WantJoin(other_call_id="c2", to="500"))
    assert leg.bye()[1:] == ["Settled intent=join", "LegEnded reason=transferred", "CloseMedia"]


def test_the_other_leg_of_a_join_hears_a_bye_or_call_state() -> None:
    leg = up()
    assert leg.want(s.WantJoined()) == []
    assert leg.bye()[1:] == ["Settled intent=join", "LegEnded reason=transferred", "CloseMedia"]
    for want in (s.WantJoined(), s.WantJoin(other_call_id="c2", to="500")):
        leg = up()
        leg.want(want)
        assert leg.lists(state="connected", extensions=("45", "46")) == []
        gone = leg.lists(state="connected", extensions=("46", "500"))
        assert gone == ["Settled intent=join", "LegEnded reason=transferred", "CloseMedia"]


def test_the_other_leg_of_a_join_is_as_before_when_that_is_refused() -> None:
    leg = up()
    leg.want(s.WantJoined())
    leg.want(s.WantJoinUndone())
    assert leg.dialog.state is State.UP
    leg.want(s.WantHold())
    leg.want(s.WantJoined())
    assert leg.wait(12.1) == [
        "LegChanged what=transfer_refused",
        "Settled intent=join error=nothing was heard of the transfer",
    ]
    assert leg.dialog.state is State.HELD


def test_audio_that_was_lost_during_a_join_is_asked_back_when_that_is_refused() -> None:
    leg = up()
    leg.want(s.WantJoin(other_call_id="c2", to="500"))
    assert leg.media_lost(1) == []
    assert leg.sdp(code=603)[-1] == "MakeOffer generation=2"
    assert leg.wait(11)[-2:] == ["LegEnded reason=media_lost", "CloseMedia"]


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("want", [s.WantTransfer(to="500"), s.WantJoin(other_call_id="c2", to="500")])
def test_a_bye_with_an_error_during_a_transfer_is_no_refusal(want: s.Intent, goes_on: bool) -> None:
    """The caller is gone; whether by his own hand is told by call-state."""
    leg = up()
    leg.want(want)
    assert leg.bye(code=503) == [
        "AnswerBye call_id=c1",
        "LegEnded reason=remote_hangup code=503 presumed=True",
        "CloseMedia",
    ]
    assert leg.lists(state="connected", extensions=("45",)) == [], "the list is of before"
    if goes_on:
        assert leg.lists(state="connected", extensions=("46",)) == ["EndKnown reason=transferred"]
    assert leg.wait(60) == ([] if goes_on else ["EndKnown reason=remote_hangup"])


# --- small things -------------------------------------------------------------------------------------------


def test_mute_and_recording() -> None:
    leg = up()
    assert leg.want(s.WantMute(on=True)) == ["Mute call_id=c1 muted=True"]
    assert leg.want(s.WantPbxRecording(on=True)) == ["RecordCall id=c1 on=True"]
    assert leg.hears(m.RecordingState(call_id="c1", on=True)) == ["LegChanged what=recording"]
    assert leg.hears(m.RecordingState(call_id="c1", on=True)) == []
    assert leg.hears(m.RecordingState(call_id="c1", on=False)) == ["LegChanged what=recording"]


def test_a_better_name() -> None:
    leg = up()
    assert leg.hears(m.CallerId(call_id="c1", name="Ann", number="46")) == ["RemoteNamed name=Ann number=46"]
    assert leg.hears(m.CallerId(call_id="c1")) == []


# --- media lost ---------------------------------------------------------------------------------------------


def test_lost_media_gets_one_new_offer() -> None:
    leg = up(CLASSIC)
    assert leg.media_lost(1) == ["LegChanged what=media_lost", "MakeOffer generation=2"]
    assert leg.media_lost(1) == []
    assert leg.offer_made(2) == BACK
    assert leg.media_lost(2) == []  # it was not up yet
    assert leg.sdp(answer("a2", ufrag="new")) == ["ApplyAnswer generation=2 answer=<a2>"]
    assert leg.media_up(2) == ["LegChanged what=media_back"]
    assert leg.wait(60) == []
    assert leg.media_lost(2) == ["LegChanged what=media_lost", "MakeOffer generation=3"]


@pytest.mark.parametrize("answered", [False, True])
def test_lost_media_that_does_not_come_back(answered: bool) -> None:
    """10 s from the loss, whatever happens meanwhile."""
    leg = up()
    leg.media_lost(1)
    leg.wait(1)
    leg.offer_made(2)
    leg.wait(4)
    if answered:
        leg.sdp(answer("a2", ufrag="new"))
    assert leg.wait(4.9) == []
    assert leg.wait(0.2) == ["HangUp call_id=c1 caller=True", "LegEnded reason=media_lost", "CloseMedia"]


def test_lost_media_in_early_media_is_repaired_after_the_answer() -> None:
    leg = calling()
    leg.sdp(answer("a1"), code=183)
    leg.media_up(1)
    assert leg.media_lost(1) == []
    leg.sdp(answer("a1"), code=200)
    assert leg.wait(11)[1] == "LegEnded reason=media_failed"


# --- the socket ---------------------------------------------------------------------------------------------


def test_an_answered_call_outlives_its_socket_while_its_media_is_up() -> None:
    leg = up()
    assert leg.socket_lost() == []
    assert leg.wait(60) == []
    assert leg.reconciled(True) == []
    assert leg.media_lost(1) == ["LegChanged what=media_lost", "MakeOffer generation=2"]
    leg = up()
    leg.socket_lost()
    assert leg.media_lost(1) == ["HangUp call_id=c1 caller=True", "LegEnded reason=connection_lost", "CloseMedia"]


@pytest.mark.parametrize("code", [None, 180])
def test_an_unanswered_call_does_not(code: int | None) -> None:
    leg = calling()
    leg.sdp(code=code)
    assert leg.socket_lost() == ["HangUp call_id=c1 caller=True", "LegEnded reason=connection_lost", "CloseMedia"]
    assert leg.socket_lost() == []


def test_what_was_asked_of_the_pbx_is_settled_with_an_error() -> None:
    leg = up()
    leg.want(s.WantTransfer(to="500"))
    assert leg.socket_lost() == ["Settled intent=transfer error=connection lost"]
    assert leg.dialog.state.value == "up"
    assert leg.wait(60) == []
    leg = up(MODERN)
    leg.want(s.WantHold())
    leg.want(s.WantResume())
    assert leg.socket_lost() == ["SetSending sending=False", "Settled intent=resume error=connection lost"]
    assert leg.dialog.held


OTHERS = {"state": "connected", "from_number": "46", "to_number": "500", "extensions": ("46",)}


@pytest.mark.parametrize("said", ["nothing", "that we have it", "by its list"])
def test_after_the_reconnect_the_pbx_shows_what_became_of_a_transfer(said: str) -> None:
    leg = up()
    leg.want(s.WantTransfer(to="500"))
    leg.socket_lost()
    assert leg.dialog.perhaps_taken
    if said == "that we have it":
        leg.lists(state="connected", extensions=("45",))
    elif said == "by its list":
        leg.reconciled(True)
    assert leg.dialog.perhaps_taken is (said == "nothing")
    taken = ["LegEnded reason=transferred", "CloseMedia"]
    assert leg.left(**OTHERS) == (taken if said == "nothing" else [])
    assert leg.lists(**OTHERS) == []


def test_absent_twice_in_a_row_after_a_reconnect() -> None:
    leg = up()
    leg.socket_lost()
    assert leg.reconciled(False) == []
    assert leg.reconciled(True) == []
    assert leg.reconciled(False) == []
    assert leg.reconciled(False) == [
        "HangUp call_id=c1 caller=True",
        "LegEnded reason=connection_lost",
        "CloseMedia",
    ]
    assert leg.reconciled(False) == []
