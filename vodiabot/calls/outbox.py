"""The commands of one leg: sent in order, one after the other, and told of where they can't be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from ..errors import CallEnded, ConnectionLost
from ..ports import CommandPort
from ..protocol.commands import Command
from .queue import Reply

MOST = 1000
"""Commands that wait; a dialog makes a handful at a time."""


@dataclass
class Outgoing:
    """A command on its way, and who waits until it is sent."""

    command: Command
    reply: Reply | None = None

    def settle(self, error: BaseException | None) -> None:
        """Once it is known what became of it; later ones change nothing."""
        if self.reply is not None:
            self.reply.settle(error)


class Outbox:
    """`run` is its task. `put` returns at once."""

    def __init__(
        self,
        commands: CommandPort,
        *,
        on_send: Callable[[Command], None],
        on_unsaid: Callable[[Command], None],
        on_lost: Callable[[Command, ConnectionLost], None],
        gone: Callable[[], CallEnded],
    ) -> None:
        """`on_send`: a command is about to be sent; `on_unsaid`: it was not, or perhaps not; `on_lost`: and that is for
        want of a connection. `gone`: what is told to who still waits when the leg is over."""
        self._commands = commands
        self._on_send, self._on_unsaid, self._on_lost = on_send, on_unsaid, on_lost
        self._gone = gone
        self._put, self._take = trio.open_memory_channel[Outgoing](MOST)
        self._sending = trio.CancelScope()

    def put(self, command: Command) -> Outgoing:
        """The next one."""
        outgoing = Outgoing(command)
        self._put.send_nowait(outgoing)
        return outgoing

    async def run(self) -> None:
        """Until `finish`, and all is sent."""
        with self._sending:
            await self._send_all()

    def finish(self, within: float) -> None:
        """No more come; those that wait have so many seconds."""
        self._put.close()
        self._sending.deadline = trio.current_time() + within

    async def send_rest(self, within: float) -> None:
        """When `run` is over or was cancelled: what is left, as far as `within` seconds suffice. Then nobody waits."""
        self._put.close()
        with trio.move_on_after(within):
            await self._send_all()
        with suppress(trio.EndOfChannel):
            while True:
                self._unsaid(self._take.receive_nowait())

    async def _send_all(self) -> None:
        async for outgoing in self._take:
            await self._send(outgoing)

    async def _send(self, outgoing: Outgoing) -> None:
        said = False
        self._on_send(outgoing.command)
        try:
            await self._commands.send(outgoing.command)
            said = True
            outgoing.settle(None)
        except ConnectionLost as exc:
            outgoing.settle(exc)
            self._on_lost(outgoing.command, exc)
        finally:
            if not said:
                self._unsaid(outgoing)

    def _unsaid(self, outgoing: Outgoing) -> None:
        outgoing.settle(self._gone())  # unless it has failed: cancelled, as the leg is torn down
        self._on_unsaid(outgoing.command)
