"""Calls that we place, up to their answer: PROTOCOL.md sections 4 and 5, both dialects."""

from __future__ import annotations

import pytest

from vodiabot.protocol import messages as m
from vodiabot.protocol import steps as s
from vodiabot.protocol.dialects import Dialect

from .script import CLASSIC, MODERN, answer, calling, offer, outgoing, quick


def test_classic_from_dial_to_bye() -> None:
    leg = outgoing()
    assert leg.want(s.WantDial()) == ["MakeOffer generation=1"]
    assert leg.found(1, "candidate:early") == []
    assert leg.offer_made(1) == [
        "PlaceCall to=600 call_id=c1 sdp=<our-offer-1>",
        "SendCandidate call_id=c1 candidate=candidate:early",
    ]
    assert leg.found(1, "candidate:late") == ["SendCandidate call_id=c1 candidate=candidate:late"]
    assert leg.found(1, "") == ["SendCandidate call_id=c1"]
    assert leg.sdp(code=100) == []
    assert leg.sdp(code=180) == ["LegRinging"]
    assert leg.sdp(answer("a1"), code=183) == [
        "LegChanged what=early_media",
        "ApplyAnswer generation=1 answer=<a1>",
    ]
    assert leg.candidate("candidate:x") == ["AddCandidate generation=1 candidate=candidate:x"]
    assert leg.media_up(1) == []
    assert leg.dialog.answered_at is None
    assert leg.wait(5) == []
    assert leg.sdp(answer("a1"), code=200) == ["Acknowledge call_id=c1", "LegAnswered"]
    assert leg.dialog.answered_at == 105.0
    assert leg.lists(state="connected") == []
    assert leg.wait(3600) == []
    assert leg.bye(cseq="9") == [
        "AnswerBye call_id=c1 cseq=9",
        "LegEnded reason=remote_hangup",
        "CloseMedia",
    ]
    assert leg.bye(cseq="9") == ["AnswerBye call_id=c1 cseq=9"]
    assert leg.wait(5) == []
    assert leg.dialog.deadline is None


@pytest.mark.parametrize("text", [answer("a1"), answer("a1", setup="actpass"), answer("a1", setup="")])
def test_classic_takes_the_sdp_as_an_answer_however_it_is_marked(text: str) -> None:
    leg = calling(CLASSIC)
    assert leg.sdp(text, code=200) == [
        "ApplyAnswer generation=1 answer=<a1>",
        "Acknowledge call_id=c1",
        "LegAnswered",
    ]


def test_modern_early_media_then_200_without_sdp() -> None:
    leg = calling(MODERN)
    assert leg.candidate("candidate:early") == ["AddCandidate generation=1 candidate=candidate:early"]
    assert leg.sdp(offer("o1"), code=183, cseq=4) == [
        "LegRinging early_media=True",
        "MakeAnswer generation=2 offer=<o1>",
        "AddCandidate generation=2 candidate=candidate:early",
    ]
    assert leg.found(1, "candidate:old") == []
    assert leg.found(2, "candidate:new") == []
    assert leg.answer_made(2) == [
        "AcceptCall call_id=c1 sdp=<our-answer-2> cseq=4",
        "SendCandidate call_id=c1 candidate=candidate:new",
    ]
    assert leg.media_up(2) == []
    assert leg.sdp(code=200) == ["Acknowledge call_id=c1", "LegAnswered"]


@pytest.mark.parametrize("cseq", [4, 5, None])
def test_modern_183_then_200_with_the_same_sdp_is_answered_once(cseq: int | None) -> None:
    leg = calling(MODERN)
    leg.sdp(offer("o1"), code=183, cseq=4)
    leg.answer_made(2)
    assert leg.sdp(offer("o1"), code=200, cseq=cseq) == ["Acknowledge call_id=c1", "LegAnswered"]
    assert leg.sdp(offer("o1"), code=200, cseq=4) == []


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_connected_first_then_200_with_the_sdp_of_183(dialect: Dialect) -> None:
    leg = calling(dialect)
    text = offer("o1") if dialect is MODERN else answer("a1")
    leg.sdp(text, code=183, cseq=4)
    leg.answer_made(2)
    leg.lists(state="connected")
    assert leg.sdp(text, code=200, cseq=5) == []


