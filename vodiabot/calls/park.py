"""Park orbits: places on the PBX where a caller waits with music until anybody picks him up.

No frame of the WebSocket parks or picks up. What is known is the PBX's star codes, as its vendor documents them for any
phone (doc.vodia.com, "Park Orbits"): `*85` and the orbit's number park, `*86` and the number pick up, an orbit holds
one call, and to park on one that is taken fails. So a call is parked by a blind transfer to the one code, and picked up
by dialling the other. Which accounts are orbits, and that a parked call is listed with its orbit's number on one side,
is a guess; all of it is here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..errors import NotAllowed, TransferFailed
from ..events import Account, DomainCallInfo
from ..protocol import steps
from ..protocol.messages import CallEntry
from .limits import UsedUp
from .remote import Party

if TYPE_CHECKING:
    from .call import Call

PARK_CODE = "*85"
PICK_UP_CODE = "*86"

ORBIT_TYPES = frozenset({"orbits", "orbit", "parkorbits", "parkorbit"})
"""Types of the accounts that are orbits [guess]: the others of domain-state are in the plural."""

TRIES = 3
"""Orbits that `park()` tries when others take them at the same moment; each refusal costs the caller a moment."""

_ORBIT = re.compile(r"[0-9A-Za-z_-]+")
"""An account's name. Nothing that could make another number of the code before it."""


@dataclass(frozen=True)
class ParkedCall:
    """A caller who waits on an orbit: a snapshot."""

    orbit: str
    caller: Party
    start: float | None
    """When his call began, seconds since the epoch."""
    call_id: str
    """The PBX's id of the call, as of a DomainCall."""


class Dial(Protocol):
    """See `Switchboard.dial`."""

    def __call__(self, to: str, *, timeout: float | None, guarded: bool) -> AbstractAsyncContextManager[Call]: ...


def _nothing() -> Mapping[str, DomainCallInfo]:
    return {}


def _nobody() -> Mapping[str, Account]:
    return {}


@dataclass
class Parking:
    """The orbits of the domain, as the bot knows them; one a bot. Without arguments it knows of none."""

    calls: Callable[[], Mapping[str, DomainCallInfo]] = _nothing
    """Everybody else's calls, by the PBX's id."""
    accounts: Callable[[], Mapping[str, Account]] = _nobody
    country: str = ""
    _picked: set[str] = field(default_factory=set)
    """Calls that the bot has picked up, which the lists may still have."""

    @property
    def orbits(self) -> list[str]:
        """The orbits that there are."""
        return sorted(number for number, account in self.accounts().items() if _is_orbit(account))

    @property
    def parked(self) -> list[ParkedCall]:
        """Who waits, longest call first."""
        calls = self.calls()
        self._picked &= calls.keys()
        found = [self._as_parked(call) for id_, call in calls.items() if id_ not in self._picked]
        return sorted((one for one in found if one is not None), key=lambda one: (one.start or 0.0, one.orbit))

    def has_left(self, entry: CallEntry, own: Container[str]) -> bool:
        """Whether an entry shows a parked call in which none of `own` extensions takes part: whoever's it was."""
        sides = (entry.from_number or entry.from_, entry.to_number or entry.to)
        is_parked = any(self._is_orbit(side) for side in sides)
        return is_parked and not any(party in own for party in (*sides, *entry.extensions))

    async def park(self, call: Call, orbit: str | None) -> str:
        """See `Call.park`."""
        call._check_up()
        call._leg.may("transfer")  # first: a dial that is refused is not counted
        candidates = self._free()[:TRIES] if orbit is None else [orbit]
        if not candidates:
            raise NotAllowed("the PBX tells of no park orbit that is free")
        for candidate in candidates[:-1]:
            try:
                return await _park_on(call, candidate)
            except TransferFailed as exc:
                if exc.code is None:
                    raise  # not refused, but nothing was heard of it: another orbit would not help
        return await _park_on(call, candidates[-1])

    @asynccontextmanager
    async def pick_up(
        self, which: str | ParkedCall | None, *, dial: Dial, guard: Callable[[str], None], timeout: float | None
    ) -> AsyncIterator[Call]:
        """See `Bot.pick_up`."""
        known = self._known(which)
        orbit = known.orbit if known is not None else str(which)
        to = _allowed(orbit, PICK_UP_CODE, guard)
        async with dial(to, timeout=timeout, guarded=False) as call:
            if known is not None:
                self._picked.add(known.call_id)
                if call.remote.number == to:
                    call._leg.other_side_is(known.caller.number, known.caller.name)
            yield call

    # --- inside ------------------------------------------------------------------------------------------------------

    def _known(self, which: str | ParkedCall | None) -> ParkedCall | None:
        if isinstance(which, ParkedCall):
            return which
        parked = [one for one in self.parked if which in (None, one.orbit)]
        if not parked and which is None:
            raise NotAllowed("nobody is parked")
        return parked[0] if parked else None

    def _free(self) -> list[str]:
        taken = {one.orbit for one in self.parked}
        return [orbit for orbit in self.orbits if orbit not in taken]

    def _as_parked(self, call: DomainCallInfo) -> ParkedCall | None:
        sides = [(call.from_number, call.from_name), (call.to_number, call.to_name)]
        for (orbit, _), (number, name) in (sides, sides[::-1]):
            if self._is_orbit(orbit):
                return ParkedCall(orbit, Party(number, name, self.country), call.start, call.id)
        return None

    def _is_orbit(self, number: str) -> bool:
        account = self.accounts().get(number)
        return account is not None and _is_orbit(account)


def _is_orbit(account: Account) -> bool:
    return account.type.lower() in ORBIT_TYPES


def _allowed(orbit: str, code: str, guard: Callable[[str], None]) -> str:
    """What reaches the orbit. `[limits]` may name the orbit, as an account or a number, or the code with it. Raises
    NotAllowed."""
    if not _ORBIT.fullmatch(orbit):
        raise NotAllowed(f"{orbit!r} is no park orbit")
    try:
        guard(orbit)
    except UsedUp:
        raise
    except NotAllowed:
        guard(code + orbit)
    return code + orbit


async def _park_on(call: Call, orbit: str) -> str:
    to = _allowed(orbit, PARK_CODE, call._guard)
    await call._leg.ask(steps.WantTransfer(to=to))
    if call.reason != "transferred":
        raise call._leg.gone()
    return orbit
