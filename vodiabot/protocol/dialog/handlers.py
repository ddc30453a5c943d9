"""What a leg does with each thing that comes in: tables by kind, and the choice by state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import commands as c
from .. import messages as m
from .. import steps as s
from . import incoming, midcall, offers, outgoing
from .leg import Leg, Purpose, Timer
from .state import ON_THE_WAY, UNANSWERED_IN, State

CONNECTED_STATES = frozenset({"connected", "holding", "onhold"})
"""States of a call-state entry that only an answered call has."""

# --- messages -----------------------------------------------------------------------------------------------


def _sdp(leg: Leg, message: m.Sdp) -> None:
    if leg.ended:
        outgoing.late_answer(leg, message)
    elif leg.unanswered_out:
        outgoing.sdp(leg, message)
    elif leg.answered or (leg.state is State.ANSWERING and leg.answer_sent):
        midcall.sdp(leg, message)


def _invite(leg: Leg, message: m.Invite) -> None:
    incoming.invited_again(leg, message)


def _candidate(leg: Leg, message: m.Candidate) -> None:
    if not leg.ended:
        offers.remote_candidate(leg, message)


def _bye(leg: Leg, message: m.Bye) -> None:
    leg.send(c.AnswerBye(call_id=message.call_id or leg.call_id, cseq=message.cseq))
    if leg.state in UNANSWERED_IN:
        incoming.cancelled(leg, message)
    elif leg.unanswered_out:
        leg.end(outgoing.reason_of(message.code), message.code, message.reason)
    elif leg.state in (State.TRANSFERRING, State.JOINING):
        midcall.bye_while_transferring(leg, message.code)
    elif leg.answered:
        leg.end("remote_hangup", message.code)


def _cancel(leg: Leg, message: m.Cancel) -> None:
    leg.send(c.AnswerCancel(call_id=message.call_id or leg.call_id))
    if leg.state in UNANSWERED_IN:
        incoming.cancelled(leg, message)
    elif leg.unanswered_out:
        leg.end("cancelled")
    elif leg.answered:
        leg.end("remote_hangup")  # to the PBX this call was never answered


def _caller_id(leg: Leg, message: m.CallerId) -> None:
    if not leg.ended and (message.name or message.number):
        leg.remote_name = message.name
        leg.happen(s.RemoteNamed(name=message.name, number=message.number))


def _recording(leg: Leg, message: m.RecordingState) -> None:
    if not leg.ended and leg.recording != message.on:
        leg.recording = message.on
        leg.changed("recording")


def _informational(leg: Leg, message: m.Informational) -> None:
    if message.code is not None and message.code >= 400:
        midcall.refused(leg, message.code)


MESSAGES: dict[type[m.Message], Callable[[Leg, Any], None]] = {
    m.Sdp: _sdp,
    m.Invite: _invite,
    m.Candidate: _candidate,
    m.Bye: _bye,
    m.Cancel: _cancel,
    m.CallerId: _caller_id,
    m.RecordingState: _recording,
    m.Informational: _informational,
}


def entry_listed(leg: Leg, entry: m.CallEntry) -> None:
    connected = _is_connected(entry)
    if leg.unanswered_out and connected:
        outgoing.answered(leg)
    elif leg.state in UNANSWERED_IN:
        leg.connected_elsewhere = connected
    elif leg.presumed:
        _end_listed(leg, connected=connected, without_us=_gone_from_us(leg, entry))
    elif _may_be_taken(leg) and _gone_from_us(leg, entry):
        midcall.taken(leg)
    elif leg.answered:
        leg.perhaps_taken = False
        midcall.note_call_state(leg, entry.state)
    leg.named = leg.named or leg.local in _parties(entry)


def _is_connected(entry: m.CallEntry) -> bool:
    return entry.connect is not None or entry.state in CONNECTED_STATES


def goes_on_without_us(leg: Leg, entry: m.CallEntry) -> None:
    """It ends the leg only where that is what was asked for; all else that does comes as a `bye` or `cancel`."""
    if _may_be_taken(leg):
        midcall.taken(leg)
    elif leg.state in UNANSWERED_IN:
        leg.connected_elsewhere = _is_connected(entry)
    elif leg.presumed:
        _end_listed(leg, connected=_is_connected(entry), without_us=True)


def _may_be_taken(leg: Leg) -> bool:
    return leg.state in ON_THE_WAY or (leg.answered and leg.perhaps_taken)


def _end_listed(leg: Leg, *, connected: bool, without_us: bool) -> None:
    """The leg is over, and the call it was of lives on: with whoever picked up, or whom it was transferred to."""
    if leg.presumed == "cancelled" and connected:
        leg.end_known("answered_elsewhere")
    elif leg.presumed == "remote_hangup" and without_us:
        leg.end_known("transferred")


def _gone_from_us(leg: Leg, entry: m.CallEntry) -> bool:
    """The call lives on, but our extension has no part in it any more. Older entries tell no extensions: there it is
    gone only if it was named before (a call of a group never names us)."""
    told = bool(entry.extensions) or (leg.named and bool(entry.from_number and entry.to_number))
    return told and bool(leg.local) and leg.local not in _parties(entry)


def _parties(entry: m.CallEntry) -> set[str]:
    return {*entry.extensions, entry.from_number, entry.to_number}


# --- intents ------------------------------------------------------------------------------------------------


def _mute(leg: Leg, intent: s.WantMute) -> None:
    leg.send(c.Mute(call_id=leg.call_id, muted=intent.on))


def _record(leg: Leg, intent: s.WantPbxRecording) -> None:
    leg.send(c.RecordCall(id=leg.call_id, on=intent.on))


def _reject(leg: Leg, intent: s.WantReject) -> None:
    leg.hang_up("rejected", intent.code)


WISHES: dict[type[s.Intent], Callable[[Leg, Any], None]] = {
    s.WantDial: lambda leg, intent: outgoing.dial(leg),
    s.WantRinging: lambda leg, intent: incoming.ring(leg),
    s.WantAnswer: lambda leg, intent: incoming.answer(leg),
    s.WantReject: _reject,
    s.WantHold: lambda leg, intent: midcall.hold(leg),
    s.WantResume: midcall.resume,
    s.WantTransfer: midcall.transfer,
    s.WantJoin: midcall.join,
    s.WantJoined: lambda leg, intent: midcall.joined(leg),
    s.WantJoinUndone: lambda leg, intent: midcall.transfer_refused(leg, "the other leg's join was refused"),
    s.WantMute: _mute,
    s.WantPbxRecording: _record,
}


# --- media --------------------------------------------------------------------------------------------------


def _offer_made(leg: Leg, news: s.OfferMade) -> None:
    if offers.offer_made(leg, news.sdp) is Purpose.DIAL:
        leg.called = True
        leg.move(State.CALLING)


def _answer_made(leg: Leg, news: s.AnswerMade) -> None:
    if not offers.answer_made(leg, news.sdp):
        return
    incoming.answered_if_complete(leg)
    midcall.answer_sent(leg)
    offers.answer_next(leg)
    midcall.offer_waiting(leg)


def _media_up(leg: Leg, news: s.MediaIsUp) -> None:
    midcall.media_up(leg)
    incoming.answered_if_complete(leg)


def _media_lost(leg: Leg, news: s.MediaIsLost) -> None:
    if leg.state is State.ANSWERING:
        incoming.failed(leg, f"the audio did not come up: {news.reason}")
    elif leg.answered and not leg.socket_up:
        leg.hang_up("connection_lost")
    elif leg.answered:
        midcall.media_lost(leg, news.reason)
    else:
        leg.media_up = False


def _media_failed(leg: Leg, news: s.MediaFailed) -> None:
    pending = {
        "offer": leg.ours is not None and not leg.ours.sent,
        "answer": leg.theirs is not None,
        "apply": leg.ours is None and leg.theirs is None,
    }
    if pending[news.what]:
        _failed(leg, news.error)


def _failed(leg: Leg, error: str) -> None:
    """Our side could not make an offer or an answer, or not use the PBX's answer."""
    leg.stop_timer("work")
    leg.ours = leg.theirs = None
    if leg.state is State.ANSWERING:
        incoming.failed(leg, error)
    elif leg.state is State.RESUMING:
        midcall.resume_failed(leg, error)
    elif leg.answered and (leg.media_up or leg.state is not State.UP):
        offers.answer_next(leg)  # what flowed before goes on; on hold, the resume makes a new connection
    else:
        leg.hang_up("media_lost" if leg.recovering else "media_failed")


