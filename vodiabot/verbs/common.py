"""What the verbs share: where the configuration comes from, how errors look, how a process is told to leave."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from .. import __version__, logs
from ..config import Config, Overrides, Secret, from_overrides, load
from ..errors import ConfigError, Problem, UsageError, VodiabotError
from ..plugins import LoadedPlugin, PluginProblem, load_plugins
from ..plugins.guard import current_call, current_plugin
from ..plugins.secret_values import secrets_in
from ..ports import MediaPort
from ..session import Session

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes of the contract."""

CONNECT_TIMEOUT = 15.0
"""Seconds for login and socket before it is given up: the login's own limit of 10 and some for the socket."""

DEFAULT_FILE = Path("bot.toml")

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes lets others run: a plugin in a loop of pure Python must not stutter the
audio. The default of 0.005 is as long as all calls' work in 20 ms."""


@dataclass(frozen=True)
class Connection:
    """The options of every verb that connects."""

    file: Path | None = None
    url: str | None = None
    domain: str | None = None
    user: str | None = None
    password_env: str | None = None
    dialect: str | None = None

    def overrides(self) -> Overrides:
        """Raises ConfigError if `--password-env` names a variable that isn't set."""
        password = None
        if self.password_env is not None:
            value = os.environ.get(self.password_env)
            if value is None:
                raise ConfigError([Problem("command line", None, "--password-env", f"{self.password_env} is not set")])
            password = Secret(value)
        return Overrides(
            url=self.url, domain=self.domain, user=self.user, password=password, dialect=self.dialect  # type: ignore[arg-type]
        )


def configuration(connection: Connection, *, pbx_optional: bool = False) -> Config:
    """The file with the overrides over it; without a file, the overrides alone. Raises ConfigError."""
    overrides = connection.overrides()
    file = connection.file or DEFAULT_FILE
    complete = all((connection.url, connection.user, connection.password_env))
    if connection.file is None and not file.exists() and complete:
        return from_overrides(overrides)
    return load(file, overrides=overrides, pbx_optional=pbx_optional)


def shipped_plugins() -> Path:
    """The folder of the plugins that come with vodiabot: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_shipped" / "plugins"
    return inside if inside.is_dir() else package.parent / "plugins"


def plugins_of(
    config: Config, *, keep: Sequence[LoadedPlugin] = ()
) -> tuple[list[LoadedPlugin], list[PluginProblem]]:
    """What `[plugins]` enables, and what is wrong with the rest. Of `keep`, those that have not changed stay."""
    loaded, problems = load_plugins(config, shipped=shipped_plugins(), keep=keep)
    hide = logs.hiding()
    for plugin in loaded:
        for text in secrets_in(plugin.config):
            hide(text)
    return loaded, problems


def media_of(config: Config) -> Callable[[], AbstractAsyncContextManager[MediaPort]]:
    """The audio engine that `[media]` describes."""

    def opened() -> AbstractAsyncContextManager[MediaPort]:
        from ..media.bridge import open_media  # here: verbs without calls need not wait for the audio libraries

        return open_media(
            codecs=config.media.codecs,
            ice_servers=config.media.ice_servers,
            switch_interval=SWITCH_INTERVAL,
            short_collections=True,
        )

    return opened


def log_context() -> dict[str, str]:
    """For log lines: on behalf of which plugin, and about which call, the present task runs."""
    about = {"plugin": current_plugin.get(), "call": current_call.get()}
    return {key: value for key, value in about.items() if value is not None}


def make_session(*args: Any, **more: Any) -> Session:
    """A session whose secrets are kept out of the log."""
    return Session(*args, hide=logs.hiding(), **more)


async def on_signals(first: Callable[[], None]) -> None:
    """Call `first` for each SIGTERM and SIGINT, for ever."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            first()


def execute(work: Callable[[], Awaitable[int]], *, debug: bool) -> int:
    """Run a verb's coroutine; an error of ours becomes one or two plain lines on stderr and an exit code."""
    return guarded(lambda: trio.run(work), debug=debug)


def guarded(work: Callable[[], int], *, debug: bool) -> int:
    """The same for a verb that runs no loop of its own, or its own way."""
    try:
        return work()
    except KeyboardInterrupt:
        return FAILED
    except BaseException as exc:
        if debug:
            raise
        return report(exc)


def report(exc: BaseException) -> int:
    """Tell what went wrong, without a traceback. Raises what is no error at all (SystemExit)."""
    if isinstance(exc, BaseExceptionGroup):
        return max(report(e) for e in exc.exceptions)
    if isinstance(exc, SystemExit | GeneratorExit):
        raise exc
    if isinstance(exc, KeyboardInterrupt):
        return FAILED
    if isinstance(exc, BrokenPipeError):
        return _unread()
    if isinstance(exc, VodiabotError | OSError):
        say_error(str(exc))
        return USAGE if isinstance(exc, UsageError) else FAILED
    say_error(f"internal error: {type(exc).__name__}: {exc}")
    say_error("please report it; --debug shows where it happened")
    return FAILED


def _unread() -> int:
    """Nobody reads what we print any more, as after `vodiabot tail | head`: the end, and nothing to complain of."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains on its way out
    return FAILED


def say(text: str) -> None:
    """A line of result. Raises VodiabotError where it can't be written, BrokenPipeError where nobody reads."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise VodiabotError(f"what was found can't be written to the output: {exc.strerror}") from exc


def say_version(wanted: bool) -> None:
    """For `--version`, which ends there."""
    if wanted:
        say(f"vodiabot {__version__}")
        sys.exit(DONE)


def say_error(text: str) -> None:
    """A line of complaint, after what was logged before it."""
    logs.flush()
    for line in text.splitlines():
        sys.stderr.write(line + "\n" if line.startswith("vodiabot:") else f"vodiabot: {line}\n")


def counted(number: int, one: str, more: str = "") -> str:
    """`1 line`, `2 lines`."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def seconds(value: float | None) -> float:
    """None as "no limit"."""
    return math.inf if value is None else value


Json = dict[str, Any]
