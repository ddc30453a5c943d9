"""Calls that come in, up to their answer: PROTOCOL.md section 4."""

from __future__ import annotations

import pytest

from vodiabot.protocol import messages as m
from vodiabot.protocol import steps as s
from vodiabot.protocol.dialog import Dialog

from .script import incoming, offer, quick

ACCEPTED = "AcceptCall call_id=c1 sdp=<our-answer-1> cseq=1"


def test_from_invite_to_our_hang_up() -> None:
    leg = incoming()
    assert leg.candidate("candidate:x") == []
    assert leg.want(s.WantRinging()) == ["TellRinging call_id=c1 cseq=1"]
    assert leg.want(s.WantRinging()) == []
    assert leg.want(s.WantAnswer()) == [
        "MakeAnswer generation=1 offer=<invite>",
        "AddCandidate generation=1 candidate=candidate:x",
    ]
    assert leg.candidate() == ["AddCandidate generation=1 candidate="]
    assert leg.found(1, "candidate:ours") == []
    assert leg.answer_made(1) == [ACCEPTED, "SendCandidate call_id=c1 candidate=candidate:ours"]
    assert leg.dialog.answered_at is None
    assert leg.media_up(1) == ["LegAnswered", "Settled intent=answer"]
    assert leg.dialog.answered_at == 100.0
    assert leg.wait(3600) == []
    assert leg.want(s.WantHangUp()) == [
        "HangUp call_id=c1 caller=False",
        "LegEnded reason=hangup",
        "CloseMedia",
    ]


def test_media_that_is_up_before_our_answer_is_sent() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    assert leg.media_up(1) == []
    assert leg.answer_made(1) == [ACCEPTED, "LegAnswered", "Settled intent=answer"]


@pytest.mark.parametrize("after", ["invite", "ringing", "answer", "sdp-200ok"])
@pytest.mark.parametrize("what", ["cancel", "bye"])
def test_cancel_or_bye_before_it_is_answered(after: str, what: str) -> None:
    """Also one that crosses our `sdp-200ok`: not answered."""
    leg = incoming()
    if after != "invite":
        leg.want(s.WantRinging())
    if after in ("answer", "sdp-200ok"):
        leg.want(s.WantAnswer())
    if after == "sdp-200ok":
        leg.answer_made(1)
    response = "AnswerCancel call_id=c1" if what == "cancel" else "AnswerBye call_id=c1"
    crossed_by_bye = what == "bye" and after == "sdp-200ok"
    presumed = "" if crossed_by_bye else " presumed=True"
    assert getattr(leg, what)() == [response, f"LegEnded reason=cancelled{presumed}", "CloseMedia"]
    assert getattr(leg, what)() == [response]
    leg.lists(state="alerting")
    assert leg.wait(0.5) == ([] if crossed_by_bye else ["EndKnown reason=cancelled"])
    assert leg.answer_made(1) == []
    assert leg.media_up(1) == []


def test_another_phone_answered() -> None:
    leg = incoming()
    assert leg.cancel(reason='SIP;cause=200;text="Call completed elsewhere"')[1] == (
        "LegEnded reason=answered_elsewhere"
    )
    leg = incoming()
    leg.lists(state="connected")
    assert leg.cancel()[1] == "LegEnded reason=answered_elsewhere"


@pytest.mark.parametrize("answering", [False, True], ids=["ringing", "crosses our answer"])
@pytest.mark.parametrize("listed", ["before", "after", "as one of others"])
def test_who_picked_up_is_listed_before_the_cancel_or_after_it(listed: str, answering: bool) -> None:
    leg = incoming()
    if answering:
        leg.want(s.WantAnswer())
        leg.answer_made(1)
    if listed == "before":
        leg.lists(state="connected")
        assert leg.cancel()[1:] == ["LegEnded reason=answered_elsewhere", "CloseMedia"]
        return
    assert leg.cancel()[1:] == ["LegEnded reason=cancelled presumed=True", "CloseMedia"]
    leg.lists(state="alerting")
    leg.now += 0.4
    say = leg.lists if listed == "after" else leg.left
    assert say(state="connected") == ["EndKnown reason=answered_elsewhere"]
    assert say(state="connected") == leg.wait(60) == []


def test_a_bye_that_crosses_our_answer_may_be_of_the_call_that_it_had_connected() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    leg.lists(state="connected")
    assert leg.bye()[1:] == ["LegEnded reason=cancelled", "CloseMedia"]


