"""A call that came in, until it is answered: `invitesdp` → `sip-ringing` → `sdp-200ok`, or `sip-busy`, or
`cancel`."""

from __future__ import annotations

from .. import commands as c
from .. import messages as m
from .. import steps as s
from . import offers
from .leg import Leg
from .state import State


def ring(leg: Leg) -> None:
    """`WantRinging`: told once."""
    assert leg.invite is not None
    if not leg.told_ringing:
        leg.told_ringing = True
        leg.send(c.TellRinging(call_id=leg.call_id, cseq=leg.invite.cseq))


def answer(leg: Leg) -> None:
    """`WantAnswer`: first our SDP."""
    assert leg.invite is not None
    leg.move(State.ANSWERING)
    leg.stop_timer("ring")
    offers.answer_offer(leg, leg.invite)


def invited_again(leg: Leg, invite: m.Invite) -> None:
    """The same invite once more: its newest offer is the one to be answered, as long as we have not begun."""
    if leg.state is State.OFFERED:
        leg.invite = invite


def answered_if_complete(leg: Leg) -> None:
    """Answered: our `sdp-200ok` is sent and the media is up. Called after either."""
    if leg.state is not State.ANSWERING or not leg.answer_sent or not leg.media_up:
        return
    leg.move(State.UP)
    leg.answered_at = leg.now
    leg.happen(s.LegAnswered())
    leg.settle("answer")


def failed(leg: Leg, error: str) -> None:
    """Our audio could not be set up."""
    leg.settle("answer", error)
    leg.hang_up("media_failed", None if leg.answer_sent else 488)


def cancelled(leg: Leg, message: m.Cancel | m.Bye) -> None:
    """The caller gave up, or another phone was faster; even if our answer was on its way, it was not answered.

    A bye that crosses our answer may follow it: then it is by us that the call was connected, if it was.
    """
    code = message.code if isinstance(message, m.Bye) else None
    reason = message.reason.lower()
    may_be_ours = isinstance(message, m.Bye) and leg.answer_sent
    if "elsewhere" in reason or "cause=200" in reason or (leg.connected_elsewhere and not may_be_ours):
        leg.end("answered_elsewhere", code)
    else:
        leg.end("cancelled", code, presumed=not may_be_ours)
