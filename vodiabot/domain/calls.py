"""The calls of the domain, out of lists that are each whole for a part of it only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from ..events import DomainCallChanged, DomainCallEnded, DomainCallInfo
from ..protocol.messages import CallEntry
from .ending import Doubt

CallEvent = DomainCallChanged | DomainCallEnded

ENDED_STATES = frozenset({"disconnected", "terminated", "ended"})
"""States of a call that is over, should a PBX ever say so [guess]."""

TALKING_STATES = frozenset({"connected", "holding", "onhold"})

OWN_GRACE = 5.0
"""Seconds after which a call that was one of the bot's own legs may be somebody else's, as after a transfer.
Before, it is the list that has not caught up with our hang-up, unless others take part in it now."""

INVITE_GRACE = 0.25
"""Seconds within which the bot's own leg follows a call that rings at its extension. Before, it is nobody else's: the
list of the calls may overtake the invite [guess]."""

FORGET_ENDED = 10.0
"""Seconds for which a list that has an ended call again is taken for one that is late. After that the PBX knows better:
a frame was lost, and the call was not over, or its id names another one."""

FIELDS = tuple(field for field in DomainCallInfo.__struct_fields__ if field != "id")


class Calls:
    """What is known of each call of somebody else."""

    def __init__(
        self,
        own: Callable[[CallEntry], bool],
        extensions: Iterable[str],
        idle: Callable[[DomainCallInfo, int], bool],
        busy: Callable[[DomainCallInfo], bool],
    ) -> None:
        """`own`: whether an entry speaks of a leg of ours. `extensions`: the bot's. `idle`: whether the extensions of a
        call are known to be in no call, told after the given turn. `busy`: whether one of them is known to be in a
        call."""
        self._own = own
        self._extensions = frozenset(extensions)
        self._idle = idle
        self._busy = busy
        self._held: dict[str, DomainCallInfo] = {}
        self._seen: dict[str, int] = {}
        """The turn in which each held call was last told of."""
        self._doubts: dict[str, Doubt] = {}
        self._owned: dict[str, tuple[float, tuple[str, ...]]] = {}
        """Calls of the bot's own legs → when that was last so, and who was on either side."""
        self._expected_since: dict[str, float] = {}
        """Calls that may become the bot's own → when they were first listed."""
        self._put_off: dict[str, tuple[CallEntry, int, Doubt]] = {}
        """Of the calls of our own legs, and of those that may become so, how and when they were last listed: where they
        go on without us, no list need come to say so."""
        self._ended: dict[str, tuple[float, DomainCallInfo]] = {}
        """Calls that were told as ended, oldest first → when that was, and the last that was known of them."""
        self._lists_come = False
        self.view: Mapping[str, DomainCallInfo] = MappingProxyType(self._held)

    # --- what the PBX tells ---------------------------------------------------------------------------

    def told(self, entry: CallEntry, turn: int, now: float) -> list[CallEvent]:
        """One call is there, new or changed."""
        if self._is_own(entry, now):
            self._put_off[entry.id] = (entry, turn, Doubt())
            return self._taken_over(entry.id, now)
        self._put_off.pop(entry.id, None)
        if entry.state.lower() in ENDED_STATES:
            return self._end(entry.id, now)
        if self._may_become_own(entry, now):
            self._put_off[entry.id] = (entry, turn, Doubt())
            return []
        if self._was_ended(entry, now):
            return []
        self._seen[entry.id] = turn
        self._doubts.pop(entry.id, None)
        return self._update(entry, now)

    def some(self, entries: Iterable[CallEntry], turn: int, now: float) -> list[CallEvent]:
        """Some calls; what is not among them is not gone."""
        return [change for entry in entries for change in self.told(entry, turn, now)]

    def listed(self, entries: Iterable[CallEntry], turn: int, now: float) -> list[CallEvent]:
        """A list that is whole for one subscription: what it lacks may be over."""
        self._lists_come = True
        self._owned = {
            id_: known for id_, known in self._owned.items() if now < known[0] + OWN_GRACE or id_ in self._put_off
        }
        self._expected_since = {id_: since for id_, since in self._expected_since.items() if id_ in self._put_off}
        changes = self.some(entries, turn, now)
        for id_ in self._held:
            if self._seen[id_] != turn:
                self._doubts.setdefault(id_, Doubt()).missed(now)
        for _, listed_in, doubt in self._put_off.values():
            if listed_in != turn:
                doubt.missed(now)
        return changes + self.settle(now)

    def picture(self, entries: Iterable[CallEntry], turn: int, now: float) -> list[CallEvent]:
        """All calls of the domain: what it lacks is over, and what it has is there, whatever was thought of it."""
        self._put_off.clear()
        self._ended.clear()
        changes = self.some(entries, turn, now)
        gone = [id_ for id_ in self._held if self._seen[id_] != turn]
        return changes + [change for id_ in gone for change in self._end(id_, now)]

    def reconnected(self) -> None:
        """Lists of the socket before say nothing about what lists of this one lack."""
        self._lists_come = False
        self._put_off.clear()
        self._doubts = {id_: Doubt(reconnected=True) for id_ in self._held}

    # --- what follows ---------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `settle` has something to do, if nothing is told until then."""
        doubts = [doubt.deadline(busy=self._busy(self._held[id_])) for id_, doubt in self._doubts.items()]
        return min((*(d for d in doubts if d is not None), *map(self._due, self._put_off)), default=None)

    def settle(self, now: float) -> list[CallEvent]:
        """End the calls whose time has come, and tell of those that have become somebody else's."""
        return self._take_on(now) + self._end_missing(now)

    def _due(self, id_: str) -> float:
        since_own, since_expected = self._owned.get(id_, (-math.inf,))[0], self._expected_since.get(id_, -math.inf)
        return max(since_own + OWN_GRACE, since_expected + INVITE_GRACE)

    def _take_on(self, now: float) -> list[CallEvent]:
        """Of the lists since a living call was listed, only that of the orbits may lack it."""
        changes: list[CallEvent] = []
        for id_ in [id_ for id_ in self._put_off if now >= self._due(id_)]:
            entry, turn, doubt = self._put_off[id_]
            if self._is_own(entry, now):
                continue
            del self._put_off[id_]
            if doubt.missing < 2:
                changes += self.told(entry, turn, now)
            if doubt.missing and id_ in self._held:
                self._doubts[id_] = doubt
        return changes

    def _end_missing(self, now: float) -> list[CallEvent]:
        over = [id_ for id_, doubt in self._doubts.items() if self._is_over(id_, doubt, now)]
        return [change for id_ in over for change in self._end(id_, now)]

    def _is_over(self, id_: str, doubt: Doubt, now: float) -> bool:
        return doubt.over(now, idle=self._is_idle(id_), busy=self._busy(self._held[id_]))

    def settle_idle(self, account: str, now: float) -> list[CallEvent]:
        """An account was told to be in no call. Where the PBX sends no lists, only this shows a call's end."""
        suspects = self._doubts if self._lists_come else self._held
        over = [id_ for id_ in suspects if takes_part(account, self._held[id_]) and self._is_idle(id_)]
        return [change for id_ in over for change in self._end(id_, now)]

    def _is_idle(self, id_: str) -> bool:
        return self._idle(self._held[id_], self._seen[id_])

    def _update(self, entry: CallEntry, now: float) -> list[CallEvent]:
        old = self._held.get(entry.id)
        new = _merged(old, entry)
        if old is None:
            changed: tuple[str, ...] = ("added",)
        else:
            changed = tuple(field for field in FIELDS if getattr(old, field) != getattr(new, field))
        if not changed:
            return []
        self._held[entry.id] = new
        return [DomainCallChanged(at=now, call=new, changed=changed)]

    def _end(self, id_: str, now: float) -> list[CallEvent]:
        call = self._held.pop(id_, None)
        if call is None:
            return []
        del self._seen[id_]
        self._doubts.pop(id_, None)
        while self._ended and now - next(iter(self._ended.values()))[0] >= FORGET_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended.pop(id_, None)
        self._ended[id_] = (now, call)
        return [DomainCallEnded(at=now, call=call)]

    def _taken_over(self, id_: str, now: float) -> list[CallEvent]:
        """It is the bot's own now, and may be somebody else's again: it rang here, too, and another phone took it."""
        change = self._end(id_, now)
        if change:
            del self._ended[id_]
        return change

    def _was_ended(self, entry: CallEntry, now: float) -> bool:
        """A call ends once: a list that has it again is not believed, unless it is another by the same id, or others
        are in it: who was in it has left, and all seemed to be over."""
        when, call = self._ended.get(entry.id, (-math.inf, None))
        if call is None or now - when >= FORGET_ENDED:
            return False
        others = {call.from_number, call.to_number} - {*_sides(entry)}
        if any(_sides(entry)) and others:
            return False
        return call.start is None or entry.start is None or entry.start <= call.start

    def _is_own(self, entry: CallEntry, now: float) -> bool:
        """Now, or until just now."""
        if self._own(entry):
            self._owned[entry.id] = (now, _sides(entry))
            return True
        when, sides_then = self._owned.get(entry.id, (-math.inf, ()))
        return _sides(entry) == sides_then and now < when + OWN_GRACE

    def _may_become_own(self, entry: CallEntry, now: float) -> bool:
        """It has just begun to ring at our extension, and the invite may be on its way."""
        if entry.id in self._held or is_talking(entry) or self._extensions.isdisjoint(_called(entry)):
            return False
        return now < self._expected_since.setdefault(entry.id, now) + INVITE_GRACE


