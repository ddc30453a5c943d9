"""Somebody else's call: what is known of it, and acting on it."""

from __future__ import annotations

from ..errors import CallEnded
from ..events import DomainCallInfo
from ..protocol import commands
from ..protocol.messages import CallEntry
from .control import CallControl, Effect, Outlet, takes_part
from .numbers import dialable, same_number
from .permits import OTHERS

HELD_STATES = frozenset({"holding", "onhold"})
TALKING_STATES = frozenset({"connected"}) | HELD_STATES


class DomainCall:
    """A snapshot of a call between others, and what the PBX can be asked to do with it.

    The fields are those of `events.DomainCallInfo` at the time at which the handle was made: `state` does not change
    under your hands. `bot.domain_calls[call.id]` is the call as it is now.

    Every method returns when the PBX shows that it was done. Raises NotPermitted where the PBX refuses or nothing
    changes within 10 s, CallEnded where the call is gone (`hangup` and `transfer` return normally then), ConnectionLost
    where the socket dies: it may have been done or not.
    """

    def __init__(self, info: DomainCallInfo, control: CallControl, outlet: Outlet | None = None) -> None:
        """`outlet`: by whose hand; by default an extension of the bot that takes part in it, else the first."""
        self.info = info
        self._control = control
        self._outlet = outlet

    def __repr__(self) -> str:
        return f"<DomainCall {self.id} {self.from_number} -> {self.to_number} {self.state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DomainCall) and other.info == self.info

    def __hash__(self) -> int:
        return hash(self.id)

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The PBX's id of the call."""
        return self.info.id

    @property
    def state(self) -> str:
        """`alerting`, `ringing`, `ringback`, `connected`, `holding`, `onhold`, as the PBX names them."""
        return self.info.state

    @property
    def from_number(self) -> str:
        return self.info.from_number

    @property
    def from_name(self) -> str:
        return self.info.from_name

    @property
    def to_number(self) -> str:
        return self.info.to_number

    @property
    def to_name(self) -> str:
        return self.info.to_name

    @property
    def start(self) -> float | None:
        """Seconds since the epoch."""
        return self.info.start

    @property
    def connect(self) -> float | None:
        """Seconds since the epoch; None while it rings, or where the PBX does not tell."""
        return self.info.connect

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that take part, where the PBX tells them."""
        return self.info.extensions

    @property
    def recording(self) -> bool:
        return self.info.recording

    @property
    def ended(self) -> bool:
        """Whether it is over by now."""
        return self._now is None

    def takes_part(self, number: str) -> bool:
        """Whether a number or an extension is on one side of it."""
        return takes_part(number, self.info, self._control.country)

    # --- what can be done --------------------------------------------------------------------------------------------

    async def transfer(self, to: str) -> None:
        """Blind transfer: the bot's extension leaves the call where it takes part in it, else the extension that was
        called, else the one that called [guess]; who is left goes to `to`. Guarded by `[limits]`: raises NotAllowed,
        and nothing was sent."""
        call = self._now
        if call is None:
            return
        outlet = self._by(call)
        leaving = _who_leaves(call, outlet.user, self._control)
        self._control.permits.check(OTHERS, "transfer")
        self._control.guard(to)
        command = commands.BlindTransfer(id=self.id, from_=leaving, to=dialable(to))
        try:
            effect = _transferred(leaving, to, call, self._control.country)
            await self._control.act(outlet, self.id, "blind-transfer2", command, effect)
        except CallEnded:
            return

    async def hangup(self) -> None:
        """End it for all."""
        call = self._now
        if call is None:
            return
        command = commands.PhoneClear(id=self.id, connected=_is_talking(call))
        await self._control.act(self._by(call), self.id, "clear-call", command, None)

    async def hold(self) -> None:
        """The one whose phone it is (ours, else who was called) holds the other. A call that is on hold already, from
        whichever side, stays as it is."""
        call = self._living()
        if not _is_held(call):
            await self._toggle_hold(call, _is_held)

    async def accept(self) -> None:
        """The phone that rings picks up. A call that was answered stays as it is."""
        call = self._living()
        if not _is_talking(call):
            command = commands.PhoneAccept(id=self.id)
            await self._control.act(self._by(call), self.id, "accept-call", command, _is_talking)

    async def record_on_pbx(self, on: bool = True) -> None:
        """Recording by the PBX, on or off."""
        call = self._living()
        if call.recording is not on:
            command = commands.RecordCall(id=self.id, on=on)
            await self._control.act(self._by(call), self.id, "rec-call", command, lambda entry: entry.recording is on)

    async def _toggle_hold(self, call: DomainCallInfo, effect: Effect) -> None:
        command = commands.PhoneHold(id=self.id)
        await self._control.act(self._by(call), self.id, "hold-call", command, effect)

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> DomainCallInfo | None:
        return self._control.calls().get(self.id)

    def _living(self) -> DomainCallInfo:
        call = self._now
        if call is None:
            raise CallEnded(self.id, "it was gone before")
        return call

    def _by(self, call: DomainCallInfo) -> Outlet:
        return self._outlet or self._control.outlet_for(call)


def _is_held(call: DomainCallInfo | CallEntry) -> bool:
    return call.state.lower() in HELD_STATES


def _is_talking(call: DomainCallInfo | CallEntry) -> bool:
    return call.connect is not None or call.state.lower() in TALKING_STATES


def _who_leaves(call: DomainCallInfo, own: str, control: CallControl) -> str:
    """The `from` of a blind transfer [guess]: ours, else who was called, else who called."""
    if takes_part(own, call):
        return own
    called = [n for n in (call.to_number, *call.extensions) if n and not same_number(n, call.from_number)]
    return next((n for n in called if n in call.extensions or control.is_phone(n)), call.from_number or call.to_number)


def _transferred(leaving: str, to: str, before: DomainCallInfo, country: str) -> Effect:
    """Who was to leave is not in it any more, or the target is."""
    target_is_new = not takes_part(to, before, country)

    def shows(entry: CallEntry) -> bool:
        sides = (entry.from_number or entry.from_, entry.to_number or entry.to, *entry.extensions)
        parties = [side for side in sides if side]
        if target_is_new and any(same_number(to, party, country) for party in parties):
            return True
        return bool(parties) and not any(same_number(leaving, party) for party in parties)

    return shows
