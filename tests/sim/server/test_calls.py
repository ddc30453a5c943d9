"""The simulated PBX from outside: real login, real socket, real audio, in both dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio

from tests.sim.client import PhoneCall, level, loudest_hz, open_phone, tone, wait_for
from vodiabot.sim.config import SimConfig, default
from vodiabot.sim.server import RunningSim, describe, serve
from vodiabot.sim.server.sdp import CODECS
from vodiabot.sim.server.tones import MUSIC_HZ

pytestmark = pytest.mark.audio

DIALECTS = ("modern", "classic")


@asynccontextmanager
async def simulator(dialect: str = "modern", **changes: Any) -> AsyncIterator[RunningSim]:
    config: SimConfig = replace(default(), dialect=dialect, **changes)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve, config, listen="127.0.0.1:0"))
        nursery.cancel_scope.cancel()


def phone(sim: RunningSim, user: str, **options: Any) -> Any:
    password = next(e.password for e in sim.config.extensions if e.user == user)
    return open_phone(sim.url, user, password, modern=sim.config.dialect == "modern", **options)


def number(sim: RunningSim, kind: str) -> str:
    return next(s.number for s in sim.config.services if s.kind == kind)


async def idle(sim: RunningSim) -> None:
    """All calls over, no audio left."""
    await wait_for(lambda: not sim.snapshot()["calls"] and not sim.snapshot()["media"], "no call left")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_tone_is_heard_in_each_codec(dialect: str, codec: str) -> None:
    async with simulator(dialect) as sim, phone(sim, "46", codecs=(codec,)) as anna:
        call = await anna.dial(number(sim, "tone"))
        await call.wait_answered()
        assert await call.hears_hz(1000)
        await call.hang_up()
        await idle(sim)