def _sides(entry: CallEntry) -> tuple[str, str]:
    return entry.from_number or entry.from_, entry.to_number or entry.to


def takes_part(account: str, call: DomainCallInfo) -> bool:
    """Whether an account is on one side of a call."""
    return account in (call.from_number, call.to_number) or account in call.extensions


def _called(entry: CallEntry) -> tuple[str, ...]:
    return (_sides(entry)[1], *entry.extensions)


def is_talking(call: DomainCallInfo | CallEntry) -> bool:
    return call.connect is not None or call.state.lower() in TALKING_STATES


def _merged(old: DomainCallInfo | None, entry: CallEntry) -> DomainCallInfo:
    """The entry; what it leaves out stays as it was known, but for what was known of a party who has left."""
    known = old or DomainCallInfo(id=entry.id, state="")
    from_number = entry.from_number or entry.from_ or known.from_number
    to_number = entry.to_number or entry.to or known.to_number
    same_from, same_to = from_number == known.from_number, to_number == known.to_number
    return DomainCallInfo(
        id=entry.id,
        state=entry.state or known.state,
        from_number=from_number,
        from_name=entry.from_name or (known.from_name if same_from else ""),
        to_number=to_number,
        to_name=entry.to_name or (known.to_name if same_to else ""),
        start=known.start if entry.start is None else entry.start,
        connect=known.connect if entry.connect is None else entry.connect,
        extensions=entry.extensions or (known.extensions if same_from and same_to else ()),
        recording=entry.recording,
    )
