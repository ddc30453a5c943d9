"""What the hooks of a plugin get as `bot`: what plugins share of the engine, and the plugin's own things.

For the type checker it is a `Bot`, and so is `bot: Bot` in a plugin; but only what is named here gets through. What the
engine has besides (sessions, limits, secrets, its own life) does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import msgspec
import structlog
import trio

from .asyncio_bridge import AsyncioThread
from .bot import Bot
from .capabilities import Grant, grant_of
from .config.model import Config, Secret
from .http_routes import PluginHttp
from .plugin_metrics import PluginMetric
from .plugins import LoadedPlugin
from .plugins.guard import current_call
from .schedules import Job, Schedules
from .schedules.jobs import Spawn
from .store import Store

T = TypeVar("T")

PASSED_ON = (
    "calls",
    "chat",
    "conference",
    "console_url",
    "dial",
    "domain",
    "domain_calls",
    "events",
    "parked",
    "phone",
    "phone_of",
    "pick_up",
    "snapshot",
    "wait_up",
    "wall",
)
"""What is the engine's, and for all plugins alike; where it acts, capabilities and `[limits]` are enforced below."""


class PluginBot(Bot):
    """One a plugin. Nothing of it needs to be closed by the plugin; `aclose` is the engine's."""

    def __init__(self, engine: Bot, plugin: LoadedPlugin, spawn: Spawn) -> None:
        """`spawn` starts a task in the plugin's own nursery, and counts its errors as the plugin's."""
        # not super().__init__(): that makes an engine
        self._engine = engine
        self._name = plugin.name
        self._spawn = spawn
        self.config = public(engine.config)
        self.grant: Grant = grant_of(
            plugin.namespace, plugin.section or engine.config.plugin.get(plugin.name, {})
        )
        """What it may do."""
        namespace = plugin.namespace
        self._store = Store(
            engine.config.bot.state_dir / "store" / f"{plugin.name}.sqlite3",
            version=getattr(namespace, "STORE_VERSION", 1),
            migrate=getattr(namespace, "migrate_store", None),
            wall=engine.wall,
        )
        self._http = engine.http_routes.make(plugin.name, spawn)
        self._metrics = engine.metrics.of_plugin(plugin.name)
        self._schedules = Schedules(spawn, engine.wall)
        self._asyncio = AsyncioThread(f"vodiabot-asyncio-{plugin.name}")

    def __repr__(self) -> str:
        return f"<the bot of plugin {self._name}>"

    # --- its own -----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def log(self) -> Any:
        logger = structlog.get_logger(f"vodiabot.plugin.{self._name}").bind(plugin=self._name)
        call = current_call.get()
        return logger if call is None else logger.bind(call=call)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def http(self) -> PluginHttp:
        return self._http

    def counter(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        return self._metrics.counter(name, doc, labels)

    def gauge(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        return self._metrics.gauge(name, doc, labels)

    def histogram(
        self, name: str, doc: str, labels: Iterable[str] = (), buckets: Iterable[float] | None = None
    ) -> PluginMetric:
        return self._metrics.histogram(name, doc, labels, buckets)

    def check_dial(self, to: str) -> None:
        self._engine.permits.check("dial")
        self._engine.guard.check_number(to)

    def spawn(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._spawn(work, *args)

    def every(self, seconds: float, work: Callable[..., Awaitable[Any]], *args: Any) -> Job:
        return self._schedules.every(seconds, work, *args)

    def at(self, when: datetime, work: Callable[..., Awaitable[Any]], *args: Any) -> Job:
        return self._schedules.at(when, work, *args)

    def cron(self, line: str, work: Callable[..., Awaitable[Any]], *args: Any, tz: str = "UTC") -> Job:
        return self._schedules.cron(line, work, *args, tz=tz)

    async def asyncio(self, fn: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        return await self._asyncio.run(fn, *args)

    # --- by the engine -----------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Before the plugin's setup: bring its store to its version. Raises StoreError, and what `migrate_store`
        does."""
        if self._has_stored():
            await self._store.open()

    def _has_stored(self) -> bool:
        """Without a thread: in virtual time the clock would run on while it looks."""
        return self._store.path.exists()

    async def left(self) -> None:
        """It is over, or begins anew (quarantine, reload): what it has left on its asyncio loop is cancelled."""
        self._http.clear()
        await self._asyncio.aclose()

    async def aclose(self) -> None:
        """After the plugin's teardown; idempotent."""
        with trio.CancelScope(shield=True):
            await self._asyncio.aclose()
            await self._store.aclose()

    if not TYPE_CHECKING:  # else the type checker would take any name for good

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(f"a plugin's bot has no {name!r}")


class _PassedOn:
    """Looked up at the engine, whatever it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, bot: PluginBot | None, owner: type | None = None) -> Any:
        return self if bot is None else getattr(bot._engine, self._name)

    def __set__(self, bot: PluginBot, value: Any) -> None:
        raise AttributeError(f"{self._name!r} is the engine's")


class _Withheld:
    """The engine's own."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, bot: PluginBot | None, owner: type | None = None) -> Any:
        if bot is None:
            return self
        raise AttributeError(f"a plugin's bot has no {self._name!r}")


for _name in vars(Bot):
    if not _name.startswith("__") and _name not in vars(PluginBot):
        setattr(PluginBot, _name, _Withheld(_name))
for _name in PASSED_ON:
    setattr(PluginBot, _name, _PassedOn(_name))


class PluginBots:
    """Those of one engine, by plugin."""

    def __init__(self, engine: Bot) -> None:
        self._engine = engine
        self._bots: dict[str, PluginBot] = {}
        self._all: WeakSet[PluginBot] = WeakSet()
        """Also those that were replaced, as long as anybody uses them."""

    def make(self, plugin: LoadedPlugin, spawn: Spawn) -> PluginBot:
        """A new one; of a plugin that was loaded again it takes the place of the old one."""
        bot = PluginBot(self._engine, plugin, spawn)
        self._bots[plugin.name] = bot
        self._all.add(bot)
        return bot

    def of(self, plugin: str) -> PluginBot | None:
        """A plugin's, if it is loaded."""
        return self._bots.get(plugin)

    def configured(self) -> None:
        """The engine has another configuration: so have they."""
        for bot in self._all:
            bot.config = public(self._engine.config)

    def refusal(self, plugin: str, capability: str) -> str | None:
        """Why a plugin may not use a capability; None if it may."""
        bot = self._bots.get(plugin)
        return Grant().refusal(plugin, capability) if bot is None else bot.grant.refusal(plugin, capability)

    async def aclose(self) -> None:
        """Stores and threads of all; idempotent, carried through if cancelled."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for bot in list(self._all):
                    nursery.start_soon(bot.aclose)
        self._all.clear()


def public(config: Config) -> Config:
    """A configuration without what is secret: passwords, ICE credentials, the sections of plugins, of which each gets
    its own as `config`."""
    hidden = Secret("")
    return msgspec.structs.replace(
        config,
        pbx=msgspec.structs.replace(config.pbx, admin=None),
        extensions=tuple(msgspec.structs.replace(e, password=hidden) for e in config.extensions),
        media=msgspec.structs.replace(config.media, ice_servers=()),
        plugin={},
        sim=None,
    )
