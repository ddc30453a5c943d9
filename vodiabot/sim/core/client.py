"""What each frame of a client does (PROTOCOL.md section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import calls, desk, ending, midcall, offers, push, transfer
from .effects import AddCandidate, SendFrame
from .frames import BadFrame, LateFrame, candidate_of, flag_of, number_of, sdp_of, text_of
from .model import Call, Leg, LegState, Side, Socket
from .world import World

Frame = dict[str, Any]


def handle(world: World, socket: Socket, frame: Frame) -> None:
    """One frame. Raises BadFrame."""
    action = frame["action"]
    if action in _OF_A_SOCKET:
        _OF_A_SOCKET[action](world, socket, frame)
    elif action in _OF_A_LEG:
        _OF_A_LEG[action](world, leg_of(world, socket, frame), frame)
    elif action in _BY_ID:
        _BY_ID[action](world, socket, _leg_by_id(world, socket, frame), frame)
    elif action in _RESPONSES:
        ending.response(world, _owing(world, socket, frame), action, frame)
    elif action != "add-to-crm":
        raise BadFrame("action: is not known")


# --- whose leg is meant ----------------------------------------------------------------------------------------------


def leg_of(world: World, socket: Socket, frame: Frame) -> Leg:
    """By `callid`; without one the socket's newest leg that its client knows of is meant [page]. Raises BadFrame."""
    call_id = text_of(frame, "callid")
    leg = _named(world, socket, call_id) if call_id else _newest(world, socket)
    if leg.ended:
        crossed = not leg.ended_by_client or frame["action"] in _MAY_BE_LATE
        raise (LateFrame if crossed else BadFrame)(f"callid: the call {leg.call_id} is over")
    return leg


def _named(world: World, socket: Socket, call_id: str) -> Leg:
    leg = world.by_call_id.get(call_id)
    if leg is None or leg.user != socket.user:
        raise BadFrame(f"callid: there is no call {call_id}"[:100])
    # Where its client speaks of it is where it is now [guess]: the old socket may be dead, and we don't know it yet.
    leg.socket, leg.guessed = socket.id, False
    return leg


def _newest(world: World, socket: Socket) -> Leg:
    mine = [leg for leg in world.legs.values() if leg.socket == socket.id and _is_known_to(leg)]
    if not mine:
        raise BadFrame("callid: is missing, and there is no call")
    return next((leg for leg in reversed(mine) if not leg.ended), mine[-1])


def _is_known_to(leg: Leg) -> bool:
    """Whether the client of its socket is sure to know of it."""
    return not leg.guessed and (leg.side is Side.CALLER or leg.described)


def _owing(world: World, socket: Socket, frame: Frame) -> list[Leg]:
    """The legs that a `bye-response` or `cancel-response` may mean, oldest first."""
    call_id = text_of(frame, "callid")
    if call_id:
        return [_named(world, socket, call_id)]
    return [leg for leg in world.legs.values() if leg.socket == socket.id]


def _leg_by_id(world: World, socket: Socket, frame: Frame, key: str = "id") -> Leg:
    """By the call-id of a leg, or by the id of a call: in that, one's own leg, or that of `from`, or, where the frame
    has no `from`, the one that it makes sense for [guess]. Raises BadFrame; whoever may not do it is told 403."""
    name = text_of(frame, key)
    if not name:
        return leg_of(world, socket, {"action": frame["action"]})
    leg = world.by_call_id.get(name)
    if leg is None and name in world.calls:
        leg = _leg_of_call(world.calls[name], socket.user, frame)
    if leg is None:
        raise BadFrame(f"{key}: there is no call {name}"[:100])
    if leg.ended:
        raise LateFrame(f"{key}: the call {name} is over"[:100])
    if socket.user not in push.parties(leg.call) and not world.accounts[socket.user].may_control:
        desk.respond(world, socket, frame["action"], leg.call.id, 403)
        raise BadFrame(f"{key}: this is a call of others")
    return leg


def _leg_of_call(call: Call, user: str, frame: Frame) -> Leg | None:
    legs = [one for one in (*call.legs, *call.ringing) if not one.ended]
    sender = number_of(text_of(frame, "from"))
    for wanted in (user, sender):
        mine = [one for one in legs if one.user == wanted]
        if mine:
            return mine[0]
    if sender or not legs:
        return None
    return legs[-1]  # who is rung, or else who was: ringing legs come last, and the one who called is first


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
            if key == "remove" or name in world.accounts:
                change(name)
    push.watched(world, socket, [a for user, a in world.accounts.items() if user in socket.watched])


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
    "make-call": desk.make_call,
}

# --- a leg -----------------------------------------------------------------------------------------------------------


def _accept(world: World, leg: Leg, frame: Frame) -> None:
    """`sdp-200ok`: the answer to an invite, or to another offer of ours."""
    answer = sdp_of(frame, needed=True)
    if leg.state in (LegState.OFFERED, LegState.RINGING):
        calls.answered(world, leg, answer)
    elif not offers.take_answer(world, leg, answer):
        raise BadFrame("sdp: no offer of ours is out")


def _ack(world: World, leg: Leg, frame: Frame) -> None:
    if leg.side is Side.CALLEE or leg.state is not LegState.UP:
        raise BadFrame(f"there is nothing to acknowledge: {leg.side.value}, {leg.state.value}")
    if leg.acknowledged:
        raise BadFrame("it was acknowledged before")
    leg.acknowledged = True


def _bye(world: World, leg: Leg, frame: Frame) -> None:
    """`sip-bye`: hang up, give up, or refuse."""
    leg.ended_by_client = True
    if leg.state in (LegState.OFFERED, LegState.RINGING):
        calls.refused(world, leg, {})
    else:
        ending.said_bye(world, leg, frame)


def _busy(world: World, leg: Leg, frame: Frame) -> None:
    if leg.state not in (LegState.OFFERED, LegState.RINGING):
        raise BadFrame(f"the call is {leg.state.value}")
    calls.refused(world, leg, frame)
    leg.ended_by_client = True


def _candidate(world: World, leg: Leg, frame: Frame) -> None:
    line, mid, index = candidate_of(frame)
    if leg.ignores_client:
        return  # of the offer that a modern PBX does not use
    world.emit(AddCandidate(leg.id, line, mid, index))


_OF_A_LEG: dict[str, Callable[[World, Leg, Frame], None]] = {
    "sip-ringing": lambda world, leg, frame: calls.ringing(world, leg),
    "sdp-200ok": _accept,
    "sip-ack": _ack,
    "sip-busy": _busy,
    "sip-bye": _bye,
    "ice-candidate": _candidate,
    "wrtc-hold": midcall.hold,
    "mute": midcall.mute,
}

# --- by the id of a leg, or of a call --------------------------------------------------------------------------------


def _attended(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    transfer.attended(world, socket, leg, _leg_by_id(world, socket, frame, "id2"))


def _record(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    midcall.record(world, leg, frame)


_BY_ID: dict[str, Callable[[World, Socket, Leg, Frame], None]] = {
    "blind-transfer2": transfer.blind,
    "blind-transfer": transfer.blind,
    "att-transfer": _attended,
    "rec-call": _record,
    "clear-call": desk.clear_call,
    "hold-call": desk.hold_call,
    "accept-call": desk.accept_call,
}

_MAY_BE_LATE = frozenset({"sip-ack", "ice-candidate", "sip-bye"})
"""These cross the end of a call on their way, even of one that the client has ended itself."""

_RESPONSES = frozenset({"bye-response", "cancel-response"})
