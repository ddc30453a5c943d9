"""A call from its first frame to the pick-up: routing, ringing, the first answer wins, refusals."""

from __future__ import annotations

from typing import Any

from ..config import Service
from . import offers, parking, push, services, transfer
from .ending import cancel_ringing, drop_ringing, end, fail, hang_up, refuse, watch_media
from .frames import BadFrame, code_of, number_of, sdp_of, text_of
from .model import Call, Leg, LegState, Side, Socket
from .world import World

RING_TIMEOUT = 90.0
"""Seconds that phones ring before the PBX gives up: longer than any client's own patience."""

NO_ANSWER_YET = 5.0
"""Seconds by which a modern client has to have answered our offer; if it has not, the call ends with 415: at the
pick-up, or when they are over."""

LONGEST_CALL_ID = 256
"""Characters; it is repeated in every frame."""

# --- a client places a call ------------------------------------------------------------------------------------------


def place(world: World, socket: Socket, frame: dict[str, Any]) -> None:
    """`sdp-packet`."""
    to = number_of(text_of(frame, "to", needed=True))
    offer = sdp_of(frame, needed=True)
    call_id = text_of(frame, "callid") or world.new_id()
    if call_id in world.by_call_id or call_id in world.calls:
        raise BadFrame(f"callid: {call_id} is in use")
    if len(call_id) > LONGEST_CALL_ID:
        raise BadFrame("callid: is too long")
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
    orbit = parking.orbit_of(to, parking.PICK_UP)
    if orbit is not None:
        parking.pick_up(world, call, leg, orbit, offer)
        return
    phones = phones_of(world, to, without=leg.socket)
    if isinstance(phones, int):
        refuse(world, leg, phones)
    else:
        offers.begin(world, leg, offer)
        ring(world, call, phones)


def phones_of(world: World, number: str, *, without: str | None) -> list[Socket] | int:
    """The phones that a number rings, but for a socket's own; or the code for why there are none."""
    members = members_of(world, number)
    if not members:
        return 404
    free = [user for user in members if not world.accounts[user].dnd]
    if not free:
        return 486
    return [s for user in free for s in world.registered(user) if s.id != without] or 480


def members_of(world: World, number: str) -> tuple[str, ...]:
    """The extensions that a number rings."""
    if number in world.groups:
        return tuple(user for user in dict.fromkeys(world.groups[number].members) if user in world.accounts)
    return (number,) if number in world.accounts else ()


def ring(world: World, call: Call, phones: list[Socket]) -> None:
    """Offer the call to each phone."""
    for socket in phones:
        leg = world.new_leg(call, socket, Side.CALLEE, world.new_id())
        call.ringing.append(leg)
        offers.make_offer(world, leg)
    expire_ringing(world, call)
    world.feed(call)


def expire_ringing(world: World, call: Call) -> None:
    """Whoever does not answer in time is given up."""
    call.rings += 1
    number = call.rings
    world.clock.at(world.now + RING_TIMEOUT, lambda: _nobody(world, call, number))


def _nobody(world: World, call: Call, number: int) -> None:
    if not call.ended and call.rings == number:
        cancel_ringing(world, call)
        fail(world, call, 480)


# --- the phones that ring --------------------------------------------------------------------------------------------


def ringing(world: World, leg: Leg) -> None:
    """`sip-ringing`."""
    if leg.state not in (LegState.OFFERED, LegState.RINGING):
        raise BadFrame(f"the call is {leg.state.value}")
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
        end(world, call)  # by a cancel, which crosses the answer
        return
    if not offers.take_answer(world, leg, answer):
        raise BadFrame("sdp: nothing was offered yet")
    call.ringing.remove(leg)
    call.legs.append(leg)
    call.rings += 1
    leg.state = LegState.UP
    watch_media(world, leg)
    cancel_ringing(world, call)
    if call.dials:
        transfer.dial_on(world, call, leg)
    elif call.service is not None:
        services.talk(world, call)
    else:
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
    watch_media(world, leg)
    if offers.answers(world, leg):
        if told_before and leg.browser:
            offers.status(world, leg, 200)
        else:
            offers.describe(world, leg, 200)
        return
    if not told_before:
        offers.describe(world, leg, 200)
    offered_at = world.now if leg.offered_at is None else leg.offered_at
    world.clock.at(offered_at + NO_ANSWER_YET, lambda: _must_have_answered(world, leg))


def _must_have_answered(world: World, leg: Leg) -> None:
    if not leg.negotiated and leg.described and not leg.ended:
        world.log("warning", "our offer was not answered: 415", callid=leg.call_id)
        hang_up(world, leg, code=415)


def refused(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`sip-busy`, or `sip-bye` of a phone that rings; 603 ends it for all."""
    code = code_of(frame, 486)
    call = leg.call
    drop_ringing(world, leg, tell=False)
    if code == 603:
        cancel_ringing(world, call)
    if not call.ringing:
        fail(world, call, code)
    push.calls_changed(world)


# --- the PBX's own doing ---------------------------------------------------------------------------------------------


def call_in(world: World, service: Service, user: str) -> Call | None:
    """A service number calls an extension; None if that is not registered."""
    phones = world.registered(user)
    if not phones:
        return None
    call = world.new_call(service.number, user)
    call.from_name = service.kind
    call.service = service
    ring(world, call, phones)
    push.calls_changed(world)
    return call
