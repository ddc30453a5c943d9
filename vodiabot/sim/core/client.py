"""What each frame of a client does (PROTOCOL.md section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import calls, midcall, offers, push
from .effects import AddCandidate, SendFrame
from .frames import BadFrame, candidate_of, flag_of, sdp_of, text_of
from .model import Leg, LegState, Socket
from .world import World

Frame = dict[str, Any]


def handle(world: World, socket: Socket, frame: Frame) -> None:
    """One frame. Raises BadFrame."""
    action = frame["action"]
    if action in _OF_A_SOCKET:
        _OF_A_SOCKET[action](world, socket, frame)
    elif action in _OF_A_LEG:
        leg = leg_of(world, socket, frame)
        if not leg.ended:
            _OF_A_LEG[action](world, leg, frame)
    elif action in _BY_ID:
        _BY_ID[action](world, socket, _leg_by_id(world, socket, frame), frame)
    elif action not in _HEARD_ONLY:
        raise BadFrame("action: is not known")


# --- whose leg is meant ----------------------------------------------------------------------------------------------


def leg_of(world: World, socket: Socket, frame: Frame) -> Leg:
    """By `callid`; without one the socket's newest leg is meant [page]. Raises BadFrame."""
    call_id = text_of(frame, "callid")
    if call_id:
        leg = world.by_call_id.get(call_id)
        if leg is None or leg.user != socket.user:
            raise BadFrame(f"callid: there is no call {call_id}")
    else:
        mine = world.living(socket.id)
        if not mine:
            raise BadFrame("callid: is missing, and there is no call")
        leg = mine[-1]
    if leg.ended and frame.get("action") not in _MAY_BE_LATE:
        raise BadFrame(f"callid: the call {leg.call_id} is over")
    return leg


def _leg_by_id(world: World, socket: Socket, frame: Frame, key: str = "id") -> Leg:
    """By the call-id of a leg of one's own, or by the id of a call that one takes part in. Raises BadFrame."""
    name = text_of(frame, key)
    if not name:
        return leg_of(world, socket, {})
    leg = world.by_call_id.get(name)
    call = world.calls.get(name)
    if leg is None and call is not None:
        leg = next((one for one in call.legs if one.user == socket.user and not one.ended), None)
        leg = leg or next((one for one in call.legs if not one.ended and one.user == text_of(frame, "from")), None)
    if leg is None or leg.ended:
        raise BadFrame(f"{key}: there is no call {name}")
    return leg


# --- the socket itself -----------------------------------------------------------------------------------------------


def _register(world: World, socket: Socket, frame: Frame) -> None:
    socket.useragent = text_of(frame, "useragent")[:100]
    fresh = socket.registered_until is None
    expires = world.config.expires
    until = socket.registered_until = world.now + expires
    answer = {"action": "sip-register", "expires": expires, "add": f"sip:{socket.user}@{world.config.domain}"}
    world.emit(SendFrame(socket.id, answer))
    world.clock.at(until, lambda: _expire(world, socket, until))
    if fresh:
        world.log("info", "registered", user=socket.user, useragent=socket.useragent)
    push.account_changed(world, world.accounts[socket.user])


def _expire(world: World, socket: Socket, until: float) -> None:
    if socket.registered_until == until and socket.id in world.sockets:
        socket.registered_until = None
        world.log("info", "registration expired", user=socket.user)
        push.account_changed(world, world.accounts[socket.user])


def _subscribe(world: World, socket: Socket, frame: Frame) -> None:
    what = frame["action"]
    if frame.get("subscribe") is None or flag_of(frame, "subscribe"):
        socket.subscriptions.add(what)
        push.send_calls(world, socket, what)
    else:
        socket.subscriptions.discard(what)


def _watch(world: World, socket: Socket, frame: Frame) -> None:
    for key, change in (("add", socket.watched.add), ("remove", socket.watched.discard)):
        names = frame.get(key, [])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise BadFrame(f"{key}: a list of extensions is needed")
        for name in names:
            change(name)
    states = {user: push.account_entry(world, a) for user, a in world.accounts.items() if user in socket.watched}
    world.emit(SendFrame(socket.id, {"action": "blf", "extensions": states}))


def _ringtones(world: World, socket: Socket, frame: Frame) -> None:
    world.emit(SendFrame(socket.id, {"ringtones": ["ring1"]}))


_OF_A_SOCKET: dict[str, Callable[[World, Socket, Frame], None]] = {
    "avoid-disconnect": lambda world, socket, frame: None,
    "own-calls": _subscribe,
    "domain-calls": _subscribe,
    "orbit-calls": _subscribe,
    "blf": _watch,
    "ringtones": _ringtones,
    "get-users": lambda world, socket, frame: push.domain_state(world, socket),
    "get-calls": lambda world, socket, frame: push.send_calls(world, socket, "own-calls"),
    "sip-register": _register,
    "sdp-packet": calls.place,
    "chat": midcall.chat,
}

# --- a leg -----------------------------------------------------------------------------------------------------------


def _accept(world: World, leg: Leg, frame: Frame) -> None:
    """`sdp-200ok`: the answer to an invite, or to another offer of ours."""
    answer = sdp_of(frame, needed=True)
    if leg.state in (LegState.OFFERED, LegState.RINGING):
        calls.answered(world, leg, answer)
    elif not offers.take_answer(world, leg, answer):
        raise BadFrame("sdp: no offer of ours is out")


def _busy(world: World, leg: Leg, frame: Frame) -> None:
    if leg.state not in (LegState.OFFERED, LegState.RINGING):
        raise BadFrame(f"the call is {leg.state.value}")
    calls.refused(world, leg, frame)


def _candidate(world: World, leg: Leg, frame: Frame) -> None:
    line, mid, index = candidate_of(frame)
    if leg.pbx_offers and leg.client_offer and leg.offering:
        return  # of the offer that a modern PBX does not use
    world.emit(AddCandidate(leg.id, line, mid, index))


_OF_A_LEG: dict[str, Callable[[World, Leg, Frame], None]] = {
    "sip-ringing": lambda world, leg, frame: calls.ringing(world, leg),
    "sdp-200ok": _accept,
    "sip-ack": lambda world, leg, frame: None,
    "sip-busy": _busy,
    "sip-bye": calls.said_bye,
    "ice-candidate": _candidate,
    "wrtc-hold": midcall.hold,
    "mute": midcall.mute,
}

# --- by the id of a leg, or of a call --------------------------------------------------------------------------------


def _blind(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    midcall.blind_transfer(world, socket, leg, frame)


def _attended(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    midcall.attended_transfer(world, leg, _leg_by_id(world, socket, frame, "id2"))


def _record(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    midcall.record(world, leg, frame)


def _clear(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    calls.hang_up(world, leg)


_BY_ID: dict[str, Callable[[World, Socket, Leg, Frame], None]] = {
    "blind-transfer2": _blind,
    "blind-transfer": _blind,
    "att-transfer": _attended,
    "rec-call": _record,
    "clear-call": _clear,
}

_MAY_BE_LATE = frozenset({"sip-ack", "ice-candidate", "sip-bye"})
"""These cross the end of a call on their way, and mean nothing then."""

_HEARD_ONLY = frozenset(
    {"bye-response", "cancel-response", "add-to-crm", "make-call", "hold-call", "accept-call"}
)
"""Answers that need nothing more, and the desk phone, which this PBX does not model (yet)."""