NEWS: dict[type[s.MediaNews], Callable[[Leg, Any], None]] = {
    s.OfferMade: _offer_made,
    s.AnswerMade: _answer_made,
    s.CandidateFound: offers.local_candidate,
    s.MediaIsUp: _media_up,
    s.MediaIsLost: _media_lost,
    s.MediaFailed: _media_failed,
}


# --- time ---------------------------------------------------------------------------------------------------


def _ring_over(leg: Leg) -> None:
    if leg.state is State.OFFERED:
        leg.end("no_answer")  # not refused: other phones of the extension may still ring
    else:
        leg.hang_up("no_answer")


def _media_over(leg: Leg) -> None:
    if not leg.socket_up and leg.state is not State.HELD:
        leg.hang_up("connection_lost")
    elif leg.state is State.ANSWERING:
        incoming.failed(leg, "the audio did not come up in time")
    elif leg.state is State.RESUMING:
        midcall.resume_failed(leg, "the audio did not come up in time")
    elif leg.state not in (State.HELD, State.TRANSFERRING, State.JOINING):  # who leaves us may not need ours any more
        leg.hang_up("media_lost" if leg.recovering else "media_failed")


TIMERS: dict[Timer, Callable[[Leg], None]] = {
    "ring": _ring_over,
    "media": _media_over,
    "work": lambda leg: _failed(leg, "the audio side did not answer in time"),
    "glare": midcall.offer_again,
    "transfer": lambda leg: midcall.transfer_refused(leg, "nothing was heard of the transfer"),
    "resume": midcall.resume_timed_out,
    "end": lambda leg: leg.end_known(),
    "linger": lambda leg: None,
}


def socket_lost(leg: Leg) -> None:
    leg.end_known()
    if leg.ended or leg.state is State.NEW:
        return
    leg.socket_up = False
    if leg.state in (State.TRANSFERRING, State.JOINING):
        midcall.transfer_unknown(leg)
    elif leg.state is State.RESUMING:
        midcall.resume_failed(leg, "connection lost")
    if not (leg.answered and leg.media_up) and not _comes_up(leg):
        _end_without_socket(leg)


def _end_without_socket(leg: Leg) -> None:
    """The PBX may go on with the call, so it has to be told as soon as that is possible again; but not to stop ringing
    us, for it may well ring anew when we are back."""
    if leg.state is State.OFFERED or (leg.state is State.ANSWERING and not leg.answer_sent):
        leg.end("connection_lost")
    else:
        leg.hang_up("connection_lost")


def _comes_up(leg: Leg) -> bool:
    """Both sides have answered, and offer and answer have met: the audio needs no socket to come up, or else its time
    runs out."""
    answered = leg.answered or (leg.state is State.ANSWERING and leg.answer_sent)
    met = leg.described_at is not None and leg.ours is None and leg.theirs is None
    return answered and met and not leg.recovering and "media" in leg.due
