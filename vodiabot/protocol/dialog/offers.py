"""Offers, answers and candidates: which side offers, on which generation, and what waits for what."""

from __future__ import annotations

from .. import commands as c
from .. import messages as m
from .. import steps as s
from ..dialects import Dialect, role_of
from ..sdp_facts import setup_of, transport_of
from .leg import Leg, Ours, Purpose

# --- our offer ----------------------------------------------------------------------------------------------


def make_offer(leg: Leg, purpose: Purpose) -> None:
    """A new peer connection with an offer of its own."""
    leg.before = leg.remote or leg.before
    _new_generation(leg)
    leg.ours = Ours(purpose)
    leg.stale = False
    leg.offer_again = None
    leg.stop_timer("glare")
    leg.step(s.MakeOffer(generation=leg.generation))
    leg.start_timer("work", leg.timers.media_work)


def offer_made(leg: Leg, sdp: str) -> Purpose | None:
    """Our offer is ready: send it. Returns what it was for, None if nobody waits for it any more."""
    if leg.ours is None or leg.ours.sent:
        return None
    leg.stop_timer("work")
    leg.ours.sent = True
    if leg.ours.purpose is Purpose.DIAL:
        leg.send(c.PlaceCall(to=leg.to, call_id=leg.call_id, sdp=sdp))
    else:
        leg.send(c.Resume(call_id=leg.call_id, side=leg.side, sdp=sdp))
    purpose = leg.ours.purpose
    _send_waiting_candidates(leg)
    return purpose


def apply_answer(leg: Leg, sdp: str) -> None:
    """The PBX's answer to our offer."""
    leg.ours = None
    leg.remote = transport_of(sdp)
    leg.step(s.ApplyAnswer(generation=leg.generation, answer=sdp))
    _exchanged(leg)
    _add_early_candidates(leg)


# --- the PBX's offer ----------------------------------------------------------------------------------------


def answer_offer(leg: Leg, offer: m.Sdp | m.Invite) -> None:
    """Let media answer an offer of the PBX; a second one that comes meanwhile waits for the first."""
    if leg.theirs is not None:
        if isinstance(offer, m.Sdp):
            leg.next_offer = offer
        return
    transport = transport_of(offer.sdp)
    # Also where an offer of ours is out: its connection has no remote side yet, and can't be rolled back.
    if leg.remote != transport:
        _new_generation(leg)
    leg.ours = None
    leg.theirs = offer
    leg.remote = transport
    leg.step(s.MakeAnswer(generation=leg.generation, offer=offer.sdp))
    leg.start_timer("work", leg.timers.media_work)
    _add_early_candidates(leg)


def answer_made(leg: Leg, sdp: str) -> bool:
    """Our answer is ready: send it. Returns False if nobody waits for it any more."""
    if leg.theirs is None:
        return False
    offer, leg.theirs = leg.theirs, None
    leg.stop_timer("work")
    leg.send(c.AcceptCall(call_id=leg.call_id, sdp=sdp, cseq=offer.cseq))
    leg.answer_sent = True
    _exchanged(leg)
    _send_waiting_candidates(leg)
    return True


def answer_next(leg: Leg) -> None:
    """The offer that came while another was being answered, if any."""
    offer, leg.next_offer = leg.next_offer, None
    if offer is not None and leg.theirs is None:
        answer_offer(leg, offer)


# --- the first exchange of a call that we placed ------------------------------------------------------------


def rename(leg: Leg, call_id: str) -> None:
    """A call-id in the frame that answers our `sdp-packet` replaces ours [live]."""
    leg.sdp_heard = True
    if not call_id or call_id in leg.aliases:
        return
    old, leg.call_id = leg.call_id, call_id
    leg.aliases |= {call_id}
    if leg.ended:
        return  # nothing is told of an ended leg
    leg.happen(s.LegRenamed(old=old, new=call_id))


def first_description(leg: Leg, message: m.Sdp) -> None:
    """An `sdp` frame that belongs to our `sdp-packet`: the PBX's answer, or an offer of its own, by
    dialect."""
    if not message.sdp or leg.seen_before(message, repeated=True):
        return
    role = role_of(message.sdp, leg.dialect, message.sdp_type)
    _learn_dialect(leg, message.sdp, role == "offer")
    if role == "offer":
        answer_offer(leg, message)
    elif leg.ours is not None and leg.ours.sent:
        apply_answer(leg, message.sdp)
    elif leg.dialect is Dialect.CLASSIC:
        repeated_answer(leg, message)


def repeated_answer(leg: Leg, message: m.Sdp) -> None:
    """183 and then 200, each with an answer. An answer can't be applied twice; it matters only if it leads
    elsewhere."""
    if leg.remote != transport_of(message.sdp):
        leg.stale = True


def _learn_dialect(leg: Leg, sdp: str, offered: bool) -> None:
    if leg.dialect is None:
        leg.dialect = Dialect.MODERN if offered else Dialect.CLASSIC
    if setup_of(sdp) in ("active", "passive"):
        leg.guessing = False  # only an answer has a role


# --- candidates ---------------------------------------------------------------------------------------------


def local_candidate(leg: Leg, found: s.CandidateFound) -> None:
    """One of ours: it may be sent after the SDP that it belongs to."""
    if leg.local_told:
        _send_candidate(leg, found)
    else:
        leg.local_waiting.append(found)


def remote_candidate(leg: Leg, message: m.Candidate) -> None:
    """One of the PBX's. Before its description it is kept, for the generation may still change."""
    if leg.generation:
        _add_candidates(leg, message)
    if leg.remote is None:
        leg.remote_early.append((leg.generation, message))


def _add_early_candidates(leg: Leg) -> None:
    early, leg.remote_early = leg.remote_early, []
    for generation, message in early:
        if generation != leg.generation:
            _add_candidates(leg, message)


def _add_candidates(leg: Leg, message: m.Candidate) -> None:
    for line in message.candidates or ("",):
        leg.step(
            s.AddCandidate(
                generation=leg.generation,
                candidate=line,
                sdp_mid=message.sdp_mid,
                sdp_mline_index=message.sdp_mline_index,
            )
        )


def _send_waiting_candidates(leg: Leg) -> None:
    leg.local_told = True
    waiting, leg.local_waiting = leg.local_waiting, []
    for found in waiting:
        _send_candidate(leg, found)


def _send_candidate(leg: Leg, found: s.CandidateFound) -> None:
    if not leg.socket_up:
        return  # the description it belongs to may not have arrived; audio that lives needs no more of them
    leg.send(
        c.SendCandidate(
            call_id=leg.call_id,
            candidate=found.candidate,
            sdp_mid=found.sdp_mid,
            sdp_mline_index=found.sdp_mline_index,
        )
    )


# --- generations --------------------------------------------------------------------------------------------


def _new_generation(leg: Leg) -> None:
    leg.generation += 1
    leg.media_up = False
    leg.remote = None
    leg.local_told = False
    leg.local_waiting = []


def _exchanged(leg: Leg) -> None:
    """Offer and answer have met: now the media has to come up."""
    if leg.described_at is None:
        leg.described_at = leg.now
    # A recovery's time runs from the loss.
    if not leg.media_up and not leg.held and not (leg.recovering and "media" in leg.due):
        leg.start_timer("media", leg.timers.media_up)
