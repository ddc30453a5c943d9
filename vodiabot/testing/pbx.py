"""The simulated PBX in memory: `sim.core` with no sockets and virtual media. The same model as `vodiabot sim`."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, LoginRefused
from ..session import SessionTimers
from ..sim.config import SimConfig
from ..sim.core import Pbx
from ..sim.core import effects as e
from .sounds import Sound
from .wire import End, Wire

log = structlog.get_logger(__name__)

FRAMES = 10_000
"""Frames that may wait for a client in memory."""


class VirtualPbx:
    """`run` is its task. `connect` is given to `session.Session`; levers are those of `sim.core.Pbx`, by `lever`."""

    def __init__(self, config: SimConfig, wire: Wire, *, seed: int = 0, model: Pbx | None = None) -> None:
        """`model`: another one than the plain `Pbx(config)`."""
        self.pbx = Pbx(config, seed=seed) if model is None else model
        self.wire = wire
        self.sent: list[tuple[str, dict[str, Any]]] = []
        """Every frame to a client, with the name of its socket."""
        self.received: list[tuple[str, dict[str, Any]]] = []
        """Every frame of a client."""
        self.deaf = False
        """True: what clients play and press does not arrive: one-way audio."""
        self.up = True
        """False: the whole PBX does not answer."""
        self.on_frame: list[Callable[[str, dict[str, Any]], None]] = []
        """Told each frame of a client before it is acted on, with the name of its socket."""
        self.on_told: list[Callable[[dict[str, Any]], None]] = []
        """Told each frame to a client."""
        self.on_sound: list[Callable[[str, Sound], None]] = []
        """Told when something that a client plays begins and ends, with the leg's name in the model."""
        self.on_digit: list[Callable[[str, str], None]] = []
        """Told each digit of a client, with the leg's name in the model."""
        self.on_change: list[Callable[[], None]] = []
        """Told after anything that may have changed the model."""
        self._sockets: dict[str, trio.MemorySendChannel[str]] = {}
        self._opened = 0
        self._ends: dict[tuple[str, int], End] = {}
        self._due = math.inf
        self._nap = trio.CancelScope()
        """In which `run` sleeps until the model has something to do by itself, at `_due`."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let its time pass, until cancelled."""
        task_status.started()
        while True:
            self._due = self._deadline()
            with trio.CancelScope(deadline=self._due) as self._nap:
                await trio.sleep_forever()
            self.lever(self.pbx.tick)

    def _deadline(self) -> float:
        deadline = self.pbx.deadline
        return math.inf if deadline is None else deadline

    def lever(self, work: Callable[[float], list[e.Effect]]) -> None:
        """Do something to the model now: `pbx.lever(lambda now: pbx.pbx.lose_registration(now, "45"))`."""
        for effect in work(trio.current_time()):
            self._carry_out(effect)
        if (due := self._deadline()) != self._due:
            self._due = self._nap.deadline = due  # it need not wake up to learn of it
        for told in self.on_change:
            told()

    def heard_from_clients(self) -> list[Any]:
        """What clients have played to the PBX so far, over all legs."""
        return [played for end in self._ends.values() for played in end.heard]

    # --- clients -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def connect(
        self, pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Callable[[str], None]
    ) -> AsyncIterator[MemorySocket]:
        """See `session.Connect`."""
        await trio.lowlevel.checkpoint()
        self._log_in(pbx, extension)
        name = f"socket{self._opened}"
        self._opened += 1
        put, take = trio.open_memory_channel[str](FRAMES)
        self._sockets[name] = put
        self.lever(lambda now: self.pbx.opened(now, name, extension.user))
        try:
            yield MemorySocket(self, name, take)
        finally:
            self.cut(name)

    def _log_in(self, pbx: PbxConfig, extension: ExtensionConfig) -> None:
        if not self.up:
            raise ConnectionLost("the PBX does not answer")
        body = {"name": "auth", "value": f"{extension.user} {extension.password.reveal()}"}
        reply = self.pbx.session(trio.current_time(), "POST", body, None, None)
        if reply.status != 200:
            raise LoginRefused(f"the PBX refused the login of extension {extension.user}")
        if self.pbx.admits(trio.current_time(), pbx.domain, extension.user, reply.value):
            raise LoginRefused("the PBX refused the session")

    def cut(self, name: str) -> None:
        """The socket dies; idempotent."""
        put = self._sockets.pop(name, None)
        if put is not None:
            put.close()
            self.lever(lambda now: self.pbx.closed(now, name))

    def cut_all(self) -> None:
        """All sockets die."""
        for name in list(self._sockets):
            self.cut(name)

    def hear(self, name: str, text: str) -> None:
        """A frame of a client."""
        if name not in self._sockets:
            raise ConnectionLost("the socket is closed")
        frame = json.loads(text)
        self.received.append((name, frame))
        for told in self.on_frame:
            told(name, frame)
        self.lever(lambda now: self.pbx.frame(now, name, text))

    # --- effects -----------------------------------------------------------------------------------------------------

    def _carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.SendFrame(socket=name, frame=frame):
                self._send(name, frame)
            case e.CloseSocket(socket=name):
                self.cut(name)
            case e.MakeAnswer(leg=leg, peer=peer, offer=offer):
                end = self._end(leg, peer)
                self._later(e.AnswerReady(leg, peer, self.wire.describe(end, setup="active")))
                self.wire.connect(end, offer)
            case e.MakeOffer(leg=leg, peer=peer, direction=direction):
                end = self._end(leg, peer)
                offer = self.wire.describe(end, setup="actpass", direction=direction)
                self._later(e.OfferReady(leg, peer, offer))
            case e.ApplyAnswer(leg=leg, peer=peer, answer=answer):
                self.wire.connect(self._end(leg, peer), answer)
            case e.PressDigits(leg=leg, digits=digits):
                for digit in digits:
                    self._press(leg, digit)
            case e.CloseMedia(leg=leg):
                self._close(leg)
            case e.Log(level="warning", text=text, fields=fields):
                log.warning(text, **{f"pbx_{k}": v for k, v in fields.items()})

    def _send(self, name: str, frame: dict[str, Any]) -> None:
        self.sent.append((name, frame))
        for told in self.on_told:
            told(frame)
        put = self._sockets.get(name)
        if put is not None:
            put.send_nowait(json.dumps(frame))

    def _later(self, news: e.MediaNews) -> None:
        """The media side answers after the present input has been worked off, as a real one does."""
        trio.lowlevel.spawn_system_task(self._tell, news)

    async def _tell(self, news: e.MediaNews) -> None:
        await trio.lowlevel.checkpoint()
        self.lever(lambda now: self.pbx.news(now, news))

    def _end(self, leg: str, peer: int) -> End:
        if (leg, peer) not in self._ends:
            for old in [key for key in self._ends if key[0] == leg]:
                self.wire.close(self._ends[old])
            end = self.wire.end(
                lambda: self._later(e.MediaUp(leg, peer)), lambda why: self._later(e.MediaLost(leg, peer))
            )
            end.on_digit = lambda digit: self._digit(leg, digit)
            end.on_sound = lambda sound: self._sounds(leg, sound)
            self._ends[leg, peer] = end
        return self._ends[leg, peer]

    def _digit(self, leg: str, digit: str) -> None:
        for told in self.on_digit:
            told(leg, digit)
        if not self.deaf:
            self._later(e.DigitHeard(leg, digit, apart=True))

    def _sounds(self, leg: str, sound: Sound) -> None:
        for told in self.on_sound:
            told(leg, sound)

    def say(self, leg: str, sound: Sound) -> None:
        """A client hears it begin, or end: what the other end of its call says."""
        for peer in self._peers(leg):
            peer.on_sound(sound)

    def _peers(self, leg: str) -> list[End]:
        peers = [self.wire.peer(end) for (owner, _), end in self._ends.items() if owner == leg]
        return [peer for peer in peers if peer is not None]

    def _press(self, leg: str, digit: str) -> None:
        for peer in self._peers(leg):
            peer.on_digit(digit)

    def _close(self, leg: str) -> None:
        for key in [key for key in self._ends if key[0] == leg]:
            self.wire.close(self._ends[key])


class MemorySocket:
    """`session.Socket` in memory."""

    def __init__(self, pbx: VirtualPbx, name: str, take: trio.MemoryReceiveChannel[str]) -> None:
        self.server_header: str | None = pbx.pbx.server_header or None
        self._pbx = pbx
        self._name = name
        self._take = take

    async def send(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self._pbx.hear(self._name, text)

    async def receive(self) -> str | bytes:
        try:
            return await self._take.receive()
        except trio.EndOfChannel:
            raise ConnectionLost("the PBX closed the socket") from None

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
