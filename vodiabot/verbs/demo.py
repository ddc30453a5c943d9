"""`vodiabot demo`: the simulated PBX and a bot on one machine, and a page to call it from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec
import structlog
import trio

from ..config import Config, Secret
from ..config.model import ConsoleConfig, ExtensionConfig
from ..errors import ConfigError, Problem
from ..sim.config import Extension, SimConfig
from ..sim.config import default as default_sim
from ..sim.server import RunningSim, serve
from .common import DEFAULT_FILE, DONE, Connection, configuration, on_signals, say
from .run import make_bot
from .sim_section import sim_of

DEMO_FILE = Path(__file__).parent.parent / "demo.toml"
"""Used where there is no bot.toml."""

UP_TIMEOUT = 10.0
"""Seconds for the bot's own registration at the simulator beside it."""

log = structlog.get_logger(__name__)


def demo_configuration(connection: Connection) -> tuple[Config, SimConfig]:
    """bot.toml, or the one that is shipped; its `[sim]`, or the simulator's default. Raises ConfigError."""
    if connection.file is None and not DEFAULT_FILE.exists():
        connection = Connection(**{**vars(connection), "file": DEMO_FILE})
    config = configuration(connection, pbx_optional=True)
    sim = sim_of(config) or default_sim()
    _check_extensions(config, sim)
    return config, sim


def _check_extensions(config: Config, sim: SimConfig) -> None:
    """The bot logs in to the simulator, so the simulator has to know its extensions."""
    known = {e.user: e.password for e in sim.extensions}
    problems = [
        Problem(config.where.file, config.where.lines.get(f"extension[{i}].user"), f"extension[{i}]", why)
        for i, extension in enumerate(config.extensions)
        if (why := _mismatch(extension, known))
    ]
    if problems:
        raise ConfigError(problems)


def _mismatch(extension: ExtensionConfig, known: dict[str, str]) -> str:
    if extension.user not in known:
        return f"the simulator has no extension {extension.user}; it has {', '.join(known)}"
    if extension.password != Secret(known[extension.user]):
        return f"the simulator knows extension {extension.user} by another password"
    return ""


async def demo(config: Config, sim: SimConfig, listen: str) -> int:
    """Until SIGTERM or Ctrl-C; then everything is hung up and closed."""
    async with trio.open_nursery() as nursery:
        # as long as the bot is not up, there is nobody to hang up on
        ways_out: list[Callable[[], None]] = [lambda: nursery.cancel_scope.cancel()]
        nursery.start_soon(on_signals, lambda: ways_out[-1]())
        running: RunningSim = await nursery.start(partial(serve, sim, listen=listen))
        pbx = msgspec.structs.replace(config.pbx, url=running.url, domain=sim.domain, tls_verify=not sim.tls)
        console = config.console if config.console.listen else ConsoleConfig(listen="127.0.0.1:0")
        bot = make_bot(msgspec.structs.replace(config, pbx=pbx, console=console))

        def leave() -> None:
            bot.drain()
            bot.drain()  # it is a demo: nobody waits for half a minute

        async with trio.open_nursery() as living:
            await living.start(bot.run)
            await bot.wait_up(UP_TIMEOUT)
            ways_out.append(leave)
            _welcome(running, sim, config, bot.console_url)
        nursery.cancel_scope.cancel()
    say("bye")
    return DONE


def _welcome(running: RunningSim, sim: SimConfig, config: Config, console: str | None) -> None:
    mine = [e.user for e in config.extensions]
    guests = [e for e in sim.extensions if e.user not in mine]
    say("")
    say(f"  vodiabot is up: a simulated PBX, and a bot on extension {', '.join(mine)}.")
    if guests:
        domain = "" if sim.domain == "localhost" else f"&domain={quote(sim.domain)}"
        say(f"  Open    {running.url}/#user={guests[0].user}&dial={mine[0]}{domain}")
        say(f"  Sign in as extension {_login_of(guests[0])}, let the page use the microphone,")
        say(f"  and call {mine[0]}: {_expect(config)}")
    for service in sim.services[:2]:
        say(f"  Also: call {service.number} ({service.kind}).")
    if len(guests) > 1:
        say(f"  A second page can sign in as {_login_of(guests[1])}, and call the first.")
    if console is not None:
        say(f"  The console, which shows how the bot and the domain are: {console}")
    say("  Ctrl-C ends it.")
    say("")


def _login_of(guest: Extension) -> str:
    return f"{guest.user}, with its password" if guest.hidden else f"{guest.user}, password {guest.password}"


def _expect(config: Config) -> str:
    if any(route.plugin == "greeter" for route in config.routes):
        return "the bot answers, greets you, and hangs up."
    return "what happens is what your routes say."
