"""A call from its first frame to its last: routing, ringing, the first answer wins, busy, bye, cancel."""

from __future__ import annotations

from typing import Any

from ..config import Service
from . import offers, push, services
from .frames import BadFrame, code_of, number_of, sdp_of, text_of
from .model import Call, Leg, LegState, Side, Socket
from .world import World

RING_TIMEOUT = 90.0
"""Seconds that phones ring before the PBX gives up: longer than any client's own patience."""

NO_ANSWER_YET = 3.0
"""Seconds after the pick-up by which a modern client has to have answered our offer; then the call ends with 415."""

RECLAIM = 30.0
"""Seconds that a call outlives its client's socket, and its media."""

REASONS = {
    404: "Not Found",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    603: "Decline",
}

# --- a client places a call ------------------------------------------------------------------------------------------


def place(world: World, socket: Socket, frame: dict[str, Any]) -> None:
    """`sdp-packet`."""
    to = number_of(text_of(frame, "to", needed=True))
    offer = sdp_of(frame, needed=True)
    call_id = text_of(frame, "callid") or world.new_id()
    if call_id in world.by_call_id:
        raise BadFrame(f"callid: {call_id} is in use")
    call = world.new_call(socket.user, to)
    call.to_name = world.name_of(to)
    leg = world.new_leg(call, socket, Side.CALLER, call_id)
    call.legs.append(leg)
    world.log("info", "call", id=call.id, callid=call_id, caller=socket.user, to=to)
    route(world, call, leg, to, offer)
    push.calls_changed(world)


def route(world: World, call: Call, leg: Leg, to: str, offer: str) -> None:
    service = world.service_of(to)
    if service is not None:
        services.start(world, call, leg, service, offer)
        return
    members = members_of(world, to)
    phones = [s for user in members for s in world.registered(user) if s.id != leg.socket]
    if not members:
        refuse(world, leg, 404)
    elif not phones:
        refuse(world, leg, 480)
    else:
        offers.begin(world, leg, offer)
        ring(world, call, phones)


def members_of(world: World, number: str) -> tuple[str, ...]:
    """The extensions that a number rings."""
    if number in world.groups:
        return tuple(dict.fromkeys(world.groups[number].members))
    return (number,) if number in world.accounts else ()


def ring(world: World, call: Call, phones: list[Socket]) -> None:
    """Offer the call to each phone."""
    for socket in phones:
        leg = world.new_leg(call, socket, Side.CALLEE, world.new_id())
        call.ringing.append(leg)
        offers.make_offer(world, leg)
    world.clock.at(world.now + RING_TIMEOUT, lambda: _nobody(world, call))
    world.feed(call)


def _nobody(world: World, call: Call) -> None:
    if call.ringing and not call.ended:
        cancel_ringing(world, call)
        fail(world, call, 480)


# --- the phones that ring --------------------------------------------------------------------------------------------


def ringing(world: World, leg: Leg) -> None:
    """`sip-ringing`."""
    if leg.state is not LegState.OFFERED:
        return
    leg.state = LegState.RINGING
    for caller in leg.call.legs:
        if caller.side is Side.CALLER:
            proceed(world, caller)
    push.calls_changed(world)


def proceed(world: World, caller: Leg, code: int = 180) -> None:
    """Tell the caller that it rings: once 180, or with a description of ours 183."""
    if caller.state is not LegState.TRYING:
        return
    caller.state = LegState.PROCEEDING
    if offers.answers(world, caller):
        if code == 183:
            offers.describe(world, caller, 183)
        else:
            offers.status(world, caller, 180)
    else:
        offers.describe(world, caller, 183)


def answered(world: World, leg: Leg, answer: str) -> None:
    """`sdp-200ok` of a phone that was rung: the first wins."""
    call = leg.call
    if call.service is not None and call.service.kind == "cancel-crosses-answer":
        drop_ringing(world, leg, "cancel")
        end(world, call)
        return
    if leg not in call.ringing:
        raise BadFrame("callid: this call rings here no more")
    offers.take_answer(world, leg, answer)
    call.ringing.remove(leg)
    call.legs.append(leg)
    leg.state = LegState.UP
    cancel_ringing(world, call)
    connect(world, call)


def connect(world: World, call: Call) -> None:
    """Somebody has picked up."""
    first = call.connect is None
    if first:
        call.connect = world.now
    for leg in call.legs:
        if leg.state in (LegState.TRYING, LegState.PROCEEDING):
            _tell_answered(world, leg)
    world.feed(call)
    push.calls_changed(world)
    if first:
        world.log("info", "answered", id=call.id)


