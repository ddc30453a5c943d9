"""The PBX model with a world around it: numbers outside the domain that call and are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..sim.config import Service
from ..sim.core import Pbx, Phone
from ..sim.core import effects as e
from ..sim.core.frames import BadFrame, number_of, parse
from ..sim.core.model import Account, Call, Leg
from ..sim.core.parking import PARK, PICK_UP

BLIND = ("blind-transfer2", "blind-transfer")
"""Actions of a client's frame."""


class OpenPbx(Pbx):
    """`sim.core.Pbx` with phones outside the domain, which no list of accounts shows.

    A number that a client calls or transfers to, and that nobody has spoken of, is one outside where it rings and
    nobody answers.
    """

    outside: frozenset[str] = frozenset()
    refuses_transfers: frozenset[str] = frozenset()
    """Numbers to which a client's blind transfer is refused, with 603, as to a service of the kind
    `refuse-transfer`; they are phones in all else."""

    # --- numbers -----------------------------------------------------------------------------------------------------

    def knows(self, number: str) -> bool:
        """Whether anything answers to the number."""
        world = self._world
        return number in world.accounts or number in world.services or number in world.groups

    def add_outside(self, number: str, name: str = "") -> None:
        """A number outside; nothing if there is one already, but its name."""
        account = self._world.accounts.setdefault(number, Account(number, name, type="outside"))
        if account.type == "outside":
            account.name = name or account.name
            self.outside |= {number}

    def add_extension(self, number: str, name: str = "") -> None:
        """An extension of the domain, also where there was a number outside before."""
        account = self._world.accounts.setdefault(number, Account(number, name or number))
        account.type, account.name = "extensions", name or account.name or number
        self.outside -= {number}

    def equipment(self, number: str) -> KitPhone:
        """A phone, to be plugged in. Raises KeyError for a number that was not added."""
        self._phones += 1
        name = f"phone {self._phones} of {self._world.accounts[number].user}"
        return KitPhone(self._world, self._run, name, number, None)

    # --- legs --------------------------------------------------------------------------------------------------------

    def leg(self, name: str) -> Leg | None:
        """By its name in the model, or its call-id; None if it is forgotten."""
        return self._world.legs.get(name) or self._world.by_call_id.get(name)

    def registered(self, user: str) -> int:
        """On how many sockets an extension takes calls now."""
        return len(self._world.registered(user))

    # --- what clients do and are told --------------------------------------------------------------------------------

    def somebody_at(self, frame: dict[str, Any]) -> str:
        """A client's frame calls or transfers: the number that nobody has spoken of, or ""."""
        if frame.get("action") not in ("sdp-packet", *BLIND, "make-call"):
            return ""
        to = number_of(str(frame.get("to", "")))
        return "" if not to or self.knows(to) or to.startswith((PARK, PICK_UP)) else to

    def _text(self, socket: str, text: str) -> None:
        services, to = self._world.services, _transferred_to(text)
        if to not in self.refuses_transfers or to in services:
            super()._text(socket, text)
            return
        services[to] = Service(to, "refuse-transfer")
        try:
            super()._text(socket, text)
        finally:
            del services[to]

    def _run(self, now: float, work: Callable[[], None]) -> list[e.Effect]:
        return [self._inside(effect) for effect in super()._run(now, work) if not self._tells_of_outside(effect)]

    def _tells_of_outside(self, effect: e.Effect) -> bool:
        if not isinstance(effect, e.SendFrame) or not self.outside:
            return False
        return effect.frame.get("action") == "user-state" and effect.frame.get("account") in self.outside

    def _inside(self, effect: e.Effect) -> e.Effect:
        """Without what the PBX does not know of numbers outside."""
        if not isinstance(effect, e.SendFrame) or not self.outside:
            return effect
        frame = effect.frame
        if "accounts" in frame:
            inside = [entry for entry in frame["accounts"] if entry["account"] not in self.outside]
            frame = {**frame, "accounts": inside}
        if isinstance(frame.get("calls"), list):
            frame = {**frame, "calls": [self._entry(entry) for entry in frame["calls"]]}
        return effect if frame is effect.frame else replace(effect, frame=frame)

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        if "extension" not in entry:
            return entry
        return {**entry, "extension": [one for one in entry["extension"] if one.lstrip("*") not in self.outside]}


def _transferred_to(text: str) -> str:
    """Where a client's frame wants somebody to be blindly transferred; "" if that is not what it wants."""
    try:
        frame = parse(text)
    except BadFrame:
        return ""  # the model says so itself
    return number_of(str(frame.get("to", ""))) if frame.get("action") in BLIND else ""


class KitPhone(Phone):
    """A phone that tells what it is told, and may refuse what comes."""

    on_frame: Callable[[dict[str, Any]], None] | None = None
    refuses: int | None = None
    """The code with which it refuses each call."""
    on_picking_up: Callable[[], None] | None = None
    """Told before it picks up by itself."""

    @property
    def leg(self) -> Leg | None:
        """Of its call; None when that is over."""
        return self._leg()

    @property
    def call(self) -> Call | None:
        """The PBX's, if it has one."""
        leg = self._leg()
        return None if leg is None else leg.call

    @property
    def other(self) -> str:
        """The number at the other side of its call, or that is being rung; "" if it has none."""
        call = self.call
        if call is None:
            return ""
        return call.to_number if call.from_number == self.user else call.from_number

    def _hear(self, frame: dict[str, Any]) -> None:
        if "invitesdp" in frame and self.refuses is not None:
            call_id, code = frame["callid"], self.refuses
            self.frames.append(frame)
            self._soon(lambda: self._frame("sip-busy", callid=call_id, code=code))
        else:
            super()._hear(frame)
        if self.on_frame is not None:
            self.on_frame(frame)

    def _pick_up(self, call_id: str) -> None:
        if self.on_picking_up is not None and call_id == self.call_id and self.state == "ringing":
            self.on_picking_up()
        super()._pick_up(call_id)
