"""An answered call: hold and resume, mute, recording; and text messages."""

from __future__ import annotations

from typing import Any

from . import offers, push, services
from .effects import SendFrame
from .ending import watch_media
from .frames import BadFrame, flag_of, number_of, sdp_of, text_of
from .model import Leg, Socket
from .transfer import check_up
from .world import World


def hold(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`wrtc-hold`: sendonly holds; sendrecv takes back, with a new offer of a new peer connection or without SDP.

    While an offer of ours is out, the client's is not used: ours wins, and it will be sent again [guess].
    """
    command = text_of(frame, "holdcmd", needed=True)
    if command not in ("sendonly", "sendrecv"):
        raise BadFrame(f"holdcmd: {command!r} is neither sendonly nor sendrecv"[:100])
    check_up(leg)
    offer = sdp_of(frame, needed=False)
    services.before_hold(world, leg, command, offers_too=bool(offer))
    leg.held = command == "sendonly"
    if offer and leg.offering:
        world.log("info", "both offered at once: ours wins", callid=leg.call_id)
    elif offer:
        _new_peer(world, leg, offer)
    watch_media(world, leg)
    if world.config.hold_by_reoffer:
        _tell_held(world, leg)
    world.feed(leg.call)
    push.calls_changed(world)


def _tell_held(world: World, leg: Leg) -> None:
    """To the other side by an offer of ours, with a direction; a browser's page may not be ready for one."""
    other = leg.call.other(leg)
    if other is not None and not other.browser:
        offers.tell_direction(world, other, "sendonly" if leg.held else "sendrecv")


def _new_peer(world: World, leg: Leg, offer: str) -> None:
    leg.peer += 1
    leg.media_up = False
    leg.waiting_candidates.clear()
    offers.take_offer(world, leg, offer)
    offers.describe(world, leg, 200)


def mute(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`mute`: the other side hears silence."""
    leg.muted = flag_of(frame, "muted")
    world.feed(leg.call)


def record(world: World, leg: Leg, frame: dict[str, Any]) -> None:
    """`rec-call`: the indicator to the client, and in call-state. Off is off for both sides, whoever began it."""
    check_up(leg)
    on = flag_of(frame, "startstop")
    others = [one for one in leg.call.legs if one is not leg and one.recording and not on]
    for one in (leg, *others):
        one.recording = on
        world.send(one, {"action": "rec-start" if on else "rec-stop", "callid": one.call_id})
    push.calls_changed(world)


def chat(world: World, socket: Socket, frame: dict[str, Any]) -> None:
    """`chat`: to every socket of the other extension. The source is who is logged in, whatever the frame says."""
    to, message = number_of(text_of(frame, "dest", needed=True)), text_of(frame, "message")
    if to not in world.accounts:
        raise BadFrame(f"dest: there is no extension {to}"[:100])
    deliver(world, socket.user, to, message)


def deliver(world: World, source: str, to: str, message: str) -> None:
    """A text message to every socket of an extension."""
    for other in list(world.sockets.values()):
        if other.user == to:
            world.emit(SendFrame(other.id, {"action": "chat", "src": source, "dest": to, "message": message}))
