"""One life of a plugin: its setup, its work, its teardown. Quarantine, reload and the bot's end are the ends of a life;
a plugin may have several."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Literal

import trio

from .children import Children
from .guard import on_behalf_of, parted
from .model import LoadedPlugin

Phase = Literal["setup", "work", "teardown"]

Failed = Callable[[Phase, BaseException | None], None]
"""Hears what the plugin's setup and teardown did wrong; None: it took too long."""

Work = Callable[..., Awaitable[Any]]


class Life:
    """Begins and ends once."""

    def __init__(
        self,
        plugin: LoadedPlugin,
        lifespan: Callable[[], AbstractAsyncContextManager[Any]] | None,
        *,
        time_limit: float,
        failed: Failed,
    ) -> None:
        """`lifespan` opens the plugin's own context. `time_limit`: seconds for setup, and again for teardown."""
        self._plugin = plugin
        self._lifespan = lifespan or nullcontext
        self._time_limit = time_limit
        self._failed = failed
        self._phase: Phase = "setup"
        self._ending = False
        self._whole = trio.CancelScope()
        self._work = trio.CancelScope()
        self._children = Children()

    @property
    def open(self) -> bool:
        """Whether `spawn` is possible: from the beginning of setup to the end of the work, and in `last_calls`."""
        return self._children.open

    def spawn(self, work: Work, *args: Any) -> None:
        """A task that ends with this life, before the teardown. Needs to be open; `work` must not raise."""
        with on_behalf_of(self._plugin):
            self._children.spawn(work, *args, name=f"plugin {self._plugin.name}: background work")

    def last_calls(self) -> AbstractAsyncContextManager[None]:
        """When the work is over: as long as the body runs, `spawn` is possible again, for calls that go on."""
        return self._children.again(self._time_limit)

    def end(self) -> None:
        """Cancel what it does and go to the teardown. Idempotent; may be called from within."""
        self._ending = True
        if self._phase == "setup":
            self._whole.cancel()
        self._work.cancel()

    async def run(
        self,
        serve: Callable[[], Awaitable[None]],
        *,
        prepare: Callable[[], Awaitable[None]],
        before_teardown: Callable[[], Awaitable[None]],
    ) -> None:
        """Set up, `serve` until `end`, tear down. Never raises what is the plugin's."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._children.run)
            try:
                with on_behalf_of(self._plugin), self._whole:
                    await self._guarded(serve, prepare, before_teardown)
                if self._whole.cancelled_caught and not (self._ending and self._phase == "setup"):
                    self._failed(self._phase, None)
            finally:
                await self._children.close()

    async def _guarded(
        self,
        serve: Callable[[], Awaitable[None]],
        prepare: Callable[[], Awaitable[None]],
        before_teardown: Callable[[], Awaitable[None]],
    ) -> None:
        """What the lifespan opens (a nursery, a time-out) must be left within what it was entered in: so one scope is
        around all, and its deadline moves."""
        try:
            await prepare()  # the engine's own, which may take its time: a store's migration, say
            self._whole.deadline = trio.current_time() + self._time_limit
            async with self._lifespan():
                self._whole.deadline = math.inf
                self._phase = "work"
                try:
                    with self._work:
                        await serve()
                finally:
                    await self._children.close()
                    with trio.CancelScope(shield=True):
                        await before_teardown()
                    self._phase = "teardown" if self._ending else "work"
                    self._whole.deadline = trio.current_time() + self._time_limit
            if not self._ending:
                raise RuntimeError("it was left though nobody asked for it")
        except BaseException as exc:  # noqa: BLE001 - the part that is not the plugin's flies on
            own, outside = parted(exc)
            if own is not None:
                self._failed(self._phase, own)
            if outside is not None:
                raise outside from None
