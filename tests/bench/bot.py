"""The bot's side of the comparison: a whole bot (trio, session, switchboard, media) on calls to the simulator."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from tests.bench.stock import Usage
from vodiabot import Bot
from vodiabot.config import parse
from vodiabot.media.bridge import open_media
from vodiabot.media.sources import tone

SETTINGS = """
[pbx]
url = "{url}"
domain = "localhost"

[[extension]]
user = "45"
password = "bot"
register = false

[bot]
state_dir = "{state}"

[media]
codecs = ["{codec}"]
max_calls = 1000

[limits]
dial_allow = ["*"]
dials_per_minute = 1000
"""


async def measure(url: str, calls: int, seconds: float, codec: str = "PCMU") -> dict[str, Any]:
    """Place the calls, play a tone into each (what they hear is decoded all the same), let them settle, measure."""
    with tempfile.TemporaryDirectory() as state:
        config = parse(SETTINGS.format(url=url, state=Path(state).as_posix(), codec=codec))
        bot = Bot(config, media=partial(open_media, codecs=config.media.codecs))
        async with trio.open_nursery() as nursery:
            await nursery.start(bot.run)
            await bot.wait_up(20)
            cost = await _on_calls(bot, nursery, calls, seconds)
            bot.drain()
            bot.drain()
    return {"ms_per_call_second": cost}


async def _on_calls(bot: Bot, nursery: trio.Nursery, calls: int, seconds: float) -> float:
    async with AsyncExitStack() as stack:
        for _ in range(calls):
            call = await stack.enter_async_context(bot.dial("600"))
            nursery.start_soon(_play, call, seconds + 60)
        await trio.sleep(1.0)
        before = Usage.now()
        await trio.sleep(seconds)
        return before.per_call_second(Usage.now(), calls)


async def _play(call: Any, seconds: float) -> None:
    with call.scope():
        await call.play(tone(440, seconds))


if __name__ == "__main__":
    print(json.dumps(trio.run(measure, sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])))  # noqa: T201
