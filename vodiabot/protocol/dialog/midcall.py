"""An answered call: hold, resume, re-offers, transfers, lost media."""

from __future__ import annotations

from typing import Literal

from .. import commands as c
from .. import messages as m
from .. import steps as s
from ..dialects import Dialect, resume_with_offer, role_while_offering
from ..sdp_facts import direction_of, transport_of
from . import offers
from .leg import Leg, Purpose
from .state import ON_THE_WAY, State

# --- hold and resume ----------------------------------------------------------------------------------------


def hold(leg: Leg) -> None:
    """`WantHold`: the PBX tells no result, so it is over when it is sent. The peer connection is kept."""
    leg.move(State.HELD)
    _drop_our_offer(leg)
    leg.stop_timer("media")
    leg.recovering = False
    leg.held = True
    leg.send(c.Hold(call_id=leg.call_id, side=leg.side))
    leg.step(s.SetSending(sending=False))
    leg.changed("held")
    leg.settle("hold")


def resume(leg: Leg, intent: s.WantResume) -> None:
    """`WantResume`: with a new offer or without SDP; without media only an offer helps, unless that of the dial is out
    still. While the socket is away, an offer would only cost the connection that there is."""
    if not leg.socket_up:
        leg.settle("resume", "connection lost")
        return
    leg.move(State.RESUMING)
    leg.listed_meanwhile = ""
    offer = resume_with_offer(leg.dialect) if intent.new_offer is None else intent.new_offer
    if (offer or not leg.media_up) and not _first_is_out(leg):
        leg.start_timer("resume", leg.timers.resume)
        leg.offer_again = Purpose.RESUME
        offer_waiting(leg)
    else:
        leg.start_timer("resume", leg.timers.resume_quiet)
        leg.send(c.Resume(call_id=leg.call_id, side=leg.side))
        leg.step(s.SetSending(sending=True))


def resumed(leg: Leg) -> None:
    """The PBX has answered the resume, or did not refuse it."""
    if leg.state is not State.RESUMING:
        return
    leg.move(State.UP)
    leg.stop_timer("resume")
    leg.held = False
    leg.step(s.SetSending(sending=True))
    leg.changed("resumed")
    leg.settle("resume")
    note_call_state(leg, leg.listed_meanwhile)
    if not leg.media_up:
        leg.start_timer("media", leg.timers.media_up)


def resume_failed(leg: Leg, error: str, code: int | None = None) -> None:
    """Still held; another resume may be tried."""
    leg.move(State.HELD)
    leg.stop_timer("resume")
    leg.stop_timer("media")
    _drop_our_offer(leg)
    leg.step(s.SetSending(sending=False))
    leg.settle("resume", error, code)


def resume_timed_out(leg: Leg) -> None:
    """The time for the PBX's answer is over: a failure only where there was something to answer."""
    if (leg.ours is not None and not _first_is_out(leg)) or leg.offer_again is not None:
        resume_failed(leg, "the PBX did not answer the offer")
    else:
        resumed(leg)


def _first_is_out(leg: Leg) -> bool:
    """The offer of our dial has no answer yet, as call-state was faster: nothing may take its place."""
    return leg.ours is not None and leg.ours.purpose is Purpose.DIAL


def _drop_our_offer(leg: Leg) -> None:
    if not _first_is_out(leg):
        leg.ours = None
    leg.offer_again = None
    leg.stop_timer("glare")
    if leg.theirs is None:
        leg.stop_timer("work")


# --- descriptions of the PBX --------------------------------------------------------------------------------


def sdp(leg: Leg, message: m.Sdp) -> None:
    """An `sdp` frame in an answered call, or while our answer to an invite is on its way."""
    if message.code is not None and message.code >= 300:
        refused(leg, message.code)
        return
    first_final = not leg.final_seen and message.code is not None and message.code >= 200
    leg.final_seen = leg.final_seen or first_final
    if not message.sdp:
        _answered_without_sdp(leg)
    elif leg.placed_by_us and leg.described_at is None and leg.theirs is None:
        offers.rename(leg, message.call_id)
        offers.first_description(leg, message)  # call-state was faster than the first `sdp` frame
    elif leg.seen_before(message, repeated=leg.placed_by_us and first_final):
        return
    elif leg.ours is not None:
        _while_offering(leg, message)
    elif _repeats_the_answer(leg, message, first_final):
        _final_form(leg, message)
    elif message.sdp_type == "answer":
        resumed(leg)  # to a resume without SDP
    else:
        _re_offer(leg, message)


