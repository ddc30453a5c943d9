"""The one task that owns the PBX model.

Frames, news of the media, logins, levers and the passing of time enter one queue; only this task calls the model, and
it carries out what the model wants done, in order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from ..core import effects
from ..core.effects import Effect, MediaNews
from ..core.logins import Reply
from .legs import MediaEffect
from .model import Model
from .outlet import Outlet

log = structlog.get_logger(__name__)


Work = Callable[[float], Iterable[Effect]]
"""Calls the model with the time, and gives what it wants done."""


@dataclass
class Job:
    """Something for the model to do."""

    work: Work
    done: trio.Event = field(default_factory=trio.Event)


class Actor:
    """Owns the model; everything else asks it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._put, self._jobs = trio.open_memory_channel[Job](math.inf)
        self._outlets: dict[str, Outlet] = {}
        self._numbers = itertools.count(1)
        self.do_media: Callable[[MediaEffect], None] = lambda effect: None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            job = Job(self._model.tick)
            with trio.move_on_at(_or_never(self._model.deadline)):
                job = await self._jobs.receive()
            self._perform(job)

    def post(self, work: Work) -> None:
        """Have it done soon. Called in the trio thread."""
        self._put.send_nowait(Job(work))

    async def ask(self, work: Work) -> None:
        """Have it done, and return when it is: whoever asks, waits, so no client can pile up work."""
        job = Job(work)
        self._put.send_nowait(job)
        await job.done.wait()

    # --- what comes in -----------------------------------------------------------------------------------------------

    def news(self, news: MediaNews) -> None:
        """Of the media; called in the trio thread."""
        self.post(lambda now: self._model.news(now, news))

    async def session(self, method: str, body: Any, basic: tuple[str, str] | None, session: str) -> Reply:
        """A request to `/rest/system/session`."""
        reply = Reply(500, False)

        def work(now: float) -> Iterable[Effect]:
            nonlocal reply
            reply = self._model.session(now, method, body, basic, session)
            return ()

        await self.ask(work)
        return reply

    async def admits(self, domain: str, user: str, session: str) -> int:
        """0, or the HTTP status with which a socket is refused."""
        status = 500

        def work(now: float) -> Iterable[Effect]:
            nonlocal status
            status = self._model.admits(now, domain, user, session)
            return ()

        await self.ask(work)
        return status

    @asynccontextmanager
    async def socket(self, cut: Callable[[], None], user: str, useragent: str) -> AsyncIterator[Outlet]:
        """An admitted client's socket, from its opening to its end; the model is told of both."""
        outlet = Outlet(f"socket {next(self._numbers)}", cut)
        self._outlets[outlet.socket] = outlet
        try:
            await self.ask(lambda now: self._model.opened(now, outlet.socket, user, useragent))
            yield outlet
        finally:
            self._outlets.pop(outlet.socket, None)
            outlet.close("gone")
            self.post(lambda now: self._model.closed(now, outlet.socket))

    async def frame(self, socket: str, text: str) -> None:
        """A client sent this; returns when it was dealt with."""
        await self.ask(lambda now: self._model.frame(now, socket, text))

    @property
    def sockets(self) -> int:
        """How many clients are connected."""
        return len(self._outlets)

    # --- what the model wants done -----------------------------------------------------------------------------------

    def _perform(self, job: Job) -> None:
        try:
            for effect in job.work(trio.current_time()):
                self._carry_out(effect)
        except Exception:
            # A mistake in the model must not take everybody's calls down; it is told, whole.
            log.exception("the model failed")
        finally:
            job.done.set()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case effects.SendFrame(socket, frame):
                if outlet := self._outlets.get(socket):
                    outlet.send(frame)
            case effects.CloseSocket(socket, why):
                if outlet := self._outlets.get(socket):
                    outlet.close(why)
            case effects.Log(level, text, fields):
                _log(level, text, fields)
            case _:
                self.do_media(effect)


def _or_never(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline


def _log(level: str, text: str, fields: dict[str, Any]) -> None:
    method = getattr(log, level if level in ("debug", "info", "warning", "error") else "info")
    method(text, **{("what" if key == "event" else key): value for key, value in fields.items()})
