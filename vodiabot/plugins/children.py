"""A nursery that others may use from another task than the one that holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio


class Children:
    """Tasks that begin at any time and end together."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._gone = trio.Event()

    @property
    def open(self) -> bool:
        """Whether `spawn` is possible."""
        return self._nursery is not None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `close` or cancellation."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._gone.set()

    def spawn(self, work: Callable[..., Awaitable[Any]], *args: Any, name: str | None = None) -> None:
        """Needs to be open."""
        assert self._nursery is not None
        self._nursery.start_soon(work, *args, name=name)

    @asynccontextmanager
    async def again(self, patience: float) -> AsyncIterator[None]:
        """After `close`: open once more while the body runs. What was begun in it may take `patience` seconds more."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                yield
            finally:
                self._nursery = None
            nursery.cancel_scope.deadline = trio.current_time() + patience

    async def close(self) -> None:
        """Cancel them, and return when the last is gone; carried through if cancelled. Idempotent."""
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await self._gone.wait()


def name_of(work: Callable[..., Any]) -> str:
    """For the log: what the author knows it by. Arguments stay out of it, as they may be anything."""
    name = getattr(getattr(work, "__self__", None), "task_name", None)  # a job's, or a request's
    if isinstance(name, str):
        return name
    while isinstance(work, partial):
        work = work.func
    return str(getattr(work, "__qualname__", type(work).__qualname__))
