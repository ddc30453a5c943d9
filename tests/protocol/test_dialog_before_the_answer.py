"""What is asked between the pick-up that call-state tells and the `sdp` frame with the PBX's answer, which comes later:
the offer of the dial stays out, or the call would have no audio at all."""

from __future__ import annotations

import pytest

from vodiabot.protocol import steps as s
from vodiabot.protocol.dialog import State

from .script import CLASSIC, Script, answer, calling, offer


def picked_up(*wants: s.Intent) -> Script:
    leg = calling(CLASSIC)
    leg.lists(state="connected")
    for want in wants:
        leg.want(want)
    return leg


def the_answer_comes(leg: Script) -> None:
    """It is applied to the connection that it answers, and that one is the call's."""
    told = leg.sdp(answer("late"), code=200, cseq=1)
    assert "ApplyAnswer generation=1 answer=<late>" in told
    leg.media_up(1)


def test_held() -> None:
    leg = picked_up(s.WantHold())
    the_answer_comes(leg)
    leg.wait(60)
    assert leg.dialog.state is State.HELD
    assert leg.want(s.WantResume()) == ["MakeOffer generation=2"]
    leg.offer_made(2)
    leg.sdp(answer("resumed", ufrag="new"), code=200, cseq=2)
    assert leg.dialog.state is State.UP


@pytest.mark.parametrize("answered_after", [0.5, 2])
def test_held_and_taken_back(answered_after: float) -> None:
    leg = picked_up(s.WantHold())
    assert leg.want(s.WantResume()) == ["Resume call_id=c1 side=caller", "SetSending sending=True"]
    leg.wait(answered_after)
    the_answer_comes(leg)
    leg.wait(60)
    assert (leg.dialog.state, leg.dialog.held) == (State.UP, False)
    assert leg.sdp(offer("re-offer", ufrag="new"), cseq=2)[0].startswith("MakeAnswer generation=2")


def test_held_taken_back_and_never_answered() -> None:
    leg = picked_up(s.WantHold(), s.WantResume())
    leg.wait(1)
    assert leg.dialog.state is State.UP
    assert leg.wait(10)[:2] == ["HangUp call_id=c1 caller=True", "LegEnded reason=media_failed"]


@pytest.mark.parametrize("held", [False, True])
def test_a_transfer_that_is_refused(held: bool) -> None:
    leg = picked_up(*([s.WantHold()] if held else []), s.WantTransfer(to="500"))
    assert "Resume call_id=c1 side=caller" in leg.wait(10)
    the_answer_comes(leg)
    leg.wait(60)
    assert leg.dialog.state is State.UP


def test_a_transfer_is_not_cut_off_by_audio_that_does_not_come_up() -> None:
    leg = picked_up()
    leg.wait(9)
    leg.want(s.WantTransfer(to="500"))
    assert leg.wait(5) == []
    assert leg.bye()[-2] == "LegEnded reason=transferred"
