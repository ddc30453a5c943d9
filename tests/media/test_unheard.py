"""That what we send does not arrive: told when the other side's reports say so for sure, and else never."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from vodiabot.media.rtcp import Block
from vodiabot.media.rtp import SEQUENCES
from vodiabot.media.unheard import Unheard
from vodiabot.ports import FarSideDeaf, FarSideHears

US = 7
RATE = 50
"""Packets a second."""


@dataclass
class Call:
    """We send from number `first` on; the other side counts what comes and reports each `every` seconds."""

    every: float = 5.0
    first: int = 100
    way: float = 0.0
    """Seconds in each direction."""
    late: float = 0.0
    """Of the first report."""
    watch: Unheard = field(default_factory=Unheard)
    sending: bool = True
    arrives: bool = True
    reports: bool = True
    says: dict[str, Any] = field(default_factory=dict)
    """What its reports say instead."""
    now: float = 0.0
    sent: int = 0
    told: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._got: list[tuple[float, int]] = [(0.0, 0)]
        self._extra = 0
        self._coming: list[tuple[float, Block]] = []
        self._next = self.late or self.every

    @property
    def _came(self) -> int:
        """How many of ours the other side has seen, the latest's place in all we sent."""
        return max((n for at, n in self._got if at <= self.now), default=0)

    def until(self, now: float) -> None:
        while self.now < now - 1e-9:
            self.now = round(self.now + 1 / RATE, 3)
            self._packet()
            if self.now >= self._next:
                self._next += self.every
                self._report()
            while self._coming and self._coming[0][0] <= self.now:
                following = (self.first + self.sent) % SEQUENCES
                self.watch.report(self._coming.pop(0)[1], self.sent, following, self.now)
            self._listen()

    def _packet(self) -> None:
        if not self.sending:
            self.watch.pause()
            return
        self.sent += 1
        if self.arrives:
            self._got.append((self.now + self.way, self.sent))

    def _report(self) -> None:
        if self.reports and self._came:
            said = {"part_lost": 0.0, "lost": 0, "highest": self.first + self._came - 1, **self.says}
            self._coming.append((self.now + self.way, Block(US, jitter=0, last_report=0, delay=0, **said)))

    def _listen(self) -> None:
        match self.watch.take():
            case FarSideDeaf(seconds=seconds) if not self.told or self.told[-1][1] == "hears":
                self.told.append((round(self.now), "deaf"))
                assert 5.0 <= seconds <= self.now
            case FarSideHears():
                self.told.append((round(self.now), "hears"))

    def play(self, script: list[tuple[float, dict[str, Any]]], until: float = 120.0) -> list[tuple[float, str]]:
        for at, change in script:
            self.until(at)
            for name, value in change.items():
                setattr(self, name, value)
        self.until(until)
        return self.told


