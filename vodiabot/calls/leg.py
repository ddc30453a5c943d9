"""One call leg: the dialog, its audio, and the one task that acts on both.

Everything that concerns the leg enters its queue; `_drive` alone takes it out and feeds the dialog. What the dialog
answers is carried out by two workers, so that neither a slow socket nor a slow peer connection delays a `cancel`: one
sends commands in order, one does the media steps in order.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import msgspec
import structlog
import trio

from ..errors import CallEnded, ConnectionLost, IllegalMove, VodiabotError
from ..ports import CommandPort, DtmfReceived, MediaLeg, OneWayNews
from ..protocol import steps
from ..protocol.commands import Command
from ..protocol.dialog import UNDER_WAY, Dialog
from ..protocol.messages import CallEntry
from .askers import Askers
from .holding import Holding
from .media_worker import MediaWorker, news_of
from .one_way import BothWays
from .outbox import Outbox, Outgoing
from .permits import NEEDED, Permits
from .queue import (
    OVER_WHEN_SENT,
    Asked,
    Entry,
    Frame,
    Item,
    Left,
    News,
    Reconciled,
    SendFailed,
    SocketBack,
    SocketLost,
    refuse,
)
from .reached import Reached
from .remote import ListedSide

QUEUE = 1000
"""Items that may wait for a leg. It takes microseconds an item, so a full queue means a PBX gone mad."""

LAST_WORDS = 2.0
"""Seconds for the last commands (bye) of a leg that is over: a socket that takes nothing must not keep it."""

LINGER = 10.0
"""Seconds that an ended leg stays, at most, to answer duplicates and late answers of the PBX."""

ENDED_BY_OTHERS = frozenset({"cancelled", "answered_elsewhere", "connection_lost"})
"""Why a call ends that rang here."""

DIGITS = 200
"""Digits that wait for a plugin that doesn't read them; then the oldest goes."""

log = structlog.get_logger(__name__)


