"""An answered call: hold, resume, transfers, recording, mute."""

from __future__ import annotations

from typing import Any

from . import calls, offers, push, services
from .effects import SendFrame
from .frames import BadFrame, flag_of, number_of, sdp_of, text_of
from .model import Call, Leg, LegState, Socket
from .world import World

# --- hold ------------------------------------------------------------------------------------------------------------


def hold(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`wrtc-hold`: sendonly holds; sendrecv takes back, with a new offer of a new peer connection or without SDP."""
    command = text_of(frame, "holdcmd", needed=True)
    if command not in ("sendonly", "sendrecv"):
        raise BadFrame(f"holdcmd: {command!r} is neither sendonly nor sendrecv")
    if leg.state is not LegState.UP:
        raise BadFrame(f"the call is {leg.state.value}")
    offer = sdp_of(frame, needed=False)
    services.before_hold(world, leg)
    leg.held = command == "sendonly"
    if offer:
        _new_peer(world, leg, offer)
    world.feed(leg.call)
    push.calls_changed(world)


def _new_peer(world: World, leg: Leg, offer: str) -> None:
    leg.peer += 1
    leg.media_up = False
    leg.waiting_candidates.clear()
    offers.take_offer(world, leg, offer)
    offers.describe(world, leg, 200)


# --- transfer --------------------------------------------------------------------------------------------------------


def blind_transfer(world: World, socket: Socket, leg: Leg, frame: dict[str, Any]) -> None:
    """`blind-transfer2`: taken as soon as the target rings or answers; the other party's leg keeps its SDP."""
    to = number_of(text_of(frame, "to", needed=True))
    _check_up(leg)
    other = leg.call.other(leg)
    code = _refusal(world, socket, to)
    if code is None and other is None and leg.call.service is None:
        code = 481
    if code is not None:
        _say_refused(world, leg, code)
        return
    world.log("info", "transfer", callid=leg.call_id, to=to)
    call = leg.call
    _leave(world, call, leg)
    _send_to(world, call, to)


def _check_up(leg: Leg) -> None:
    if leg.state is not LegState.UP:
        raise BadFrame(f"the call is {leg.state.value}")


def _refusal(world: World, socket: Socket, to: str) -> int | None:
    service = world.service_of(to)
    if service is not None:
        return services.takes_transfers(service)
    members = calls.members_of(world, to)
    if not members:
        return 404
    return None if any(s.id != socket.id for user in members for s in world.registered(user)) else 480


def _say_refused(world: World, leg: Leg, code: int) -> None:
    """The call comes back: a frame for the leg with the code."""
    world.log("info", "transfer refused", callid=leg.call_id, code=code)
    world.send(
        leg, {"response": "refer", "callid": leg.call_id, "code": code, "reason": calls.REASONS.get(code, "Refused")}
    )


def _leave(world: World, call: Call, leg: Leg) -> None:
    calls.bye(world, leg)
    call.legs.remove(leg)


def _send_to(world: World, call: Call, to: str) -> None:
    """The party that is left goes to the target; it is the caller now."""
    left = next((leg for leg in call.legs if not leg.ended), None)
    if left is None:  # a service was transferred: nobody is left who could go anywhere
        calls.end(world, call)
        return
    call.from_number, call.from_name = left.user, world.name_of(left.user)
    call.to_number, call.to_name = to, world.name_of(to)
    call.service = world.service_of(to)
    call.service_feed = None
    left.held = False
    if call.service is not None:
        services.talk(world, call)
    else:
        phones = [s for user in calls.members_of(world, to) for s in world.registered(user) if s.id != left.socket]
        if not phones:
            calls.fail(world, call, 480)
            return
        calls.ring(world, call, phones)
    world.feed(call)
    push.calls_changed(world)


def attended_transfer(world: World, leg: Leg, second: Leg) -> None:
    """`att-transfer`: the other ends of two calls are joined, and both legs of whoever joined them get a bye."""
    _check_up(leg)
    if second is leg or second.user != leg.user:
        raise BadFrame("id2: this is no second call of yours")
    if second.state is not LegState.UP:
        _say_refused(world, leg, 480)
        return
    call, gone = leg.call, second.call
    others = [gone.other(second)] if gone.other(second) is not None else []
    _leave(world, call, leg)
    _leave(world, gone, second)
    for other in others:
        if other is not None:
            _move(other, gone, call)
    if not others:
        call.service, call.service_feed = gone.service, gone.service_feed
    gone.service = None
    calls.end(world, gone)
    _joined(world, call)


def _move(leg: Leg, old: Call, new: Call) -> None:
    old.legs.remove(leg)
    new.legs.append(leg)
    leg.call = new
    leg.held = False
    new.service = new.service if len(new.legs) < 2 else None


def _joined(world: World, call: Call) -> None:
    if not call.legs:
        calls.end(world, call)
        return
    for leg in call.legs:
        leg.held = False
    first, last = call.legs[0], call.legs[-1]
    call.from_number, call.from_name = first.user, world.name_of(first.user)
    if last is not first:
        call.to_number, call.to_name = last.user, world.name_of(last.user)
    world.feed(call)
    push.calls_changed(world)


# --- small ones ------------------------------------------------------------------------------------------------------


def mute(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`mute`: the other side hears silence."""
    leg.muted = flag_of(frame, "muted")
    world.feed(leg.call)


def record(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`rec-call`: the indicator to the client, and in call-state."""
    _check_up(leg)
    leg.recording = flag_of(frame, "startstop")
    world.send(leg, {"action": "rec-start" if leg.recording else "rec-stop", "callid": leg.call_id})
    push.calls_changed(world)


def chat(world: World, socket: Socket, frame: dict[str, Any]) -> None:
    """`chat`: to every socket of the other extension. The source is who is logged in, whatever the frame says."""
    to, message = number_of(text_of(frame, "dest", needed=True)), text_of(frame, "message")
    if to not in world.accounts:
        raise BadFrame(f"dest: there is no extension {to}")
    told = {"action": "chat", "src": socket.user, "dest": to, "message": message}
    for other in world.sockets.values():
        if other.user == to:
            world.emit(SendFrame(other.id, told))