DEAD, BACK = {"arrives": False}, {"arrives": True}
HELD, RESUMED = {"sending": False}, {"sending": True}
ALL_LOST = {"says": {"part_lost": 255 / 256}}
SCRIPTS: dict[str, tuple[Call, list[tuple[float, dict[str, Any]]], list[tuple[float, str]]]] = {
    "all is well": (Call(), [], []),
    "it arrives no more": (Call(), [(12, DEAD)], [(25, "deaf")]),
    "and again": (Call(), [(12, DEAD), (41, BACK), (61, DEAD)], [(25, "deaf"), (45, "hears"), (75, "deaf")]),
    "a short hole": (Call(), [(12, DEAD), (21, BACK)], []),
    "dead since before the first report": (Call(late=2), [(1, DEAD)], [(12, "deaf")]),
    "reports in quick succession": (Call(every=0.5), [(12, DEAD)], [(17, "deaf")]),
    "reports that come seldom": (Call(every=20), [(25, DEAD)], [(80, "deaf")]),
    "a way of seconds": (Call(way=1.7), [], []),
    "a way of seconds, dead": (Call(way=1.7), [(12, DEAD)], [(27, "deaf")]),
    "no reports at all": (Call(reports=False), [(12, DEAD)], []),
    "reports that end": (Call(), [(12, {**DEAD, "reports": False})], []),
    "a hold": (Call(), [(12, HELD), (52, RESUMED)], []),
    "a hold in which the other side throws away what is on its way": (
        Call(),
        [(12, DEAD), (14, HELD), (52, RESUMED), (52.5, BACK)],
        [],
    ),
    "many holds": (Call(), [(t / 2, HELD if t % 2 else RESUMED) for t in range(20, 200)], []),
    "dead after a hold": (Call(), [(12, HELD), (52, {**RESUMED, **DEAD})], [(65, "deaf")]),
    "held while dead: still dead": (Call(), [(12, DEAD), (30, HELD), (50, RESUMED)], [(25, "deaf")]),
    "its receiver begins anew": (Call(), [(31, {"says": {"highest": 0}}), (36, {"says": {}})], []),
    "it counts with a receiver that stands still and is replaced": (
        Call(),
        [(31, {"says": {"highest": 1500}}), (39, {"says": {}})],
        [],
    ),
    "a field that is always 0": (Call(), [(0, {"says": {"highest": 0}})], []),
    "which comes by when our numbers wrap": (Call(first=65000), [(0, {"says": {"highest": 65536}})], []),
    "numbers of its own": (Call(), [(0, {"says": {"highest": 40000}})], []),
    "all is lost, as its reports say, though they count": (
        Call(),
        [(t, {"says": {"part_lost": 255 / 256, "lost": 50 * (t - 10)}}) for t in range(12, 40)] + [(40, {"says": {}})],
        [(20, "deaf"), (45, "hears")],
    ),
    "a part lost that is always full, of losses that do not grow": (Call(), [(0, ALL_LOST)], []),
    "half is lost": (Call(), [(t / 2, DEAD if t % 2 else BACK) for t in range(20, 201)], []),
    "numbers that wrap": (Call(first=SEQUENCES - 300), [], []),
    "numbers that wrap, dead": (Call(first=SEQUENCES - 300), [(12, DEAD)], [(25, "deaf")]),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_when_it_is_told(name: str) -> None:
    call, script, expected = SCRIPTS[name]
    assert call.play(script) == expected


# --- stats ------------------------------------------------------------------------------------------------------------


def test_for_how_long() -> None:
    call = Call()
    call.until(4)
    assert call.watch.seconds(4) is None
    call.until(12)
    assert call.watch.seconds(12) == 0.0
    call.arrives = False
    call.until(31)
    assert call.watch.seconds(31) == pytest.approx(31 - 15, abs=0.1)  # since the first report of what came last
    call.watch.begin()
    assert call.watch.seconds(31) is None


# --- consent ----------------------------------------------------------------------------------------------------------


def taken(watch: Unheard) -> str:
    news = watch.take()
    return "" if news is None else type(news).__name__


def test_consent_tells_where_there_are_no_reports() -> None:
    watch = Unheard()
    watch.unanswered(10.0, 22.0)
    assert watch.take() == FarSideDeaf(12.0)
    watch.unanswered(10.0, 27.0)
    assert watch.take() == FarSideDeaf(17.0)
    watch.answered()
    assert [watch.take(), watch.take()] == [FarSideHears(), None]
    watch.answered()
    assert watch.take() is None


def test_reports_of_what_arrives_refute_it() -> None:
    call = Call()
    call.until(22)
    call.watch.unanswered(10.0, 22.0)
    assert taken(call.watch) == ""
    call.watch.unanswered(21.0, 33.0)  # the last report was before that
    assert taken(call.watch) == "FarSideDeaf"
    call.until(26)
    assert call.told == [(25, "hears")]


def test_reports_that_came_before_and_then_no_more_do_not_refute_it_for_long() -> None:
    call = Call()
    call.play([(17, {**DEAD, "reports": False})], until=25)
    call.watch.unanswered(12.0, 25.0)
    assert taken(call.watch) == ""
    call.watch.unanswered(12.0, 31.0)
    assert call.watch.take() == FarSideDeaf(pytest.approx(16.0))


def test_an_answer_does_not_refute_reports() -> None:
    call = Call()
    call.play([(12, DEAD)], until=30)
    call.watch.unanswered(12.0, 30.0)
    call.watch.answered()
    call.until(40)
    assert call.told == [(25, "deaf")]
    assert call.watch.seconds(40)


def test_what_was_not_told_is_not_taken_back() -> None:
    watch = Unheard()
    watch.unanswered(10.0, 22.0)
    watch.answered()
    assert watch.take() is None


def test_another_connection_that_came_up_refutes_consent_but_not_reports() -> None:
    watch = Unheard()
    watch.unanswered(10.0, 22.0)
    assert taken(watch) == "FarSideDeaf"
    watch.begin()
    assert taken(watch) == "FarSideHears"
    call = Call()
    call.play([(12, DEAD)], until=30)
    call.watch.begin()
    assert (taken(call.watch), call.watch.seconds(30)) == ("", None)


def test_a_process_that_stood_still_has_sent_nothing() -> None:
    """And what was reported meanwhile comes all at once."""
    call = Call()
    call.until(22)
    block = Block(US, 0.0, 0, call.first + call.sent - 1, 0, 0, 0)
    for late in range(10):
        call.watch.report(block, call.sent, call.first + call.sent, 82.0 + late / 100)
    call.now, call._next = 82.1, 87.1
    call.until(130)
    assert call.told == []