def _repeats_the_answer(leg: Leg, message: m.Sdp, first_final: bool) -> bool:
    """The 200 to our `sdp-packet`, where call-state had told the answer before."""
    classic = leg.placed_by_us and leg.dialect is Dialect.CLASSIC
    return classic and first_final and message.sdp_type != "offer"


def _answered_without_sdp(leg: Leg) -> None:
    if (leg.ours is None or _first_is_out(leg)) and leg.offer_again is None:
        resumed(leg)


def _final_form(leg: Leg, message: m.Sdp) -> None:
    offers.repeated_answer(leg, message)
    if leg.stale and leg.state is State.UP:
        renew_media(leg)


def _while_offering(leg: Leg, message: m.Sdp) -> None:
    assert leg.ours is not None
    role = "offer"
    if leg.ours.sent:
        role = role_while_offering(
            message.sdp,
            leg.dialect,
            message.sdp_type,
            code=message.code,
            same_transport=transport_of(message.sdp) == leg.before,
        )
    if role == "answer":
        offers.apply_answer(leg, message.sdp)
        resumed(leg)
    else:
        _glare(leg, message)


def _glare(leg: Leg, message: m.Sdp) -> None:
    """Both offered: the PBX's wins. Ours is sent again, except to a modern PBX, which answers so [guess]."""
    assert leg.ours is not None
    if leg.dialect is not Dialect.MODERN or not leg.ours.sent:
        leg.offer_again = leg.ours.purpose
        leg.start_timer("glare", leg.timers.glare)
    _re_offer(leg, message)


def offer_again(leg: Leg) -> None:
    """2 s after both had offered at once."""
    purpose, leg.offer_again = leg.offer_again, None
    if purpose is None:
        return
    if leg.theirs is not None:  # still answering theirs
        leg.offer_again = purpose
        leg.start_timer("glare", leg.timers.glare)
    elif purpose is Purpose.RESUME and leg.state is State.RESUMING:
        leg.start_timer("resume", leg.timers.resume)
        offers.make_offer(leg, purpose)
    elif purpose is not Purpose.RESUME and leg.state is State.UP and not leg.media_up:
        offers.make_offer(leg, purpose)


def offer_waiting(leg: Leg) -> None:
    """Make the offer that waits until the PBX's has its answer, without which it would not take ours."""
    if leg.theirs is None and "glare" not in leg.due:
        offer_again(leg)


def _re_offer(leg: Leg, message: m.Sdp) -> None:
    _note_direction(leg, direction_of(message.sdp))
    offers.answer_offer(leg, message)


def answer_sent(leg: Leg) -> None:
    """Our answer to an offer of the PBX is sent: that may be its way to answer a resume."""
    if leg.ours is None and leg.offer_again is None:
        resumed(leg)


# --- held by the other side ---------------------------------------------------------------------------------


def _note_direction(leg: Leg, direction: str) -> None:
    """While we hold, or transfer, a direction that is not sendrecv is our own doing."""
    if leg.state is State.UP or direction == "sendrecv":
        _held_by_remote(leg, direction != "sendrecv", by_state=False)


def note_call_state(leg: Leg, state: str) -> None:
    """`onhold` in the entry of our leg: the other side holds us, unless it is we who hold [guess]."""
    if leg.state is State.RESUMING:
        leg.listed_meanwhile = state  # it may be the last word of it: the other side holds us, too
    if leg.state is not State.UP or leg.ours is not None:
        return
    if state == "onhold":
        _held_by_remote(leg, True, by_state=True)
    elif state == "connected" and leg.on_hold_by_state:
        _held_by_remote(leg, False, by_state=True)


def _held_by_remote(leg: Leg, held: bool, *, by_state: bool) -> None:
    if leg.held_by_remote == held:
        return
    leg.held_by_remote = held
    leg.on_hold_by_state = held and by_state
    leg.changed("held_by_remote" if held else "resumed_by_remote")


# --- transfer -----------------------------------------------------------------------------------------------


def transfer(leg: Leg, intent: s.WantTransfer) -> None:
    """`WantTransfer`: there is no result frame."""
    leg.state_before = leg.state
    leg.move(State.TRANSFERRING)
    leg.send(c.BlindTransfer(id=leg.call_id, from_=leg.local, to=intent.to))
    leg.start_timer("transfer", leg.timers.transfer)