def _tell_answered(world: World, leg: Leg) -> None:
    """Classic: 200. Modern: our offer, if it is not out yet; that it was picked up says call-state alone [live]."""
    told_before = leg.described or leg.due_code is not None
    leg.state = LegState.UP
    if offers.answers(world, leg):
        if told_before and leg.browser:
            offers.status(world, leg, 200)
        else:
            offers.describe(world, leg, 200)
        return
    if not told_before:
        offers.describe(world, leg, 200)
    world.clock.at(world.now + NO_ANSWER_YET, lambda: _must_have_answered(world, leg))


def _must_have_answered(world: World, leg: Leg) -> None:
    if leg.offering and leg.described and not leg.ended and leg.peer == 1:
        world.log("warning", "our offer was not answered: 415", callid=leg.call_id)
        hang_up(world, leg, code=415)


def refused(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`sip-busy`, or `sip-bye` of a phone that rings; 603 ends it for all."""
    code = code_of(frame, 486)
    call = leg.call
    call.refusal = code
    drop_ringing(world, leg, None)
    if code == 603:
        cancel_ringing(world, call)
    if not call.ringing:
        fail(world, call, code)
    push.calls_changed(world)


def drop_ringing(world: World, leg: Leg, tell: str | None) -> None:
    """One phone rings no more; `tell` "cancel" says so to it."""
    if tell == "cancel":
        world.send(leg, {"cancel": "true", "callid": leg.call_id, "cseq": leg.cseq})
    if leg in leg.call.ringing:
        leg.call.ringing.remove(leg)
    world.close_leg(leg)


def cancel_ringing(world: World, call: Call) -> None:
    for leg in list(call.ringing):
        drop_ringing(world, leg, "cancel")


# --- the end ---------------------------------------------------------------------------------------------------------


def refuse(world: World, leg: Leg, code: int) -> None:
    """The caller is told that it will not be; that ends the leg."""
    offers.status(world, leg, code, REASONS.get(code, "Refused"))
    world.close_leg(leg)
    end(world, leg.call)


def fail(world: World, call: Call, code: int) -> None:
    """Nobody is there to talk to: callers that wait are refused, parties that talk get a bye."""
    for leg in list(call.legs):
        if leg.state in (LegState.TRYING, LegState.PROCEEDING):
            refuse(world, leg, code)
        elif not leg.ended:
            bye(world, leg, code)
    end(world, call)


def bye(world: World, leg: Leg, code: int | None = None) -> None:
    """Tell a client that its leg is over."""
    leg.cseq += 1
    frame: dict[str, Any] = {"bye": "true", "callid": leg.call_id, "cseq": leg.cseq}
    if code is not None:
        frame["code"] = code
    world.send(leg, frame)
    world.close_leg(leg)


def said_bye(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`sip-bye`: hang up, give up, or refuse."""
    if leg.state in (LegState.OFFERED, LegState.RINGING):
        refused(world, leg, {})
        return
    world.close_leg(leg)
    end(world, leg.call)


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


# --- the PBX's own doing ---------------------------------------------------------------------------------------------


def call_in(world: World, service: Service, user: str) -> Call | None:
    """A service number calls an extension; None if that is not registered."""
    phones = world.registered(user)
    if not phones:
        return None
    call = world.new_call(service.number, user)
    call.service = service
    services.ready_to_talk(world, call)
    ring(world, call, phones)
    push.calls_changed(world)
    return call


def orphaned(world: World, leg: Leg) -> None:
    """The client's socket is gone: ringing and waiting legs go with it, a conversation waits for it to come back."""
    leg.socket = None
    if leg.state is LegState.UP:
        world.clock.at(world.now + RECLAIM, lambda: _still_orphaned(world, leg))
    elif leg in leg.call.ringing:
        drop_ringing(world, leg, None)
        if not leg.call.ringing:
            fail(world, leg.call, 480)
    else:
        world.close_leg(leg)
        end(world, leg.call)


def _still_orphaned(world: World, leg: Leg) -> None:
    if leg.socket is None and not leg.ended:
        world.log("info", "its client did not come back", callid=leg.call_id)
        hang_up(world, leg)


def media_lost(world: World, leg: Leg) -> None:
    leg.media_up = False
    if leg.state is LegState.UP and not leg.held:
        peer = leg.peer
        world.clock.at(world.now + RECLAIM, lambda: _still_silent(world, leg, peer))


def _still_silent(world: World, leg: Leg, peer: int) -> None:
    if not leg.ended and not leg.media_up and not leg.held and leg.peer == peer:
        world.log("info", "its media did not come back", callid=leg.call_id)
        hang_up(world, leg)


def media_failed(world: World, leg: Leg, error: str) -> None:
    """The client's description could not be used."""
    world.log("warning", "a description can't be used", callid=leg.call_id, why=error)
    if leg.state in (LegState.TRYING, LegState.PROCEEDING):
        refuse(world, leg, 488)
    elif leg in leg.call.ringing:
        drop_ringing(world, leg, "cancel")
        if not leg.call.ringing:
            fail(world, leg.call, 488)
    elif not leg.ended:
        hang_up(world, leg, code=488)
