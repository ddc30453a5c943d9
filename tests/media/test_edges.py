"""What runs dry, leaves or falls silent in the middle of a wave does not click, and neither does what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from vodiabot.errors import SourceError
from vodiabot.media import rtp
from vodiabot.media.audio import Samples, silence
from vodiabot.media.conference import Conference
from vodiabot.media.door import Door
from vodiabot.media.edges import STEP, Edges
from vodiabot.media.pacer import Pacer
from vodiabot.media.sources import Feed

from .sending import WIDE, Line, Talk, negotiated, stopped, talk
from .virtual import virtually

HZ, LEVEL = 400.0, 10000
SLOPE = LEVEL * 2 * np.pi * HZ / 8000
"""Between two samples of the tone; where it is cut off at its peak it is `LEVEL`."""
PIECE = 1005
"""Samples from a zero to a peak of the tone."""


def piece(n: int = PIECE) -> Samples:
    return np.rint(LEVEL * np.sin(2 * np.pi * HZ * np.arange(n) / 8000)).astype(np.int16)


def steepest(samples: Any) -> float:
    return float(np.abs(np.diff(samples.astype(float), append=0.0)).max())


def with_talk(body: Callable[[Talk], Awaitable[None]]) -> None:
    async def main() -> None:
        with talk() as t:
            t.up(t.line)
            await t.frames(3)
            await body(t)
            await t.leg.aclose()

    virtually(main())


class Stalls:
    """Gives a piece, nothing for a while, another piece; then fails."""

    quick = True

    def open(self, rate: int) -> Stalls:
        self.rate, self.reads = rate, 0
        return self

    def read(self) -> Samples:
        self.reads += 1
        if self.reads == 100:
            raise SourceError("gone")
        return piece() if self.reads in (1, 60) else silence(0)

    def close(self) -> None:
        return


# --- what we send -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [PIECE, PIECE - 5, 7 * 160 - 10, 6 * 160 + 5])
def test_a_feed_that_runs_dry(n: int) -> None:
    async def body(t: Talk) -> None:
        feed = Feed(8000)
        playing = t.begin(feed)
        for _ in range(3):
            feed.put(piece(n).tobytes())
            await t.frames(12)
        assert 0.95 * LEVEL < np.abs(t.line.heard()).max() <= LEVEL
        assert steepest(t.line.heard()) < 1.1 * SLOPE
        await stopped(playing)

    with_talk(body)


def test_a_plugin_that_is_late() -> None:
    async def body(t: Talk) -> None:
        door = Door(8000, 50, lambda: None)
        t.leg.sound.add_door(door)
        for n in (PIECE, 165, 165):
            door.send(piece(n).tobytes())
            await t.frames(12)
        assert door.empty()
        assert steepest(t.line.heard()) < 1.1 * SLOPE

    with_talk(body)


def test_a_source_that_stalls_and_one_that_fails() -> None:
    async def body(t: Talk) -> None:
        playing = t.begin(Stalls())
        await t.frames(110)
        assert isinstance(playing.exception(), SourceError)
        sound = t.line.heard()
        assert np.sum(np.abs(sound) > LEVEL / 2) > PIECE, "both pieces"
        assert steepest(sound) < 1.1 * SLOPE

    with_talk(body)


# --- who talks together -----------------------------------------------------------------------------------------


async def says(member: Talk, ticks: int) -> None:
    """A tone whose phase goes on; each packet begins and ends at a peak."""
    n = round(0.02 * member.line.negotiated.codec.rate)
    number = member.line.negotiated.payload_type
    for _ in range(ticks):
        at = member.__dict__.setdefault("said", 0)
        member.__dict__["said"] = at + 1
        wave = LEVEL * np.cos(2 * np.pi * HZ * (np.arange(n) / n + at) / 50)
        member.line.comes(rtp.build(number, at == 0, at, at * n, 5, np.rint(wave).astype("<i2").tobytes()))
        await member.frames(1)


async def leaves(conference: Conference, listens: Talk, talks: Talk) -> None:
    conference.remove(talks.leg.sound)


async def hangs_up(conference: Conference, listens: Talk, talks: Talk) -> None:
    await talks.leg.aclose()


async def is_lost(conference: Conference, listens: Talk, talks: Talk) -> None:
    talks.leg.is_lost(talks.line, "gone")  # type: ignore[arg-type]


async def stops_listening(conference: Conference, listens: Talk, talks: Talk) -> None:
    conference.remove(listens.leg.sound)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("what", [leaves, hangs_up, is_lost, stops_listening])
def test_who_comes_and_goes(what: Callable[..., Awaitable[None]], wide: bool) -> None:
    """From and to the middle of a word."""

    async def main() -> None:
        pacer, conference = Pacer(), Conference()
        with talk(pacer=pacer) as a, talk(pacer=pacer) as b:
            a.up(a.line)
            b.up(Line(2, negotiated(WIDE) if wide else negotiated()))
            await says(b, 10)
            for one in (a, b):
                conference.add(one.leg.sound)
            await says(b, 30)
            await what(conference, a, b)
            await a.frames(10)
            sound = a.line.heard()
            assert np.abs(sound).max() > 0.9 * LEVEL
            assert steepest(sound) < 1.2 * SLOPE
            assert not sound[-800:].any(), "nothing drones on"
            for one in (a, b):
                await one.leg.aclose()

    virtually(main())


# --- pure -------------------------------------------------------------------------------------------------------


def test_what_goes_on_or_is_quiet_stays_as_it_is() -> None:
    edges = Edges()
    for block in (piece(160), piece(160) // 2, silence(160)):
        assert edges.through(block, 160, 8000) is block
    assert edges.through(None, 160, 8000) is None
    quiet = np.full(50, STEP - 1, np.int16)
    out = edges.through(quiet, 160, 8000)
    assert out is not None
    assert list(out) == [*quiet, *[0] * 110]


def test_sums_that_are_not_clipped_yet_have_soft_edges_too() -> None:
    edges = Edges()
    edges.through(np.full(160, 90_000, np.int32), 160, 8000)
    end = edges.through(None, 160, 8000)
    assert end is not None
    assert (len(end), end.dtype, end[39]) == (160, np.int32, 0)
    assert 0 < end[38] < 5000 < end[0] < 90_000
    assert edges.through(None, 160, 8000) is None


def test_what_was_cut_off_elsewhere_has_no_end() -> None:
    edges = Edges()
    edges.through(piece(165)[5:], 160, 8000)
    edges.cut()
    assert edges.through(None, 160, 8000) is None
