"""The store as tasks hold it. Nothing here blocks the trio thread: the file belongs to a thread of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio

from ..errors import UsageError
from . import values
from .file import Migrate
from .ops import Op, updating
from .transaction import Transaction
from .worker import Worker, worker_for

T = TypeVar("T")


class Store:
    """A durable dictionary: texts to what JSON can say. Dataclasses and msgspec structs come back as such by
    `get(…, type=…)`; a float that is not a number becomes null.

    A method that changes something returns when it is on disk (SQLite's WAL with `synchronous = FULL`): that takes one
    fsync, some milliseconds, which changes of many tasks share. Every coroutine raises StoreError, which names the
    file, when that can't be read or written, and then nothing was changed; UsageError for a key or value that can't be
    stored. Cancelled: nothing was changed, unless the disk was at it already.
    """

    def __init__(
        self, path: Path, *, version: int = 1, migrate: Migrate | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        """The file is made, and opened, by `open` or the first use. `version`, `migrate`: see `open`. `wall`: seconds
        since the epoch, for `ttl`."""
        self.path = path
        self._version, self._migrate = version, migrate
        self._wall = wall
        self._worker: Worker | None = None
        self._opening = trio.Lock()
        self._changing = trio.Lock()
        self._in_transaction: trio.lowlevel.Task | None = None
        self._closed = False

    async def open(self) -> None:
        """Check the file and bring it to `version`: `migrate(view, version on disk)` runs in the store's thread inside
        one transaction. Idempotent.

        Raises StoreError if the file is damaged, locked, of a newer version, or older and without `migrate`; and what
        `migrate` raises. Then the file is as it was.
        """
        async with self._opening:
            if self._closed:
                raise UsageError(f"the store {self.path} is closed")
            if self._worker is None:
                worker = worker_for(self.path, self._wall)
                await worker.start(self._version, self._migrate)
                self._worker = worker

    async def aclose(self) -> None:
        """What was asked for before is carried out; then the file is closed and its thread gone. Idempotent."""
        self._closed = True
        with trio.CancelScope(shield=True):
            async with self._opening:
                if self._worker is not None:
                    await self._worker.aclose()

    # --- one key -----------------------------------------------------------------------------------------------------

    async def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:
        """The value of a key, or `default`. `type`: what to make of it, as msgspec does; StoreError if it does not
        fit."""
        values.checked(key)
        raw = await self._run(lambda view: view.raw(key))
        return default if raw is None else values.decode(str(self.path), key, raw, type)

    async def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Store a value. `ttl`: seconds after which it is gone by itself."""
        values.checked(key)
        raw = values.encode(key, value)
        await self._change(lambda view: view.put(key, raw, ttl))

    async def delete(self, key: str) -> bool:
        """Forget a key; whether it was there."""
        values.checked(key)
        return await self._change(lambda view: view.delete(key))

    async def update(
        self, key: str, fn: Callable[[Any], Any], default: Any = None, *, ttl: float | None = None
    ) -> Any:
        """Set a key to `fn(its value, or default)`, and return that; nobody's change comes between.

        `fn` runs in the store's thread, perhaps more than once: it computes and does nothing else. What it raises comes
        through, and nothing is changed. Without `ttl`, the value expires when it would have before.
        """
        values.checked(key)
        return await self._change(updating(str(self.path), key, fn, default, ttl))

    # --- many --------------------------------------------------------------------------------------------------------

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, in order."""
        return await self._run(lambda view: view.keys(prefix))

    async def items(self, prefix: str = "") -> list[tuple[str, Any]]:
        """Keys that begin with `prefix`, in order, with their values."""
        return await self._run(lambda view: view.items(prefix))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """`async with store.transaction() as t`: changes by `t` are on disk together when the body is left, or not at
        all if it is left by an exception. One at a time: until then other changes wait, and reads see what was before.
        Inside it, `t` changes the store; `store.set` and the like raise UsageError.
        """
        self._refuse_inside()
        await self.open()
        async with self._changing:
            self._in_transaction = trio.lowlevel.current_task()
            transaction = Transaction(self._run, str(self.path))
            try:
                yield transaction
                await transaction.commit()
            finally:
                transaction.end()
                self._in_transaction = None

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _change(self, op: Op[T]) -> T:
        """In turn after a transaction that runs; changes of different tasks don't wait for one another."""
        self._refuse_inside()
        worker = await self._opened()
        async with self._changing:
            job = worker.submit(op)
        return await worker.outcome(job)

    async def _run(self, op: Op[T], *, writes: bool = False) -> T:
        worker = await self._opened()
        return await worker.outcome(worker.submit(op, writes=writes))

    async def _opened(self) -> Worker:
        if self._worker is None or self._closed:
            await self.open()
        assert self._worker is not None
        return self._worker

    def _refuse_inside(self) -> None:
        if self._in_transaction is trio.lowlevel.current_task():
            raise UsageError("a transaction is open in this task: change the store by it, and leave it first")
