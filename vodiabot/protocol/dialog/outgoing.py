"""A call that we placed, until it is answered: offer → `sdp-packet` → 180, 183, 200, ≥ 400 (both
dialects)."""

from __future__ import annotations

from .. import commands as c
from .. import messages as m
from .. import steps as s
from . import midcall, offers
from .leg import Leg, Purpose
from .state import State

BUSY = frozenset({486, 600})
NO_ANSWER = frozenset({408, 480})
CANCELLED = frozenset({487})


def dial(leg: Leg) -> None:
    """`WantDial`: first our offer."""
    leg.move(State.DIALING)
    ring = leg.timers.outgoing_ring if leg.ring_timeout is None else leg.ring_timeout
    leg.start_timer("ring", ring)
    offers.make_offer(leg, Purpose.DIAL)


def sdp(leg: Leg, message: m.Sdp) -> None:
    """An `sdp` frame before the answer."""
    offers.rename(leg, message.call_id)
    if message.code is not None and message.code >= 300:
        refused(leg, message.code, message.reason)
        return
    _name(leg, message)
    final = message.code is not None and message.code >= 200
    if not final:
        _progress(leg, message)
    offers.first_description(leg, message)
    if final:
        leg.final_seen = True
        answered(leg)


def _name(leg: Leg, message: m.Sdp) -> None:
    if message.to_display and message.to_display != leg.remote_name:
        leg.remote_name = message.to_display
        leg.happen(s.RemoteNamed(name=message.to_display, number=message.to_user))


def _progress(leg: Leg, message: m.Sdp) -> None:
    """180 rings, 183 or any SDP is early media, 100 is nothing."""
    early = bool(message.sdp) or message.code == 183
    if not early and message.code not in (180, 181, 182):
        return
    if early and leg.state is not State.EARLY:
        leg.move(State.EARLY)
    elif not early and leg.state is State.CALLING:
        leg.move(State.RINGING)
    if not leg.told_ringing:
        leg.told_ringing, leg.told_early = True, early
        leg.happen(s.LegRinging(early_media=early))
    elif early and not leg.told_early:
        leg.told_early = True
        leg.changed("early_media")


def answered(leg: Leg) -> None:
    """Code 200, or connected in call-state; never 183, never media alone."""
    leg.move(State.UP)
    leg.stop_timer("ring")
    leg.answered_at = leg.now
    leg.acknowledge()
    leg.happen(s.LegAnswered())
    if leg.stale:
        midcall.renew_media(leg)
    elif not leg.media_up and "media" not in leg.due:
        leg.start_timer("media", leg.timers.media_up)


def refused(leg: Leg, code: int, words: str) -> None:
    """A final answer that is none."""
    leg.acknowledge()
    leg.end(reason_of(code), code, words)


def reason_of(code: int | None) -> str:
    """How a call that was not answered ended, by the PBX's code."""
    if code is None or code < 300:
        return "failed"
    if code in BUSY:
        return "busy"
    if code in NO_ANSWER:
        return "no_answer"
    return "cancelled" if code in CANCELLED else "rejected"


def late_answer(leg: Leg, message: m.Sdp) -> None:
    """An answer to a call that was given up gets `sip-bye` again [guess], a refusal its `sip-ack`."""
    if not leg.gave_up or message.code is None or message.code < 200:
        return
    if message.code >= 300:
        leg.acknowledge()
    else:
        offers.rename(leg, message.call_id)
        leg.send(c.HangUp(call_id=message.call_id or leg.call_id, caller=True))
