"""Who is on the other side of a call, kept current by what the PBX tells: `callerid` frames, and the call's own entry
in its lists (PROTOCOL.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..protocol import steps
from ..protocol.messages import CallEntry
from .numbers import e164, format_number, normalise, same_number


@dataclass(frozen=True)
class Party:
    """Who is on the other side, as far as the PBX told."""

    number: str
    """In one form: `+49711123456`, an extension such as `46`, or a name; "" if the caller is anonymous."""
    name: str = ""
    country: str = field(default="", compare=False, repr=False)
    """ISO region by which its numbers are read; "" where it is not configured."""

    @property
    def e164(self) -> str | None:
        """`+49711123456`; None for an extension, a name, or a number that can't be."""
        return e164(self.number, self.country)

    @property
    def display(self) -> str:
        """To be shown to people: the name, else the number as it is written in the country of `[pbx]`: nationally if it
        is one of that country's, else internationally. "" where nothing is known."""
        return self.name or format_number(self.number, self.country)

    def told(self, number: str, name: str) -> Party:
        """As it is after the PBX has told anew, each "" where it tells nothing. The name of one number is not the name
        of another."""
        fresh = normalise(number, self.country)
        if not fresh or same_number(fresh, self.number, self.country):
            return Party(self.number, name or self.name, self.country)
        return Party(fresh, name, self.country)


class FarSideListed(steps.Fact, frozen=True, kw_only=True):
    """What the call's entry says of the other side is new."""

    number: str
    name: str
    first: bool
    """Nothing was listed before: then a name that is known already is as good, or better (`callerid`)."""


class ListedSide:
    """What a leg's entry said of the other side last. A list repeats what it said before, perhaps long after a
    `callerid` frame has told better, so only what is new in it counts."""

    def __init__(self) -> None:
        self._last: tuple[str, str] | None = None

    def heard(self, entry: CallEntry, local: str, direction: Literal["incoming", "outgoing"]) -> FarSideListed | None:
        """`local`: our own extension."""
        side = other_side(entry, local, direction)
        if side is None or side == self._last:
            return None
        first, self._last = self._last is None, side
        return FarSideListed(number=side[0], name=side[1], first=first)


def other_side(entry: CallEntry, local: str, direction: Literal["incoming", "outgoing"]) -> tuple[str, str] | None:
    """Number and name of who is not us. Where neither side is our extension (it was called by way of a group, or shows
    another number to the outside), it is who called us, or was called [guess]. None where it is not said."""
    sender = (entry.from_number or entry.from_, entry.from_name)
    called = (entry.to_number or entry.to, entry.to_name)
    is_sender, is_called = same_number(sender[0], local), same_number(called[0], local)
    if is_sender and is_called:
        return None
    if is_sender or is_called:
        side = called if is_sender else sender
    else:
        side = called if direction == "outgoing" else sender
    return side if side[0] else None


def after_listed(party: Party, news: FarSideListed) -> Party:
    """`party` with what its entry says now."""
    same = same_number(news.number, party.number, party.country)
    if news.first and same and party.name:
        return party
    return party.told(news.number, news.name)
