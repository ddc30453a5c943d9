"""RTCP of a connection that is up: what its reports say, and what is made of the other side's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vodiabot.media import rtcp, rtp

from .sending import LINEAR_TYPE, Talk, talk
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
