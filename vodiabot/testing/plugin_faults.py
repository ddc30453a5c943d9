"""Plugins that are slow, or crash, because a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import trio

from ..config.reading import suggestion
from ..errors import UsageError
from ..plugins import LoadedPlugin
from ..plugins.model import Implementation

Kind = Literal["slow", "crash"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class FaultOfTheTest(Exception):
    """What a plugin raises where a test wants it to."""


@dataclass(frozen=True)
class PluginFault:
    """A plugin's hook takes `seconds` longer, or raises FaultOfTheTest, the nth time from now on (0: each time)."""

    kind: Kind
    plugin: str
    hook: str = ""
    """Each of its hooks by default."""
    nth: int = 1
    seconds: float = 1.0
    came: Callable[[], None] = lambda: None
    """Told when it comes about."""

    async def befall(self) -> None:
        """Of a hook, before it does its work."""
        self.came()
        if self.kind == "crash":
            raise FaultOfTheTest(f"{self.plugin} crashes here: a fault of the test")
        await trio.sleep(self.seconds)


class PluginFaults:
    """What is to go wrong in the plugins of one bot."""

    def __init__(self, plugins: Sequence[LoadedPlugin]) -> None:
        self.plugins = tuple(self._spoilt(plugin) for plugin in plugins)
        """To be given to the bot in place of the others."""
        self._faults: list[tuple[PluginFault, dict[str, int]]] = []
        """With how often each hook was called since."""

    def add(self, fault: PluginFault) -> None:
        """From now on. Raises UsageError for a plugin or hook that is not there."""
        found = {plugin.name: plugin for plugin in self.plugins}
        if not fault.plugin and len(found) == 1:
            fault = replace(fault, plugin=next(iter(found)))
        if wrong := mistake(fault.plugin, fault.hook, found):
            raise UsageError(wrong[1])
        self._faults.append((fault, {}))

    def _spoilt(self, plugin: LoadedPlugin) -> LoadedPlugin:
        hooks = {name: self._spoilt_hook(plugin.name, one) for name, one in plugin.implementations.items()}
        return replace(plugin, implementations=hooks)

    def _spoilt_hook(self, plugin: str, implementation: Implementation) -> Implementation:
        async def function(**arguments: Any) -> None:
            for fault in self._due(plugin, implementation.hook):
                await fault.befall()
            await implementation.function(**arguments)

        return replace(implementation, function=function)

    def _due(self, plugin: str, hook: str) -> Iterator[PluginFault]:
        for fault, times in self._faults:
            if fault.plugin == plugin and fault.hook in ("", hook):
                times[hook] = times.get(hook, 0) + 1
                if fault.nth in (0, times[hook]):
                    yield fault


def mistake(plugin: str, hook: str, found: dict[str, LoadedPlugin]) -> tuple[str, str] | None:
    """Which key names something that is not there, and what to say of it."""
    if plugin not in found:
        return "plugin", f'there is no plugin "{plugin}"{suggestion(plugin, found)}'
    if hook and hook not in found[plugin].implementations:
        return "hook", f'plugin "{plugin}" has no {hook}{suggestion(hook, found[plugin].implementations)}'
    return None
