"""One plugin under supervision: its lives, its mailbox, its quarantine."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import structlog
import trio

from ..errors import NotAllowed, PluginError
from .callee import Callee
from .children import name_of
from .conduct import Conduct, Supervision
from .guard import on_behalf_of, parted
from .hookspecs import LAST_HOOK
from .importing import in_a_line
from .life import Life, Phase
from .mailbox import Mailbox, Post
from .model import LoadedPlugin, PluginState, StateName
from .whereabouts import whereabouts

AFTER_ANOTHER = 4
"""Times `hook_timeout` that the plugin that is replaced (`bot_stopping`, its teardown) and the setup take at most."""

log = structlog.get_logger(__name__)

_PHASES: dict[Phase, str] = {"setup": "setup", "work": "lifespan", "teardown": "teardown"}


class Runner:
    """Supervises one plugin, from its start to the end of the bot or to a reload that replaces it."""

    def __init__(
        self,
        plugin: LoadedPlugin,
        *,
        bot: Any = None,
        supervision: Supervision,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`bot`: what its hooks get. If it has coroutine methods `prepare` (before each setup), `left` (after each
        teardown) and `aclose` (at the end), they are called."""
        self.plugin = plugin
        self.conduct = Conduct(plugin.name, supervision, self.quarantine)
        self._callee = Callee(plugin, bot)
        self._wall = wall
        self._log = log.bind(plugin=plugin.name)
        self._state: StateName = "stopped"
        self._reason, self._since = "", wall()
        self._until: float | None = None
        self._started = trio.Event()
        self._ready = trio.Event()
        self._closed = trio.Event()
        self._retired = trio.Event()
        self._let_go = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._task: trio.lowlevel.Task | None = None
        self._deaf = trio.CancelScope()
        self._hook_calls = 0
        self._hook_ends_by = math.inf
        """Unless it catches its cancellation; looked at with each event that comes, so it costs no timer."""
        self._calls = 0
        self._no_calls = trio.Event()
        self._no_calls.set()
        self._life: Life | None = None
        self._ran_since = self._due = 0.0
        self._mailbox = Mailbox(size=supervision.mailbox_size)
        self._past = (0, 0)
        self._behind = 0

    # --- how it is ---------------------------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Whether events and calls may go to it; true before `run` as well."""
        return self._state != "quarantined" and not self._closed.is_set()

    @property
    def running(self) -> bool:
        """Whether it is set up and at work."""
        return self._state == "running"

    def state(self) -> PluginState:
        """For lists, metrics and the console."""
        skipped, coalesced = self._past
        return PluginState(
            name=self.plugin.name,
            state=self._state,
            reason=self._reason,
            since=self._since,
            until=self._until,
            queued=len(self._mailbox),
            skipped=skipped + self._mailbox.skipped,
            coalesced=coalesced + self._mailbox.coalesced,
            hook_calls=self._hook_calls,
            failures=self.conduct.failures,
            timeouts=self.conduct.timeouts,
            recent_errors=self.conduct.recent_errors if self._started.is_set() else 0,
            quarantines=self.conduct.quarantines,
            calls=self._calls,
        )

    def _enter(self, state: StateName, reason: str = "") -> None:
        self._state, self._reason, self._since, self._until = state, reason, self._wall(), None

    # --- one life after another --------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `close` or `retire`; cancellation alone does not end it, as each teardown has its time. Started when
        the plugin is set up, or has failed to be, or when its store takes too long and it is not critical."""
        self._task = trio.lowlevel.current_task()
        with trio.CancelScope(shield=True):
            try:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._tell_started, task_status)
                    while not self._over:
                        await self._live()
                        await self._sit_out()
                    await self._calls_over()
            finally:
                self.close()
                await self._callee.tell_bot("aclose")

    async def _tell_started(self, task_status: trio.TaskStatus[None]) -> None:
        await self._started.wait()
        task_status.started()

    @property
    def _over(self) -> bool:
        return self._closed.is_set() or self._retired.is_set()

    async def _live(self) -> None:
        self._enter("starting")
        limit = self.conduct.supervision.hook_timeout
        self._life = Life(self.plugin, self._callee.lifespan, time_limit=limit, failed=self._life_failed)
        try:
            await self._life.run(self._serve, prepare=self._prepare, before_teardown=self._calls_over)
        finally:
            self._life = None
            self._deaf.cancel()
            await self._callee.tell_bot("left")

    async def _prepare(self) -> None:
        """The engine's own part of the setup. It may take its time, as a migration does; nobody else waits for it."""
        assert self._nursery is not None
        slow = trio.CancelScope()
        self._nursery.start_soon(self._go_on_without_it, slow)
        try:
            await self._callee.tell_bot("prepare")
        finally:
            slow.cancel()

    async def _go_on_without_it(self, slow: trio.CancelScope) -> None:
        with slow:
            await trio.sleep(self.conduct.supervision.hook_timeout)
            self._log.warning("the store of a plugin is not ready yet: its migration goes on, and its calls fail")
            if not self.plugin.critical:
                self._started.set()

    async def _serve(self) -> None:
        """One hook call after the other."""
        if self._state != "starting":
            return
        self._enter("running")
        self._ran_since = trio.current_time()
        self._is_ready()
        while True:
            await self._deliver(await self._mailbox.take())
            self._tell_if_caught_up()

    def _is_ready(self) -> None:
        """It is set up, or it is known that it won't be now."""
        self._ready.set()
        self._started.set()

    def _life_failed(self, phase: Phase, exc: BaseException | None) -> None:
        what = f"the {_PHASES[phase]} of a plugin"
        if exc is None:
            self.conduct.took_too_long(what)
        else:
            self.conduct.failed(what, exc)
        if phase != "teardown":
            self.quarantine(f"its {_PHASES[phase]} failed: {_in_words(exc)}")

    async def _calls_over(self) -> None:
        """A plugin that is replaced stays set up for as long as its calls go on."""
        if not self._retired.is_set() or not self._calls:
            return
        self._log.info("a plugin that was replaced stays until its calls are over", calls=self._calls)
        self._let_go.set()
        self._deaf.cancel()
        async with nullcontext() if self._life is None else self._life.last_calls():
            await _first_of(self._no_calls, self._closed)
        self._expect_the_end()

    async def _sit_out(self) -> None:
        """The quarantine. After it comes a life with a fresh mailbox, which begins with `bot_started`."""
        if self._over:
            return
        with trio.move_on_at(self._due):
            await _first_of(self._closed, self._retired)
            return
        self._past = (self._past[0] + self._mailbox.skipped, self._past[1] + self._mailbox.coalesced)
        self._mailbox, self._behind, self._ready = Mailbox(size=self._mailbox.size), 0, trio.Event()
        self._log.warning("a plugin comes out of quarantine", quarantines=self.conduct.quarantines)
        self._enter("starting")
        self.begin()

    def begin(self) -> None:
        """What a life hears first; for the plugins that begin with the bot, the bot itself sees to it."""
        if self._callee.has("bot_started"):
            self.post(Post("bot_started", {}))

    def quarantine(self, reason: str) -> None:
        """Cancel the hook that runs and its background work, forget what waits, tear down; a new life begins after a
        while. Calls that it has go on."""
        if not self.healthy or self._over:
            return
        seconds = self.conduct.sentence(trio.current_time() - self._ran_since if self.running else 0.0)
        self._enter("quarantined", reason)
        self._due, self._until = trio.current_time() + seconds, self._wall() + seconds
        self._end_life()
        forgotten = self._mailbox.clear()
        self._is_ready()
        self._log.error("a plugin is put into quarantine", why=reason, seconds=seconds, events_lost=forgotten)

    async def retire(self) -> None:
        """Another takes its place, or it is not wanted any more: `bot_stopping`, then the teardown. If calls of it go
        on, this returns all the same, and the teardown comes after the last of them. Needs `run`."""
        if self.running:
            await self.call_and_wait(LAST_HOOK, {})
        self._retired.set()
        self._end_life()
        await self._let_go.wait()

    def close(self) -> None:
        """It is over: nothing is delivered any more, and nobody waits. Idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._enter("stopped", self._reason)
        self._end_life()
        self._mailbox.clear()
        self._is_ready()
        self._let_go.set()

    def _end_life(self) -> None:
        if self._life is not None:
            self._life.end()
            self._expect_the_end()

    def _expect_the_end(self) -> None:
        """Of its life, soon. Nobody can stop a task that catches its cancellation; but it can be named, and a reload
        does not wait for it."""
        self._deaf.cancel()
        if self._life is not None and self._nursery is not None:
            self._deaf = trio.CancelScope()
            self._nursery.start_soon(self._tell_deaf, self._deaf)

    async def _tell_deaf(self, deaf: trio.CancelScope) -> None:
        with deaf:
            await trio.sleep(2 * self.conduct.supervision.hook_timeout)
            where = whereabouts(self.plugin, self._task)
            self._log.error("a plugin does not end: it ignores that it is cancelled", where=where)
            self._let_go.set()

    # --- events ------------------------------------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Never blocks. A plugin that has no room for an event that must not be lost goes into quarantine."""
        if self._hook_ends_by < math.inf and trio.current_time() > self._hook_ends_by:
            self.quarantine("a hook ignores that it is cancelled")
        if not self.healthy:
            post.settle()
            return
        skipped = self._mailbox.skipped
        if not self._mailbox.put(post):
            post.settle()
            self.quarantine(f"{len(self._mailbox)} events wait for it and there is no room for {post.hook}")
        elif self._mailbox.skipped > skipped:
            self._fall_behind()

    async def call_and_wait(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Post it and wait until it is through, or will never be; or it is not set up in time, and hears it later. One
        that the plugin does not have takes its turn, too: what came before it is through then."""
        if not self.running and not self._callee.has(hook):
            return
        started, done = trio.Event(), trio.Event()
        post = Post(hook, arguments, started, done)
        self.post(post)
        with trio.move_on_after(self.conduct.supervision.hook_timeout) as patience:
            await started.wait()
        if patience.cancelled_caught and self._state == "starting":
            return
        if patience.cancelled_caught and (forgotten := self._mailbox.skip_to(post)):
            self._log.error("a plugin is too far behind, events were lost", hook=hook, events_lost=forgotten)
        await done.wait()

    def _fall_behind(self) -> None:
        if not self._behind:
            self._log.warning("a plugin is behind, it misses events of state", queued=len(self._mailbox))
        self._behind += 1

    def _tell_if_caught_up(self) -> None:
        if self._behind and not len(self._mailbox):
            self._log.warning("a plugin has caught up", events_skipped=self._behind)
            self._behind = 0

    async def _deliver(self, post: Post) -> None:
        self._hook_calls += 1
        self._hook_ends_by = trio.current_time() + 2 * self.conduct.supervision.hook_timeout
        if post.started is not None:
            post.started.set()
        event = post.arguments.get("event", post.arguments.get("frame"))
        try:
            await self.conduct.guarded(
                partial(self._callee.hook, post.hook, post.arguments),
                "a hook",
                self.conduct.supervision.hook_timeout,
                hook=post.hook,
                event_kind=type(event).__name__ if event is not None else "",
                call=getattr(event, "call_id", ""),
            )
        finally:
            self._hook_ends_by = math.inf
            post.settle()

    # --- calls and background work -----------------------------------------------------------------------------------

    async def handle(self, arguments: Mapping[str, Any]) -> None:
        """Run `answer_call` in the caller's task. Raises what it raises; PluginError for `sys.exit()` and whatever else
        is no Exception, and where it is not set up (any more)."""
        await self._set_up()
        if not self.running or self._over:
            raise PluginError(f"plugin {self.plugin.name} is {self._state}")
        with self._handling(), on_behalf_of(self.plugin):
            try:
                await self._callee.hook("answer_call", arguments)
            except BaseException as exc:
                own, outside = parted(exc)
                if own is not None and outside is not None:
                    self.conduct.failed("the handler of a call", own, call=getattr(arguments.get("call"), "id", ""))
                    raise outside from None
                if own is None:
                    raise
                self.conduct.handler_failed(own)
                if isinstance(own, Exception):
                    raise
                what = "tried to exit the process" if isinstance(own, SystemExit) else f"raised {type(own).__name__}"
                raise PluginError(f"plugin {self.plugin.name} {what} in a call") from exc

    async def _set_up(self) -> None:
        """Returns when it is set up, or is known not to be, or does not come to it: a caller rings meanwhile."""
        limit = self.conduct.supervision.hook_timeout
        if self._state == "stopped":  # its predecessor has its own time limits before
            limit *= AFTER_ANOTHER
        if self._state in ("stopped", "starting"):
            with trio.move_on_after(limit):
                await self._ready.wait()

    @contextmanager
    def _handling(self) -> Iterator[None]:
        self._calls += 1
        self._no_calls = trio.Event() if self._calls == 1 else self._no_calls
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._no_calls.set()

    def spawn(self, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Its own background work; ends with its present life. Raises NotAllowed if it does not run."""
        if self._life is None or not self._life.open:
            raise NotAllowed(f"plugin {self.plugin.name} is not running")
        guarded = partial(self.conduct.guarded, partial(work, *args), "background work of a plugin", task=name_of(work))
        self._life.spawn(guarded)


async def _first_of(*events: trio.Event) -> None:
    """Returns when one of them is set."""

    async def wait(event: trio.Event) -> None:
        await event.wait()
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(wait, event)


def _in_words(exc: BaseException | None) -> str:
    return "it took too long" if exc is None else in_a_line(exc)
