"""Numbers that the PBX answers itself (DESIGN.md section 4, service kinds)."""

from __future__ import annotations

from collections.abc import Callable

from ..config import Service
from . import calls, offers
from .effects import Busy, Echo, Feed, File, Nothing, PressDigits, Silence, Tone
from .ending import end, refuse, watch_media
from .model import Call, Leg, LegState
from .world import World

Start = Callable[[World, Call, Leg, Service], None]


def start(world: World, call: Call, leg: Leg, service: Service, offer: str) -> None:
    """A client has dialled a service."""
    refusal = {"busy": 486, "reject": service.code, "codec-mismatch": 488, "refuse-transfer": 603}.get(service.kind)
    if refusal is not None:
        refuse(world, leg, refusal)
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


def talk(world: World, call: Call) -> None:
    """The service picks up, and what it does later begins to run."""
    if call.ended or call.service is None:
        return
    service = call.service
    call.service_feed = _feed_of(service)
    calls.connect(world, call)
    later = _LATER.get(service.kind)
    if later is not None:
        after(world, call, service.seconds, lambda: later(world, call, service))


def after(world: World, call: Call, seconds: float, work: Callable[[], None]) -> None:
    """Later, if the call still lives and still has to do with this service."""
    run = call.service_run
    world.clock.at(world.now + seconds, lambda: None if call.ended or call.service_run != run else work())


def take_over(world: World, call: Call, service: Service, *, at_once: bool = False) -> None:
    """A party that was transferred to a service: it may ring first, unless it has talked already."""
    call.service = service
    if at_once or service.kind not in ("no-answer", "ring", "early"):
        talk(world, call)
        return
    if service.kind == "no-answer":
        calls.expire_ringing(world, call)
    else:
        after(world, call, service.seconds, lambda: talk(world, call))


def leave(call: Call) -> None:
    """The service has no part in the call any more, and nothing that it had planned happens."""
    call.service, call.service_feed = None, None
    call.service_run += 1


def _feed_of(service: Service) -> Feed:
    plain: dict[str, Feed] = {"echo": Echo(), "dtmf": Silence(), "silent": Nothing()}
    if service.kind in plain:
        return plain[service.kind]
    return File(service.file) if service.kind == "play" else Tone(service.hz)


# --- until it is answered --------------------------------------------------------------------------------------------


def _at_once(world: World, call: Call, leg: Leg, service: Service) -> None:
    calls.proceed(world, leg)
    talk(world, call)


def _direct(world: World, call: Call, leg: Leg, service: Service) -> None:
    talk(world, call)


def _ring(world: World, call: Call, leg: Leg, service: Service) -> None:
    calls.proceed(world, leg)
    if service.kind == "ring":
        after(world, call, service.seconds, lambda: talk(world, call))
    else:
        calls.expire_ringing(world, call)


def _early(world: World, call: Call, leg: Leg, service: Service) -> None:
    calls.proceed(world, leg, 183)
    after(world, call, service.seconds, lambda: talk(world, call))


def _early_then_busy(world: World, call: Call, leg: Leg, service: Service) -> None:
    call.service_feed = Busy()
    calls.proceed(world, leg, 183)
    after(world, call, service.seconds, lambda: refuse(world, leg, 486))


def _call_back(world: World, leg: Leg, service: Service) -> None:
    """It refuses, and calls back at once; that call is cancelled at the moment its answer comes."""
    user = leg.user
    refuse(world, leg, 480)
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
    end(world, call)


def _reoffer(world: World, call: Call, service: Service) -> None:
    for leg in call.legs:
        if leg.state is LegState.UP:
            offers.offer_again(world, leg, new_transport=service.new_transport)
            watch_media(world, leg)


def _press(world: World, call: Call, service: Service) -> None:
    for leg in call.legs:
        if leg.state is LegState.UP:
            world.emit(PressDigits(leg.id, service.digits))


_LATER: dict[str, Callable[[World, Call, Service], None]] = {
    "media-stop": _media_stop,
    "bye": _bye,
    "reoffer": _reoffer,
    "dtmf": _press,
}


def before_hold(world: World, leg: Leg, command: str, *, offers_too: bool) -> None:
    """Glare: the PBX offers at the very moment at which the client's own change arrives; once for each kind of it, for
    the client will send it again. The client's own offer is of a new transport, so ours is too."""
    service = leg.call.service
    if service is not None and service.kind == "glare" and command not in leg.glared:
        leg.glared.add(command)
        offers.offer_again(world, leg, new_transport=offers_too)
