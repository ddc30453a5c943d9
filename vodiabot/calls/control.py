"""Commands about calls that are no legs of ours: sent, then awaited until the PBX shows what came of them.

There is no result frame. An act is taken when call-state shows its effect, and refused when a frame for it has a code
of 400 or more, or when nothing has changed for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import structlog
import trio

from ..errors import CallEnded, ConnectionLost, NotAllowed, NotPermitted
from ..events import DomainCallChanged, DomainCallEnded, DomainCallInfo, Event
from ..ports import CommandPort
from ..protocol import commands
from ..protocol import messages as m
from .numbers import dialable, same_number
from .permits import NEEDED_FOR_OTHERS, OTHERS, Permits
from .queue import Reply

ACT_TIMEOUT = 10.0
"""Seconds after which an act without any effect counts as refused [guess], as for a transfer of our own legs."""

REFUSED = 400
"""SIP status codes from here on are refusals."""

log = structlog.get_logger(__name__)

Effect = Callable[[m.CallEntry], bool]
"""Whether an entry of call-state shows that the act was carried out."""


class Outlet(Protocol):
    """One extension of the bot and its session."""

    @property
    def user(self) -> str: ...
    @property
    def up(self) -> bool: ...
    @property
    def session(self) -> CommandPort: ...


class Waiting:
    """One act that is on its way."""

    def __init__(self, outlet: Outlet, action: str) -> None:
        self.outlet = outlet
        self.action = action
        """As on the wire."""
        self.reply = Reply()

    def heard(self, outlet: Outlet, message: m.Message) -> None:
        """A frame has come; the first that tells counts."""
        if isinstance(message, m.Informational) and outlet is self.outlet:
            code = message.code or 0
            if code >= REFUSED and not self.reply.settled and self._is_meant(message):
                self.reply.settle(NotPermitted(f"the PBX refused {self.action} with {code}"))

    def told(self, event: Event) -> None:
        """The domain has changed."""

    def lost(self) -> None:
        self.reply.settle(ConnectionLost(f"the connection to the PBX was lost during {self.action}"))

    def timed_out(self) -> None:
        """Nothing told what came of it."""
        self.reply.settle(
            NotPermitted(f"the PBX has not carried out {self.action}: nothing changed within {ACT_TIMEOUT:g} s")
        )

    def _is_meant(self, message: m.Informational) -> bool:
        return False


class ActWaiting(Waiting):
    """For what becomes of one call."""

    def __init__(self, outlet: Outlet, action: str, id_: str, effect: Effect | None) -> None:
        """`effect` None: the act is to end the call."""
        super().__init__(outlet, action)
        self._id = id_
        self._effect = effect
        self._lists_had_it = self._lists_lacked_it = False

    def heard(self, outlet: Outlet, message: m.Message) -> None:
        super().heard(outlet, message)
        match message:
            case m.CallState(calls=calls, whole=whole):
                self._listed(calls, whole)
            case m.DomainState(calls=tuple() as calls):
                self._listed(calls, whole=True)
            case m.Cancel(call_id=self._id):  # a call that rings here and at the desk phone was picked up there
                self.reply.settle()

    def told(self, event: Event) -> None:
        if isinstance(event, DomainCallEnded) and event.call.id == self._id:
            self._gone()

    def timed_out(self) -> None:
        """Where the domain is not sure yet that the call is over, here it is: every list since has lacked it."""
        if self._lists_lacked_it and not self._lists_had_it:
            self._gone()
        super().timed_out()

    def _listed(self, entries: Iterable[m.CallEntry], whole: bool) -> None:
        entry = next((e for e in entries if self._id in (e.id, e.call_id)), None)
        if entry is None:
            self._lists_lacked_it |= whole
            return
        self._lists_had_it = True
        if self._effect is not None and self._effect(entry):
            self.reply.settle()

    def _gone(self) -> None:
        self.reply.settle(None if self._effect is None else CallEnded(self._id, "it is gone from the PBX's lists"))

    def _is_meant(self, message: m.Informational) -> bool:
        """By the call, or, where no call is named, by the action [guess]."""
        named = [name for name in (message.call_id, message.data.get("id")) if name not in (None, "")]
        if named:
            return self._id in map(str, named)
        return message.data.get("response") == self.action


class DialWaiting(Waiting):
    """For the call that `make-call` makes."""

    def __init__(self, outlet: Outlet, to: str, country: str) -> None:
        super().__init__(outlet, "make-call")
        self.to = to
        self._country = country
        self.made: DomainCallInfo | None = None

    def told(self, event: Event) -> None:
        if isinstance(event, DomainCallChanged) and event.changed == ("added",) and not self.reply.settled:
            call = event.call
            if takes_part(self.outlet.user, call) and takes_part(self.to, call, self._country):
                self.made = call
                self.reply.settle()

    def _is_meant(self, message: m.Informational) -> bool:
        return message.data.get("response") == self.action


class CallControl:
    """One a bot; it is told of every frame and of every change of the domain."""

    def __init__(
        self,
        *,
        calls: Callable[[], Mapping[str, DomainCallInfo]],
        outlets: Callable[[], Iterable[Outlet]],
        is_phone: Callable[[str], bool],
        guard: Callable[[str], None],
        country: str = "",
        permits: Permits | None = None,
    ) -> None:
        """`calls`: everybody else's, by the PBX's id. `is_phone`: whether a number is an extension of the domain.
        `guard`: counts a number that is about to be reached, raises NotAllowed."""
        self.calls = calls
        self.is_phone = is_phone
        self.guard = guard
        self.permits = permits or Permits()
        self.country = country
        self._outlets = outlets
        self._waiting: list[Waiting] = []
        self._dialled: list[tuple[str, str, float]] = []
        """By `make-call` just now: whose phone, the number, and when."""

    # --- what happens ------------------------------------------------------------------------------------------------

    def heard(self, outlet: Outlet, message: m.Message) -> None:
        """A frame; to be told before the domain is. Never blocks."""
        for waiting in self._waiting:
            waiting.heard(outlet, message)

    def told(self, event: Event) -> None:
        """The domain has changed. Never blocks."""
        for waiting in self._waiting:
            waiting.told(event)

    def lost(self, outlet: Outlet) -> None:
        """A session went down: what was on its way by it is not known to be carried out."""
        for waiting in self._waiting:
            if waiting.outlet is outlet:
                waiting.lost()

    def rings_here(self, called: str, sender: str) -> bool:
        """Whether an invite belongs to a `make-call` of ours: then it is for the user's phones and not for the bot."""

        def fits(user: str, to: str) -> bool:
            return same_number(called, user) and same_number(sender, to, self.country)

        for waiting in self._waiting:
            if isinstance(waiting, DialWaiting) and fits(waiting.outlet.user, waiting.to):
                waiting.reply.settle()
        recent = trio.current_time() - ACT_TIMEOUT
        self._dialled = [dial for dial in self._dialled if dial[2] > recent]
        return any(fits(user, to) for user, to, _ in self._dialled)

    # --- what is done ------------------------------------------------------------------------------------------------

    def outlet_for(self, call: DomainCallInfo) -> Outlet:
        """The extension of ours that takes part in a call, else the first that is up. Raises NotAllowed."""
        outlets = list(self._outlets())
        if not outlets:
            raise NotAllowed("the bot is not running")
        up = [outlet for outlet in outlets if outlet.up] or outlets
        return next((outlet for outlet in up if takes_part(outlet.user, call)), up[0])

    async def act(
        self, outlet: Outlet, id_: str, action: str, command: commands.Command, effect: Effect | None
    ) -> None:
        """Send a command about a call; returns when its effect shows. `effect` None: that the call is gone.

        Raises NotPermitted, CallEnded (not where that is the effect), ConnectionLost; NotAllowed to a plugin.
        """
        self.permits.check(*NEEDED_FOR_OTHERS.get(action, (OTHERS,)))
        await self._carry_out(ActWaiting(outlet, action, id_, effect), command)

    async def dial(self, outlet: Outlet, to: str) -> DomainCallInfo | None:
        """`make-call`; returns when the PBX rings the user's phones. Raises NotPermitted, ConnectionLost."""
        waiting = DialWaiting(outlet, to, self.country)
        self._dialled.append((outlet.user, to, trio.current_time()))
        await self._carry_out(waiting, commands.PhoneDial(to=dialable(to)))
        return waiting.made

    async def _carry_out(self, waiting: Waiting, command: commands.Command) -> None:
        log.info("acting on a call of others", action=waiting.action, extension=waiting.outlet.user)
        self._waiting.append(waiting)
        try:
            await waiting.outlet.session.send(command)
            with trio.move_on_after(ACT_TIMEOUT):
                await waiting.reply.wait()
            waiting.timed_out()
            await waiting.reply.wait()
        finally:
            self._waiting.remove(waiting)


def takes_part(number: str, call: DomainCallInfo, country: str = "") -> bool:
    """Whether a number is on one side of a call."""
    return any(same_number(number, party, country) for party in (call.from_number, call.to_number, *call.extensions))
