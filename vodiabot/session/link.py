"""One connection: its reader, its only writer, keepalive, watch and registration; all begin and end together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NoReturn

import structlog
import trio

from ..errors import ConnectionLost, FrameError
from ..protocol import codec, commands
from ..protocol.messages import Message, Registered
from .socket import MAX_FRAME, Socket
from .surroundings import LOOK, Surroundings
from .timers import SessionTimers

OUTBOX = 1000
"""Commands that may wait for the socket; then the sender waits."""

LATE = 1.0
"""Seconds by which who wakes up has overslept: the process was stopped, or blocked, and what came meanwhile is still to
be read. A socket that lives is not given up for that."""

CallList = Literal["own-calls", "domain-calls", "orbit-calls"]

SUBSCRIPTIONS: tuple[CallList, ...] = ("own-calls", "domain-calls", "orbit-calls")

OnFrame = Callable[[str, Message | None], None]

log = structlog.get_logger(__name__)


class Complaints:
    """What was told once need not be told again: frames that are not understood come in thousands."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def once(self, kind: str, text: str, **fields: object) -> None:
        if kind not in self._told and len(self._told) < 1000:
            self._told.add(kind)
            log.warning(text, told_once_for=kind, **fields)


class Link:
    """`run` lives as long as the connection and then raises why it ended."""

    def __init__(
        self,
        socket: Socket,
        timers: SessionTimers,
        *,
        on_frame: OnFrame,
        on_up: Callable[[str], None],
        on_sent: Callable[[], None] = lambda: None,
        complaints: Complaints,
        surroundings: Surroundings,
        user_agent: str,
        register: bool,
    ) -> None:
        self._socket = socket
        self._timers = timers
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_sent = on_sent
        self._complaints = complaints
        self._surroundings = surroundings
        self._user_agent = user_agent
        self._register = register
        self._put, self._take = trio.open_memory_channel[_Outgoing](OUTBOX)
        self._in_hand: _Outgoing | None = None
        self._last_heard = trio.current_time()
        self._registered, self._registrations = trio.open_memory_channel[Registered](1)
        self._register_anew = trio.Event()
        self._why: ConnectionLost | None = None

    async def run(self) -> NoReturn:
        """Raises ConnectionLost when the connection is over, and only then."""
        try:
            async with trio.open_nursery() as nursery:
                for part in (
                    *(self._read, self._write, self._keep_alive, self._ping, self._watch, self._sign_on),
                    self._look_around,
                ):
                    nursery.start_soon(self._part, part, nursery.cancel_scope)
        finally:
            self._put.close()
            self._fail_rest()
        raise self._why or ConnectionLost("the connection ended")

    async def send(self, command: commands.Command) -> None:
        """See `ports.CommandPort`."""
        outgoing = _Outgoing(codec.encode(command))
        try:
            await self._queue(outgoing)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise ConnectionLost("the connection to the PBX is lost") from None
        try:
            await outgoing.done.wait()
        finally:
            outgoing.wanted = outgoing.done.is_set()  # a cancelled one that still waits is not sent later on
        if outgoing.error is not None:
            raise outgoing.error

    async def _queue(self, outgoing: _Outgoing) -> None:
        """Only who has to wait for room gives others a turn: `send` waits anyway."""
        try:
            self._put.send_nowait(outgoing)
        except trio.WouldBlock:
            await self._put.send(outgoing)

    async def _part(self, part: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        """The first part that fails ends all."""
        try:
            await part()
        except ConnectionLost as exc:
            self._why = self._why or exc
            scope.cancel()

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            received = await self._socket.receive()
            self._last_heard = trio.current_time()
            if isinstance(received, bytes):
                self._complaints.once("binary", "a binary frame was dropped", size=len(received))
            elif _too_large(received):
                self._complaints.once("too large", "a frame was dropped: too large", size=len(received))
            else:
                self._hand_on(received)

    def _hand_on(self, text: str) -> None:
        message = self._decoded(text)
        if isinstance(message, Registered):
            self._note(message)
        try:
            self._on_frame(text, message)
        except Exception:
            log.exception("a frame could not be handled; the session goes on", frame_kind=type(message).__name__)

    def _decoded(self, text: str) -> Message | None:
        try:
            return codec.decode(text)
        except FrameError as exc:
            self._complaints.once(f"{exc.frame}: {exc.field}", "a frame was not understood", why=str(exc))
        except Exception:
            # a mistake of ours; it must not cost the session (PROTOCOL.md, on strange frames)
            log.exception("a frame could not be decoded; the session goes on")
        return None

    def _note(self, message: Registered) -> None:
        if _refused(message) is not None:
            self._register_anew.set()
        try:
            self._registered.send_nowait(message)
        except trio.WouldBlock:
            return  # an answer is already waiting

    async def _write(self) -> None:
        async for outgoing in self._take:
            if not outgoing.wanted:
                continue
            self._in_hand = outgoing
            await self._send_one(outgoing.text)
            outgoing.done.set()
            self._in_hand = None

    async def _send_one(self, text: str) -> None:
        """A PBX that takes nothing is as dead as one that says nothing, even if it talks on. What is in hand then
        fails with all the rest."""
        with trio.move_on_after(self._timers.dead):
            await self._socket.send(text)
            self._on_sent()
            return
        raise ConnectionLost(f"the PBX took nothing for {self._timers.dead:g} s")

    async def _keep_alive(self) -> None:
        """The first one goes out before all else (`_sign_on`)."""
        while True:
            await trio.sleep(self._timers.keepalive)
            await self.send(commands.AvoidDisconnect())

    async def _ping(self) -> None:
        while True:
            await trio.sleep(self._timers.ping)
            await self._socket.ping()
            self._last_heard = trio.current_time()

    async def _watch(self) -> None:
        """A socket can die without a close: no frame and no pong within a bound is dead (PROTOCOL.md section 6)."""
        until = self._last_heard + self._timers.dead
        while until > trio.current_time():
            await trio.sleep_until(until)
            if trio.current_time() - until > LATE:
                await trio.sleep(self._timers.answer)
            until = self._last_heard + self._timers.dead
        raise ConnectionLost(f"nothing was heard of the PBX for {self._timers.dead:g} s")

    async def _look_around(self) -> None:
        """Is the PBX still there, and are we registered? After some things one had better ask than wait."""
        while True:
            await trio.sleep(LOOK)
            if (why := self._surroundings.upheaval()) is not None:
                log.info("is the PBX still there?", why=why)
                self._register_anew.set()
                await self._prove(why)

    async def _prove(self, why: str) -> None:
        with trio.move_on_after(self._timers.proof):
            await self._socket.ping()
            self._last_heard = trio.current_time()
            return
        raise ConnectionLost(f"{why}, and the PBX is not heard any more")

    async def _sign_on(self) -> None:
        await self.send(commands.AvoidDisconnect())
        for what in SUBSCRIPTIONS:
            await self.send(commands.Subscribe(what=what))
        if not self._register:
            self._on_up("connected")
            return
        expires = await self._register_once()
        self._on_up("registered")
        while True:
            with trio.move_on_after(self._timers.refresh(expires)):
                await self._register_anew.wait()  # then at once; if that is refused, too, we are down
            expires = await self._register_once()

    async def _register_once(self) -> float:
        """Seconds for which we are registered. Raises ConnectionLost."""
        while self._registrations.statistics().current_buffer_used:
            self._registrations.receive_nowait()  # an unasked one of before
        self._register_anew = trio.Event()
        await self.send(commands.Register(user_agent=self._user_agent))
        with trio.move_on_after(self._timers.answer):
            answer = await self._registrations.receive()
            if (why := _refused(answer)) is not None:
                raise ConnectionLost(why)
            return self._timers.expires if answer.expires is None else answer.expires
        raise ConnectionLost(f"the PBX did not answer the registration within {self._timers.answer:g} s")

    def _fail_rest(self) -> None:
        error = self._why or ConnectionLost("the connection to the PBX is lost")
        if self._in_hand is not None:
            self._in_hand.fail(error)
        while self._take.statistics().current_buffer_used or self._take.statistics().tasks_waiting_send:
            self._take.receive_nowait().fail(error)
        self._take.close()


class _Outgoing:
    """One command on its way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.done = trio.Event()
        self.error: ConnectionLost | None = None
        self.wanted = True

    def fail(self, error: ConnectionLost) -> None:
        if not self.done.is_set():
            self.error = ConnectionLost(f"the command was perhaps not carried out: {error}")
            self.done.set()


def _too_large(text: str) -> bool:
    """In bytes; most frames are so short that nobody need encode them to know."""
    return len(text) > MAX_FRAME // 4 and len(text.encode("utf-8", "surrogatepass")) > MAX_FRAME


def _refused(answer: Registered) -> str | None:
    if answer.code is not None and answer.code >= 400:
        return f"the PBX refused the registration with {answer.code}"
    if answer.expires is not None and answer.expires <= 0:
        return "the PBX ended the registration"
    return None