def test_connected_first_then_an_offer_of_a_classic_pbx() -> None:
    leg = calling(CLASSIC)
    leg.sdp(answer("a1"), code=183)
    leg.lists(state="connected")
    assert leg.sdp(offer("re"), sdp_type="offer", code=200) == ["MakeAnswer generation=1 offer=<re>"]


def test_modern_200_with_another_sdp_of_the_same_connection() -> None:
    leg = calling(MODERN)
    leg.sdp(offer("o1"), code=183, cseq=4)
    leg.answer_made(2)
    leg.media_up(2)
    assert leg.sdp(offer("o2"), code=200, cseq=5) == [
        "MakeAnswer generation=2 offer=<o2>",
        "Acknowledge call_id=c1",
        "LegAnswered",
    ]
    assert leg.answer_made(2) == ["AcceptCall call_id=c1 sdp=<our-answer-2> cseq=5"]


def test_modern_200_with_another_connection() -> None:
    leg = calling(MODERN)
    leg.sdp(offer("o1"), code=183, cseq=4)
    leg.answer_made(2)
    leg.media_up(2)
    assert leg.sdp(offer("o2", ufrag="other"), code=200)[0] == "MakeAnswer generation=3 offer=<o2>"


def test_modern_200_that_comes_while_183_is_being_answered() -> None:
    leg = calling(MODERN)
    leg.sdp(offer("o1"), code=183, cseq=1)
    assert leg.sdp(offer("o2"), code=200, cseq=2) == ["Acknowledge call_id=c1", "LegAnswered"]
    assert leg.answer_made(2) == [
        "AcceptCall call_id=c1 sdp=<our-answer-2> cseq=1",
        "MakeAnswer generation=2 offer=<o2>",
    ]
    assert leg.answer_made(2) == ["AcceptCall call_id=c1 sdp=<our-answer-2> cseq=2"]


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN, None])
def test_direct_200(dialect: Dialect | None) -> None:
    leg = calling(dialect)
    text = offer("o1") if dialect is MODERN else answer("a1")
    out = leg.sdp(text, code=200)
    assert out[1:] == ["Acknowledge call_id=c1", "LegAnswered"]


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_early_media_never_counts_as_answer(dialect: Dialect) -> None:
    leg = calling(dialect)
    leg.sdp(offer("o1") if dialect is MODERN else answer("a1"), code=183)
    if dialect is MODERN:
        leg.answer_made(2)
    leg.media_up(leg.dialog._leg.generation)
    assert leg.dialog.state.value == "early"
    assert leg.lists(state="alerting") == []
    assert leg.lists(state="connected") == ["Acknowledge call_id=c1", "LegAnswered"]
    assert leg.sdp(code=200) == []


def test_a_connect_time_in_call_state_is_the_answer_too() -> None:
    leg = calling()
    assert leg.lists(state="", connect=1700000003.0)[-1] == "LegAnswered"


def test_connected_before_any_sdp_frame() -> None:
    leg = calling()
    leg.lists(state="connected")
    assert leg.sdp(answer("a1"), code=200) == ["ApplyAnswer generation=1 answer=<a1>"]
    assert leg.media_up(1) == []
    assert leg.wait(60) == []


def test_another_answer_at_pick_up_renews_the_media() -> None:
    """An answer can't be applied twice; that the PBX's end changed is repaired by an offer."""
    leg = calling()
    leg.sdp(answer("a1"), code=183)
    leg.media_up(1)
    assert leg.sdp(answer("a2"), code=200) == ["Acknowledge call_id=c1", "LegAnswered"]
    leg = calling()
    leg.sdp(answer("a1"), code=183)
    leg.media_up(1)
    assert leg.sdp(answer("a2", ufrag="other"), code=200) == [
        "Acknowledge call_id=c1",
        "LegAnswered",
        "MakeOffer generation=2",
    ]
    assert leg.offer_made(2) == ["Resume call_id=c1 side=caller sdp=<our-offer-2>"]


