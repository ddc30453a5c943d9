"""Brings events to plugins: one supervised task and one mailbox each, so that a plugin harms only itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio

from .. import events
from .event_hooks import hook_call
from .hookspecs import HOOKS
from .mailbox import MAILBOX_SIZE, Post
from .model import LoadedPlugin, PluginState
from .runner import Runner

Handler = Callable[..., Awaitable[None]]


class PluginHost:
    """All plugins of one bot. `publish` may be called before `run` has started; what it brings waits."""

    def __init__(
        self,
        plugins: Sequence[LoadedPlugin],
        *,
        hook_timeout: float,
        bot: Any,
        mailbox_size: int = MAILBOX_SIZE,
        bot_for: Callable[[LoadedPlugin], Any] | None = None,
    ) -> None:
        """`hook_timeout`: seconds that one call of a hook may take. `bot`: what hooks get as `bot`; `bot_for` makes one
        for each plugin instead."""
        self._runners = {
            plugin.name: Runner(
                plugin,
                bot=bot if bot_for is None else bot_for(plugin),
                hook_timeout=hook_timeout,
                mailbox_size=mailbox_size,
            )
            for plugin in plugins
        }
        self._by_hook: Mapping[str, list[Runner]] = {
            hook: [r for r in self._runners.values() if hook in r.plugin.implementations] for hook in HOOKS
        }

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then every hook that runs is cancelled and what waits is forgotten. Once a
        host."""
        try:
            async with trio.open_nursery() as nursery:
                for runner in self._runners.values():
                    nursery.start_soon(runner.run, name=f"plugin {runner.plugin.name}")
                task_status.started()
                await trio.sleep_forever()
        finally:
            for runner in self._runners.values():
                runner.close()

    def publish(self, hook: str, **arguments: Any) -> None:
        """Post a hook call to every plugin that implements it; never blocks. `bot` need not be given.

        Raises KeyError if there is no such hook.
        """
        for runner in self._by_hook[hook]:
            runner.post(Post(hook, arguments))

    def publish_event(self, event: events.Event, **objects: Any) -> None:
        """Publish an event by its own hook; `objects` are live handles, such as `call`. Raises KeyError."""
        hook, arguments = hook_call(event)
        self.publish(hook, **{**arguments, **objects})

    def wants(self, hook: str) -> bool:
        """Whether any plugin is there to hear it. Raises KeyError if there is no such hook."""
        return any(runner.healthy for runner in self._by_hook[hook])

    async def call_and_wait(self, hook: str, **arguments: Any) -> None:
        """Call a hook of all plugins and wait until the last is through; errors stay with the plugin that
        made them.

        It takes its turn in each mailbox. A plugin that does not come to it within `hook_timeout` forgets
        what waits before it (told in the log), so that this returns after three times `hook_timeout` at the
        latest. Needs `run`.
        """
        async with trio.open_nursery() as nursery:
            for runner in self._by_hook[hook]:
                nursery.start_soon(runner.call_and_wait, hook, arguments)

    def handler(self, plugin_name: str) -> Handler | None:
        """The plugin's `answer_call`, to be called with `call=` (and `bot=`); None if it has none or is in
        quarantine.

        It runs in the task of whoever awaits it, without a time limit; what it raises comes through.
        """
        runner = self._runners.get(plugin_name)
        if runner is None or not runner.healthy or "answer_call" not in runner.plugin.implementations:
            return None

        async def handle(**arguments: Any) -> None:
            await runner.handle(arguments)

        return handle

    def spawn(self, plugin_name: str, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a plugin's own work in its own nursery until it is over; its exception is logged as the plugin's. Raises
        NotAllowed if it does not run."""
        self._runners[plugin_name].spawn(work, *args)

    def states(self) -> list[PluginState]:
        """How each plugin fares, in the order of `[plugins] enabled`."""
        return [runner.state() for runner in self._runners.values()]
