"""A switchboard between a recorded command port, virtual media and a far end that the test moves by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from vodiabot import events
from vodiabot.calls import Call, DialGuard, Route, Settings, Switchboard
from vodiabot.errors import ConnectionLost
from vodiabot.plugins.event_hooks import hook_call
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.protocol.dialects import Dialect
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.wire import End, Wire


class RecordedPort:
    """Takes commands; `alive` False: as a session without a socket; `stuck`: as one that takes nothing."""

    def __init__(self) -> None:
        self.sent: list[c.Command] = []
        self.alive = True
        self.stuck = False
        self._news = trio.Event()

    async def send(self, command: c.Command) -> None:
        await trio.lowlevel.checkpoint()
        if not self.alive:
            raise ConnectionLost("the socket is not up")
        if self.stuck:
            await trio.sleep_forever()
        self.sent.append(command)
        self._news.set()
        self._news = trio.Event()

    def of(self, kind: type[Any]) -> list[Any]:
        return [command for command in self.sent if isinstance(command, kind)]

    async def wait_for(self, kind: type[Any], count: int = 1) -> Any:
        with trio.fail_after(120):
            while len(self.of(kind)) < count:
                await self._news.wait()
        return self.of(kind)[count - 1]


class Bench:
    """What a test of the switchboard holds."""

    def __init__(self, **settings: Any) -> None:
        self.wire = Wire()
        self.media = VirtualMedia(self.wire)
        self.port = RecordedPort()
        self.told: list[events.Event] = []
        self.calls: list[Call] = []
        self.route: Route | None = None
        self.dialect: Dialect | None = Dialect.CLASSIC
        self.switchboard = Switchboard(
            Settings(extension="45", domain="dom", **settings),
            commands=self.port,
            media=self.media,
            dialect=lambda: (self.dialect, False),
            route=lambda to, sender: self.route,
            publish=self._publish,
            guard=DialGuard(["*"], 30, set),
            wall=trio.current_time,
        )

    def _publish(self, *, call: Call, event: events.Event) -> None:
        if call not in self.calls:
            self.calls.append(call)
        self.told.append(event)

    @property
    def hooks(self) -> list[str]:
        return [hook_call(event)[0] for event in self.told]

    def ended(self) -> list[events.CallEnded]:
        return [event for event in self.told if isinstance(event, events.CallEnded)]

    def on_call(self, handler: Callable[..., Any], fallback: str = "") -> None:
        self.route = Route(plugin="test", handler=handler, fallback=fallback)

    def far_end(self) -> End:
        return self.wire.end(lambda: None, lambda why: None)

    def invite(self, call_id: str = "in-1", **fields: Any) -> End:
        """An incoming call; gives the far end of its audio."""
        end = self.far_end()
        offer = self.wire.describe(end, setup="actpass")
        values = {"from_user": "500", "from_display": "Anna", "to_user": "45", "cseq": 1, **fields}
        self.switchboard.deliver(m.Invite(call_id=call_id, sdp=offer, **values))
        return end

    async def connect(self, end: End, count: int = 1) -> c.AcceptCall:
        """Take the bot's answer and bring the audio up."""
        accept: c.AcceptCall = await self.port.wait_for(c.AcceptCall, count)
        self.wire.connect(end, accept.sdp)
        return accept

    async def pick_up(self, **fields: Any) -> tuple[End, c.PlaceCall]:
        """The far side of a call that the bot places answers it."""
        placed: c.PlaceCall = await self.port.wait_for(c.PlaceCall)
        end = self.far_end()
        answer = self.wire.describe(end, setup="active")
        self.wire.connect(end, placed.sdp)
        values = {"call_id": placed.call_id, "code": 200, "cseq": 2, **fields}
        self.switchboard.deliver(m.Sdp(sdp=answer, sdp_type="answer", **values))
        return end, placed


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Bench]:
    """A running switchboard; afterwards no audio is left open."""
    bench = Bench(**settings)
    async with bench.media.opened(), trio.open_nursery() as nursery:
        await nursery.start(bench.switchboard.run)
        yield bench
        nursery.cancel_scope.cancel()