def test_the_pbx_renames_the_call() -> None:
    leg = calling()
    assert leg.dialog.awaits_first_sdp
    assert leg.sdp(code=180, call_id="p9") == ["LegRenamed old=c1 new=p9", "LegRinging"]
    assert not leg.dialog.awaits_first_sdp
    assert leg.dialog.call_id == "p9"
    assert leg.dialog.aliases == {"c1", "p9"}
    assert leg.dialog.matches("c1")
    assert leg.sdp(answer("a1"), code=200, call_id="c1") == [
        "ApplyAnswer generation=1 answer=<a1>",
        "Acknowledge call_id=p9",
        "LegAnswered",
    ]
    assert leg.want(s.WantHangUp()) == [
        "HangUp call_id=p9 caller=True",
        "LegEnded reason=hangup",
        "CloseMedia",
    ]


def test_the_name_of_the_called() -> None:
    leg = calling()
    assert leg.sdp(code=180, to_user="600", to_display="Tone") == [
        "RemoteNamed name=Tone number=600",
        "LegRinging",
    ]
    assert leg.sdp(code=180, to_user="600", to_display="Tone") == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (486, "busy"),
        (600, "busy"),
        (408, "no_answer"),
        (480, "no_answer"),
        (487, "cancelled"),
        (404, "rejected"),
        (488, "rejected"),
        (503, "rejected"),
        (603, "rejected"),
        (302, "rejected"),
    ],
)
def test_refusals(code: int, reason: str) -> None:
    leg = calling()
    leg.sdp(code=180)
    assert leg.sdp(code=code, reason="why") == [
        "Acknowledge call_id=c1",
        f"LegEnded reason={reason} code={code} words=why",
        "CloseMedia",
    ]
    assert leg.sdp(code=code, reason="why") == []


def test_early_media_then_busy() -> None:
    leg = calling()
    leg.sdp(answer("a1"), code=183)
    leg.media_up(1)
    assert leg.sdp(code=486)[1] == "LegEnded reason=busy code=486"


def test_a_bye_while_it_rings() -> None:
    leg = calling()
    leg.sdp(code=180)
    assert leg.bye(code=480, cseq=2) == [
        "AnswerBye call_id=c1 cseq=2",
        "LegEnded reason=no_answer code=480",
        "CloseMedia",
    ]
    assert calling().bye()[1] == "LegEnded reason=failed"


@pytest.mark.parametrize("ring_timeout", [None, 20.0])
def test_nobody_answers(ring_timeout: float | None) -> None:
    leg = calling(ring_timeout=ring_timeout)
    leg.sdp(code=180)
    assert leg.wait((ring_timeout or 60.0) - 0.1) == []
    assert leg.wait(0.2) == [
        "HangUp call_id=c1 caller=True",
        "LegEnded reason=no_answer",
        "CloseMedia",
    ]


def test_giving_up_and_a_late_answer() -> None:
    leg = calling()
    leg.sdp(code=180)
    assert leg.want(s.WantHangUp()) == [
        "HangUp call_id=c1 caller=True",
        "LegEnded reason=hangup",
        "CloseMedia",
    ]
    assert leg.sdp(code=183) == []
    assert leg.sdp(answer("a1"), code=200) == ["HangUp call_id=c1 caller=True"]
    assert leg.want(s.WantHangUp()) == []


def test_giving_up_and_a_late_answer_under_another_call_id() -> None:
    leg = calling()
    leg.want(s.WantHangUp())
    assert leg.sdp(answer("a1"), code=200, call_id="p9") == ["HangUp call_id=p9 caller=True"]


def test_giving_up_and_the_refusal_that_follows() -> None:
    leg = calling()
    leg.want(s.WantHangUp())
    assert leg.sdp(code=487) == ["Acknowledge call_id=c1"]
    assert leg.sdp(code=487) == []


def test_giving_up_before_anything_was_sent() -> None:
    leg = outgoing()
    leg.want(s.WantDial())
    assert leg.want(s.WantHangUp()) == ["LegEnded reason=hangup", "CloseMedia"]
    assert leg.offer_made(1) == []
    assert leg.dialog.deadline is None


def test_our_offer_cannot_be_made() -> None:
    leg = outgoing()
    leg.want(s.WantDial())
    assert leg.media_failed(1, "offer") == ["LegEnded reason=media_failed", "CloseMedia"]


def test_our_media_side_hangs() -> None:
    leg = outgoing()
    leg.want(s.WantDial())
    assert leg.wait(10.1) == ["LegEnded reason=media_failed", "CloseMedia"]


