"""Bots on a virtual PBX, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from vodiabot import Bot, Call
from vodiabot.config import parse
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.model import Implementation
from vodiabot.session import Session
from vodiabot.sim.config import SimConfig, default
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.wire import Wire

SETTINGS = """
[pbx]
url = "ws://pbx.example.com"
domain = "localhost"

[[extension]]
user = "{user}"
password = "{password}"

[bot]
state_dir = "{state}"
drain_timeout = "5s"

[limits]
dial_allow = ["*"]

[plugins]
enabled = ["author"]

[[route]]
plugin = "author"
"""

Handler = Callable[[Call], Any]


class World:
    """A virtual PBX and the bots on it."""

    def __init__(self, config: SimConfig, state: Path) -> None:
        self.wire = Wire()
        self.pbx = VirtualPbx(config, self.wire)
        self.media: dict[str, VirtualMedia] = {}
        """By extension."""
        self._state = state

    def bot(self, user: str, password: str, handler: Handler | None = None) -> Bot:
        text = SETTINGS.format(user=user, password=password, state=self._state.as_posix())
        plugins = [_plugin(handler)] if handler is not None else []
        self.media[user] = VirtualMedia(self.wire)
        make_session = partial(Session, connect=self.pbx.connect)
        return Bot(
            parse(text),
            plugins=plugins,
            media=self.media[user].opened,
            make_session=make_session,
            wall=trio.current_time,
        )


def _plugin(handler: Handler) -> LoadedPlugin:
    hook = Implementation("answer_call", handler, ("call",))
    return LoadedPlugin("author", SimpleNamespace(), {"answer_call": hook})


@asynccontextmanager
async def world(
    pbx: str | SimConfig, state: Path, *bots: tuple[str, str, Handler | None]
) -> AsyncIterator[tuple[World, list[Bot]]]:
    """The PBX and its bots, all registered; afterwards nothing is left on either side."""
    made = World(replace(default(), dialect=pbx) if isinstance(pbx, str) else pbx, state)
    running = [made.bot(*bot) for bot in bots]
    async with trio.open_nursery() as nursery:
        await nursery.start(made.pbx.run)
        async with trio.open_nursery() as living:
            for bot in running:
                await living.start(bot.run)
                await bot.wait_up(20)
            yield made, running
            for bot in running:
                bot.drain()
        assert made.pbx.pbx.snapshot()["legs"] == []
        assert made.pbx.pbx.snapshot()["calls"] == []
        nursery.cancel_scope.cancel()


BOTH = pytest.mark.parametrize("dialect", ["classic", "modern"])
NUMBERS = {service.kind: service.number for service in default().services}
