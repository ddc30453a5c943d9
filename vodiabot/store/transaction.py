"""Several changes that are on disk together or not at all."""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import UsageError
from . import values
from .ops import REMOVED, Op, all_at_once


class Run(Protocol):
    """Has an operation run in the store's thread."""

    async def __call__(self, op: Op[Any], *, writes: bool = False) -> Any: ...


class Transaction:
    """What `async with store.transaction() as t` gives: it reads what is in the store with its own changes over it,
    and its changes reach the disk together, when the body is left; never, if it is left by an exception or killed."""

    def __init__(self, run: Run, file: str) -> None:
        self._run = run
        self._file = file
        self._seen: dict[str, bytes | None] = {}
        self._changes: dict[str, tuple[Any, float | None]] = {}
        self._over = False

    async def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:
        """See `Store.get`."""
        raw = await self._raw(values.checked(key))
        return default if raw is None else values.decode(self._file, key, raw, type)

    async def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """As `Store.set`, when the body is left."""
        self._check()
        self._changes[values.checked(key)] = (values.encode(key, value), ttl)

    async def delete(self, key: str) -> bool:
        """As `Store.delete`, when the body is left."""
        was_there = await self._raw(values.checked(key)) is not None
        self._changes[key] = (REMOVED, None)
        return was_there

    async def keys(self, prefix: str = "") -> list[str]:
        """See `Store.keys`."""
        return [key for key, _ in await self._rows(prefix)]

    async def items(self, prefix: str = "") -> list[tuple[str, Any]]:
        """See `Store.items`."""
        return [(key, values.decode(self._file, key, raw)) for key, raw in await self._rows(prefix)]

    async def _raw(self, key: str) -> bytes | None:
        self._check()
        if key in self._changes:
            change = self._changes[key][0]
            return None if change is REMOVED else change
        raw: bytes | None = await self._run(lambda view: view.raw(key))
        self._seen[key] = raw
        return raw

    async def _rows(self, prefix: str) -> list[tuple[str, bytes]]:
        self._check()
        there: dict[str, Any] = dict(await self._run(lambda view: list(view.rows(prefix))))
        there |= {key: change for key, (change, _) in self._changes.items() if key.startswith(prefix)}
        return sorted((key, raw) for key, raw in there.items() if raw is not REMOVED)

    def _check(self) -> None:
        if self._over:
            raise UsageError("the transaction is over: use it inside its `async with`")

    async def commit(self) -> None:
        """By the store, when the body is left."""
        self._over = True
        if self._changes:
            await self._run(all_at_once(self._file, self._seen, self._changes), writes=True)

    def end(self) -> None:
        """Nothing more is taken. Idempotent."""
        self._over = True
