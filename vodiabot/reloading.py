"""A changed bot.toml is applied while the bot runs: by SIGHUP, or by `vodiabot reload`.

All or nothing: if anything is wrong with the new file or a plugin that it changes, the old configuration stays in
force. Plugins whose section and code are as they were are not touched. Calls go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog
import trio

from .config.model import BotConfig, Config
from .errors import ConfigError
from .plugins import LoadedPlugin, PluginProblem, unload

if TYPE_CHECKING:
    from .bot import Bot

LIVE = ("limits", "plugins", "plugin", "routes", "where")
"""Sections that are taken over while the bot runs."""

LIVE_OF_BOT = ("drain_timeout", "unrouted")
"""Keys of [bot] that are, too."""

LOAD_TIMEOUT = 60.0
"""Seconds to read the file and import plugins: one import that hangs must not be the end of all reloads."""

_TABLES = {"extensions": "[[extension]]", "routes": "[[route]]"}


class Loaded(NamedTuple):
    """What the file says now."""

    config: Config
    plugins: list[LoadedPlugin]
    """Those that have not changed are the very objects that run."""
    problems: list[PluginProblem]
    outdated: Sequence[str] = ()
    """Installed plugins that were updated since they were imported."""


Load = Callable[[list[LoadedPlugin]], Loaded]
"""Reads the file, and imports plugins but for those that are given and have not changed. Raises ConfigError."""

InThread = Callable[..., Awaitable[Any]]

async def in_a_thread(work: Callable[..., Any], *args: Any) -> Any:
    """So that signalling goes on. A bot that leaves does not wait for it: an import may hang."""
    return await trio.to_thread.run_sync(work, *args, abandon_on_cancel=True)


log = structlog.get_logger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one reload."""

    problems: tuple[str, ...] = ()
    """Why the old configuration stays in force, as `vodiabot check` says it; empty if the new one is."""
    changed: tuple[str, ...] = ()
    """Sections that were taken over, such as `[limits]`."""
    started: tuple[str, ...] = ()
    """Plugins that are new."""
    restarted: tuple[str, ...] = ()
    """Plugins whose section or code has changed."""
    stopped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Of those started, the ones that are in quarantine already, as their setup failed; each with the reason."""
    needs_restart: tuple[str, ...] = ()
    """What has changed and counts only when the bot is started again."""

    @property
    def ok(self) -> bool:
        """Whether the new configuration is in force."""
        return not self.problems

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.problems:
            yield from self.problems
            yield "the old configuration stays in force"
            return
        told = [
            ("changed", self.changed),
            ("plugins started", self.started),
            ("plugins started again", self.restarted),
            ("plugins stopped", self.stopped),
        ]
        yield from (f"{what}: {', '.join(names)}" for what, names in told if names)
        yield from (f"a plugin failed: {why}" for why in self.failed)
        yield from (f"{what} has changed, which needs a restart" for what in self.needs_restart)
        if not any(names for _, names in told) and not self.needs_restart:
            yield "nothing has changed"


class Reloader:
    """Of one bot."""

    def __init__(self, bot: Bot, load: Load, *, in_thread: InThread = in_a_thread) -> None:
        """`in_thread`: where files are read and plugins imported, so that signalling goes on."""
        self._bot = bot
        self._load = load
        self._in_thread = in_thread
        self._lock = trio.Lock()

    async def reload(self) -> Outcome:
        """One after the other, if several ask. Never raises for what is wrong with the new configuration."""
        async with self._lock:
            running = self._bot.host.plugins
            loaded = await self._loaded(running)
            if not isinstance(loaded, Loaded):
                return self._refused(loaded)
            problems = [str(problem) for found in loaded.problems for problem in found.problems()]
            if not self._bot.host.running:
                problems = ["the bot is starting or leaving"]
            if problems:
                _forget(loaded.plugins, running)
                return self._refused(problems)
            return await self._apply(loaded, running)

    async def _loaded(self, running: list[LoadedPlugin]) -> Loaded | list[str]:
        """What the file says now, or why that can't be had."""
        try:
            with trio.move_on_after(LOAD_TIMEOUT):
                loaded: Loaded = await self._in_thread(self._load, running)
                return loaded
        except ConfigError as exc:
            return [str(problem) for problem in exc.problems]
        except Exception as exc:  # a mistake of ours, or an odd plugin's: the bot that runs is not to suffer for it
            log.exception("the new configuration can't be loaded")
            return [f"it can't be loaded: {type(exc).__name__}: {exc}"]
        return [f"it can't be loaded: it has taken {LOAD_TIMEOUT:g} s, so the import of a plugin hangs"]

    def _refused(self, problems: list[str]) -> Outcome:
        log.error("the new configuration is not right, the old one stays in force", problems=problems)
        return Outcome(problems=tuple(problems))

    async def _apply(self, loaded: Loaded, before: list[LoadedPlugin]) -> Outcome:
        old, new = self._bot.config, merged(self._bot.config, loaded.config)
        put_in_force(self._bot, new)
        await self._bot.host.replace(loaded.plugins)
        outdated = [f"the package of plugin {name}" for name in loaded.outdated]
        outcome = Outcome(
            changed=tuple(changes(old, new)),
            **_comings_and_goings(before, loaded.plugins),
            failed=tuple(self._failures(before)),
            needs_restart=(*changes(new, loaded.config), *outdated),
        )
        log.info("the configuration was loaded again", outcome="; ".join(outcome.lines()))
        return outcome

    def _failures(self, before: list[LoadedPlugin]) -> Iterator[str]:
        known = {id(plugin) for plugin in before}
        for plugin, state in zip(self._bot.host.plugins, self._bot.host.states(), strict=True):
            if id(plugin) not in known and state.state == "quarantined":
                yield f"{state.name}: {state.reason}"


