"""When a call that a list lacks is over.

The PBX has no frame that says so: an ended call is missing from the next list. But frames of several
subscriptions (own-calls, domain-calls, orbit-calls) come mixed and don't say which they are, so a living call
of two colleagues is missing from every list of our own calls. What is known: lists come when something in
them changed; and what changes in a narrow subscription changes in that of the domain too, so that a living
call shows again before long. Hence a missing call is over when [guess, all of it, and all of it here]

- the PBX also says that none of its extensions is in a call, and said so after the call was last listed; for
  a call that only rings, whose extensions may count as free, one must have become free since; or
- it was missing from more lists in a row than there are subscriptions with a narrow view, and for some
  seconds; or
- it was missing for a minute and no list had it since, unless one of its extensions is known to be in a call: in a
  quiet domain the list of the orbits may be the last for hours.

The list of a domain-state is the whole picture and is believed at once (see `calls.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

MISSING_LISTS = 3
"""own-calls and orbit-calls may both lack a living call; the third in a row would have been the domain's."""

MISSING_SECONDS = 5.0
"""How long it must have been missing even then: the frames of one change come in a burst, in any order."""

MISSING_LONG = 60.0
"""Seconds after which one list without it is enough; so in a quiet domain no call stands for ever."""


@dataclass
class Doubt:
    """Why a call that is held may be over."""

    missing: int = 0
    """Whole lists in a row that lacked it."""
    since: float = 0.0
    """When the first of them came, seconds."""
    reconnected: bool = False
    """The socket was away since it was last listed."""

    def missed(self, now: float) -> None:
        """One more list lacks it."""
        if self.missing == 0:
            self.since = now
        self.missing += 1

    def deadline(self, *, busy: bool) -> float | None:
        """When the call is over unless it shows again; None if it is not to be over by time alone. `busy`: an extension
        of it is in a call, for all we know in this one."""
        if self.missing >= MISSING_LISTS:
            return self.since + MISSING_SECONDS
        return None if self.missing == 0 or busy else self.since + MISSING_LONG

    def over(self, now: float, *, idle: bool, busy: bool) -> bool:
        """`idle`: its extensions are in no call, told after it was last listed."""
        if idle and (self.missing or self.reconnected):
            return True
        deadline = self.deadline(busy=busy)
        return deadline is not None and now >= deadline
