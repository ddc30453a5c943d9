"""A plugin's functions, called with what they ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import structlog

from .guard import about, chosen
from .model import Implementation, LoadedPlugin


class Callee:
    """One plugin and its `bot`."""

    def __init__(self, plugin: LoadedPlugin, bot: Any) -> None:
        self.plugin = plugin
        self.bot = bot

    def has(self, hook: str) -> bool:
        """Whether the plugin implements it."""
        return hook in self.plugin.implementations

    async def hook(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Call a hook; nothing happens if it has none of that name. Raises whatever it raises."""
        implementation = self.plugin.implementations.get(hook)
        if implementation is None:
            return
        call = arguments.get("call")
        with about(call):
            await implementation.function(**chosen(implementation, {**arguments, **self._own(implementation, call)}))

    @property
    def lifespan(self) -> Callable[[], AbstractAsyncContextManager[Any]] | None:
        """Opens the plugin's own context; None if it has none."""
        lifespan = self.plugin.lifespan
        return None if lifespan is None else partial(self._open, lifespan)

    def _open(self, lifespan: Implementation) -> AbstractAsyncContextManager[Any]:
        opened: Any = lifespan.function(**chosen(lifespan, self._own(lifespan, None)))
        return opened  # type: ignore[no-any-return]

    def _own(self, implementation: Implementation, call: Any) -> dict[str, Any]:
        """What each plugin has of its own; a logger only for those who ask for one."""
        own: dict[str, Any] = {"config": self.plugin.config, "bot": self.bot}
        if "log" in implementation.names:
            own["log"] = self._log_for(call)
        return own

    def _log_for(self, call: Any) -> Any:
        logger = structlog.get_logger(f"vodiabot.plugin.{self.plugin.name}").bind(plugin=self.plugin.name)
        return logger if call is None else logger.bind(call=getattr(call, "id", ""))

    async def tell_bot(self, method: str) -> None:
        """`prepare`, `left` or `aclose` of its `bot`, if that has such a one."""
        work: Callable[[], Awaitable[None]] | None = getattr(self.bot, method, None)
        if work is not None:
            await work()
