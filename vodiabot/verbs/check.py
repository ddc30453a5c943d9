"""`vodiabot check`: is the configuration right? Every error at once."""

from __future__ import annotations

import json

import trio

from ..config import Config
from ..errors import ConfigError, ConnectionLost, LoginRefused, Problem, UsageError
from .common import DONE, FAILED, USAGE, Connection, configuration, make_session, plugins_of, say, say_error
from .sim_section import sim_of


def check(connection: Connection, *, online: bool, as_json: bool) -> int:
    """Exit code 0 if all is right, 2 if the configuration is wrong, 1 if the login fails."""
    config, problems = _checked(connection)
    failures: list[str] = []
    if online and config is not None and not problems:
        failures = trio.run(_logins, config)
    _print(connection, problems, failures, as_json)
    if problems:
        return USAGE
    return FAILED if failures else DONE


def _checked(connection: Connection) -> tuple[Config | None, list[Problem]]:
    try:
        config = configuration(connection, pbx_optional=True)
    except ConfigError as exc:
        readable = exc.readable
        return None, exc.problems + (_of_others(readable) if isinstance(readable, Config) else [])
    return config, _of_others(config)


def _of_others(config: Config) -> list[Problem]:
    """What only those know to whom a section belongs: the simulator, plugins."""
    try:
        sim_of(config)
    except ConfigError as exc:
        return exc.problems + _of_plugins(config)
    return _of_plugins(config)


def _of_plugins(config: Config) -> list[Problem]:
    _, complaints = plugins_of(config)
    return [problem for complaint in complaints for problem in complaint.problems()]


async def _logins(config: Config) -> list[str]:
    failures = []
    for extension in config.extensions:
        session = make_session(config.pbx, extension)
        try:
            await session.login_once()
        except (LoginRefused, ConnectionLost, UsageError) as exc:
            failures.append(f"extension {extension.user}: {exc}")
    return failures


def _print(connection: Connection, problems: list[Problem], failures: list[str], as_json: bool) -> None:
    if as_json:
        rows = [{"file": p.file, "line": p.line, "key": p.key, "message": p.message} for p in problems]
        say(json.dumps({"ok": not problems and not failures, "problems": rows, "login": failures}))
        return
    for problem in problems:
        say_error(str(problem))
    for failure in failures:
        say_error(failure)
    if not problems and not failures:
        say("the configuration is right")
