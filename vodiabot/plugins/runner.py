"""One plugin at work: its task, its mailbox, its quarantine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import structlog
import trio

from ..errors import NotAllowed, PluginError
from .guard import about, chosen, is_only_call_ended, is_plugins_own, on_behalf_of
from .mailbox import Mailbox, Post
from .model import LoadedPlugin, PluginState

log = structlog.get_logger(__name__)


class Runner:
    """Owns one plugin's task. A door for later: an error budget calls `quarantine`, a reload makes a new
    Runner."""

    def __init__(self, plugin: LoadedPlugin, *, bot: Any = None, hook_timeout: float, mailbox_size: int) -> None:
        self.plugin = plugin
        self.bot = bot
        """What its hooks get as `bot`."""
        self._nursery: trio.Nursery | None = None
        self._log = log.bind(plugin=plugin.name)
        self._hook_timeout = hook_timeout
        self._mailbox = Mailbox(size=mailbox_size)
        self._scope = trio.CancelScope()
        self._state: Literal["running", "quarantined", "stopped"] = "stopped"
        self._closed = False
        self._reason = ""
        self._behind = 0
        self._failures = 0
        self._timeouts = 0

    @property
    def healthy(self) -> bool:
        """Whether events and calls may go to it; true before `run` as well."""
        return self._state != "quarantined" and not self._closed

    def state(self) -> PluginState:
        return PluginState(
            name=self.plugin.name,
            state=self._state,
            reason=self._reason,
            queued=len(self._mailbox),
            skipped=self._mailbox.skipped,
            failures=self._failures,
            timeouts=self._timeouts,
        )

    async def run(self) -> None:
        """One hook call after the other, until cancelled, closed or quarantined."""
        if not self.healthy:
            return
        self._state = "running"
        with self._scope, on_behalf_of(self.plugin):
            async with trio.open_nursery() as self._nursery:
                try:
                    while True:
                        await self._deliver(await self._mailbox.take())
                        self._tell_if_caught_up()
                finally:
                    self._nursery = None

    def close(self) -> None:
        """It is over: nothing is delivered any more, and nobody waits. Idempotent."""
        self._closed = True
        if self._state == "running":
            self._state = "stopped"
        self._scope.cancel()
        self._mailbox.clear()

    def quarantine(self, reason: str) -> None:
        """Stop it for the rest of this run: cancel the hook that runs, forget what waits. Calls it has go
        on."""
        if not self.healthy:
            return
        self._state, self._reason = "quarantined", reason
        self._scope.cancel()
        forgotten = self._mailbox.clear()
        self._log.error("a plugin is put into quarantine", why=reason, events_lost=forgotten)

    # --- events ---------------------------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Never blocks. A plugin that has no room for an event that must not be lost goes into quarantine."""
        if not self.healthy:
            _settle(post)
            return
        skipped = self._mailbox.skipped
        if not self._mailbox.put(post):
            _settle(post)
            self.quarantine(f"{len(self._mailbox)} events wait for it and there is no room for {post.hook}")
        elif self._mailbox.skipped > skipped:
            self._fall_behind()

    async def call_and_wait(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Post it and wait until it is through, or will never be."""
        post = Post(hook, arguments, started=trio.Event(), done=trio.Event())
        self.post(post)
        assert post.started is not None
        assert post.done is not None
        with trio.move_on_after(self._hook_timeout) as patience:
            await post.started.wait()
        if patience.cancelled_caught:
            forgotten = self._mailbox.skip_to(post)
            self._log.error("a plugin is too far behind, events were lost", hook=hook, events_lost=forgotten)
        await post.done.wait()

    def _fall_behind(self) -> None:
        if not self._behind:
            self._log.warning("a plugin is behind, it misses events of state", queued=len(self._mailbox))
        self._behind += 1

    def _tell_if_caught_up(self) -> None:
        if self._behind and not len(self._mailbox):
            self._log.warning("a plugin has caught up", events_skipped=self._behind)
            self._behind = 0

    async def _deliver(self, post: Post) -> None:
        if post.started is not None:
            post.started.set()
        try:
            await self._call(post)
        finally:
            _settle(post)

    def spawn(self, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Its own background work; ends with the plugin."""
        if self._nursery is None:
            raise NotAllowed(f"plugin {self.plugin.name} is not running")
        with on_behalf_of(self.plugin):
            self._nursery.start_soon(self._work, work, args)

    async def _work(self, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        try:
            await work(*args)
        except BaseException as exc:
            if not is_plugins_own(exc):
                raise
            if not is_only_call_ended(exc):
                self._failures += 1
                name = getattr(work, "__qualname__", repr(work))
                self._log.error("background work of a plugin failed", work=name, exc_info=exc)

    async def _call(self, post: Post) -> None:
        with trio.move_on_after(self._hook_timeout) as scope:
            try:
                await self._invoke(post.hook, post.arguments)
            except BaseException as exc:
                if not is_plugins_own(exc):
                    raise
                self._failed(post, exc)
        if scope.cancelled_caught:
            self._timeouts += 1
            self._log.error(
                "a hook took too long and was cancelled", hook=post.hook, hook_timeout=self._hook_timeout
            )

    def _failed(self, post: Post, exc: BaseException) -> None:
        if is_only_call_ended(exc):
            return
        self._failures += 1
        event = post.arguments.get("event", post.arguments.get("frame"))
        self._log.error(
            "a hook failed",
            hook=post.hook,
            event_kind=type(event).__name__ if event is not None else "",
            call=getattr(event, "call_id", ""),
            exc_info=exc,
        )

    # --- calls ----------------------------------------------------------------------------------------------

    async def handle(self, arguments: Mapping[str, Any]) -> None:
        """Run `answer_call` in the caller's task. Raises what it raises; `sys.exit()` as PluginError."""
        try:
            with on_behalf_of(self.plugin):
                await self._invoke("answer_call", arguments)
        except SystemExit as exc:
            raise PluginError(f"plugin {self.plugin.name} tried to exit the process in a call") from exc

    async def _invoke(self, hook: str, arguments: Mapping[str, Any]) -> None:
        implementation = self.plugin.implementations[hook]
        own: dict[str, Any] = {"config": self.plugin.config, "bot": self.bot}
        if "log" in implementation.names:
            own["log"] = self._log_for(arguments.get("call"))
        with about(arguments.get("call")):
            await implementation.function(**chosen(implementation, {**arguments, **own}))

    def _log_for(self, call: Any) -> Any:
        logger = structlog.get_logger(f"vodiabot.plugin.{self.plugin.name}").bind(plugin=self.plugin.name)
        return logger if call is None else logger.bind(call=getattr(call, "id", ""))


def _settle(post: Post) -> None:
    for event in (post.started, post.done):
        if event is not None:
            event.set()
