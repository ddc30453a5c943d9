"""`vodiabot run`: the bot, against the PBX of the configuration."""

from __future__ import annotations

import structlog
import trio

from ..bot import Bot
from ..config import Config
from .common import DONE, make_session, media_of, on_signals, plugins_of

log = structlog.get_logger(__name__)


async def run(config: Config) -> int:
    """Until SIGTERM or Ctrl-C; the first drains, the second hangs up at once."""
    bot = make_bot(config)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_signals, bot.drain)
        await bot.run()
        nursery.cancel_scope.cancel()
    return DONE


def make_bot(config: Config) -> Bot:
    """A bot with the plugins that could be loaded; those that could not are told and left out."""
    plugins, problems = plugins_of(config)
    for problem in problems:
        what = "a plugin is left out" if problem.left_out else "a route can't be served"
        log.error(what, plugin=problem.plugin, why=str(problem.problem))
    return Bot(config, plugins=plugins, media=media_of(config), make_session=make_session, watch=True)
