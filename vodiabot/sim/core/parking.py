"""Park orbits: a blind transfer to `*85` and the orbit's number parks who is at the other end, a call to `*86` and that
number picks him up (the vendor's page on park orbits: these are the codes unless an administrator has changed them, an
orbit holds one call, and to park on one that is taken fails).

How a parked call looks in call-state is a guess: connected, from who is parked, to the orbit. Who picks up has a call
of his own, into which the parked leg moves. `returns_after`, of which the page says nothing that we could read, is off
unless the configuration has it.
"""

from __future__ import annotations

from . import calls, offers, push, services, transfer
from .ending import end, refuse
from .model import Call, Leg
from .world import World

PARK = "*85"
PICK_UP = "*86"


def orbit_of(to: str, code: str) -> str | None:
    """The orbit that a dialled code names; None if it is no such code. It need not exist."""
    return to.removeprefix(code) if to.startswith(code) else None


def parked_on(world: World, orbit: str) -> Call | None:
    return next((call for call in world.calls.values() if call.parked and call.orbit == orbit and not call.ended), None)


def refusal(world: World, orbit: str) -> int:
    """The code with which parking there is refused, or 0."""
    if orbit not in world.orbits:
        return 404
    return 486 if parked_on(world, orbit) else 0


def park(world: World, leg: Leg, orbit: str) -> None:
    """The other side waits on an orbit for somebody else; its leg stays."""
    call = leg.call
    transfer.leave(world, leg)
    left = next((one for one in call.legs if not one.ended), None)
    call.from_number = left.user if left else call.service.number if call.service else call.from_number
    call.from_name = world.name_of(call.from_number)
    _place(world, call, orbit, by=leg.user)


def _place(world: World, call: Call, orbit: str, *, by: str) -> None:
    call.parked, call.orbit, call.parked_by = True, orbit, by
    call.to_number, call.to_name = orbit, world.orbits[orbit].name
    call.parkings += 1
    number, returns_after = call.parkings, world.orbits[orbit].returns_after
    if returns_after:
        world.clock.at(world.now + returns_after, lambda: _forgotten(world, call, number))
    transfer.tell_names(world, call)
    world.feed(call)
    push.calls_changed(world)


def _forgotten(world: World, call: Call, number: int) -> None:
    """Nobody has picked it up: it rings at who parked it, or stays where nobody can be rung."""
    if call.ended or not call.parked or call.parkings != number:
        return
    orbit, by = call.orbit, call.parked_by
    if isinstance(calls.phones_of(world, by, without=None), int):
        _place(world, call, orbit, by=by)
        return
    world.log("info", "a parked call comes back", id=call.id, orbit=orbit, to=by)
    _leave_orbit(call)
    transfer.go(world, call, by)


def _leave_orbit(call: Call) -> None:
    call.parked, call.orbit = False, ""


def pick_up(world: World, call: Call, leg: Leg, orbit: str, offer: str) -> None:
    """A client has dialled it: its call takes over who is parked. First the lists have what it dialled."""
    parked = parked_on(world, orbit)
    if parked is None:
        refuse(world, leg, 404)
        return
    offers.begin(world, leg, offer)
    push.calls_changed(world)
    calls.proceed(world, leg)
    world.log("info", "picked up", id=parked.id, orbit=orbit, by=leg.user)
    _leave_orbit(parked)
    call.to_number, call.to_name = parked.from_number, parked.from_name
    service, parked.service = parked.service, None
    for other in list(parked.legs):
        parked.legs.remove(other)
        call.legs.append(other)
        other.call = call
    end(world, parked)
    if service is not None:
        services.take_over(world, call, service, at_once=True)
    else:
        calls.connect(world, call)
    transfer.tell_names(world, call)
