"""One switchboard an extension: the sole owner of call-id → leg."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import trio

from .. import events
from ..errors import CallEnded, ConnectionLost, NotAllowed
from ..ports import CommandPort, MediaPort
from ..protocol import commands, steps
from ..protocol import messages as m
from ..protocol.dialects import Dialect
from ..protocol.dialog import Dialog
from .call import Call
from .call_ids import CallIds
from .comeback import Comeback
from .desk import Desk
from .farewells import Farewells
from .handler import Handlers, run_handler
from .leg import Leg
from .limits import DialGuard
from .matching import Matcher
from .numbers import dialable, normalise
from .one_way import FarSideChanged, FarSideHearing
from .park import Parking
from .queue import Entry, Frame, Left, SocketBack, SocketLost
from .remote import FarSideListed, Party, after_listed
from .settings import Publish, Route, Settings
from .strays import meant_by, owed
from .view import LegAndCall, call_ended, dial_error

log = structlog.get_logger(__name__)


class Switchboard:
    """`run` owns all tasks of all legs; `deliver` feeds it and never blocks."""

    def __init__(
        self,
        settings: Settings,
        *,
        commands: CommandPort,
        media: MediaPort,
        dialect: Callable[[], tuple[Dialect | None, bool]],
        route: Callable[[str, str], Route | None],
        publish: Publish,
        guard: DialGuard,
        on_other_dialect: Callable[[Dialect], None] = lambda fresh: None,
        wall: Callable[[], float] = time.time,
        parking: Parking | None = None,
        farewells: Farewells | None = None,
    ) -> None:
        self._settings = settings
        self._commands = commands
        self._media = media
        self._dialect = dialect
        self._route = route
        self._publish = publish
        self._guard = guard
        self._on_other_dialect = on_other_dialect
        self._wall = wall
        self._legs: CallIds[Leg] = CallIds()
        self._views: dict[Leg, LegAndCall] = {}
        self._nursery: trio.Nursery | None = None
        self._comeback = Comeback(commands, Farewells() if farewells is None else farewells)
        self._matcher: Matcher[LegAndCall] = Matcher(settings.country, settings.pbx_clock)
        self._draining = False
        self._handlers = Handlers()
        self.desk = Desk(self._allow, self._place, media.conference, parking or Parking())
        self._log = log.bind(extension=settings.extension)

    # --- the outside -------------------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """The living calls, oldest first."""
        return [view.call for view in self._views.values() if view.leg.ended is None]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; a leg that lives then is hung up and closed."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await self._comeback.run()
            finally:
                self._nursery = None

    def deliver(self, message: m.Message) -> None:
        """One message of the session, in order. Called by the reader: returns at once, never raises for a bad frame."""
        match message:
            case m.Invite():
                self._invited(message)
            case m.CallState(calls=calls, whole=whole):
                self._listed(calls, whole)
            case m.DomainState(calls=tuple() as calls):
                self._listed(calls, whole=True)
            case m.Sdp(call_id="") | m.Bye(call_id="") | m.Cancel(call_id="") | m.Candidate(call_id=""):
                self._to_newest(message)
            case m.CallerId(call_id="") | m.RecordingState(call_id=""):
                self._to_newest(message)
            case _:
                self._to_leg(message, getattr(message, "call_id", None))

    def socket_lost(self) -> None:
        """The session's socket is gone; answered calls go on while their audio does."""
        for leg in self._views:
            leg.post(SocketLost())
        self._comeback.lost(leg for leg in self._views if leg.ended is None)

    def socket_back(self) -> None:
        """The session is up, for the first time or again; what the PBX lists from now on is whole enough to miss a call
        of ours in it."""
        for leg in self._views:
            leg.post(SocketBack())
        self._comeback.back()

    async def drain(self, timeout: float, *, wrap_up: bool = True) -> None:
        """No new calls; running ones may go on for `timeout` seconds, then are hung up. Returns when none is left, and
        what handlers still do after their calls is done, unless `wrap_up` is False."""
        self._draining = True
        with trio.move_on_after(timeout):
            for leg in list(self._views):
                await leg.end_told.wait()
        for leg in list(self._views):
            await self._hang_up(leg, "shutdown")
        if wrap_up:
            await self._handlers.over()

    @asynccontextmanager
    async def dial(
        self, to: str, *, timeout: float | None = None, guarded: bool = True, codecs: tuple[str, ...] | None = None
    ) -> AsyncIterator[Call]:
        """Place a call; entered when it is answered, hung up on leaving. `timeout`: seconds of ringing.

        Raises Busy, NoAnswer, Rejected, NotAllowed, DialFailed (the audio), ConnectionLost.
        """
        if guarded:
            self._allow(to)
        call = self._place(to, timeout, Call, codecs=codecs)
        leg = call._leg
        try:
            await leg.ask(steps.WantDial())
            await leg.answered_or_ended.wait()
            if leg.answered is None:
                raise dial_error(leg)
            yield call
        finally:
            with trio.CancelScope(shield=True):
                await self._hang_up(leg, "hangup")

    # --- incoming ----------------------------------------------------------------------------------------------------

    def _invited(self, invite: m.Invite) -> None:
        known = self._legs.get(invite.call_id)
        if known is not None and not known.may_ring_anew:
            known.post(Frame(invite))
            return
        if self._nursery is None:
            return
        self._comeback.offered(invite.call_id)
        if self._draining or len(self.calls) >= self._settings.max_calls:
            self._refuse(invite, 486, "draining" if self._draining else "max_calls are up")
            return
        to = self._number(invite.to_user or invite.to) or self._settings.extension
        sender = self._number(invite.from_number or invite.from_user or invite.from_)
        route = self._route(to, sender)
        if route is None and self._settings.unrouted == "busy":
            self._refuse(invite, 486, "there is no route")
            return
        self._log.info("incoming call", call=invite.call_id, sender=sender, to=to, plugin=route and route.plugin)
        dialog = Dialog(
            call_id=invite.call_id,
            direction="incoming",
            now=trio.current_time(),
            dialect=self._dialect()[0],
            to=sender,
            local=self._settings.extension,
            invite=invite,
            ring_timeout=self._settings.ring_timeout,
        )
        leg, call = self._open(dialog, Party(sender, invite.from_display, self._settings.country), called=to)
        if route is not None:
            leg.owner = route.plugin
            self._nursery.start_soon(self._handle, leg, call, route)

    def _refuse(self, invite: m.Invite, code: int, why: str) -> None:
        self._log.info("an incoming call is refused", call=invite.call_id, code=code, why=why)
        self._say(commands.RefuseCall(call_id=invite.call_id, cseq=invite.cseq, code=code))

    async def _handle(self, leg: Leg, call: Call, route: Route) -> None:
        try:
            await leg.ask(steps.WantRinging())
        except (CallEnded, ConnectionLost):
            return
        with self._handlers.one():
            await run_handler(leg, call, route, wrap_up=self._settings.wrap_up)

    # --- outgoing ----------------------------------------------------------------------------------------------------

    def _allow(self, to: str) -> None:
        self._check_room(to)
        self._guard.check(to, trio.current_time())

    def _check_room(self, to: str) -> None:
        self._settings.permits.check("dial")
        if self._draining:
            raise NotAllowed("the bot is leaving, no new calls")
        if self._nursery is None:
            raise NotAllowed("the bot takes no calls yet, or no more")
        if not normalise(to):
            raise NotAllowed(f"{to!r} is no number to call")
        if len(self.calls) >= self._settings.max_calls:
            raise NotAllowed(f"[media] max_calls = {self._settings.max_calls} are up")

    def _place(
        self,
        to: str,
        timeout: float | None,
        make: Callable[..., Call] = Call,
        *,
        codecs: tuple[str, ...] | None = None,
    ) -> Call:
        """A call of which nothing is sent yet. Raises NotAllowed."""
        self._check_room(to)
        dialect, guessed = self._dialect()
        dialog = Dialog(
            call_id=uuid.uuid4().hex,
            direction="outgoing",
            now=trio.current_time(),
            dialect=dialect,
            dialect_is_a_guess=guessed,
            to=dialable(to),
            local=self._settings.extension,
            ring_timeout=timeout,
        )
        self._log.info("outgoing call", call=dialog.call_id, to=to)
        remote = Party(self._number(to), country=self._settings.country)
        return self._open(dialog, remote, called=self._settings.extension, make=make, codecs=codecs)[1]

    # --- legs --------------------------------------------------------------------------------------------------------

    def _open(
        self,
        dialog: Dialog,
        remote: Party,
        *,
        called: str,
        make: Callable[..., Call] = Call,
        codecs: tuple[str, ...] | None = None,
    ) -> tuple[Leg, Call]:
        assert self._nursery is not None
        leg = Leg(
            dialog,
            commands=self._commands,
            media=lambda on_event: self._media.open(dialog.call_id, on_event, codecs=codecs),
            on_fact=self._happened,
            on_send=self._comeback.saying,
            on_unsaid=self._comeback.unsaid,
            wall=self._wall,
            permits=self._settings.permits,
        )
        call = make(
            leg,
            extension=self._settings.extension,
            local=called,
            remote=remote,
            guard=lambda to: self._guard.check(to, trio.current_time()),
            desk=self.desk,
        )
        self._legs[dialog.call_id] = leg
        self._views[leg] = LegAndCall(leg, call, self._settings.pbx_clock.now())
        self._nursery.start_soon(self._live, leg)
        return leg, call

    async def _live(self, leg: Leg) -> None:
        structlog.contextvars.bind_contextvars(call=leg.id, extension=self._settings.extension)  # of this task
        try:
            await leg.run()
        except Exception:  # noqa: BLE001 - whatever it is, it must not take the other calls down; it is told whole
            self._log.exception("a mistake of ours has ended this call; the others go on", call=leg.id)
        finally:
            self._matcher.forget(self._views.pop(leg))
            self._comeback.forget(leg)
            self._legs.forget(leg)

    async def _hang_up(self, leg: Leg, reason: str) -> None:
        try:
            await leg.ask(steps.WantHangUp(reason=reason))
        except CallEnded:
            return
        await leg.closed()

    def _happened(self, leg: Leg, fact: steps.Fact) -> None:
        call, at = self._views[leg].call, self._wall()
        match fact:
            case steps.LegRenamed(new=new):
                self._legs[new] = leg
                self._comeback.known(leg)
            case steps.RemoteNamed(name=name, number=number):
                self._note_remote(call, call.remote.told(number, name))
            case FarSideListed():
                self._note_remote(call, after_listed(call.remote, fact))
            case steps.LegRinging(early_media=early):
                self._tell(call, events.CallRinging(at=at, call_id=call.id, early_media=early))
            case steps.LegAnswered():
                self._tell(call, events.CallAnswered(at=at, call_id=call.id))
            case steps.LegChanged(what=what):
                self._tell(call, events.CallChanged(at=at, call_id=call.id, what=what))
            case FarSideChanged() | FarSideHearing():
                for event in fact.events(call.id, at):
                    self._tell(call, event)
            case steps.LegEnded() | steps.EndKnown():
                self._ended(leg, call)

    def _note_remote(self, call: Call, remote: Party) -> None:
        if remote != call.remote:
            call.remote = remote
            self._tell(call, events.CallChanged(at=self._wall(), call_id=call.id, what="remote"))

    def _number(self, text: str) -> str:
        return normalise(text, self._settings.country)

    def _ended(self, leg: Leg, call: Call) -> None:
        self._comeback.over(leg)
        if (fact := leg.end) is None or fact.presumed:
            return
        self._log.info("call ended", call=call.id, reason=fact.reason, code=fact.code, seconds=round(call.duration, 1))
        if fact.other_dialect:
            # a call that was read without knowing was taken as modern: only an `actpass` is ambiguous
            self._on_other_dialect((leg.dialog.dialect or Dialect.MODERN).other)
        self._tell(call, call_ended(call, fact))

    def _tell(self, call: Call, event: events.Event) -> None:
        self._publish(call=call, event=event)

    # --- frames ------------------------------------------------------------------------------------------------------

    def _to_leg(self, message: m.Message, call_id: str | None) -> None:
        if not call_id:
            return
        leg = self._legs.get(call_id) or self._renamed(message, call_id)
        if leg is not None:
            leg.post(Frame(message))
        elif (command := owed(message, call_id, was_ours=self._legs.was_ours(call_id))) is not None:
            self._say(command)

    def _renamed(self, message: m.Message, call_id: str) -> Leg | None:
        """A call-id in an `sdp` frame that answers our `sdp-packet` replaces ours; what follows it is the leg's, and so
        are candidates that come before it. That of a call that is over is a late answer to that one."""
        if not isinstance(message, m.Sdp | m.Candidate) or self._legs.was_ours(call_id):
            return None
        unnamed = [leg for leg in self._views if not self._legs.has_several(leg)]
        leg = meant_by(message, unnamed, self._settings.country)
        if leg is not None:
            self._legs[call_id] = leg
        elif isinstance(message, m.Sdp):
            self._log.warning("an sdp frame for no call of ours", call=call_id)
        return leg

    def _to_newest(self, message: m.Message) -> None:
        """Older PBXs name no leg in some frames: the newest one is meant."""
        if living := [leg for leg in self._views if leg.ended is None]:
            living[-1].post(Frame(message))

    def _say(self, command: commands.Command) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._comeback.say, command)

    def owns(self, entry: m.CallEntry) -> bool:
        """Whether a call-state entry speaks of one of our legs."""
        return self._matcher.owns(entry, self._views.values())

    def _listed(self, calls: tuple[m.CallEntry, ...], whole: bool) -> None:
        for entry, view in self._matcher.left(calls):
            view.leg.post(Left(entry))
        pairs = self._matcher.match(calls, [v for v in self._views.values() if v.may_be_listed])
        if late := [view for view in self._views.values() if view.end_may_be_listed]:
            taken = [entry for entry, _ in pairs]
            pairs += self._matcher.match([entry for entry in calls if entry not in taken], late)
        for entry, view in pairs:
            view.leg.post(Entry(entry))
        if whole and self._comeback.missing:
            matched = [entry for entry, _ in pairs]
            unsure = [entry for entry in calls if entry not in matched]
            perhaps = {leg for leg in self._comeback.missing if self._matcher.may_be(unsure, self._views[leg])}
            self._comeback.listed({view.leg for _, view in pairs}, perhaps)
