"""`vodiabot run`: the bot, against the PBX of the configuration."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from ..bot import Bot
from ..config import Config
from ..control import Answer, serve_control, sole_bot
from ..errors import ConfigError, Problem
from ..plugins import LoadedPlugin, PluginProblem, outdated
from ..reloading import Loaded, Reloader
from ..sd_notify import Notifier, keep_informed
from ..tape import Tape, taped_media, taped_sessions
from .check import every_mistake
from .common import DONE, Connection, configuration, make_session, media_of, on_signals, plugins_of, shipped_plugins
from .record import begin, new_tape, tape_requests

TERMINAL = 0
"""The descriptor that is a terminal where somebody sits before it."""

log = structlog.get_logger(__name__)


def settled(connection: Connection) -> Config:
    """The configuration to begin with. Raises ConfigError with all that is wrong, plugins' sections included: nobody
    should have to mend it twice."""
    try:
        return configuration(connection)
    except ConfigError as exc:
        raise ConfigError(every_mistake(exc)) from exc


async def run(config: Config, read: Callable[[], Config], *, record: Path | None = None) -> int:
    """Until SIGTERM or Ctrl-C; the first drains, the second hangs up at once. SIGHUP loads the configuration again,
    which `read` gives. `record`: a tape to be written from the first login on. Raises AlreadyRunning."""
    with sole_bot(config.bot.state_dir):  # before all else: plugins may do something as they are imported
        tape = new_tape()
        bot = make_bot(config, tape)
        bot.keeps_calls = True
        if record is not None:
            begin(tape, record, config)
        try:
            await _run(bot, config, read, tape)
        finally:
            tape.stop()
    return DONE


async def _run(bot: Bot, config: Config, read: Callable[[], Config], tape: Tape) -> None:
    reloader = Reloader(bot, partial(read_again, read))
    with trio.open_signal_receiver(signal.SIGHUP) as hangups:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(on_signals, bot.drain)
            nursery.start_soon(_on_hangups, hangups, bot, reloader)
            answers = {**requests(bot, reloader), **tape_requests(tape, config)}
            await nursery.start(serve_control, config.bot.state_dir, answers)
            async with trio.open_nursery() as living:
                await living.start(bot.run)
                nursery.start_soon(keep_informed, bot, Notifier(os.environ))
            nursery.cancel_scope.cancel()


async def _on_hangups(hangups: Any, bot: Bot, reloader: Reloader) -> None:
    """By whoever wants a reload; or by the system, as the terminal was closed: then nobody is there any more."""
    had_terminal = os.isatty(TERMINAL)
    async for _ in hangups:
        if had_terminal and not os.isatty(TERMINAL):
            log.info("the terminal was closed")
            bot.drain()
        else:
            await reloader.reload()


def requests(bot: Bot, reloader: Reloader) -> Mapping[str, Answer]:
    """What can be asked of a running bot."""

    async def reload() -> Any:
        return msgspec.to_builtins(await reloader.reload())

    async def status() -> Any:
        return bot.status()

    return {"reload": reload, "status": status}


def read_again(read: Callable[[], Config], running: list[LoadedPlugin]) -> Loaded:
    """The file and the plugins as they are now. Raises ConfigError."""
    config = read()
    plugins, problems = plugins_of(config, keep=running)
    return Loaded(config, plugins, problems, outdated(config, plugins, shipped=shipped_plugins()))


def make_bot(config: Config, tape: Tape | None = None) -> Bot:
    """A bot with the plugins that could be loaded; those that could not are told and left out. What it is told and says
    goes by `tape`.

    Raises ConfigError if one of these is critical.
    """
    plugins, problems = plugins_of(config)
    for problem in problems:
        what = "a plugin is left out" if problem.left_out else "what bot.toml says of a plugin can't be had"
        log.error(what, plugin=problem.plugin, why=str(problem.problem))
    vital = [found for problem in problems if _is_vital(config, problem) for found in problem.problems()]
    if vital:
        raise ConfigError([*vital, _summary(config)])
    media = media_of(config)
    sessions: Callable[..., Any] = make_session
    if tape is not None:
        media, sessions = taped_media(tape, media), taped_sessions(tape, sessions)
    bot = Bot(config, plugins=plugins, media=media, make_session=sessions, watch=True)
    for problem in problems:
        if problem.left_out:
            bot.host.leave_out(problem.plugin, str(problem.problem))
    return bot


def _is_vital(config: Config, problem: PluginProblem) -> bool:
    return problem.left_out and config.plugin.get(problem.plugin, {}).get("critical") is True


def _summary(config: Config) -> Problem:
    return Problem(config.where.file, None, "", "the bot does not start without its critical plugins")