def test_the_pbxs_answer_or_offer_cannot_be_used() -> None:
    leg = calling()
    leg.sdp(answer("a1"), code=200)
    assert leg.media_failed(1, "apply") == [
        "HangUp call_id=c1 caller=True",
        "LegEnded reason=media_failed",
        "CloseMedia",
    ]
    leg = calling(MODERN)
    leg.sdp(offer("o1"), code=183)
    assert leg.media_failed(2, "answer")[1] == "LegEnded reason=media_failed"


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_answered_without_media(dialect: Dialect) -> None:
    leg = calling(dialect, timers=quick(media_up=8.0))
    leg.sdp(offer("o1") if dialect is MODERN else answer("a1"), code=200)
    if dialect is MODERN:
        leg.answer_made(2)
    assert leg.wait(7.9) == []
    assert leg.wait(0.2) == [
        "HangUp call_id=c1 caller=True",
        "LegEnded reason=media_failed",
        "CloseMedia",
    ]


# --- auto ---------------------------------------------------------------------------------------------------


def test_auto_takes_a_decided_role_as_classic() -> None:
    leg = calling(None)
    assert leg.sdp(answer("a1", setup="active"), code=183)[1] == "ApplyAnswer generation=1 answer=<a1>"
    assert leg.dialog.dialect is CLASSIC


def test_auto_takes_actpass_as_modern_whatever_its_code() -> None:
    leg = calling(None)
    assert leg.sdp(offer("o1"), code=200)[0] == "MakeAnswer generation=2 offer=<o1>"
    assert leg.dialog.dialect is MODERN


def test_auto_415_at_pick_up_means_the_other_dialect() -> None:
    leg = calling(None)
    leg.sdp(answer("a1", setup=""), code=183)
    leg.media_up(1)
    assert leg.bye(code=415)[1] == "LegEnded reason=rejected code=415 other_dialect=True"


def test_auto_without_media_for_5_s_means_the_other_dialect() -> None:
    leg = calling(None)
    leg.sdp(offer("o1"), code=200)
    leg.answer_made(2)
    leg.wait(4.9)
    assert leg.bye()[1] == "LegEnded reason=remote_hangup"
    leg = calling(None)
    leg.sdp(offer("o1"), code=200)
    leg.answer_made(2)
    assert leg.wait(11)[1] == "LegEnded reason=media_failed other_dialect=True"


def test_auto_with_media_was_right() -> None:
    leg = calling(None)
    leg.sdp(offer("o1"), code=200)
    leg.answer_made(2)
    leg.wait(6)
    leg.media_up(2)
    assert leg.bye()[1] == "LegEnded reason=remote_hangup"


@pytest.mark.parametrize("dialect", [CLASSIC, MODERN])
def test_a_forced_dialect_is_not_doubted(dialect: Dialect) -> None:
    leg = calling(dialect)
    leg.sdp(offer("o1"), code=183)
    leg.answer_made(2)
    assert leg.bye(code=415)[1] == "LegEnded reason=rejected code=415"


def test_a_remembered_dialect_may_be_doubted() -> None:
    leg = calling(CLASSIC, dialect_is_a_guess=True)
    leg.sdp(offer("o1"), code=183)
    assert leg.bye(code=415)[1] == "LegEnded reason=rejected code=415 other_dialect=True"


# --- nonsense -----------------------------------------------------------------------------------------------


def test_what_makes_no_sense_is_ignored_or_answered_politely() -> None:
    leg = outgoing()
    assert leg.sdp(answer("a1"), code=200) == []
    assert leg.bye() == ["AnswerBye call_id=c1"]
    assert leg.cancel() == ["AnswerCancel call_id=c1"]
    assert leg.hears(m.Unknown(kind="x")) == []
    assert leg.hears(m.Informational(kind="response", call_id="c1", code=500)) == []
    assert leg.lists(state="connected") == []
    assert leg.dialog.state.value == "new"
    leg = calling()
    assert leg.hears(m.Invite(call_id="c1", sdp=offer())) == []
    assert leg.cancel()[:2] == ["AnswerCancel call_id=c1", "LegEnded reason=cancelled"]
    assert leg.cancel() == ["AnswerCancel call_id=c1"]
