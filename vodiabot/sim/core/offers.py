"""Descriptions and candidates: who offers, who answers, and when which of it goes out on the wire.

*Classic*, and every browser: the client offers, the PBX answers once. *Modern*: the PBX does not use the client's offer
but makes its own. To a callee the PBX always offers.
"""

from __future__ import annotations

from typing import Any

from . import effects as e
from .model import Leg, LegState, Side
from .world import World

OFFER_LIFE = 10.0
"""Seconds for which an offer of ours waits for its answer; then it counts no more, and the client may offer."""

NO_CODE = 0
"""Of an offer in the middle of a call: it answers nothing, so it has no code."""

VIRTUAL_SDP = "v=0\r\n"
"""Description of a phone of the PBX's own, which has no media."""


def answers(world: World, leg: Leg) -> bool:
    """Whether the PBX answers the offer of a client that places a call: classic does, and to a browser any PBX."""
    return leg.browser or world.config.dialect == "classic"


def begin(world: World, leg: Leg, offer: str) -> None:
    """A client places a call."""
    if answers(world, leg):
        take_offer(world, leg, offer)
    else:
        leg.ignores_client = True
        make_offer(world, leg)


def take_offer(world: World, leg: Leg, offer: str) -> None:
    """Answer a client's offer on the leg's present peer."""
    leg.pbx_offers, leg.offering, leg.described, leg.local_sdp = False, False, False, ""
    leg.negotiated = True
    world.emit(e.MakeAnswer(leg.id, leg.peer, offer))
    if leg.virtual:
        ready(world, leg, VIRTUAL_SDP)


def make_offer(world: World, leg: Leg, *, new_transport: bool = False, direction: str = "sendrecv") -> None:
    """Offer to the client, on the present peer or on a new one."""
    if new_transport:
        leg.peer += 1
        leg.described = leg.media_up = False
        leg.waiting_candidates.clear()
    leg.pbx_offers, leg.offering, leg.local_sdp = True, True, ""
    leg.offers_made += 1
    world.emit(e.MakeOffer(leg.id, leg.peer, direction))
    if leg.virtual:
        ready(world, leg, VIRTUAL_SDP)


def offer_again(world: World, leg: Leg, *, new_transport: bool = False, direction: str = "sendrecv") -> bool:
    """In the middle of a call; False if an offer is out already, or our answer to the client's is still being made: it
    comes first. Unanswered it is void after a while."""
    if leg.offering or not (leg.pbx_offers or leg.local_sdp):
        return False
    make_offer(world, leg, new_transport=new_transport, direction=direction)
    describe(world, leg, NO_CODE)
    number = leg.offers_made
    world.clock.at(world.now + OFFER_LIFE, lambda: _void(world, leg, number))
    return True


def _void(world: World, leg: Leg, number: int) -> None:
    if leg.offering and leg.offers_made == number and not leg.ended:
        leg.offering = False
        world.log("warning", "our new offer was not answered", callid=leg.call_id, user=leg.user)
        _tell_due_direction(world, leg)


def take_answer(world: World, leg: Leg, answer: str) -> bool:
    """The client's answer to an offer of ours; False if there is none out."""
    if not leg.offering or not leg.described or not leg.local_sdp:
        return False
    leg.offering = leg.ignores_client = False
    leg.negotiated = True
    world.emit(e.ApplyAnswer(leg.id, leg.peer, answer))
    _tell_due_direction(world, leg)
    return True


def tell_direction(world: World, leg: Leg, direction: str) -> None:
    """By an offer; where one is out, by another one after it: what is told last has to hold."""
    told = offer_again(world, leg, direction=direction)
    leg.direction_due = "" if told else direction


def _tell_due_direction(world: World, leg: Leg) -> None:
    if leg.direction_due:
        tell_direction(world, leg, leg.direction_due)


def ready(world: World, leg: Leg, sdp: str) -> None:
    """Our description is there: out with it, if it is wanted."""
    leg.local_sdp = sdp
    if leg.side is Side.CALLEE and leg.state is LegState.OFFERED and not leg.described:
        _invite(world, leg)
    elif leg.due_code is not None:
        describe(world, leg, leg.due_code)
        if not leg.offering and leg.state is LegState.UP:
            _tell_due_direction(world, leg)


def describe(world: World, leg: Leg, code: int) -> None:
    """Send our description with this code, now or as soon as it is there."""
    leg.due_code = code
    if not leg.local_sdp:
        return
    leg.due_code = None
    sdp: Any = leg.local_sdp
    if leg.pbx_offers and not leg.browser:
        sdp = {"type": "offer", "sdp": sdp}
    elif not leg.browser and world.config.sloppy_setup:
        sdp = _sloppy(sdp)
    if leg.pbx_offers and leg.offered_at is None:
        leg.offered_at = world.now
    world.send(leg, sdp_frame(world, leg, code, sdp))
    _described(world, leg)


def status(world: World, leg: Leg, code: int, reason: str = "") -> None:
    """An `sdp` frame without a description."""
    frame = sdp_frame(world, leg, code, "")
    if reason:
        frame["reason"] = reason
    world.send(leg, frame)


def sdp_frame(world: World, leg: Leg, code: int, sdp: Any) -> dict[str, Any]:
    leg.cseq += 1
    if world.config.rename_calls and leg.side is Side.CALLER and not leg.call_id.startswith("pbx-"):
        leg.call_id = f"pbx-{world.new_id()}"
        world.by_call_id[leg.call_id] = leg
    frame = {
        "sdp": sdp,
        "callid": leg.call_id,
        "cseq": leg.cseq,
        "code": code,
        "to-user": leg.call.to_number,
        "to-display": leg.call.to_name,
    }
    if code == NO_CODE:
        del frame["code"]
    return frame


def _invite(world: World, leg: Leg) -> None:
    call, domain = leg.call, world.config.domain
    world.send(
        leg,
        {
            "invitesdp": leg.local_sdp,
            "callid": leg.call_id,
            "cseq": leg.cseq,
            "from": f'"{call.from_name or call.from_number}" <sip:{call.from_number}@{domain}>',
            "from-user": call.from_number,
            "from-display": call.from_name,
            "from-number": call.from_number,
            "to": f"<sip:{call.to_number}@{domain}>",
            "to-user": call.to_number,
            "to-display": call.to_name,
            "group": call.to_number if call.to_number in world.groups else "",
            "alertinfo": "",
        },
    )
    _described(world, leg)


def _described(world: World, leg: Leg) -> None:
    leg.described = True
    waiting, leg.waiting_candidates = leg.waiting_candidates, []
    for line in waiting:
        _send_candidate(world, leg, line)


def candidate_ready(world: World, leg: Leg, line: str | None) -> None:
    """A candidate of ours follows its description, never comes before."""
    if leg.described:
        _send_candidate(world, leg, line)
    else:
        leg.waiting_candidates.append(line)


def _send_candidate(world: World, leg: Leg, line: str | None) -> None:
    if line is None:
        return
    fields = line.split()
    frame: dict[str, Any] = {"candidate": line, "callid": leg.call_id}
    if world.config.dialect == "modern" and not leg.browser and len(fields) > 5:
        frame["adr"] = [[fields[4], int(fields[5])]]
    world.send(leg, frame)


def _sloppy(sdp: str) -> str:
    """As an older PBX would write its answer."""
    lines = [line for line in sdp.splitlines() if not line.startswith(("a=mid:", "a=group:"))]
    return "".join(("a=setup:actpass" if line.startswith("a=setup:") else line) + "\r\n" for line in lines)
