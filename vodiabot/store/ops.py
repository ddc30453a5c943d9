"""The single operations, as they run in the store's thread: each gets the view of an open file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ..errors import StoreError
from . import values

T = TypeVar("T")

Op = Callable[["StoreView"], T]
"""Runs inside a database transaction; what it raises undoes what it did, and nothing else."""

REMOVED = object()
"""In place of a value: the key goes."""


class StoreView:
    """Keys and values inside one database transaction, without waiting: what a migration gets."""

    def __init__(self, db: sqlite3.Connection, file: str, now: float) -> None:
        self._db = db
        self._file = file
        self.now = now
        """Seconds since the epoch; told by whoever asks, whose clock may be one that only his thread can read."""

    def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:
        """See `Store.get`."""
        raw = self.raw(values.checked(key))
        return default if raw is None else values.decode(self._file, key, raw, type)

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """See `Store.set`."""
        self.put(values.checked(key), values.encode(key, value), ttl)

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        was_there = self.raw(values.checked(key)) is not None
        self._db.execute("DELETE FROM kv WHERE key = ?", (key,))
        return was_there

    def keys(self, prefix: str = "") -> list[str]:
        """See `Store.keys`."""
        return [key for key, _ in self.rows(prefix)]

    def items(self, prefix: str = "") -> list[tuple[str, Any]]:
        """See `Store.items`."""
        return [(key, values.decode(self._file, key, raw)) for key, raw in self.rows(prefix)]

    # --- as it lies in the file --------------------------------------------------------------------------------------

    def raw(self, key: str) -> bytes | None:
        """JSON, or None if there is no such key (any more)."""
        found = self._db.execute(
            "SELECT value FROM kv WHERE key = ? AND (expires IS NULL OR expires > ?)", (key, self.now)
        ).fetchone()
        return None if found is None else bytes(found[0])

    def put(self, key: str, raw: bytes, ttl: float | None) -> None:
        expires = None if ttl is None else self.now + ttl
        self._db.execute("INSERT OR REPLACE INTO kv (key, value, expires) VALUES (?, ?, ?)", (key, raw, expires))

    def put_in_place(self, key: str, raw: bytes) -> None:
        """Another value; it expires when the old one would have."""
        if self._db.execute("UPDATE kv SET value = ? WHERE key = ?", (raw, key)).rowcount == 0:
            self.put(key, raw, None)

    def rows(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        end = values.end_of(prefix)
        bound, limits = (" AND key < ?", (end,)) if end else ("", ())
        sql = f"SELECT key, value FROM kv WHERE key >= ?{bound} AND (expires IS NULL OR expires > ?) ORDER BY key"
        for key, raw in self._db.execute(sql, (prefix, *limits, self.now)):
            yield key, bytes(raw)

    def forget_expired(self) -> None:
        self._db.execute("DELETE FROM kv WHERE expires <= ?", (self.now,))


def updating(file: str, key: str, fn: Callable[[Any], Any], default: Any, ttl: float | None) -> Op[Any]:
    """See `Store.update`."""

    def op(view: StoreView) -> Any:
        before = view.raw(key)
        fresh = fn(default if before is None else values.decode(file, key, before))
        raw = values.encode(key, fresh)
        if before is None or ttl is not None:
            view.put(key, raw, ttl)
        else:
            view.put_in_place(key, raw)
        return fresh

    return op


def all_at_once(
    file: str, seen: Mapping[str, bytes | None], changes: Mapping[str, tuple[Any, float | None]]
) -> Op[None]:
    """What a transaction comes to: `changes` (JSON or REMOVED, with its time to live), if what it has read still holds.

    Raises StoreError if it does not: only another process can have changed it.
    """

    def op(view: StoreView) -> None:
        for key, raw in seen.items():
            if view.raw(key) != raw:
                raise StoreError(file, f"another process has changed {key!r} during a transaction; it was undone")
        for key, (change, ttl) in changes.items():
            if change is REMOVED:
                view.delete(key)
            else:
                view.put(key, change, ttl)

    return op
