"""The end of legs and calls, by whoever's hand: refusal, bye, cancel, a socket that is gone, audio that is gone."""

from __future__ import annotations

from typing import Any

from . import offers, push
from .frames import BadFrame
from .model import Call, Leg, LegState
from .world import World

RECLAIM = 30.0
"""Seconds that a call outlives its client's socket, or its audio."""

REASONS = {
    403: "Forbidden",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call Does Not Exist",
    486: "Busy Here",
    488: "Not Acceptable Here",
    603: "Decline",
}

_BEFORE_ANSWER = (LegState.TRYING, LegState.PROCEEDING)

# --- a leg -----------------------------------------------------------------------------------------------------------


def refuse(world: World, leg: Leg, code: int) -> None:
    """The caller is told that it will not be; that ends the leg."""
    offers.status(world, leg, code, REASONS.get(code, "Refused"))
    world.close_leg(leg)
    end(world, leg.call)


def bye(world: World, leg: Leg, code: int | None = None) -> None:
    """Tell a client that its leg is over; it is to answer `bye-response`."""
    leg.cseq += 1
    frame: dict[str, Any] = {"bye": "true", "callid": leg.call_id, "cseq": leg.cseq}
    if code is not None:
        frame["code"] = code
    world.await_answer(leg, "bye-response")
    world.send(leg, frame)
    world.close_leg(leg)


def drop_ringing(world: World, leg: Leg, *, tell: bool) -> None:
    """One phone rings no more; `tell`: by a `cancel`, which it is to answer."""
    if tell and leg.described:
        world.await_answer(leg, "cancel-response")
        world.send(leg, {"cancel": "true", "callid": leg.call_id, "cseq": leg.cseq})
    if leg in leg.call.ringing:
        leg.call.ringing.remove(leg)
    world.close_leg(leg)


def said_bye(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`sip-bye` of a leg that doesn't ring: hang up, or give up."""
    world.close_leg(leg)
    end(world, leg.call)


def response(world: World, legs: list[Leg], action: str, frame: dict[str, Any]) -> None:
    """`bye-response`, `cancel-response`: of the newest of `legs` that owes one. Raises BadFrame."""
    leg = next((leg for leg in reversed(legs) if leg.awaits == action), None)
    if leg is None:
        raise BadFrame("callid: nobody has asked for this answer")
    cseq = frame.get("cseq")
    if cseq is not None and str(cseq) != str(leg.cseq):
        raise BadFrame(f"cseq: {cseq!r} does not answer {leg.cseq}"[:100])
    leg.awaits = ""


# --- a call ----------------------------------------------------------------------------------------------------------


def cancel_ringing(world: World, call: Call) -> None:
    for leg in list(call.ringing):
        drop_ringing(world, leg, tell=True)


def fail(world: World, call: Call, code: int) -> None:
    """Nobody is there to talk to: callers that wait are refused, parties that talk get a bye."""
    for leg in list(call.legs):
        if leg.state in _BEFORE_ANSWER:
            refuse(world, leg, code)
        elif not leg.ended:
            bye(world, leg, code)
    end(world, call)


def hang_up(world: World, leg: Leg, *, code: int | None = None) -> None:
    """The PBX ends this leg, and with it the call."""
    bye(world, leg, code)
    end(world, leg.call)


def end(world: World, call: Call) -> None:
    """Idempotent; whoever is left is told."""
    if call.ended:
        return
    call.ended = True
    cancel_ringing(world, call)
    for leg in call.legs:
        if not leg.ended:
            bye(world, leg)
    world.calls.pop(call.id, None)
    world.log("info", "call over", id=call.id, answered=call.connect is not None)
    push.calls_changed(world)


# --- the client's socket is gone -------------------------------------------------------------------------------------


def orphaned(world: World, leg: Leg) -> None:
    """Phones that rang and callers that waited are gone with it; a conversation waits for its client to come back."""
    leg.socket = None
    if leg.state is LegState.UP:
        world.clock.at(world.now + RECLAIM, lambda: _still_orphaned(world, leg))
    elif leg in leg.call.ringing:
        drop_ringing(world, leg, tell=False)
        if leg.call.ringing:
            push.calls_changed(world)
        else:
            fail(world, leg.call, 480)
    else:
        world.close_leg(leg)
        end(world, leg.call)


def _still_orphaned(world: World, leg: Leg) -> None:
    if leg.socket is None and not leg.ended:
        world.log("info", "its client did not come back", callid=leg.call_id)
        hang_up(world, leg)


# --- its audio is gone -----------------------------------------------------------------------------------------------


def watch_media(world: World, leg: Leg) -> None:
    """An answered leg that should have audio and has none ends after a while; to be called at each change of that."""
    wanted = leg.state is LegState.UP and not leg.held and not leg.virtual
    if not wanted or leg.media_up:
        world.clock.cancel(leg.silence)
        leg.silence = None
    elif leg.silence is None:
        leg.silence = world.clock.at(world.now + RECLAIM, lambda: _silent(world, leg))


def _silent(world: World, leg: Leg) -> None:
    world.log("info", "it has no audio", callid=leg.call_id, user=leg.user)
    hang_up(world, leg)


def media_is(world: World, leg: Leg, *, up: bool) -> None:
    leg.media_up = up
    watch_media(world, leg)


def media_failed(world: World, leg: Leg, error: str) -> None:
    """The client's description could not be used."""
    world.log("warning", "a description can't be used", callid=leg.call_id, why=error)
    if leg.state in _BEFORE_ANSWER:
        refuse(world, leg, 488)
    elif leg in leg.call.ringing:
        drop_ringing(world, leg, tell=True)
        if not leg.call.ringing:
            fail(world, leg.call, 488)
    elif not leg.ended:
        hang_up(world, leg, code=488)
