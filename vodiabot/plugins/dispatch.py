"""Brings events to plugins: one supervised task and one mailbox each, so that a plugin harms only itself."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import trio

from .. import events
from ..errors import NotAllowed, PluginFailed
from .conduct import Supervision
from .event_hooks import hook_call
from .hookspecs import HOOKS, LAST_HOOK
from .loader import unload
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
        bot: Any = None,
        mailbox_size: int = MAILBOX_SIZE,
        error_budget: int = 10,
        error_window: float = 60.0,
        bot_for: Callable[[LoadedPlugin], Any] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`hook_timeout`: seconds that one call of a hook may take. `error_budget`: so many errors within
        `error_window` seconds put a plugin into quarantine. `bot`: what hooks get as `bot`; `bot_for` makes one for
        each plugin instead. `wall`: seconds since the epoch."""
        self._supervision = Supervision(hook_timeout, mailbox_size, error_budget, error_window)
        self._bot_for = bot_for or (lambda plugin: bot)
        self._wall = wall
        self._nursery: trio.Nursery | None = None
        self._running = False
        self._left_out: dict[str, PluginState] = {}
        self._former: set[Runner] = set()
        """They were replaced, and have calls that go on."""
        self._runners: dict[str, Runner] = {}
        self._by_hook: Mapping[str, list[Runner]] = {}
        self._install({plugin.name: self._runner(plugin) for plugin in plugins})

    def _runner(self, plugin: LoadedPlugin) -> Runner:
        return Runner(plugin, bot=self._bot_for(plugin), supervision=self._supervision, wall=self._wall)

    def _install(self, runners: dict[str, Runner]) -> None:
        self._runners = runners
        self._by_hook = {
            hook: [r for r in runners.values() if hook in r.plugin.implementations] for hook in HOOKS
        }

    # --- its life ----------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; then every hook that runs is cancelled, what waits is forgotten, and each plugin is torn
        down. Started when all plugins are set up, or have failed to be. Once a host.

        Raises PluginFailed if one that is critical could not be set up.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self._close_at_the_end)
            await self._start(list(self._runners.values()))
            self._check_critical()
            self._running = True
            task_status.started()

    async def _close_at_the_end(self, *, task_status: trio.TaskStatus[None]) -> None:
        """A task of its own, as who waits for a setup does not hear of a cancellation before the setup is over."""
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            self._nursery, self._running = None, False
            for runner in (*self._runners.values(), *self._former):
                runner.close()

    async def _start(self, runners: Sequence[Runner]) -> None:
        """Side by side: one whose setup takes long is waited for, up to its time limit."""
        assert self._nursery is not None
        async with trio.open_nursery() as nursery:
            for runner in runners:
                nursery.start_soon(self._start_one, self._nursery, runner)

    async def _start_one(self, nursery: trio.Nursery, runner: Runner) -> None:
        await nursery.start(self._supervise, runner, name=f"plugin {runner.plugin.name}")

    async def _supervise(self, runner: Runner, *, task_status: trio.TaskStatus[None]) -> None:
        await runner.run(task_status=task_status)
        if runner in self._former:  # its last call is over
            self._former.discard(runner)
            unload(runner.plugin)

    def _check_critical(self) -> None:
        for runner in self._runners.values():
            if runner.plugin.critical and not runner.running:
                why = runner.state().reason
                raise PluginFailed(f"plugin {runner.plugin.name} is critical and could not be started: {why}")

    async def replace(self, plugins: Sequence[LoadedPlugin]) -> None:
        """From now on these run. Those that run already (the very same objects) are not touched; others are started
        after the ones they replace were torn down. Nothing is lost between the two: events wait. Calls of a former one
        go on, and it stays set up for them.

        Carried through if cancelled. Raises NotAllowed if the host does not run.
        """
        if not self._running:
            raise NotAllowed("the bot is not running")
        kept = {r.plugin.name: r for r in self._runners.values() if any(r.plugin is p for p in plugins)}
        former = [r for r in self._runners.values() if r.plugin.name not in kept]
        fresh = {p.name: self._runner(p) for p in plugins if p.name not in kept}
        for runner in fresh.values():
            runner.begin()
        self._left_out.clear()
        self._install({p.name: kept.get(p.name) or fresh[p.name] for p in plugins})
        self._former |= set(former)
        with trio.CancelScope(shield=True):  # it is bounded, and half of it would leave plugins that nobody started
            async with trio.open_nursery() as nursery:
                for runner in former:
                    nursery.start_soon(runner.retire)
            if self._nursery is not None:
                await self._start(list(fresh.values()))

    def leave_out(self, plugin: str, why: str) -> None:
        """For those who look: this one is enabled, but wrong, and not among the others, until a reload."""
        self._left_out.setdefault(plugin, PluginState(plugin, "left_out", why, self._wall()))

    def hold_to(self, hook_timeout: float, error_budget: int, error_window: float) -> None:
        """Other limits, from now on, for all plugins."""
        size = self._supervision.mailbox_size
        self._supervision = Supervision(hook_timeout, size, error_budget, error_window)
        for runner in self._runners.values():
            runner.conduct.hold_to(self._supervision)

    # --- events ------------------------------------------------------------------------------------------------------

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
        runners = self._by_hook[hook]
        return bool(runners) and any(runner.healthy for runner in runners)

    async def call_and_wait(self, hook: str, **arguments: Any) -> None:
        """Call a hook of all plugins and wait until the last is through; errors stay with the plugin that
        made them. For `bot_stopping` those that lack it are waited for, too, until they have heard what came before.

        It takes its turn in each mailbox. A plugin that does not come to it within `hook_timeout` forgets
        what waits before it (told in the log), so that this returns after three times `hook_timeout` at the
        latest. Needs `run`.
        """
        async with trio.open_nursery() as nursery:
            for runner in self._runners.values() if hook == LAST_HOOK else self._by_hook[hook]:
                nursery.start_soon(runner.call_and_wait, hook, arguments)

    # --- calls, background work --------------------------------------------------------------------------------------

    def handler(self, plugin_name: str) -> Handler | None:
        """The plugin's `answer_call`, to be called with `call=`; None if it has none or is in quarantine.

        It runs in the task of whoever awaits it, without a time limit; what it raises comes through, and counts against
        the plugin's error budget. Where the plugin was replaced in between, it is the new one's.
        """
        runner = self._runners.get(plugin_name)
        if runner is None or not runner.healthy or "answer_call" not in runner.plugin.implementations:
            return None

        async def handle(**arguments: Any) -> None:
            await self._runners.get(plugin_name, runner).handle(arguments)

        return handle

    def spawn(self, plugin: str | LoadedPlugin, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a plugin's own work in its own nursery, until it is over or the plugin's life ends; its exception is
        logged as the plugin's and counts as an error. By name: whichever runs under it now; a former one that has calls
        is not to be had by its name. Raises NotAllowed if the plugin does not run."""
        all_runners = (*self._runners.values(), *self._former)
        runner = self._runners.get(plugin) if isinstance(plugin, str) else _of(plugin, all_runners)
        if runner is None:
            name = plugin if isinstance(plugin, str) else plugin.name
            raise NotAllowed(f"there is no plugin {name} (any more)")
        runner.spawn(work, *args)

    # --- for those who look ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether all plugins were started, and the bot does not leave."""
        return self._running

    @property
    def plugins(self) -> list[LoadedPlugin]:
        """Those that are there, in the order of `[plugins] enabled`."""
        return [runner.plugin for runner in self._runners.values()]

    def states(self) -> list[PluginState]:
        """How each plugin fares, in the order of `[plugins] enabled`."""
        return [runner.state() for runner in self._runners.values()]

    def all_states(self) -> list[PluginState]:
        """The same, and those that were left out."""
        return [*self.states(), *self._left_out.values()]


def _of(plugin: LoadedPlugin, runners: Iterable[Runner]) -> Runner | None:
    return next((runner for runner in runners if runner.plugin is plugin), None)