class Leg:
    """One leg; `run` is its task. All methods but `run` and `ask` return at once."""

    def __init__(
        self,
        dialog: Dialog,
        *,
        commands: CommandPort,
        media: Callable[[Callable[[object], None]], MediaLeg],
        on_fact: Callable[[Leg, steps.Fact], None],
        on_send: Callable[[Leg, Command], None],
        on_unsaid: Callable[[Command], None],
        wall: Callable[[], float],
        permits: Permits,
    ) -> None:
        """`on_fact`: what the dialog finds out. `on_send`: a command is about to be sent; `on_unsaid`: it was not, or
        perhaps not."""
        self.id = dialog.call_id
        self._permits = permits
        self.owner = permits.who()
        """The plugin whose call it is; None if it is nobody's."""
        self.dialog = dialog
        self.started = wall()
        self.answered: float | None = None
        self.ended: float | None = None
        self.talked = 0.0
        """Seconds from the answer to the end, whatever the machine's clock was set to meanwhile."""
        self._up_at = 0.0
        self.end: steps.LegEnded | None = None
        self.ended_event = trio.Event()
        self.end_told = trio.Event()
        """Set when it is also known why, which call-state may tell a moment later."""
        self.answered_or_ended = trio.Event()
        self._on_fact = on_fact
        self._wall = wall
        self._put, self._take = trio.open_memory_channel[Item](QUEUE)
        self._outbox = Outbox(
            commands, on_send=partial(on_send, self), on_unsaid=on_unsaid, on_lost=self._not_sent, gone=self.gone
        )
        self._last_out: Outgoing | None = None
        self.digits_put, self.digits = trio.open_memory_channel[str](DIGITS)
        self.media = media(self._media_event)
        self._media_worker = MediaWorker(self.media, self.post)
        self._linger = math.inf
        """When it is over for good, once the dialog has ended."""
        self._one_way, self.holding, self.reached = BothWays(), Holding(), Reached()
        self.at_rest = Reached()
        """Nothing is under way that must be over before the other side may be sent elsewhere."""
        self._listed_side = ListedSide()
        self._askers = Askers()
        self._scopes: set[trio.CancelScope] = set()
        self._nursery: trio.Nursery | None = None
        self._log = log.bind(call=self.id)

    # --- in ----------------------------------------------------------------------------------------------------------

    def post(self, item: Item) -> None:
        """Queue one item; called by the reader, media and plugins. Never blocks."""
        try:
            self._put.send_nowait(item)
        except trio.WouldBlock:
            self._log.error("the call's queue is full, an item was dropped", item=type(item).__name__)
            refuse(item, VodiabotError("the call's queue is full"))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            refuse(item, self.gone())

    async def ask(self, intent: steps.Intent) -> None:
        """Ask for something and wait until it is over.

        Raises IllegalMove, CallEnded, ConnectionLost, TransferFailed, MediaError; NotAllowed for a plugin that may not.
        """
        self.may(*NEEDED.get(type(intent), ()))
        if isinstance(intent, steps.WantTransfer | steps.WantJoin):
            self._log.info("a transfer begins", to=intent.to)
        asked = Asked(intent)
        self.post(asked)
        if not isinstance(intent, OVER_WHEN_SENT):
            await asked.reply.wait()
            return
        with self.until_end():  # a socket that takes nothing must not hold who has asked
            await asked.reply.wait()
            return
        raise self.gone()

    def may(self, *capabilities: str) -> None:
        """Raises NotAllowed if the plugin that acts now lacks one of them, or `others` for a call not its own."""
        self._permits.check(*capabilities, owner=self.owner)

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a task that belongs to the leg and ends with it. Raises CallEnded."""
        if self._nursery is None or self.ended is not None:
            raise self.gone()
        self._nursery.start_soon(work)

    def _media_event(self, event: object) -> None:
        if isinstance(event, DtmfReceived):
            self._digit(event.digit)
        elif isinstance(event, OneWayNews):
            self.post(event)
        elif (news := news_of(event)) is not None:
            self.post(News(news))

    def _digit(self, digit: str) -> None:
        self._log.debug("digit heard", digit=digit)  # it may be one of a PIN: not for a log that is kept for months
        try:
            self.digits_put.send_nowait(digit)
        except trio.WouldBlock:
            self.digits.receive_nowait()
            self.digits_put.send_nowait(digit)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the call is over, and so is what its digits were for

    @property
    def may_ring_anew(self) -> bool:
        """An invite under its call-id is another call; of one that we have ended ourselves it is a repetition, which
        may have crossed our last word."""
        return self.end_told.is_set() and self.end is not None and self.end.reason in ENDED_BY_OTHERS

    async def closed(self) -> None:
        """Returns when the call is over and its audio is closed: its counters are the last ones then."""
        await self.ended_event.wait()
        await self._media_worker.closed.wait()

    # --- the life of the leg -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the first frame to the last; returns when nothing of the leg is left."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._outbox.run)
                nursery.start_soon(self._media_worker.run)
                await self._drive()
        finally:
            self._nursery = None
            with trio.CancelScope(shield=True):
                await self._tear_down()

    async def _drive(self) -> None:
        self._act(lambda now: self.dialog.start(now))
        while not self._is_through():
            due = self._next()
            with trio.CancelScope(deadline=due) as nap:
                while not self._is_through():
                    self._handle(await self._take.receive())
                    if self._next() != due:
                        due = nap.deadline = self._next()
            if trio.current_time() >= self._deadline():
                self._act(self.dialog.tick)
            self._judge_silence()
        self._outbox.finish(LAST_WORDS)
        self._media_worker.finish()

    def _is_through(self) -> bool:
        """It is over, and nothing more is to be done or, for as long as that is likely, to be heard of it."""
        if not self.dialog.ended:
            return False
        now = trio.current_time()
        self._linger = min(self._linger, now + LINGER)
        idle = self.dialog.deadline is None and not self._take.statistics().current_buffer_used
        return idle or now >= self._linger

    def _next(self) -> float:
        """When something is to be done if nothing comes."""
        return min(self._deadline(), self._one_way.deadline, self._linger)

    def _deadline(self) -> float:
        return math.inf if self.dialog.deadline is None else self.dialog.deadline

    def _handle(self, item: Item) -> None:
        match item:
            case Frame(message):
                self._act(lambda now: self.dialog.receive(message, now))
            case Entry(entry) | Left(entry):
                self._listed(entry, left=isinstance(item, Left))
            case News(news):
                self._act(lambda now: self.dialog.media(news, now))
            case SocketLost():
                self._act(self.dialog.socket_lost)
            case SocketBack():
                self._act(self.dialog.socket_back)
            case Reconciled(present):
                self._act(lambda now: self.dialog.reconciled(present, now))
            case SendFailed(error):
                self._askers.fail(error)
                self._act(self.dialog.socket_lost)
            case Asked():
                self._intend(item)
            case _:
                self._judge_silence(item)

    def _intend(self, asked: Asked) -> None:
        intent, reply = asked.intent, asked.reply
        if self.ended is not None and not isinstance(intent, steps.WantHangUp):
            reply.settle(None if isinstance(intent, steps.WantTransfer) else self.gone())
            return
        if isinstance(intent, steps.WantHold) and not self.dialog.socket_up:  # the other side would hear no music
            reply.settle(ConnectionLost("there is no connection to the PBX: the call is not on hold"))
            return
        waits = self._askers.add(asked)
        self._last_out = None
        try:
            self._act(lambda now: self.dialog.intend(intent, now))
        except IllegalMove as exc:
            self._askers.discard(asked)
            reply.settle(exc)
        else:
            if isinstance(intent, OVER_WHEN_SENT) and self._last_out is not None:
                self._last_out.reply = reply
            elif not waits:
                reply.settle()

    def _act(self, feed: Callable[[float], list[steps.Step]]) -> None:
        for step in feed(trio.current_time()):
            self._carry_out(step)
        self.reached.tell(self.dialog.socket_up)
        self.at_rest.tell(self.dialog.state not in UNDER_WAY)
        self._judge_silence()

    def _listed(self, entry: CallEntry, *, left: bool) -> None:
        self._act(lambda now: (self.dialog.left if left else self.dialog.entry)(entry, now))
        if not left:
            self._hear_of_other_side(entry)

    def _hear_of_other_side(self, entry: CallEntry) -> None:
        """To be told after what the entry says of the call itself: first that it is answered, then by whom."""
        news = self._listed_side.heard(entry, self.dialog.local, self.dialog.direction)
        if news is not None and self.ended is None:
            self._on_fact(self, news)

    def other_side_is(self, number: str, name: str) -> None:
        """Known from elsewhere than from the PBX's frames for this leg."""
        if self.ended is None:
            self._on_fact(self, steps.RemoteNamed(name=name, number=number))

    def _judge_silence(self, news: OneWayNews | None = None) -> None:
        if news is not None and self.ended is None:
            self._one_way.hear(news, trio.current_time())
        up = self.answered is not None and self.ended is None
        self.holding.tell(self.dialog.held or self.dialog.held_by_remote)
        for fact in self._one_way.judge(up and not self.holding.on_hold, trio.current_time()):
            self._log.warning(fact.in_words())
            self._on_fact(self, fact)

    # --- out ---------------------------------------------------------------------------------------------------------

    def _carry_out(self, step: steps.Step) -> None:
        match step:
            case steps.Send(command=command):
                self._last_out = self._outbox.put(command)
            case steps.Happened(fact=fact):
                self._happened(fact)
            case steps.Settled():
                self._askers.settle(step)
            case _:
                self._media_worker.do(step)

    def _happened(self, fact: steps.Fact) -> None:
        match fact:
            case steps.LegAnswered():
                self.answered, self._up_at = self._wall(), trio.current_time()
                self.answered_or_ended.set()
            case steps.LegEnded():
                self.ended, self.end = self._wall(), fact
                self.talked = 0.0 if self.answered is None else trio.current_time() - self._up_at
                self._over()
            case steps.EndKnown(reason=reason) if self.end is not None:
                self.end = msgspec.structs.replace(self.end, reason=reason, presumed=False)
        if self.end is not None and not self.end.presumed:
            self._askers.end_told()
            self.end_told.set()
        self._on_fact(self, fact)

    def _over(self) -> None:
        """Let go of everybody who needs a call that lives."""
        self._askers.over(self.gone())
        self.answered_or_ended.set()
        self.ended_event.set()
        self.digits_put.close()
        for scope in self._scopes:
            scope.cancel()

    def gone(self) -> CallEnded:
        """The exception for whoever still uses the call."""
        return CallEnded(self.id, self.end.reason if self.end else "closed")

    @contextmanager
    def until_end(self) -> Iterator[trio.CancelScope]:
        """A cancel scope that is cancelled when the leg ends (at once, if it has)."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self.ended is not None:
                scope.cancel()
            try:
                yield scope
            finally:
                self._scopes.discard(scope)

    # --- workers -----------------------------------------------------------------------------------------------------

    def _not_sent(self, command: Command, why: ConnectionLost) -> None:
        self._log.warning("a command was not sent", command=type(command).__name__, why=str(why))
        self.post(SendFailed(why))

    async def _tear_down(self) -> None:
        """What is left when the task ends or was cancelled: last commands, the audio, whoever waits."""
        if not self.dialog.ended:
            for step in self.dialog.intend(steps.WantHangUp(reason="shutdown"), trio.current_time()):
                self._carry_out(step)
        if self.end is None:
            self._happened(steps.LegEnded(reason="shutdown"))
        if self.end is not None and self.end.presumed:
            self._happened(steps.EndKnown(reason=self.end.reason))
        await self._outbox.send_rest(LAST_WORDS)
        self._put.close()
        with suppress(trio.EndOfChannel):
            while True:
                refuse(self._take.receive_nowait(), self.gone())
        await self.media.aclose()
        self._media_worker.closed.set()