def _forget(plugins: list[LoadedPlugin], but: list[LoadedPlugin]) -> None:
    """Modules of plugins that were imported for nothing."""
    kept = {id(plugin) for plugin in but}
    for plugin in plugins:
        if id(plugin) not in kept:
            unload(plugin)


def _comings_and_goings(before: list[LoadedPlugin], after: list[LoadedPlugin]) -> dict[str, tuple[str, ...]]:
    old, new = {p.name: p for p in before}, {p.name: p for p in after}
    return {
        "started": tuple(name for name in new if name not in old),
        "restarted": tuple(name for name in new if name in old and new[name] is not old[name]),
        "stopped": tuple(name for name in old if name not in new),
    }


def put_in_force(bot: Bot, config: Config) -> None:
    """Limits and routes, from the next call on. The plugins are another matter."""
    bot.config, bot.config_loaded = config, bot.wall()
    limits = config.limits
    bot.guard.hold_to(limits.dial_allow, limits.dials_per_minute)
    bot.chats.most = limits.chats_per_minute
    bot.host.hold_to(limits.hook_timeout, limits.error_budget, limits.error_window)
    bot.watchdog.blocked_after = limits.blocked_after
    bot.plugin_bots.configured()
    for line in bot.lines:
        line.settings.unrouted, line.settings.wrap_up = config.bot.unrouted, limits.wrap_up


def merged(old: Config, new: Config) -> Config:
    """The old configuration with what can be taken over of the new one."""
    live = {key: getattr(new, key) for key in LIVE}
    of_bot = {key: getattr(new.bot, key) for key in LIVE_OF_BOT}
    return msgspec.structs.replace(old, **live, bot=msgspec.structs.replace(old.bot, **of_bot))


def changes(old: Config, new: Config) -> Iterator[str]:
    """What differs between two configurations, as people know it: `[limits]`, `[bot] state_dir`."""
    for name in Config.__struct_fields__:
        if name in ("where", "sim", "bot"):
            continue
        if name == "plugin":
            yield from _sections(old.plugin, new.plugin)
        elif getattr(old, name) != getattr(new, name):
            yield _TABLES.get(name, f"[{name}]")
    for key in BotConfig.__struct_fields__:
        if getattr(old.bot, key) != getattr(new.bot, key):
            yield f"[bot] {key}"


def _sections(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Those of plugins that came, went or changed."""
    for plugin in dict.fromkeys((*old, *new)):
        if old.get(plugin) != new.get(plugin):
            yield f"[plugin.{plugin}]"
