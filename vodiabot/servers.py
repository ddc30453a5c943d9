"""What a bot listens on: the console, what machines ask, the plugins' HTTP routes. Each has an address of its own, as
each is for others: people on this machine, machines that watch, services outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from .config.model import Config
from .console import serve_console, serve_ops
from .http_routes import serve_routes

if TYPE_CHECKING:
    from .bot import Bot

log = structlog.get_logger(__name__)


class Servers:
    """Of one bot. The addresses are None until it runs, and where there is none to listen on."""

    def __init__(self, bot: Bot, *, serve: bool = True) -> None:
        """`serve`: False to listen nowhere, whatever the configuration names."""
        self._bot = bot
        self._serve = serve
        self.console_url: str | None = None
        self.ops_url: str | None = None
        self.http_url: str | None = None

    async def start(self, nursery: trio.Nursery) -> None:
        """All that the configuration names, as tasks. Raises ListenError if an address can't be listened on."""
        if not self._serve:
            return
        bot, config = self._bot, self._bot.config
        if config.ops.listen:
            self.ops_url = await nursery.start(serve_ops, bot, config.ops.listen)
            log.info("health and metrics are served", url=self.ops_url)
        if config.console.listen:
            self.console_url = await nursery.start(serve_console, bot.snapshot, config.console.listen)
            log.info("the console is up", url=self.console_url)
        if config.http.listen:
            self.http_url = await nursery.start(serve_routes, bot.http_routes, config.http)
            log.info("plugins' HTTP routes are served", url=self.http_url)


def without_servers(config: Config) -> Config:
    """Of a visit: the bot of the same file may be running, and listens where it says."""
    replace = msgspec.structs.replace
    return replace(
        config,
        ops=replace(config.ops, listen=""),
        console=replace(config.console, listen=""),
        http=replace(config.http, listen=""),
    )
