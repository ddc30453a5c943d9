"""What a plugin's `bot` has of its own, beside what all share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from .errors import NotAllowed
from .http_routes import PluginHttp
from .plugin_metrics import PluginMetric
from .schedules import Job
from .store import Store

T = TypeVar("T")


class OwnThings:
    """The engine itself has none of these: NotAllowed. A hook's `bot` has them all."""

    @property
    def name(self) -> str:
        """The plugin's name; "" for the engine."""
        return ""

    @property
    def log(self) -> Any:
        """A structlog logger, bound to the plugin, and to the call where there is one: in its handler, its hooks, and
        what these spawn. As the hook argument `log`."""
        self._lacks("a logger")

    @property
    def store(self) -> Store:
        """A durable key-value store of the plugin's own: `await bot.store.set("key", value)`."""
        self._lacks("a store")

    @property
    def http(self) -> PluginHttp:
        """HTTP routes of the plugin's own, under `/plugin/NAME` at `[http] listen`: `@bot.http.post("/call")`."""
        self._lacks("HTTP routes")

    def check_dial(self, to: str) -> None:
        """Raises NotAllowed, with the reason, if `dial` would whenever it is asked: `[limits] dial_allow` does not have
        the number, or the plugin may not dial. For who has to refuse before anything rings; it counts as no dial."""
        self._lacks("a dial of its own")

    def counter(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        """A metric of the plugin's own, `vodiabot_plugin_NAME_…` in `/metrics`: `orders = bot.counter("orders", "…",
        labels=("kind",))`, then `orders.inc(kind="pizza")`. Asked for again, as after a reload, it goes on counting.
        Labels are for few, known values, never for numbers or ids. Raises UsageError."""
        self._lacks("metrics")

    def gauge(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        """As `counter`, with `set`, `inc` and `dec`."""
        self._lacks("metrics")

    def histogram(
        self, name: str, doc: str, labels: Iterable[str] = (), buckets: Iterable[float] | None = None
    ) -> PluginMetric:
        """As `counter`, with `observe`."""
        self._lacks("metrics")

    def every(self, seconds: float, work: Callable[..., Awaitable[Any]], *args: Any) -> Job:
        """Run `work(*args)` every so many seconds, first after that time; by the time that passes, without drift.

        For this and `at` and `cron`: each run is a task as of `spawn`; while one runs, the next is left out, which the
        log tells; the job ends with the plugin, or by `job.cancel()`. Raises UsageError.
        """
        self._lacks("schedules")

    def at(self, when: datetime, work: Callable[..., Awaitable[Any]], *args: Any) -> Job:
        """Run `work(*args)` once at a moment, by the clock on the wall; at once if it has passed. `when` has a time
        zone. To survive a restart, keep it in the store and ask for it again in `bot_started`. Raises UsageError."""
        self._lacks("schedules")

    def cron(self, line: str, work: Callable[..., Awaitable[Any]], *args: Any, tz: str = "UTC") -> Job:
        """Run `work(*args)` by a cron line: `bot.cron("0 8 * * mon-fri", wake, tz="Europe/Berlin")`.

        A time that daylight saving time skips is made up for at once after the gap, one that comes twice runs once;
        where the clock was set or the machine slept, a run of the last hour is made up for, once. What was due while
        the bot did not run is missed. Raises UsageError.
        """
        self._lacks("schedules")

    async def asyncio(self, fn: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Await `fn(*args)`, a coroutine function of an asyncio library, on an asyncio loop of the plugin's own, in a
        thread of its own. Cancelling cancels it there. Raises what it raises, and AsyncioCancelled if it was cancelled
        there. It must not use `bot` or calls itself: they belong to trio."""
        self._lacks("an asyncio loop")

    def _lacks(self, what: str) -> NoReturn:
        raise NotAllowed(f"the engine itself does not have {what}: it is the `bot` of a plugin's hooks that has")
