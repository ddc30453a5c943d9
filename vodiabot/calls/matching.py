"""Which call-state entry belongs to which leg of ours (PROTOCOL.md section 3, "Who is who"). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from ..protocol.messages import CallEntry
from .numbers import same_number
from .pbx_clock import PbxClock

CODE = "*"
"""What a number begins with that is a code for the PBX. Who dials one is connected with somebody else, of whom the
entry may speak at once [guess]."""


class LegView(Protocol):
    """What matching needs of a leg."""

    @property
    def call_ids(self) -> frozenset[str]: ...
    @property
    def local(self) -> str: ...
    @property
    def remote_number(self) -> str: ...
    @property
    def began(self) -> float:
        """By `PbxClock.now`."""


L = TypeVar("L", bound=LegView)


class Matcher(Generic[L]):
    """Remembers which entry is whose, so that a later call between the same two parties is told from an earlier one."""

    def __init__(self, country: str = "", clock: PbxClock | None = None) -> None:
        """`country`: by which numbers are read. `clock`: None where the PBX's goes as ours."""
        self._country = country
        self._clock = clock or PbxClock()
        self._known: dict[str, L] = {}
        self._left: dict[str, L] = {}
        """What was known, of entries that have become ones of others since; until `left` has told it."""

    def forget(self, leg: L) -> None:
        """The leg is over."""
        self._known = {id_: other for id_, other in self._known.items() if other is not leg}
        self._left = {id_: other for id_, other in self._left.items() if other is not leg}

    def owns(self, entry: CallEntry, legs: Iterable[L]) -> bool:
        """Whether the entry speaks of one of these legs, even where it is open of which."""
        if self._knows(entry) is not None:
            return True
        ways = (_named, self._fits, self._fits_a_code)
        return any(way(entry, leg) for leg in legs for way in ways)

    def may_be(self, entries: Iterable[CallEntry], leg: L) -> bool:
        """Whether one of these entries may speak of this leg, by what it says."""
        return any(self._fits(entry, leg) or self._fits_a_code(entry, leg) for entry in entries)

    def left(self, entries: Iterable[CallEntry]) -> list[tuple[CallEntry, L]]:
        """The legs whose call goes on without them, as their own entry shows; each is told once."""
        gone = [entry for entry in entries if self._knows(entry) is None and entry.id in self._left]
        return [(entry, self._left.pop(entry.id)) for entry in gone]

    def match(self, entries: Iterable[CallEntry], legs: Sequence[L]) -> list[tuple[CallEntry, L]]:
        """Entry and leg: by id or call-id, else by numbers and start. If two fit, neither does; but where as many
        entries fit as legs, and all are connected or none is, it does not matter which is which."""
        pairs, open_entries = [], []
        for entry in entries:
            leg = next((leg for leg in legs if _named(entry, leg)), None) or self._knows(entry)
            if leg is not None:
                pairs.append((entry, leg))
            else:
                open_entries.append(entry)
        taken = [leg for _, leg in pairs] + list(self._known.values())
        free = [leg for leg in legs if not any(leg is other for other in taken)]
        pairs += self._by_numbers(open_entries, free, self._fits)
        strange = [entry for entry in open_entries if not any(self._fits(entry, leg) for leg in free)]
        unmatched = [leg for leg in free if all(leg is not other for _, other in pairs)]
        return pairs + self._by_numbers(strange, unmatched, self._fits_a_code)

    def _knows(self, entry: CallEntry) -> L | None:
        """The leg whose entry it was before, unless it has become one of others: after a transfer the PBX's call goes
        on without us."""
        leg = self._known.get(entry.id)
        if leg is not None and _is_among_others(entry, leg):
            self._left[entry.id] = self._known.pop(entry.id)
            return None
        return leg

    def _fits(self, entry: CallEntry, leg: LegView) -> bool:
        return self._began_with(entry, leg) and _is_between(entry, leg, self._country)

    def _fits_a_code(self, entry: CallEntry, leg: LegView) -> bool:
        """A call of ours to a code, which has become one to whom that reached."""
        ours = same_number(entry.from_number or entry.from_, leg.local)
        return leg.remote_number.startswith(CODE) and ours and self._began_with(entry, leg)

    def _began_with(self, entry: CallEntry, leg: LegView) -> bool:
        return entry.start is not None and self._clock.agrees(entry.start, leg.began)

    def _by_numbers(
        self, entries: list[CallEntry], legs: list[L], fits: Callable[[CallEntry, LegView], bool]
    ) -> list[tuple[CallEntry, L]]:
        fitting: dict[tuple[int, ...], list[CallEntry]] = defaultdict(list)
        for entry in entries:
            places = tuple(i for i, leg in enumerate(legs) if fits(entry, leg))
            if places:
                fitting[places].append(entry)
        pairs: list[tuple[CallEntry, L]] = []
        for places, group in fitting.items():
            if len(places) == len(group) == 1:
                self._known[group[0].id] = legs[places[0]]
            if len(places) == len(group) and len({_is_connected(entry) for entry in group}) == 1:
                pairs += zip(group, (legs[i] for i in places), strict=True)
        return pairs


def _named(entry: CallEntry, leg: LegView) -> bool:
    ours = leg.call_ids
    return entry.id in ours or bool(entry.call_id and entry.call_id in ours)


def _is_among_others(entry: CallEntry, leg: LegView) -> bool:
    """Both sides are named, and our extension is nowhere."""
    sides = (entry.from_number or entry.from_, entry.to_number or entry.to)
    return all(sides) and not any(same_number(one, leg.local) for one in (*sides, *entry.extensions))


def _is_connected(entry: CallEntry) -> bool:
    return entry.connect is not None or entry.state == "connected"


def _is_between(entry: CallEntry, leg: LegView, country: str) -> bool:
    """Our extension is on one side, and who is on the other side of the leg is on the other."""
    sender, called = entry.from_number or entry.from_, entry.to_number or entry.to
    ours_from = same_number(sender, leg.local)
    ours_to = same_number(called, leg.local) or any(same_number(e, leg.local) for e in entry.extensions)
    theirs_from = same_number(sender, leg.remote_number, country)
    theirs_to = same_number(called, leg.remote_number, country)
    return (ours_from and theirs_to) or (ours_to and theirs_from)
