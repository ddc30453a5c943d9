"""The domain, and the one session that it hears, so that nothing is told twice; when that falls out, another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from .domain import Domain
from .errors import ConnectionLost
from .events import Event
from .protocol import messages as m
from .protocol.commands import Command, GetUsers, Subscribe

if TYPE_CHECKING:
    from .line import Line

STEP = 1.0
"""Seconds by which the clock of the machine must have been set before an event's time is told by the new one."""

ROUNDED = 1e-4
"""Seconds by which two clocks that go alike may differ, as sums round."""

ASK = (GetUsers(), Subscribe(what="own-calls"), Subscribe(what="domain-calls"))
"""What a session that begins to lead is asked: it may have been told all of it long ago, while another led."""

log = structlog.get_logger(__name__)


class SteadyClock:
    """Seconds since the epoch as they were at the beginning, and on from there whatever the machine's clock is set to:
    what is due in five seconds must not be due in an hour."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._began = wall() - trio.current_time()

    def __call__(self) -> float:
        return self._began + trio.current_time()


class Hearing:
    """Of one bot; made when it runs."""

    def __init__(
        self,
        domain: Domain,
        wall: Callable[[], float],
        now: SteadyClock,
        lines: Callable[[], Sequence[Line]],
        publish: Callable[[Event], None],
    ) -> None:
        self._domain = domain
        self._wall = wall
        self._now = now
        self._lines = lines
        self._publish = publish
        self._leader: Line | None = None
        self._new_leader = trio.Event()
        self._due = math.inf
        self._nap = trio.CancelScope()
        """In which `_watch` sleeps until `_due`."""

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask)
            await self._watch()

    def heard(self, line: Line, message: m.Message) -> None:
        """Chat comes to each session; of all else only the leader's counts."""
        if self._leader is None:
            self._leader = line
        if line is self._leader or isinstance(message, m.Chat):
            self._tell(self._domain.apply(message, self._now()))
            if _until(self._domain.deadline) != self._due:
                self._nap.deadline = self._next()  # it need not wake up to learn of it

    def lost(self, line: Line) -> None:
        """Its session went down, or did not come up: one that is never registered speaks all the same, each time anew.
        Another that is up leads then, or else the first to speak; what that is told is compared with the state held."""
        if self._leader is line:
            self._leader = next((candidate for candidate in self._lines() if candidate.up), None)
            self._domain.reconnected(self._now())
            if self._leader is not None:
                self._new_leader.set()

    async def _watch(self) -> None:
        """The domain is pure: it says until when it wants to be asked again."""
        while True:
            with trio.CancelScope(deadline=self._next()) as self._nap:
                await trio.sleep_forever()
            self._tell(self._domain.tick(self._as_due()))

    def _as_due(self) -> float:
        """Now; a rounding error before it is due, it is due: in virtual time it would else be so for ever."""
        now = self._now()
        return self._due if now < self._due < now + ROUNDED else now

    def _next(self) -> float:
        """When `tick` is due, by trio's clock."""
        self._due = _until(self._domain.deadline)
        return trio.current_time() + max(0.0, self._due - self._now())

    async def _ask(self) -> None:
        while True:
            self._new_leader = trio.Event()
            await self._new_leader.wait()
            for question in ASK:
                await _sent(self._leader, question)

    def _tell(self, events: Sequence[Event]) -> None:
        if not events:
            return
        wall = self._wall()
        for event in events:
            set_since: bool = abs(wall - event.at) > STEP
            self._publish(msgspec.structs.replace(event, at=wall) if set_since else event)


async def _sent(line: Line | None, question: Command) -> None:
    """A loss makes another leader, who is asked in its place."""
    if line is not None:
        try:
            await line.session.send(question)
        except ConnectionLost as exc:
            log.debug("a question found no socket", why=str(exc))


def _until(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline
