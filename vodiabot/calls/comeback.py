"""What a lost connection leaves to be done when there is one again: byes that are owed, calls that are to be found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NoReturn

import structlog
import trio

from ..errors import ConnectionLost
from ..ports import CommandPort
from ..protocol.commands import AcceptCall, Command, PlaceCall, Subscribe
from .farewells import Farewells
from .leg import Leg
from .queue import Reconciled

ASK_AGAIN = (3.0, 5.0, 10.0)
"""Seconds after each time that a PBX which has not spoken of a call of ours yet is asked for its list. A quiet one
sends none by itself, and absent is who is missing twice (PROTOCOL.md section 3)."""

ASK_FOR = (Subscribe(what="own-calls"), Subscribe(what="domain-calls"))

log = structlog.get_logger(__name__)


class Comeback:
    """Of one switchboard. `run` does it; the other methods return at once."""

    def __init__(self, commands: CommandPort, farewells: Farewells) -> None:
        self._commands = commands
        self._farewells = farewells
        self._socket_up = True
        self._to_say, self._to_find = _Bell(), _Bell()
        self.missing: set[Leg] = set()
        """Legs that outlived the socket and that the PBX has not spoken of since."""

    async def run(self) -> NoReturn:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._to_say.answer, self._say_owed)
            nursery.start_soon(self._to_find.answer, self._find)
        raise AssertionError("these tasks end by cancellation only")

    def lost(self, legs: Iterable[Leg]) -> None:
        """The socket is gone; these legs live on."""
        self._socket_up = False
        self.missing = set(legs)

    def back(self) -> None:
        """The session is up, for the first time or again."""
        self._socket_up = True
        self._to_say.ring()
        self._to_find.ring()

    def saying(self, leg: Leg, command: Command) -> None:
        """It is about to be sent. A call that rings here is not noted: it stops by itself when we are gone."""
        if isinstance(command, PlaceCall | AcceptCall) and leg.ended is None:
            self.known(leg)

    def known(self, leg: Leg) -> None:
        """From here on the PBX knows it by this call-id, and will want its bye."""
        placed = leg.dialog.direction == "outgoing"
        self._farewells.lives(leg.dialog.call_id, placed_by_us=placed, before=leg.dialog.aliases)

    def offered(self, call_id: str) -> None:
        """The PBX rings us with it, perhaps anew: what it had to hear of an earlier try would end this one."""
        self._farewells.forgive(call_id)

    def over(self, leg: Leg) -> None:
        """What the PBX has to hear of its end is on its way."""
        self._farewells.over(leg.dialog.aliases)

    async def say(self, command: Command) -> None:
        """Something about a call that has no leg."""
        try:
            await self._commands.send(command)
        except ConnectionLost as exc:
            log.warning("a command was not sent", command=type(command).__name__, why=str(exc))
            self.unsaid(command)

    def unsaid(self, command: Command) -> None:
        """It was not sent, or perhaps not. If it matters it is said at once where the socket lives and was only slow,
        else when it is back."""
        if self._farewells.owe(command) and self._socket_up:
            self._to_say.ring()

    def forget(self, leg: Leg) -> None:
        """It is over."""
        self.missing.discard(leg)

    def listed(self, seen: set[Leg], perhaps: set[Leg]) -> None:
        """A whole list has come. `perhaps`: an entry may be theirs. The first lists after a reconnect come before the
        session is up, one for each subscription: who is in any of them is found again, who is not is not yet absent."""
        for leg in self.missing - perhaps:
            if leg in seen or self._socket_up:
                leg.post(Reconciled(leg in seen))
        self.missing -= seen

    # --- the tasks ---------------------------------------------------------------------------------------------------

    async def _find(self) -> None:
        """Ask the PBX for its calls until each that lives is found, or is over. For the domain's, too: who hears of our
        own alone again and again must take those of everybody else for over (domain/ending.py)."""
        for pause in ASK_AGAIN:
            if not self.missing or not all([await self._sent(question) for question in ASK_FOR]):
                return
            await trio.sleep(pause)

    async def _say_owed(self) -> None:
        """What fails now is owed until the next time."""
        while (command := self._farewells.take()) is not None:
            said = False
            try:
                said = await self._sent(command)
            finally:
                if not said:
                    self._farewells.owe(command)
            if not said:
                return
            self._farewells.said()
            log.info("the PBX is told of the end of a call of before", call=command.call_id)

    async def _sent(self, command: Command) -> bool:
        try:
            await self._commands.send(command)
        except ConnectionLost:
            return False
        return True


class _Bell:
    """Rung by anybody; rung again while it is answered, it is answered once more."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def answer(self, work: Callable[[], Awaitable[None]]) -> NoReturn:
        while True:
            await self._rung.wait()
            self._rung = trio.Event()
            await work()
