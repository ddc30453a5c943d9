"""Numbers that the PBX answers itself (DESIGN.md section 4, service kinds)."""

from __future__ import annotations

from collections.abc import Callable

from ..config import Service
from . import calls, offers
from .effects import Busy, Echo, Feed, File, Nothing, Ringback, Tone
from .model import Call, Leg, LegState
from .world import World

Start = Callable[[World, Call, Leg, Service], None]


def start(world: World, call: Call, leg: Leg, service: Service, offer: str) -> None:
    """A client has dialled a service."""
    refusal = {"busy": 486, "reject": service.code, "codec-mismatch": 488, "refuse-transfer": 603}.get(service.kind)
    if refusal is not None:
        calls.refuse(world, leg, refusal)
        return
    if service.kind == "cancel-crosses-answer":
        _call_back(world, leg, service)
        return
    call.service = service
    call.to_name = service.kind
    offers.begin(world, leg, offer)
    _PLANS.get(service.kind, _at_once)(world, call, leg, service)
    world.feed(call)


def takes_transfers(service: Service) -> int | None:
    """None if a caller can be transferred there, else the code of the refusal."""
    refusals = {"busy": 486, "early-then-busy": 486, "codec-mismatch": 488, "refuse-transfer": 603}
    return service.code if service.kind == "reject" else refusals.get(service.kind)


def ready_to_talk(world: World, call: Call) -> None:
    """What the other side hears from the pick-up on."""
    assert call.service is not None
    call.service_feed = _feed_of(call.service)


def talk(world: World, call: Call) -> None:
    """The service picks up, and what it does later begins to run."""
    if call.ended or call.service is None:
        return
    ready_to_talk(world, call)
    calls.connect(world, call)
    later = _LATER.get(call.service.kind)
    if later is not None:
        service = call.service
        world.clock.at(world.now + service.seconds, lambda: None if call.ended else later(world, call, service))


def _feed_of(service: Service) -> Feed:
    if service.kind == "echo":
        return Echo()
    return File(service.file) if service.kind == "play" else Tone(service.hz)


# --- until it is answered --------------------------------------------------------------------------------------------


def _at_once(world: World, call: Call, leg: Leg, service: Service) -> None:
    calls.proceed(world, leg)
    talk(world, call)


def _direct(world: World, call: Call, leg: Leg, service: Service) -> None:
    talk(world, call)


def _ring(world: World, call: Call, leg: Leg, service: Service) -> None:
    call.service_feed = Ringback()
    calls.proceed(world, leg)
    if service.kind == "ring":
        world.clock.at(world.now + service.seconds, lambda: talk(world, call))


def _early(world: World, call: Call, leg: Leg, service: Service) -> None:
    call.service_feed = Ringback()
    calls.proceed(world, leg, 183)
    world.clock.at(world.now + service.seconds, lambda: talk(world, call))


def _early_then_busy(world: World, call: Call, leg: Leg, service: Service) -> None:
    call.service_feed = Busy()
    calls.proceed(world, leg, 183)
    world.clock.at(world.now + service.seconds, lambda: _busy_now(world, leg))


def _busy_now(world: World, leg: Leg) -> None:
    if not leg.ended:
        calls.refuse(world, leg, 486)


def _call_back(world: World, leg: Leg, service: Service) -> None:
    """It refuses, and calls back at once; that call is cancelled at the moment its answer comes."""
    user = leg.user
    calls.refuse(world, leg, 480)
    calls.call_in(world, service, user)


_PLANS: dict[str, Start] = {
    "no-answer": _ring,
    "ring": _ring,
    "early": _early,
    "early-then-busy": _early_then_busy,
    "direct-200": _direct,
}

# --- after it was answered -------------------------------------------------------------------------------------------


def _media_stop(world: World, call: Call, service: Service) -> None:
    call.service_feed = Nothing()
    world.feed(call)


def _bye(world: World, call: Call, service: Service) -> None:
    calls.end(world, call)


def _reoffer(world: World, call: Call, service: Service) -> None:
    for leg in call.legs:
        if leg.state is LegState.UP:
            offers.make_offer(world, leg, new_transport=service.new_transport)
            offers.describe(world, leg, offers.NO_CODE)


_LATER: dict[str, Callable[[World, Call, Service], None]] = {
    "media-stop": _media_stop,
    "bye": _bye,
    "reoffer": _reoffer,
}


def before_hold(world: World, leg: Leg) -> None:
    """Glare: the PBX offers at the very moment at which the client's own change arrives."""
    service = leg.call.service
    if service is not None and service.kind == "glare" and not leg.offering:
        offers.make_offer(world, leg)
        offers.describe(world, leg, offers.NO_CODE)


