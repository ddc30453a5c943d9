"""A cron line in a time zone → moments. Pure: it knows no clock.

Parsing and stepping are cronsim's, on a clock without time zone; daylight saving time is ours (cronsim's own is wrong
where the clock is set by half an hour), by the rules of Debian's cron:

- Fixed times (neither minutes nor hours begin with `*`): a time that the clock skips runs once, at the first moment
  after the gap; one that comes twice runs the first time only.
- Otherwise (`*/15 * * * *`) it is a matter of how much time passes: it runs whenever the clock shows a time that fits,
  in an hour that comes twice both times, and not in one that is skipped.
- Where both the day of the month and that of the week are given, either suffices.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ..errors import UsageError

A_DAY = timedelta(days=1)

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Cron:
    """`minute hour day-of-month month day-of-week`: numbers, names (`mon-fri`, `jan`), lists, ranges, steps, `L` (the
    last day), `mon#2` (the second Monday), or `@daily` and the like."""

    def __init__(self, line: str, tz: str) -> None:
        """`tz`: as the IANA names it, such as `Europe/Berlin`. Raises UsageError for a line or zone that makes no
        sense, and for a line that never comes true."""
        self.line = line
        self.tz = tz
        self._zone = _zone(tz)
        self._plain = NICKNAMES.get(line.strip().lower(), line)
        fields = self._plain.split()
        if len(fields) != 5:
            raise UsageError(f"{line!r} is no cron line: it has five fields, or is one of {', '.join(NICKNAMES)}")
        # cronsim takes a range of one value with a step for "from there on"
        self._plain = re.sub(r"\b(\w+)-\1/[1-9]\d*\b", r"\1", self._plain)
        self._by_the_clock = fields[0][0] == "*" or fields[1][0] == "*"
        try:
            self.after(0.0)
        except CronSimError as exc:
            raise UsageError(f"{line!r} is no cron line: {exc}") from exc

    def after(self, moment: float) -> float:
        """The first moment after `moment` at which it is due; both in seconds since the epoch. Raises UsageError if
        there is none in fifty years."""
        now = datetime.fromtimestamp(math.floor(moment), UTC)
        due = self._passing(now) if self._by_the_clock else self._fixed(now)
        return due.timestamp()

    def _shown(self, local: datetime) -> Iterator[datetime]:
        """What a clock without time zone shows when it is due, after `local`."""
        yield from CronSim(self._plain, local)
        raise UsageError(f"{self.line!r} never comes true")

    def _fixed(self, now: datetime) -> datetime:
        for shown in self._shown(now.astimezone(self._zone).replace(tzinfo=None)):
            while (due := shown.replace(tzinfo=self._zone).astimezone(UTC)) and self._local(due) != shown:
                shown += timedelta(minutes=1)  # to the end of the gap
            if due > now:
                return due
        raise AssertionError("_shown does not end")

    def _passing(self, now: datetime) -> datetime:
        """Each period between two changes of the clock is a clock without time zone by itself."""
        while True:
            offset = self._offset(now)
            due = next(self._shown(self._local(now))).replace(tzinfo=UTC) - offset
            if due - now > 2 * A_DAY:
                now = due - A_DAY  # the clock may have changed more than once; nothing is due before
            elif self._offset(due) == offset:
                return due
            else:
                change = self._change(now, due)
                if due < change:
                    return due
                if self._fits(change):
                    return change
                now = change

    def _fits(self, moment: datetime) -> bool:
        local = self._local(moment)
        return next(self._shown(local - timedelta(seconds=1))) == local

    def _change(self, early: datetime, late: datetime) -> datetime:
        """The second at which the clock changes, between two moments with different offsets."""
        before = self._offset(early)
        while late - early > timedelta(seconds=1):
            middle = early + timedelta(seconds=(late - early) // timedelta(seconds=1) // 2)
            early, late = (middle, late) if self._offset(middle) == before else (early, middle)
        return late

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=100)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise UsageError(f"{name!r} is no time zone; they have names such as Europe/Berlin or UTC") from exc
