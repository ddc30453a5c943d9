"""One-way audio is told once, and once that it is over."""

from __future__ import annotations

from vodiabot.media.one_way import SILENT_SECONDS, OneWay
from vodiabot.ports import FarSideHeard, FarSideSilent


def test_a_side_that_is_heard_is_nothing_to_tell() -> None:
    watch = OneWay()
    watch.begin(100.0)
    assert [watch.judge(100.0 + i, 100.0 + i) for i in range(60)] == [None] * 60


def test_silence_is_told_once_and_its_end_once() -> None:
    watch = OneWay()
    watch.begin(100.0)
    told = [watch.judge(None if i < 20 else 100.0 + i, 100.0 + i) for i in range(40)]
    assert [(i, type(event)) for i, event in enumerate(told) if event] == [(5, FarSideSilent), (20, FarSideHeard)]


def test_it_falls_silent_again() -> None:
    watch = OneWay()
    watch.begin(0.0)
    told = [watch.judge(float(i) if i < 3 or 12 <= i < 15 else (2.0 if i < 12 else 14.0), float(i)) for i in range(25)]
    kinds = [type(event) for event in told if event]
    assert kinds == [FarSideSilent, FarSideHeard, FarSideSilent]


def test_a_hold_does_not_count() -> None:
    watch = OneWay()
    watch.begin(0.0)
    watch.begin(50.0)  # taken off hold
    assert watch.judge(1.0, 50.0 + SILENT_SECONDS - 0.1) is None
    event = watch.judge(1.0, 50.0 + SILENT_SECONDS)
    assert isinstance(event, FarSideSilent)
    assert event.seconds == SILENT_SECONDS