def join(leg: Leg, intent: s.WantJoin) -> None:
    """`WantJoin`: both legs get a bye when it has worked."""
    leg.state_before = leg.state
    leg.move(State.JOINING)
    command = c.AttendedTransfer(id=leg.call_id, from_=leg.local, id2=intent.other_call_id, to=intent.to)
    leg.send(command)
    leg.start_timer("transfer", leg.timers.transfer)


def joined(leg: Leg) -> None:
    """`WantJoined`: the command goes out under the other leg's id. That leg's time-out comes first, as a rule, and then
    the owner of both says so."""
    leg.state_before = leg.state
    leg.move(State.JOINING)
    leg.start_timer("transfer", leg.timers.joined)


def taken(leg: Leg) -> None:
    """The PBX has taken the call from us."""
    if leg.state in ON_THE_WAY:
        leg.settle(_asked(leg))
    leg.end("transferred")


def bye_while_transferring(leg: Leg, code: int | None) -> None:
    """A bye is the sign of success. One that tells of an error is neither that nor a refusal, which would leave the
    caller with us: he is gone, by his own hand unless call-state shows that his call goes on without us."""
    if code is None or code < 400:
        taken(leg)
    else:
        leg.end("remote_hangup", code, presumed=True)


def _asked(leg: Leg) -> Literal["transfer", "join"]:
    return "join" if leg.state is State.JOINING else "transfer"


def transfer_refused(leg: Leg, error: str, code: int | None = None) -> None:
    """The caller is still there: after a blind transfer he is taken back, after a join all is as before."""
    asked = _asked(leg)
    leg.stop_timer("transfer")
    leg.move(leg.state_before if asked == "join" else State.UP)
    leg.changed("transfer_refused")
    leg.settle(asked, error, code)
    if asked == "transfer":
        _restore(leg)
    elif leg.state is State.UP and not leg.media_up:
        renew_media(leg)  # lost meanwhile, when it was not known whether it still mattered


def _restore(leg: Leg) -> None:
    if leg.held:
        leg.held = False
        leg.step(s.SetSending(sending=True))
        leg.changed("resumed")
    if (resume_with_offer(leg.dialect) or not leg.media_up) and not _first_is_out(leg):
        _renew(leg, Purpose.RESTORE)
    else:
        leg.send(c.Resume(call_id=leg.call_id, side=leg.side))
        if not leg.media_up:
            leg.start_timer("media", leg.timers.media_up)


def transfer_unknown(leg: Leg) -> None:
    """The connection died: nobody knows, and what the PBX lists after the reconnect will tell."""
    leg.settle(_asked(leg), "connection lost")
    leg.perhaps_taken = True
    leg.stop_timer("transfer")
    leg.move(leg.state_before)


def refused(leg: Leg, code: int) -> None:
    """A frame for the leg with a code that refuses something: whatever we have asked last."""
    if leg.state in (State.TRANSFERRING, State.JOINING):
        transfer_refused(leg, f"the PBX refused with {code}", code)
    elif leg.state is State.RESUMING:
        resume_failed(leg, f"the PBX refused with {code}", code)


# --- the media ----------------------------------------------------------------------------------------------


def media_up(leg: Leg) -> None:
    """The present generation's audio flows."""
    leg.media_up = leg.had_media = True
    leg.recovering = False
    leg.stop_timer("media")
    if leg.told_lost:
        leg.told_lost = False
        leg.changed("media_back")
    if leg.ours is not None and leg.ours.sent and leg.state is State.RESUMING:
        leg.ours = None
        resumed(leg)


def media_lost(leg: Leg, reason: str) -> None:
    """Once a new offer; on hold nothing, for the PBX may well have closed its side, and the resume makes a
    new one."""
    was_up, leg.media_up = leg.media_up, False
    if not was_up or leg.state in (State.HELD, State.RESUMING, State.TRANSFERRING, State.JOINING):
        return
    leg.told_lost = True
    leg.changed("media_lost")
    if leg.socket_up:
        renew_media(leg)


def renew_media(leg: Leg) -> None:
    """One `wrtc-hold` sendrecv with a new offer [guess]; the time for the media to come back runs."""
    _renew(leg, Purpose.RECOVER)


def _renew(leg: Leg, purpose: Purpose) -> None:
    leg.recovering = True
    leg.start_timer("media", leg.timers.media_up)
    if leg.theirs is None and not _first_is_out(leg):
        offers.make_offer(leg, purpose)
    # else the PBX has just offered, or is about to answer: that is the renewal
