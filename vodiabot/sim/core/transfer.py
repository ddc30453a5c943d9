"""Transfers: whoever stays keeps its leg and its SDP, only what it hears changes.

*Blind*: taken as soon as the target can be rung; the leg that transfers gets a `bye`. What becomes of the target's
ringing is the business of who stays: refused or not answered in time, its leg gets a `bye`. *Refused* (no such number,
nobody there, busy, service kind `refuse-transfer`): a `response` frame with a code ≥ 400 for the leg, and nothing has
changed. *Attended*: both legs of whoever joins get a `bye`. Who stays is told its new other side by `callerid`.
"""

from __future__ import annotations

from typing import Any

from . import calls, parking, push, services
from .effects import SendFrame
from .ending import REASONS, bye, end, fail
from .frames import BadFrame, number_of, text_of
from .model import Call, Leg, LegState, Socket
from .world import World


def check_up(leg: Leg) -> None:
    """Raises BadFrame."""
    if leg.state is not LegState.UP:
        raise BadFrame(f"the call is {leg.state.value}")


def blind(world: World, socket: Socket, leg: Leg, frame: dict[str, Any]) -> None:
    """`blind-transfer2`, `blind-transfer`."""
    to = number_of(text_of(frame, "to", needed=True))
    check_up(leg)
    orbit = parking.orbit_of(to, parking.PARK)
    code = _refusal(world, leg, to, orbit)
    if code:
        say_refused(world, socket, leg, code)
        return
    world.log("info", "transfer", callid=leg.call_id, to=to)
    if orbit is not None:
        parking.park(world, leg, orbit)
        return
    leave(world, leg)
    go(world, leg.call, to)


def _refusal(world: World, leg: Leg, to: str, orbit: str | None) -> int:
    """The code of a refusal, or 0."""
    other = leg.call.other(leg)
    service = world.service_of(to)
    if other is None and leg.call.service is None:
        return 481
    if orbit is not None:
        return parking.refusal(world, orbit)
    if service is not None:
        return services.takes_transfers(service) or 0
    phones = calls.phones_of(world, to, without=other.socket if other else None)
    return phones if isinstance(phones, int) else 0


def say_refused(world: World, socket: Socket, leg: Leg, code: int) -> None:
    """To whoever asked for it."""
    world.log("info", "transfer refused", callid=leg.call_id, code=code)
    told = {"response": "refer", "callid": leg.call_id, "id": leg.call.id}
    world.emit(SendFrame(socket.id, {**told, "code": code, "reason": REASONS.get(code, "Refused")}))


def leave(world: World, leg: Leg) -> None:
    """The leg is out of its call, which goes on."""
    bye(world, leg)
    leg.call.legs.remove(leg)


def go(world: World, call: Call, to: str) -> None:
    """Who is left goes to the target, and counts as the caller now."""
    left = next((leg for leg in call.legs if not leg.ended), None)
    if left is not None:
        call.from_number = left.user
    elif call.service is not None:
        call.from_number = call.service.number
    call.from_name = world.name_of(call.from_number)
    call.to_number, call.to_name = to, world.name_of(to)
    target = world.service_of(to)
    if left is None and target is not None:
        end(world, call)  # two services have nothing to say to each other
    elif target is not None:
        services.take_over(world, call, target)
    else:
        _ring(world, call, left, to)
    tell_names(world, call)
    world.feed(call)
    push.calls_changed(world)


def _ring(world: World, call: Call, left: Leg | None, to: str) -> None:
    if left is not None:
        services.leave(call)
    phones = calls.phones_of(world, to, without=left.socket if left else None)
    if isinstance(phones, int):
        fail(world, call, phones)
    else:
        calls.ring(world, call, phones)


def park(world: World, leg: Leg) -> None:
    """The other side waits for somebody else, on no orbit in particular; its leg stays."""
    leave(world, leg)
    leg.call.parked = True
    world.feed(leg.call)
    push.calls_changed(world)


def dial_on(world: World, call: Call, leg: Leg) -> None:
    """`make-call`: one's own phone was picked up, now the number is dialled from it."""
    to, call.dials = call.dials, ""
    code = services.takes_transfers(world.services[to]) if to in world.services else None
    phones = calls.phones_of(world, to, without=leg.socket) if to not in world.services else []
    code = phones if isinstance(phones, int) else code
    if code:
        fail(world, call, code)
    else:
        go(world, call, to)


# --- attended --------------------------------------------------------------------------------------------------------


def attended(world: World, socket: Socket, leg: Leg, second: Leg) -> None:
    """`att-transfer`: the other ends of two calls are joined."""
    check_up(leg)
    if second.user != leg.user or second.call is leg.call:
        raise BadFrame("id2: this is no second call of yours")
    code = _not_joinable(leg, second)
    if code:
        say_refused(world, socket, leg, code)
        return
    world.log("info", "attended transfer", callid=leg.call_id, second=second.call_id)
    call, gone = leg.call, second.call
    leave(world, leg)
    leave(world, second)
    _join(world, call, gone)


def _not_joinable(leg: Leg, second: Leg) -> int:
    if second.state is not LegState.UP:
        return 480
    for one in (leg, second):
        if one.call.other(one) is None and one.call.service is None:
            return 481
    return 0


def _join(world: World, call: Call, gone: Call) -> None:
    """What is left of `gone` comes into `call`; two services have nothing to say to each other."""
    service, gone.service = gone.service, None
    for other in list(gone.legs):
        gone.legs.remove(other)
        call.legs.append(other)
        other.call = call
    end(world, gone)
    if not call.legs:
        end(world, call)
    elif len(call.legs) > 1:
        services.leave(call)
    elif service is not None:
        services.take_over(world, call, service, at_once=True)
    _name(world, call)
    tell_names(world, call)
    world.feed(call)
    push.calls_changed(world)


def _name(world: World, call: Call) -> None:
    numbers = [leg.user for leg in call.legs] + ([call.service.number] if call.service else [])
    if len(numbers) > 1:
        call.from_number, call.from_name = numbers[0], world.name_of(numbers[0])
        call.to_number, call.to_name = numbers[1], world.name_of(numbers[1])


def tell_names(world: World, call: Call) -> None:
    """Who is left is told by `callerid` with whom it is connected now; a change in its lists says it, too."""
    if call.ended or not world.config.tells_names:
        return
    sides = {"from": (call.from_number, call.from_name), "to": (call.to_number, call.to_name)}
    for leg in call.legs:
        if leg.state is LegState.UP:
            number, name = sides["to" if leg.user == call.from_number else "from"]
            world.send(leg, {"action": "callerid", "callid": leg.call_id, "name": name, "number": number})
