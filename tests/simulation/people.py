"""Everybody else: people with phones, callers from outside, the operator, the network."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import trio

from vodiabot.sim.core.phones import Phone
from vodiabot.testing.pbx import VirtualPbx

from .network import Network, some_weather

Lever = Callable[[float], list[Any]]

CALLERS = ("600", "601", "603", "606", "607", "610", "611", "612", "613", "615", "617", "618")
"""Services that call the bot."""

BOT = ("45", "49")
"""The extensions of the bot."""

DESK = "49"
"""The one that has a desk phone beside the bot."""


ANSWERS = (None, 0.0, 2.0, 5.0, 15.0)
"""Seconds after which a phone picks up by itself."""


class People:
    """All who act on the PBX besides the bot, until they are told to stop."""

    def __init__(self, pbx: VirtualPbx, network: Network, rng: Callable[[str], random.Random], *, dirty: bool) -> None:
        self.pbx = pbx
        self.wire = pbx.wire
        self.network = network
        self.phones = [self._phone(user, rng(f"phone {user}")) for user in ("46", "47", "48")]
        self.desk = self._phone(DESK, rng("desk phone"), [None, 5.0, 15.0])
        """It rings beside the bot, which has it under remote control."""
        self.faults = 0
        self._rng = rng
        self._dirty = dirty

    def _phone(self, user: str, rng: random.Random, answers: Sequence[float | None] = ANSWERS) -> Phone:
        return self.pbx.pbx.phone(user, answers_after=rng.choice(answers))

    async def live(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for phone in (*self.phones, self.desk):
                nursery.start_soon(self._use, phone, self._rng(f"user of {phone.user}"))
            nursery.start_soon(self._call_in, self._rng("callers"))
            nursery.start_soon(self._operate, self._rng("operator"))
            nursery.start_soon(self._trouble, self._rng("trouble"))

    def go_home(self) -> None:
        """Everybody hangs up and is gone; what calls are left the PBX ends."""
        for phone in (*self.phones, self.desk):
            self.pbx.lever(phone.unplug)

    def end_all_calls(self) -> None:
        """The PBX hangs up whatever is left."""
        for leg in self.pbx.pbx.snapshot()["legs"]:
            self.pbx.lever(lambda now, id_=leg["callid"]: self.pbx.pbx.hang_up(now, id_))

    # --- people ------------------------------------------------------------------------------------------------------

    async def _use(self, phone: Phone, rng: random.Random) -> None:
        self.pbx.lever(phone.plug_in)
        while True:
            await trio.sleep(rng.expovariate(1 / (120 if phone.state == "idle" else 12)))
            self.pbx.lever(self._next_act(phone, rng))

    def _next_act(self, phone: Phone, rng: random.Random) -> Lever:
        match phone.state:
            case "unplugged":
                return phone.plug_in
            case "idle" if rng.random() < 0.15:
                return phone.unplug
            case "idle":
                to = rng.choice(["45", "45", "49", "46", "47", "48", "600", "605", "700"])
                return lambda now: phone.dial(now, to)
            case "ringing":
                return rng.choice([phone.answer, phone.answer, phone.refuse])
            case "calling":
                return phone.hang_up
        digit = rng.choice("0123456789#")
        acts: list[Lever] = [phone.hang_up, phone.hold, phone.resume, lambda now: phone.press(now, digit)]
        to = rng.choice(["45", "49", "46", "600", "616"])
        return rng.choice([*acts, lambda now: phone.transfer(now, to)])

    async def _call_in(self, rng: random.Random) -> None:
        while True:
            await trio.sleep(rng.expovariate(1 / 200))
            number, to = rng.choice(CALLERS), rng.choice(BOT)
            self.pbx.lever(lambda now, number=number, to=to: self.pbx.pbx.call_in(now, number, to))

    # --- the operator ------------------------------------------------------------------------------------------------

    async def _operate(self, rng: random.Random) -> None:
        while True:
            await trio.sleep(rng.expovariate(1 / 120))
            acts = self._domain_acts(rng)
            legs = self.pbx.pbx.snapshot()["legs"]
            if legs:
                acts += self._leg_acts(rng.choice(legs)["callid"], rng)
            self.pbx.lever(rng.choice(acts))

    def _domain_acts(self, rng: random.Random) -> list[Lever]:
        pbx, user = self.pbx.pbx, rng.choice([*BOT, "46", "47", "48"])
        away = rng.choice(["46", "47", "48"])
        return [
            lambda now: pbx.set_dnd(now, away, rng.random() < 0.3),
            lambda now: pbx.push_chat(now, user, "45", "hello"),
            lambda now: pbx.push_frame(now, "45", {"action": "news", "id": None, "x": [1, {}]}),
        ]

    def _leg_acts(self, leg: str, rng: random.Random) -> list[Lever]:
        pbx, new_transport = self.pbx.pbx, rng.random() < 0.5
        return [
            lambda now: pbx.reoffer(now, leg, new_transport=new_transport),
            lambda now: pbx.press(now, leg, "5"),
            lambda now: pbx.name_caller(now, leg, "Ada", "0711 1"),
            lambda now: pbx.hang_up(now, leg),
        ]

    # --- trouble -----------------------------------------------------------------------------------------------------

    async def _trouble(self, rng: random.Random) -> None:
        while True:
            await trio.sleep(rng.expovariate(1 / 300))
            self.faults += 1
            often = [self._cut, self._cut, self._bad_weather, self._bad_weather, self._one_away]
            await rng.choice([*often, self._out_of_order, self._forget, self._no_way, self._set_clock])(rng)

    async def _cut(self, rng: random.Random) -> None:
        if rng.random() < 0.5:
            self.network.cut_off(rng.choice(BOT))
        else:
            self.pbx.cut_all()
        await trio.lowlevel.checkpoint()

    async def _one_away(self, rng: random.Random) -> None:
        """One extension of the bot has no session for a while, the other has."""
        self.network.away = rng.choice(BOT)
        self.network.cut_off(self.network.away)
        await trio.sleep(rng.choice([1.0, 30.0, 200.0]))
        self.network.away = ""

    async def _out_of_order(self, rng: random.Random) -> None:
        """The PBX does not answer for a while; perhaps it has lost its calls, as after a restart."""
        self.pbx.up = False
        self.pbx.cut_all()
        if rng.random() < 0.3:
            self._forget_all()
        await trio.sleep(rng.choice([1.0, 30.0, 200.0]))
        if rng.random() < 0.3:
            self.pbx.pbx.refuse_logins(1)
        self.pbx.up = True

    async def _bad_weather(self, rng: random.Random) -> None:
        self.network.weather = some_weather(rng, dirty=self._dirty)
        await trio.sleep(rng.uniform(5, 300))
        self.network.weather = type(self.network.weather)()

    async def _forget(self, rng: random.Random) -> None:
        user = rng.choice(BOT)
        self.pbx.lever(lambda now: self.pbx.pbx.lose_registration(now, user))
        await trio.lowlevel.checkpoint()

    async def _set_clock(self, rng: random.Random) -> None:
        """That of the PBX or of the bot's machine: by a little, or by an hour, as some do in spring."""
        seconds = rng.choice([-3600.0, -30.0, -2.0, 2.0, 30.0, 3600.0])
        if rng.random() < 0.5:
            self.pbx.pbx._world.epoch += seconds
        else:
            self.network.clock += seconds
        await trio.lowlevel.checkpoint()

    async def _no_way(self, rng: random.Random) -> None:
        """The audio of all calls dies as soon as there is any, as when a router has restarted; perhaps the sockets,
        too."""
        while not any(end.up for end in self.wire.ends):  # noqa: ASYNC110 - nothing tells of it, and time is virtual
            await trio.sleep(1)
        for end in self.wire.ends:
            self.wire.lose(end)
        if rng.random() < 0.3:
            self.pbx.cut_all()
        await trio.lowlevel.checkpoint()

    def _forget_all(self) -> None:
        for leg in self.pbx.pbx.snapshot()["legs"]:
            self.pbx.lever(lambda now, id_=leg["callid"]: self.pbx.pbx.forget_call(now, id_))