def test_without_a_socket_nobody_tells_who_picked_up() -> None:
    leg = incoming()
    leg.cancel()
    assert leg.socket_lost() == ["EndKnown reason=cancelled"]


@pytest.mark.parametrize("code", [486, 603, 480])
def test_reject(code: int) -> None:
    leg = incoming()
    assert leg.want(s.WantReject(code=code)) == [
        f"RefuseCall call_id=c1 cseq=1{'' if code == 486 else f' code={code}'}",
        f"LegEnded reason=rejected code={code}",
        "CloseMedia",
    ]
    assert leg.cancel() == ["AnswerCancel call_id=c1"]


@pytest.mark.parametrize("answering", [False, True])
def test_hang_up_before_our_answer_is_busy(answering: bool) -> None:
    leg = incoming()
    if answering:
        leg.want(s.WantAnswer())
    assert leg.want(s.WantHangUp(reason="shutdown")) == [
        "RefuseCall call_id=c1 cseq=1",
        "LegEnded reason=shutdown",
        "CloseMedia",
    ]


def test_hang_up_after_our_answer_is_a_bye() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    assert leg.want(s.WantHangUp())[0] == "HangUp call_id=c1 caller=False"


@pytest.mark.parametrize("ring_timeout", [None, 12.0])
def test_nobody_here_answers_so_others_may_still_ring(ring_timeout: float | None) -> None:
    leg = incoming(ring_timeout=ring_timeout)
    leg.want(s.WantRinging())
    assert leg.wait((ring_timeout or 30.0) - 0.1) == []
    assert leg.wait(0.2) == ["LegEnded reason=no_answer", "CloseMedia"]
    assert leg.cancel() == ["AnswerCancel call_id=c1"]


def test_the_ring_timer_ends_with_the_answer() -> None:
    leg = incoming()
    leg.wait(29)
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    leg.media_up(1)
    assert leg.wait(1000) == []


def test_no_common_codec() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    assert leg.media_failed(1, "answer") == [
        "Settled intent=answer error=no common codec",
        "RefuseCall call_id=c1 cseq=1 code=488",
        "LegEnded reason=media_failed code=488",
        "CloseMedia",
    ]


def test_no_media_after_our_answer() -> None:
    leg = incoming(timers=quick(media_up=3.0))
    leg.want(s.WantAnswer())
    leg.wait(2)
    leg.answer_made(1)
    assert leg.wait(2.9) == []
    assert leg.wait(0.2) == [
        "Settled intent=answer error=the audio did not come up in time",
        "HangUp call_id=c1 caller=False",
        "LegEnded reason=media_failed",
        "CloseMedia",
    ]


def test_media_that_fails_after_our_answer() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    assert leg.media_lost(1)[1:3] == ["HangUp call_id=c1 caller=False", "LegEnded reason=media_failed"]


def test_our_media_side_hangs() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    assert leg.wait(10.1)[1] == "RefuseCall call_id=c1 cseq=1 code=488"


def test_the_invite_once_more() -> None:
    """Its newest form is answered; after our answer it changes nothing."""
    leg = incoming()
    again = m.Invite(call_id="c1", sdp=offer("again"), cseq=2)
    assert leg.hears(again) == []
    assert leg.want(s.WantAnswer()) == ["MakeAnswer generation=1 offer=<again>"]
    assert leg.hears(again) == []
    assert leg.answer_made(1) == ["AcceptCall call_id=c1 sdp=<our-answer-1> cseq=2"]


def test_a_re_offer_while_our_answer_settles() -> None:
    leg = incoming()
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    assert leg.sdp(offer("re"), cseq=2) == ["MakeAnswer generation=1 offer=<re>"]
    assert leg.media_up(1) == ["LegAnswered", "Settled intent=answer"]
    assert leg.answer_made(1) == ["AcceptCall call_id=c1 sdp=<our-answer-1> cseq=2"]


def test_it_starts_once() -> None:
    leg = incoming()
    assert leg.dialog.start(leg.now) == []


def test_an_incoming_leg_needs_its_invite() -> None:
    with pytest.raises(ValueError, match="invite"):
        Dialog(call_id="c1", direction="incoming", now=0.0, dialect=None)


def test_cancel_after_it_was_answered_ends_it() -> None:
    """To the PBX the call was never answered, whatever we saw."""
    leg = incoming()
    leg.want(s.WantAnswer())
    leg.answer_made(1)
    leg.media_up(1)
    assert leg.cancel() == ["AnswerCancel call_id=c1", "LegEnded reason=remote_hangup", "CloseMedia"]
