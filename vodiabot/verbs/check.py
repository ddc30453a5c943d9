"""`vodiabot check`: is the configuration right? Every error at once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import trio

from ..config import Config
from ..config.draft import in_order
from ..errors import ConfigError, ConnectionLost, LoginRefused, Problem, UsageError
from ..plugins import unrouted
from .audible import inaudible
from .common import DONE, FAILED, USAGE, Connection, configuration, make_session, plugins_of, say, say_error
from .sim_section import sim_of


def check(connection: Connection, *, online: bool, as_json: bool) -> int:
    """Exit code 0 if all is right, 2 if the configuration is wrong, 1 if the login fails."""
    config, problems, notes = _checked(connection)
    failures: list[str] = []
    if online and config is not None and not problems:
        failures = trio.run(_logins, config)
    _print(problems, notes, failures, as_json)
    if problems:
        return USAGE
    return FAILED if failures else DONE


def _checked(connection: Connection) -> tuple[Config | None, list[Problem], list[Problem]]:
    """What is wrong, and what is worth a second look though it may be meant."""
    try:
        config = configuration(connection, pbx_optional=True)
    except ConfigError as exc:
        return None, every_mistake(exc), []
    problems, notes = _of_others(config)
    file = config.where.file
    return config, in_order(problems, file), in_order(notes, file)


def every_mistake(exc: ConfigError) -> list[Problem]:
    """What else is wrong with a file that the engine can't take, beside what it says itself."""
    readable = exc.readable
    if not isinstance(readable, Config):
        return exc.problems
    told = {problem.key for problem in exc.problems}
    others = [problem for problem in _of_others(readable)[0] if problem.key not in told]
    return in_order([*exc.problems, *others], readable.where.file)


def _of_others(config: Config) -> tuple[list[Problem], list[Problem]]:
    """What only those know to whom a section belongs: this machine, the simulator, plugins."""
    plugins, complaints = plugins_of(config)
    problems = [*_of_state_dir(config), *(problem for one in complaints for problem in one.problems())]
    wrong, lacking = inaudible(config, plugins)
    problems += wrong
    try:
        sim_of(config)
    except ConfigError as exc:
        problems += exc.problems
    return problems, [*lacking, *unrouted(config, plugins)]


def _of_state_dir(config: Config) -> Iterator[Problem]:
    state_dir = config.bot.state_dir
    why = _unwritable(state_dir)
    if why:
        line = config.where.lines.get("bot.state_dir")
        message = f"{state_dir} can't be written to by this user (uid {os.geteuid()}): {why}"
        yield Problem(config.where.file, line, "bot.state_dir", message)


def _unwritable(folder: Path) -> str:
    """Why; "" if it is not. It is tried: rights alone don't tell of a read-only disk, or of /proc. Nothing is left of
    that, least of all a folder that belongs to another user than the bot's."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as exc:
        return exc.strerror or str(exc)
    finally:
        for one in made:
            with suppress(OSError):  # it was not made after all, or a bot has moved in
                one.rmdir()


async def _logins(config: Config) -> list[str]:
    failures = []
    for extension in config.extensions:
        session = make_session(config.pbx, extension)
        try:
            await session.login_once()
        except (LoginRefused, ConnectionLost, UsageError) as exc:
            failures.append(f"extension {extension.user}: {exc}")
    return failures


def _print(problems: list[Problem], notes: list[Problem], failures: list[str], as_json: bool) -> None:
    if as_json:
        ok = not problems and not failures
        say(json.dumps({"ok": ok, "problems": _rows(problems), "login": failures, "notes": _rows(notes)}))
        return
    for text in (*map(str, problems), *failures):
        say_error(text)
    for note in notes:
        say(f"note: {note}")
    if not problems and not failures:
        say("the configuration is right")


def _rows(problems: list[Problem]) -> list[dict[str, object]]:
    return [{"file": p.file, "line": p.line, "key": p.key, "message": p.message} for p in problems]
