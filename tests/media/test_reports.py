"""RTCP of a connection that is up: what its reports say, and what is made of the other side's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vodiabot.media import rtcp, rtp
from vodiabot.ports import FarSideDeaf, FarSideHears

from .sending import LINEAR_TYPE, Line, Talk, talk
from .virtual import the_loop, virtually

FAR, KEYS = 77, 78
"""SSRCs of the other side: its audio's and that of its gateway's keys."""


def with_reports(body: Callable[[Talk, rtcp.Report], Awaitable[None]]) -> None:
    """`body` gets our first report."""

    async def main() -> None:
        with talk() as one:
            one.up(one.line)
            one.line.comes(rtp.build(LINEAR_TYPE, True, 1, 0, FAR, bytes(320)))
            while not one.line.reports:
                await one.frames(1)
            await body(one, rtcp.parse(one.line.reports[0])[0])
            await one.leg.aclose()

    virtually(main())


def of_the_far_side(ssrc: int, ntp: int, *blocks: rtcp.Block) -> bytes:
    return rtcp.build(rtcp.Report(ssrc, rtcp.SenderInfo(ntp, 0, 1, 320), blocks), "far")


@pytest.mark.parametrize("way", [0.0, 0.003, 0.0195, 0.25])
def test_the_round_trip_ends_when_the_report_comes_and_not_when_it_is_read(way: float) -> None:
    """Sockets are read each 20 ms: that is no part of the way."""

    async def body(t: Talk, ours: rtcp.Report) -> None:
        assert ours.sender is not None
        sent = t.pacer._due - 0.02
        await asyncio.sleep(0.5 + sent + way - the_loop().time())
        held = the_loop().time() - sent - way
        block = rtcp.Block(t.line.ssrc, 0.0, 0, 0, 0, ours.sender.middle, round(held * 65536))
        t.line.comes(of_the_far_side(FAR, 1 << 32, block))
        await t.frames(2)
        assert t.leg.stats().round_trip == pytest.approx(way, abs=0.0001)

    with_reports(body)


def test_a_report_answers_that_of_the_source_which_it_speaks_of() -> None:
    async def body(t: Talk, ours: rtcp.Report) -> None:
        for ssrc, seconds in ((FAR, 5), (KEYS, 9)):
            t.line.comes(of_the_far_side(ssrc, seconds << 32))
        await t.frames(1)
        t.line.reports.clear()
        while not t.line.reports:
            await t.frames(1)
        (block,) = rtcp.parse(t.line.reports[0])[0].blocks
        assert (block.ssrc, block.last_report) == (FAR, 5 << 16)

    with_reports(body)


# --- whether ours arrives -------------------------------------------------------------------------------------------


class FarEnd:
    """Counts what it gets and reports it each 2 s, if it sends reports; its own audio comes."""

    def __init__(self, talk: Talk, reports: bool = True) -> None:
        self.talk, self.reports, self.highest, self._heard = talk, reports, 0, 0
        self._number = 0

    async def goes_on(self, seconds: float, *, gets: bool = True) -> None:
        for n in range(round(seconds * 50)):
            await self.talk.frames(1)
            line = self.talk.line
            self._number += 1
            line.comes(rtp.build(LINEAR_TYPE, False, self._number, 160 * self._number, FAR, bytes(320)))
            if gets and line.packets:
                self.highest = line.packets[-1].sequence
            if self.reports and n % 100 == 50:
                block = rtcp.Block(line.ssrc, 0.0, 0, self.highest, 0, 0, 0)
                line.comes(of_the_far_side(FAR, 1 << 32, block))

    @property
    def told(self) -> list[str]:
        return [type(event).__name__ for event in self.talk.told if isinstance(event, FarSideDeaf | FarSideHears)]


@pytest.mark.parametrize("reports", [True, False])
def test_no_false_alarm(reports: bool) -> None:
    """A hold, keys which it does not count, a re-offer, another connection; and a side that sends no reports."""

    async def main() -> None:
        with talk() as one:
            far = FarEnd(one, reports)
            one.up(one.line)
            await far.goes_on(6)
            one.leg.set_sending(False)
            await far.goes_on(20)
            one.leg.set_sending(True)
            await far.goes_on(6)
            keys = asyncio.ensure_future(one.leg.send_dtmf("1", 12.0, 0.1))
            await far.goes_on(12.5, gets=False)
            await keys
            one.renegotiated()
            await far.goes_on(6)
            assert one.leg.stats().unheard_for == (0.0 if reports else None)
            one.up(Line(2))
            await far.goes_on(12)
            if not reports:
                await far.goes_on(30, gets=False)
            assert far.told == []
            await one.leg.aclose()

    virtually(main())


def test_it_is_told_that_ours_does_not_arrive_and_that_it_does_again() -> None:
    async def main() -> None:
        with talk() as one:
            far = FarEnd(one)
            one.up(one.line)
            await far.goes_on(6)
            await far.goes_on(12, gets=False)
            assert set(far.told) == {"FarSideDeaf"}
            assert one.leg.stats().unheard_for
            await far.goes_on(4)
            assert far.told[-2:] == ["FarSideDeaf", "FarSideHears"]
            await one.leg.aclose()

    virtually(main())


def test_consent_is_no_news_on_hold_nor_of_a_side_that_is_not_heard() -> None:
    async def main() -> None:
        with talk() as one:
            far = FarEnd(one, reports=False)
            one.up(one.line)
            await far.goes_on(20)
            one.leg.set_sending(False)
            one.leg.consents(one.line, the_loop().time() - 12)  # type: ignore[arg-type]
            one.leg.set_sending(True)
            await far.goes_on(2)
            assert far.told == []
            one.leg.consents(one.line, the_loop().time() - 12)  # type: ignore[arg-type]
            await far.goes_on(2)
            one.leg.consents(one.line, None)  # type: ignore[arg-type]
            await far.goes_on(2)
            assert far.told == ["FarSideDeaf", "FarSideHears"]
            await one.frames(100)
            one.leg.consents(one.line, the_loop().time() - 12)  # type: ignore[arg-type]
            await one.frames(100)
            assert len(far.told) == 2
            await one.leg.aclose()

    virtually(main())
