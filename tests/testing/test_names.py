"""Who is on the other side, kept current while the PBX changes it behind the bot's back; told once each time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, events
from vodiabot.sim.config import default

from .kit import BOTH, NUMBERS, World, world
from .test_park import answer, settle, waiting

TOLD = pytest.mark.parametrize("callerid", [True, False], ids=["callerid", "lists only"])


@asynccontextmanager
async def talking(
    dialect: str, callerid: bool, tmp_path: Path
) -> AsyncIterator[tuple[World, Bot, Call, Call, trio.MemoryReceiveChannel[events.Event]]]:
    """The bot (45) has called Bruno (47): the world, the bot, its call, Bruno's call, and what the bot is told."""
    bruno: list[Call] = []

    async def taken(call: Call) -> None:
        bruno.append(call)
        await answer(call)

    config = replace(default(), dialect=dialect, tells_names=callerid)
    bots = (("45", "bot", answer), ("46", "demo", answer), ("47", "demo", taken), ("48", "demo", answer))
    async with (
        world(config, tmp_path, *bots) as (here, [bot, *_]),
        bot.events() as stream,
        bot.dial("47") as call,
    ):
        await settle()
        yield here, bot, call, bruno[0], stream


def renamings(stream: trio.MemoryReceiveChannel[events.Event], call: Call) -> int:
    return len(
        [
            event
            for event in waiting(stream)
            if isinstance(event, events.CallChanged) and event.what == "remote" and event.call_id == call.id
        ]
    )


@BOTH
@TOLD
async def test_the_name_of_who_was_dialled_and_then_of_who_took_over(
    callerid: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, callerid, tmp_path) as (_, _, call, bruno, stream):
        assert (call.remote.number, call.remote.name) == ("47", "Bruno")
        assert renamings(stream, call) == 1, "from no name to a name"
        await bruno.transfer("48")
        await settle()
        assert (call.remote.number, call.remote.name, call.remote.display) == ("48", "Clara", "Clara")
        assert renamings(stream, call) == 1
        await call.sleep(60)
        assert renamings(stream, call) == 0


@BOTH
@TOLD
async def test_who_takes_over_without_a_name_does_not_inherit_one(
    callerid: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, callerid, tmp_path) as (_, _, call, bruno, stream):
        renamings(stream, call)
        await bruno.transfer(NUMBERS["tone"])
        await settle()
        assert (call.remote.number, call.remote.name) == (NUMBERS["tone"], "")
        assert call.remote.display == NUMBERS["tone"]
        assert renamings(stream, call) == 1


@BOTH
@TOLD
async def test_after_an_attended_transfer_behind_the_pbx(
    callerid: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, callerid, tmp_path) as (_, _, call, bruno, stream):
        renamings(stream, call)
        second = await bruno.consult("48")
        await second.complete()
        await settle()
        assert (call.remote.number, call.remote.name) == ("48", "Clara")
        assert renamings(stream, call) == 1
        assert not call.held_by_remote


@BOTH
async def test_a_better_name_is_not_taken_back_by_a_list_that_says_what_it_said_before(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with talking(dialect, True, tmp_path) as (here, bot, call, bruno, stream):
        renamings(stream, call)
        ours = next(leg for leg in here.pbx.pbx.snapshot()["legs"] if leg["user"] == "45")["callid"]
        for _ in range(2):
            here.pbx.lever(lambda now: here.pbx.pbx.name_caller(now, ours, "Bruno Weber, ACME", "47"))
            async with bot.dial(NUMBERS["tone"]):  # which brings new lists
                await settle()
        assert call.remote.name == "Bruno Weber, ACME"
        assert renamings(stream, call) == 1
        await bruno.transfer("48")
        await settle()
        assert call.remote.name == "Clara"


@BOTH
@TOLD
async def test_the_caller_too_is_told_whom_he_has_reached(
    callerid: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The other direction: the bot was called, and who called it hands over."""
    reached: list[Call] = []

    async def taken(call: Call) -> None:
        reached.append(call)
        await answer(call)

    config = replace(default(), dialect=dialect, tells_names=callerid)
    bots = (("45", "bot", taken), ("46", "demo", answer), ("48", "demo", answer))
    async with world(config, tmp_path, *bots) as (_, [_, anna, _]), anna.dial("45") as call:
        await settle()
        assert (reached[0].remote.number, reached[0].remote.name) == ("46", "Anna")
        await call.transfer("48")
        await settle()
        assert (reached[0].remote.number, reached[0].remote.name) == ("48", "Clara")
        await reached[0].hangup()
