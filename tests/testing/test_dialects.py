"""`dialect = "auto"` with a PBX that does not say which version it is (PROTOCOL.md section 5)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from vodiabot import events
from vodiabot.dialect_memory import FILE
from vodiabot.sim.config import SimConfig, default

from .test_virtual_pbx import world


def silent_about_itself(dialect: str, *, sloppy: bool = False) -> SimConfig:
    return replace(default(), dialect=dialect, server_header="", sloppy_setup=sloppy)


@pytest.mark.parametrize("dialect", ["classic", "modern"])
async def test_the_dialect_is_seen_in_the_sdp(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with (
        world(silent_about_itself(dialect), tmp_path, ("45", "bot", None)) as (_, [bot]),
        bot.dial("600") as call,
    ):
        await call.sleep(30)
        assert call.state == "up"


async def test_a_wrong_guess_is_remembered_and_the_next_call_works(tmp_path: Path, autojump_clock: MockClock) -> None:
    """An old PBX that marks its answers `actpass` looks like a modern one, until there is no audio."""
    config = silent_about_itself("classic", sloppy=True)
    async with world(config, tmp_path, ("45", "bot", None)) as (_, [bot]), bot.events() as stream:
        async with bot.dial("600") as call:
            await call.wait_ended()
        assert call.reason == "media_failed"
        assert "classic" in (tmp_path / FILE).read_text()
        async with bot.dial("600") as call:
            await call.sleep(30)
            assert call.state == "up"
        await trio.lowlevel.checkpoint()
        ended = [e async for e in _calls_ended(stream, 2)]
        assert [event.reason for event in ended] == ["media_failed", "hangup"]


async def _calls_ended(stream: trio.MemoryReceiveChannel[events.Event], count: int):  # type: ignore[no-untyped-def]
    async for event in stream:
        if isinstance(event, events.CallEnded):
            yield event
            count -= 1
            if not count:
                return


