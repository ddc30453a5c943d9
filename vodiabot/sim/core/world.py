"""The PBX's memory and what every part of the model does with it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

from ..config import Service, SimConfig
from .clock import Clock
from .effects import (
    CloseMedia,
    CloseSocket,
    Effect,
    Feed,
    FromLeg,
    Log,
    Music,
    PressDigits,
    Ringback,
    SendFrame,
    SetFaults,
    SetFeed,
    Silence,
)
from .model import Account, Call, Faults, Leg, LegState, Side, Socket

MEMORY = 30.0
"""Seconds for which an ended leg is remembered, so that late frames for it are known for what they are."""

RESPONSE = 5.0
"""Seconds that an answer to `bye` or `cancel` is awaited (PROTOCOL.md section 4)."""


class World:
    """All state. `now` is the time of the input that is being worked on, `effects` what it gives."""

    def __init__(self, config: SimConfig, rng: random.Random, epoch: float) -> None:
        self.config = config
        self.rng = rng
        self.clock = Clock()
        self.now = 0.0
        self.epoch = epoch
        self.effects: list[Effect] = []
        self.accounts = {
            e.user: Account(e.user, e.name or e.user, may_control=e.manages_calls) for e in config.extensions
        }
        self.services = {s.number: s for s in config.services}
        self.orbits = {o.number: o for o in config.orbits}
        self.groups = {g.number: g for g in config.groups}
        self.sockets: dict[str, Socket] = {}
        self.legs: dict[str, Leg] = {}
        self.by_call_id: dict[str, Leg] = {}
        self.calls: dict[str, Call] = {}
        self.phones: dict[str, Callable[[dict[str, Any]], None]] = {}
        """Socket of a phone of the PBX's own → what hears its frames."""
        self._numbers = itertools.count(1)

    # --- giving out --------------------------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> None:
        """For the shell; what is meant for the PBX's own phones stays inside."""
        if isinstance(effect, SendFrame | CloseSocket):
            if effect.socket not in self.phones:
                self.effects.append(effect)
            elif isinstance(effect, SendFrame):
                self.phones[effect.socket](effect.frame)
        elif isinstance(effect, Log) or not self.legs[effect.leg].virtual:
            self.effects.append(effect)

    def log(self, level: str, text: str, **fields: Any) -> None:
        self.emit(Log(level, text, fields))

    def send(self, leg: Leg, frame: dict[str, Any]) -> None:
        """A frame to the leg's client; lost if its socket is gone."""
        if leg.socket is not None:
            self.emit(SendFrame(leg.socket, frame))

    # --- names -------------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """For calls and call-ids: no two alike, and never guessable from one another."""
        return f"{self.rng.getrandbits(64):016x}"

    def name_of(self, number: str) -> str:
        account = self.accounts.get(number)
        return account.name if account is not None else ""

    # --- legs and calls ----------------------------------------------------------------------------------------------

    def new_call(self, from_number: str, to_number: str) -> Call:
        call = Call(
            self.new_id(), from_number, self.name_of(from_number), to_number, self.name_of(to_number), self.now
        )
        self.calls[call.id] = call
        return call

    def new_leg(self, call: Call, socket: Socket, side: Side, call_id: str) -> Leg:
        number = next(self._numbers)
        state = LegState.TRYING if side is Side.CALLER else LegState.OFFERED
        leg = Leg(f"leg{number}", call_id, socket.user, socket.id, side, call, state, number)
        leg.browser, leg.client, leg.virtual = socket.browser, socket.client, socket.virtual
        self.legs[leg.id] = self.by_call_id[call_id] = leg
        return leg

    def living(self, socket: str | None = None) -> list[Leg]:
        """Legs that have not ended, oldest first; those of one socket, if it is given."""
        return [leg for leg in self.legs.values() if not leg.ended and socket in (None, leg.socket)]

    def close_leg(self, leg: Leg) -> None:
        """The leg is over: its media goes, its memory a little later."""
        if leg.ended:
            return
        leg.state = LegState.ENDED
        self.clock.cancel(leg.silence)
        self.emit(CloseMedia(leg.id))
        self.clock.at(self.now + MEMORY, lambda: self._forget(leg))

    def await_answer(self, leg: Leg, action: str) -> None:
        """The client has been told that the leg is over, and is to say that it heard."""
        if leg.socket is not None:
            leg.awaits = action
            self.clock.at(self.now + RESPONSE, lambda: self._not_answered(leg))

    def _not_answered(self, leg: Leg) -> None:
        if leg.awaits:
            self.log("warning", "no answer came", awaited=leg.awaits, callid=leg.call_id, user=leg.user)
            leg.awaits = ""

    def _forget(self, leg: Leg) -> None:
        self.legs.pop(leg.id, None)
        for call_id in [k for k, v in self.by_call_id.items() if v is leg]:
            del self.by_call_id[call_id]

    # --- what everybody hears ----------------------------------------------------------------------------------------

    def feed(self, call: Call) -> None:
        """Bring what each leg of the call hears up to date."""
        for leg in (*call.legs, *call.ringing):
            if leg.ended:
                continue
            self._spoil(call, leg)
            fresh = self._feed_of(call, leg)
            if fresh != leg.feed:
                leg.feed = fresh
                self.emit(SetFeed(leg.id, fresh))

    def press_on(self, leg: Leg, digits: str) -> None:
        """What a client has pressed is pressed for the other side, if that hears it."""
        other = leg.call.other(leg)
        if other is not None and other.feed == FromLeg(leg.id):
            self.emit(PressDigits(other.id, digits))

    def _spoil(self, call: Call, leg: Leg) -> None:
        """Faults are a service's, for as long as it has part in the call, or a lever's."""
        service = call.service
        of_service = Faults(service.loss, service.jitter_ms, int(service.seed)) if service else Faults()
        fresh = of_service if leg.wanted_faults is None else leg.wanted_faults
        if fresh != leg.faults:
            leg.faults = fresh
            self.emit(SetFaults(leg.id, fresh.loss, fresh.jitter_ms, fresh.seed))

    def _feed_of(self, call: Call, leg: Leg) -> Feed:
        if leg.held or leg in call.ringing:
            return Silence()
        if call.service is not None and call.service_feed is not None:
            return call.service_feed
        other = call.other(leg)
        if call.connect is None or other is None:
            return Music() if call.parked else Ringback()
        if other.held:
            return Music()
        if other.muted:
            return Silence()
        return (other.says or Silence()) if other.virtual else FromLeg(other.id)

    def service_of(self, number: str) -> Service | None:
        return self.services.get(number)

    def registered(self, user: str) -> list[Socket]:
        """The sockets on which an extension takes calls now."""
        return [
            s
            for s in self.sockets.values()
            if s.user == user and s.registered_until is not None and s.registered_until > self.now
        ]
