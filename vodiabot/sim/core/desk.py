"""Remote control of the user's phones (PROTOCOL.md section 2): `make-call`, `accept-call`, `hold-call`, `clear-call`.

The vendor says little of it, so this is a guess, and a small one. `make-call` rings the user's own phones, but not the
client that asks unless there is no other; whichever is picked up dials the number. A phone of the PBX's own
(`phones.Phone`) stands for the desk phone that `accept-call` picks up: a client's own page can't be made to. The answer
to each is `{"response": ACTION, "id": …, "code": …}`. Who may act on calls of others (`manages_calls`) acts on the
phone of whoever is rung, or was called.
"""

from __future__ import annotations

from typing import Any

from . import calls, push
from .effects import SendFrame
from .ending import hang_up, watch_media
from .frames import number_of, text_of
from .model import Leg, LegState, Socket
from .offers import VIRTUAL_SDP
from .transfer import check_up
from .world import World

Frame = dict[str, Any]


def make_call(world: World, socket: Socket, frame: Frame) -> None:
    to = number_of(text_of(frame, "to", needed=True))
    mine = world.registered(socket.user)
    phones = [phone for phone in mine if phone.id != socket.id] or mine
    if not phones:
        respond(world, socket, "make-call", "", 480)
        return
    call = world.new_call(to, socket.user)  # so that one's own phones show whom they are to reach
    call.dials = to
    respond(world, socket, "make-call", call.id, 200)
    calls.ring(world, call, phones)
    push.calls_changed(world)


def accept_call(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    desk = next((one for one in leg.call.ringing if one.user == leg.user and one.virtual), None)
    respond(world, socket, "accept-call", leg.call.id, 200 if desk else 480)
    if desk is not None:
        calls.answered(world, desk, VIRTUAL_SDP)


def hold_call(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    """On and off by turns."""
    if leg.state is not LegState.UP:
        respond(world, socket, "hold-call", leg.call.id, 480)
    check_up(leg)
    leg.held = not leg.held
    watch_media(world, leg)
    respond(world, socket, "hold-call", leg.call.id, 200)
    world.feed(leg.call)
    push.calls_changed(world)


def clear_call(world: World, socket: Socket, leg: Leg, frame: Frame) -> None:
    respond(world, socket, "clear-call", leg.call.id, 200)
    if leg.state in (LegState.OFFERED, LegState.RINGING):
        calls.refused(world, leg, {})
    else:
        hang_up(world, leg)


def respond(world: World, socket: Socket, action: str, call_id: str, code: int) -> None:
    """To whoever asked; `call_id` is the id of a call."""
    world.emit(SendFrame(socket.id, {"response": action, "id": call_id, "code": code}))
