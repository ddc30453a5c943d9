"""What subscribers are told: domain-state, user-state, call-state (PROTOCOL.md section 3)."""

from __future__ import annotations

from typing import Any

from .effects import SendFrame
from .model import Account, Call, LegState, Socket
from .world import World

LISTS = ("own-calls", "domain-calls", "orbit-calls")


def calls_changed(world: World) -> None:
    """Each subscriber gets its whole lists, and everybody whoever became busy or free."""
    for socket in list(world.sockets.values()):
        for subscription in LISTS:
            if subscription in socket.subscriptions:
                send_calls(world, socket, subscription)
    for account in world.accounts.values():
        account_changed(world, account)


def send_calls(world: World, socket: Socket, subscription: str) -> None:
    viewer = socket.user if subscription == "own-calls" else ""
    entries = [call_entry(world, call, viewer) for call in _listed(world, socket, subscription)]
    world.emit(SendFrame(socket.id, {"action": "call-state", "calls": entries}))


def _listed(world: World, socket: Socket, subscription: str) -> list[Call]:
    calls = [call for call in world.calls.values() if not call.ended]
    if subscription == "own-calls":
        return [call for call in calls if _takes_part(socket.user, call)]
    return [call for call in calls if call.parked or subscription == "domain-calls"]


def parties(call: Call) -> list[str]:
    """The extensions that take part, ringing ones too."""
    return list(dict.fromkeys(leg.user for leg in (*call.legs, *call.ringing) if not leg.ended))


def _takes_part(user: str, call: Call) -> bool:
    return any(leg.user == user and not leg.ended for legs in (call.legs, call.ringing) for leg in legs)


def state_of(call: Call, viewer: str = "") -> str:
    """As `viewer` sees it, if that is one of the parties: who is held by the other side is `onhold`."""
    holders = [leg.user for leg in call.legs if leg.held and not leg.ended]
    if holders:
        return "onhold" if viewer and viewer not in holders else "holding"
    if call.connect is not None:
        return "connected"
    return "ringing" if any(leg.state is LegState.RINGING for leg in call.ringing) else "alerting"


def call_entry(world: World, call: Call, viewer: str = "") -> dict[str, Any]:
    """One entry, in the form of the dialect."""
    start = round(world.epoch + call.start, 3)
    recording = any(leg.recording for leg in call.legs)
    if world.config.dialect == "classic":
        return {
            "id": call.id,
            "from": _address(world, call.from_number, call.from_name),
            "to": _address(world, call.to_number, call.to_name),
            "callstate": state_of(call, viewer),
            "start": str(int(start)),
            "rec": recording,
        }
    return {
        "id": call.id,
        "state": state_of(call, viewer),
        "start": start,
        "connect": "" if call.connect is None else round(world.epoch + call.connect, 3),
        "from-number": call.from_number,
        "from-name": call.from_name,
        "to-number": call.to_number,
        "to-name": call.to_name,
        "extension": [f"*{user}" for user in parties(call)],
        "rec": recording,
    }


def _address(world: World, number: str, name: str) -> str:
    uri = f"<sip:{number}@{world.config.domain}>"
    return f'"{name}" {uri}' if name else uri


def account_entry(world: World, account: Account) -> dict[str, Any]:
    mine = [c for c in world.calls.values() if not c.ended and _takes_part(account.user, c)]
    return {
        "account": account.user,
        "type": account.type,
        "name": account.name,
        "registered": bool(world.registered(account.user)),
        "chatstatus": "online" if any(s.user == account.user for s in world.sockets.values()) else "offline",
        "dnd": account.dnd,
        "calls": [{"id": call.id, "state": state_of(call)} for call in mine],
    }


def watched(world: World, socket: Socket, accounts: list[Account]) -> None:
    """`blf`: the state of extensions that a client watches [guess]."""
    states = {account.user: account_entry(world, account) for account in accounts}
    world.emit(SendFrame(socket.id, {"action": "blf", "extensions": states}))


def account_changed(world: World, account: Account, *, without: str = "") -> None:
    """Tell everybody, if there is anything new, but for one user."""
    entry = account_entry(world, account)
    if entry == account.last_pushed:
        return
    account.last_pushed = entry
    frame = {"action": "user-state", "domain": world.config.domain, **entry}
    if not entry["calls"]:
        frame = {key: value for key, value in frame.items() if key != "calls"}  # absent means none
    for socket in list(world.sockets.values()):
        if socket.user != without:
            world.emit(SendFrame(socket.id, frame))
            if account.user in socket.watched:
                watched(world, socket, [account])


def domain_state(world: World, socket: Socket) -> None:
    """The whole picture."""
    accounts = [account_entry(world, account) for account in world.accounts.values()]
    accounts += [_other(g.number, "hunts", g.number) for g in world.groups.values()]
    accounts += [_other(s.number, "attendants", s.kind) for s in world.services.values()]
    accounts += [_other(o.number, "orbits", o.name) for o in world.orbits.values()]
    calls = [call_entry(world, call) for call in world.calls.values() if not call.ended]
    world.emit(SendFrame(socket.id, {"action": "domain-state", "messages": [], "calls": calls, "accounts": accounts}))


def _other(number: str, type_: str, name: str) -> dict[str, Any]:
    return {"account": number, "type": type_, "name": name, "registered": True, "dnd": False, "calls": []}
