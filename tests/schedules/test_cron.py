"""Cron lines: tables, daylight saving time, and all of it against looking at every minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vodiabot.errors import UsageError
from vodiabot.schedules import Cron

BERLIN = "Europe/Berlin"


def epoch(text: str, tz: str = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold).timestamp()


def runs(line: str, start: str, count: int, tz: str = BERLIN, *, fold: int = 0) -> list[str]:
    """The next runs, in local time with the offset."""
    cron, moment, found = Cron(line, tz), epoch(start, tz, fold=fold), []
    for _ in range(count):
        moment = cron.after(moment)
        found.append(datetime.fromtimestamp(moment, ZoneInfo(tz)).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("line", "start", "expected"),
    [
        # a Friday
        ("0 8 * * mon-fri", "2024-11-22 08:00", ["2024-11-25T08:00+01:00", "2024-11-26T08:00+01:00"]),
        ("0 8 * * MON-Fri", "2024-11-22 07:59", ["2024-11-22T08:00+01:00", "2024-11-25T08:00+01:00"]),
        ("*/20 9-10 * * *", "2024-11-22 09:30", ["2024-11-22T09:40+01:00", "2024-11-22T10:00+01:00"]),
        ("5,10 0 1 jan,jul *", "2024-11-22 00:00", ["2025-01-01T00:05+01:00", "2025-01-01T00:10+01:00"]),
        ("0 0 1 * 5", "2024-11-22 00:00", ["2024-11-29T00:00+01:00", "2024-12-01T00:00+01:00"]),
        ("0 0 L * *", "2024-02-01 00:00", ["2024-02-29T00:00+01:00", "2024-03-31T00:00+01:00"]),
        ("0 0 * * mon#2", "2024-11-01 00:00", ["2024-11-11T00:00+01:00", "2024-12-09T00:00+01:00"]),
        ("0 0 29 2 *", "2024-03-01 00:00", ["2028-02-29T00:00+01:00", "2032-02-29T00:00+01:00"]),
        ("0 0 * * 7", "2024-11-22 00:00", ["2024-11-24T00:00+01:00", "2024-12-01T00:00+01:00"]),
        ("@daily", "2024-11-22 00:00", ["2024-11-23T00:00+01:00", "2024-11-24T00:00+01:00"]),
        ("@hourly", "2024-11-22 00:10", ["2024-11-22T01:00+01:00", "2024-11-22T02:00+01:00"]),
        (" @Weekly ", "2024-11-22 00:10", ["2024-11-24T00:00+01:00", "2024-12-01T00:00+01:00"]),
    ],
)
def test_when_it_is_due(line: str, start: str, expected: list[str]) -> None:
    assert runs(line, start, 2) == expected


SPRING, AUTUMN = "2024-03-31", "2024-10-27"
"""In Berlin 02:00-03:00 is skipped, and comes twice."""


@pytest.mark.parametrize(
    ("line", "start", "expected"),
    [
        # skipped: once, at the first moment after it
        ("30 2 * * *", f"{SPRING} 00:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:30+02:00"]),
        ("0,30 2 * * *", f"{SPRING} 00:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"]),
        ("0 2,3 * * *", f"{SPRING} 00:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"]),
        ("30 2 * * *", f"{SPRING} 03:00", ["2024-04-01T02:30+02:00"]),
        # twice: the first time only
        ("30 2 * * *", f"{AUTUMN} 00:00", ["2024-10-27T02:30+02:00", "2024-10-28T02:30+01:00"]),
        ("0 3 * * *", f"{AUTUMN} 00:00", ["2024-10-27T03:00+01:00", "2024-10-28T03:00+01:00"]),
        # by the time that passes
        ("0 * * * *", f"{SPRING} 00:30", ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"]),
        ("*/30 * * * *", f"{AUTUMN} 01:45", [
            "2024-10-27T02:00+02:00", "2024-10-27T02:30+02:00", "2024-10-27T02:00+01:00", "2024-10-27T02:30+01:00",
        ]),
    ],
)  # fmt: skip
def test_daylight_saving_time(line: str, start: str, expected: list[str]) -> None:
    assert runs(line, start, len(expected)) == expected


def test_a_start_in_the_second_of_two_equal_hours_does_not_run_what_the_first_had() -> None:
    assert runs("30 2 * * *", f"{AUTUMN} 02:10", 1, fold=1) == ["2024-10-28T02:30+01:00"]
    assert runs("30 2 * * *", f"{AUTUMN} 02:40", 1, fold=0) == ["2024-10-28T02:30+01:00"]


@pytest.mark.parametrize(
    ("line", "tz", "says"),
    [
        ("", BERLIN, "five fields"),
        ("* * * *", BERLIN, "five fields"),
        ("0 0 0 * * *", BERLIN, "five fields"),
        ("@reboot", BERLIN, "@daily"),
        ("60 * * * *", BERLIN, "minute"),
        ("* 24 * * *", BERLIN, "hour"),
        ("* * 0 * *", BERLIN, "day-of-month"),
        ("* * * 13 *", BERLIN, "month"),
        ("* * * * fry", BERLIN, "day-of-week"),
        ("*/0 * * * *", BERLIN, "minute"),
        ("5-1 * * * *", BERLIN, "minute"),
        ("1, * * * *", BERLIN, "minute"),
        ("0 0 31 feb *", BERLIN, "day-of-month"),
        ("* * * * *", "Mars/Olympus", "no time zone"),
        ("* * * * *", "../../etc/passwd", "no time zone"),
        ("* * * * *", "", "no time zone"),
    ],
)
def test_what_makes_no_sense_is_told(line: str, tz: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Cron(line, tz)


# --- against every minute --------------------------------------------------------------------------------------------

DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def number(text: str) -> int:
    if text in DAY_NAMES:
        return DAY_NAMES.index(text)
    return MONTH_NAMES.index(text) + 1 if text in MONTH_NAMES else int(text)


def fits(field: str, value: int, low: int, high: int) -> bool:
    return value in values_of(field, low, high)


@cache
def values_of(field: str, low: int, high: int) -> frozenset[int]:
    """One field, read anew."""
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = map(number, span.split("-"))
        else:
            first = number(span)
            last = high if step else first
        values |= set(range(first, last + 1, int(step or 1)))
    return frozenset(values)


def shows(line: str, local: datetime) -> bool:
    """Whether the line fits what the clock on the wall shows."""
    minute, hour, day, month, weekday = line.split()
    today = local.isoweekday()
    in_month = fits(day, local.day, 1, 31)
    in_week = fits(weekday, today, 0, 7) or fits(weekday, today % 7, 0, 7)
    either = in_month and in_week if day[0] == "*" or weekday[0] == "*" else in_month or in_week
    clock = fits(minute, local.minute, 0, 59) and fits(hour, local.hour, 0, 23)
    return clock and fits(month, local.month, 1, 12) and either


def every_minute(line: str, start: datetime, days: int) -> Iterator[float]:
    """All that is due, found by looking at each minute."""
    zone, minutes = start.tzinfo, range(days * 24 * 60)
    if line[0] == "*" or line.split()[1][0] == "*":
        first = start.astimezone(UTC)
        passing = (first + timedelta(minutes=n) for n in minutes)
        yield from (moment.timestamp() for moment in passing if shows(line, moment.astimezone(zone)))
        return
    seen = set()
    for n in minutes:
        local = start.replace(tzinfo=None) + timedelta(minutes=n)
        if shows(line, local):
            while (due := local.replace(tzinfo=zone)).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
                local += timedelta(minutes=1)
            if due.timestamp() not in seen:
                seen.add(due.timestamp())
                yield due.timestamp()


def field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(low, high).map(str) | (st.sampled_from(names) if names else st.nothing())
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: "{}-{}".format(*sorted(pair)))
    step = st.integers(1, 15)
    part = value | span | st.tuples(span, step).map(lambda pair: "{}/{}".format(*pair))
    return st.lists(part, min_size=1, max_size=3).map(",".join) | st.just("*") | step.map("*/{}".format)


LINES = st.tuples(
    field(0, 59), field(0, 23), field(1, 31), field(1, 12, ("jan", "mar", "oct")), field(0, 7, ("sun", "mon", "fri"))
).map(" ".join)
ZONES = {
    BERLIN: ("2024-03-29", "2024-10-25"),
    "America/New_York": ("2024-03-08", "2024-11-01"),
    "America/Havana": ("2024-03-08", "2024-11-01"),  # the hour after midnight
    "Australia/Lord_Howe": ("2024-04-05", "2024-10-04"),  # half an hour
    "Asia/Kathmandu": ("2024-05-01",),
    "UTC": ("2024-05-01",),
}
STARTS = st.sampled_from([(zone, day) for zone, days in ZONES.items() for day in days])
DAYS = 4


@given(line=LINES, start=STARTS)
@example(line="*/5 2 * * *", start=(BERLIN, "2024-10-25"))
@example(line="* * * * 0-0/1", start=(BERLIN, "2024-03-29"))
@example(line="0 * * * *", start=("Australia/Lord_Howe", "2024-04-05"))
@example(line="15 * * * *", start=("Australia/Lord_Howe", "2024-10-04"))
@settings(max_examples=80, deadline=None)
def test_it_is_due_whenever_looking_at_each_minute_says_so(line: str, start: tuple[str, str]) -> None:
    zone, day = start
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    expected = [moment for moment in every_minute(line, begin, DAYS) if moment > begin.timestamp()]
    try:
        cron = Cron(line, zone)
    except UsageError:
        assert not expected
        return
    for before, due in worth_a_look([begin.timestamp(), *expected], begin.tzinfo):
        assert cron.after(before) == due, (datetime.fromtimestamp(due, begin.tzinfo), before)


def worth_a_look(moments: list[float], zone: tzinfo | None) -> list[tuple[float, float]]:
    """Neighbours: those around a change of the clock, and some of the others."""

    def offset(moment: float) -> timedelta | None:
        return datetime.fromtimestamp(moment, zone).utcoffset()

    pairs = list(pairwise(moments))
    near = [(one, two) for one, two in pairs if offset(one - 3600) != offset(two + 3600)]
    return near + pairs[:: len(pairs) // 40 + 1]


@given(line=LINES, moment=st.floats(0, 4e9))
@settings(max_examples=100, deadline=None)
def test_it_is_later_whatever_the_moment(line: str, moment: float) -> None:
    try:
        cron = Cron(line, BERLIN)
    except UsageError:
        return
    due = cron.after(moment)
    assert due > moment
    assert cron.after(due - 1) == due
