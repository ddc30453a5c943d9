"""Which call-state entry belongs to which leg of ours (PROTOCOL.md section 3, "Who is who"). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ..protocol.messages import CallEntry
from .numbers import same_number

START_TOLERANCE = 5.0
"""Seconds by which the PBX's start time of a call and ours may differ: two clocks, and whole seconds on one side."""


class LegView(Protocol):
    """What matching needs of a leg."""

    @property
    def call_ids(self) -> frozenset[str]: ...
    @property
    def local(self) -> str: ...
    @property
    def remote_number(self) -> str: ...
    @property
    def started(self) -> float: ...


L = TypeVar("L", bound=LegView)


def find_leg(entry: CallEntry, legs: Iterable[L]) -> L | None:
    """The leg that the entry speaks of: by id or call-id, else by numbers and start; if two fit, neither does."""
    candidates = list(legs)
    for leg in candidates:
        if entry.id in leg.call_ids or (entry.call_id and entry.call_id in leg.call_ids):
            return leg
    fitting = [leg for leg in candidates if _fits(entry, leg)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(entry: CallEntry, leg: LegView) -> bool:
    ours_from = same_number(entry.from_number or entry.from_, leg.local)
    ours_to = same_number(entry.to_number or entry.to, leg.local) or any(
        same_number(e, leg.local) for e in entry.extensions
    )
    theirs_from = same_number(entry.from_number or entry.from_, leg.remote_number)
    theirs_to = same_number(entry.to_number or entry.to, leg.remote_number)
    if not ((ours_from and theirs_to) or (ours_to and theirs_from)):
        return False
    return entry.start is not None and abs(entry.start - leg.started) <= START_TOLERANCE
