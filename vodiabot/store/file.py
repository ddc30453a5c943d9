"""The SQLite file itself. All of it runs in one thread, the store's own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import StoreError
from .ops import Op, StoreView

T = TypeVar("T")

FORMAT = 0x76644B56
"""`application_id` of our files, so that no other database is taken for one."""

LOCK_SECONDS = 5.0
"""How long to wait for another process that has the file locked, such as a backup."""

FORGET_EVERY = 200
"""Commits after which what has expired is deleted; until then nobody sees it, but it takes up room."""

_SCHEMA = (
    "CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL) WITHOUT ROWID",
    "CREATE INDEX kv_expires ON kv (expires) WHERE expires IS NOT NULL",
)

Migrate = Callable[[StoreView, int], None]
"""A plugin's `migrate_store(store, version)`."""


class Outcome(Generic[T]):
    """One operation, and what came of it."""

    def __init__(self, op: Op[T], now: float, *, writes: bool = True) -> None:
        """`now`: seconds since the epoch, when it was asked for."""
        self.op = op
        self.now = now
        self.writes = writes
        self.value: T | None = None
        self.error: BaseException | None = None


class StoreFile:
    """An open file. Raises StoreError, which names the file, for whatever SQLite has against it."""

    def __init__(self, path: Path, now: float) -> None:
        self.path = path
        try:
            _make_folder(path.parent)
            self.db = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as exc:
            raise self._error(exc) from exc
        self._view = StoreView(self.db, str(path), now)
        self._commits = 0

    def open(self, version: int, migrate: Migrate | None) -> None:
        """Check it, and bring it to the plugin's version; all or nothing. Raises StoreError, and what `migrate` does.

        Checking reads the whole file: some 10 ms for 10 MB.
        """
        try:
            self._check()
            # WAL: a commit is one append and one fsync; FULL: and that fsync is before the acknowledgement
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self._bring_to(version, migrate)
                self.db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def _check(self) -> None:
        found = self.db.execute("PRAGMA application_id").fetchone()[0]
        tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found != FORMAT and (found or tables):
            raise StoreError(str(self.path), "this is a database, but not a store of vodiabot")
        verdict = self.db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            message = f"the file is damaged ({verdict}); put a backup in its place, or move it away"
            raise StoreError(str(self.path), message)

    def _bring_to(self, version: int, migrate: Migrate | None) -> None:
        if self._number("application_id") != FORMAT:
            for statement in _SCHEMA:
                self.db.execute(statement)
            self.db.execute(f"PRAGMA application_id = {FORMAT}")
            self.db.execute(f"PRAGMA user_version = {version}")
            return
        found = self._number("user_version")
        if found > version:
            message = f"it has version {found}, written by a newer plugin; this one knows {version} and leaves it alone"
            raise StoreError(str(self.path), message)
        if found < version:
            self._migrate(found, version, migrate)
        self._view.forget_expired()

    def _migrate(self, found: int, version: int, migrate: Migrate | None) -> None:
        if migrate is None:
            message = f"it has version {found}, the plugin wants {version} and has no migrate_store(store, version)"
            raise StoreError(str(self.path), message)
        migrate(self._view, found)
        self.db.execute(f"PRAGMA user_version = {version}")

    def _number(self, pragma: str) -> int:
        return int(self.db.execute(f"PRAGMA {pragma}").fetchone()[0])

    def run(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Run operations in order in one commit. Never raises: each outcome has its value or its error, and a value is
        on disk. If the commit fails, each is tried alone, so that one that is too much harms no other."""
        writes = any(outcome.writes for outcome in outcomes)
        begun = False
        try:
            # at once, as a transaction that only begins to write later fails where another process has written
            self.db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            begun = True
            self._carry_out(outcomes)
            self.db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._roll_back()
            for outcome in outcomes:
                if len(outcomes) == 1 or (outcome.writes and not begun):  # locked: it would be for each again
                    outcome.error = self._error(exc)
                else:
                    self.run([outcome])

    def _carry_out(self, outcomes: Sequence[Outcome[Any]]) -> None:
        self._commits += 1
        if self._commits % FORGET_EVERY == 0:
            self._view.forget_expired()
        for outcome in outcomes:
            outcome.error = None
            self._view.now = outcome.now
            self.db.execute("SAVEPOINT one")
            try:
                outcome.value = outcome.op(self._view)
            except sqlite3.Error:
                raise
            except BaseException as exc:  # noqa: BLE001 - a plugin's function; its caller gets it
                outcome.error = exc
                self.db.execute("ROLLBACK TO one")
            self.db.execute("RELEASE one")

    def _roll_back(self) -> None:
        if self.db.in_transaction:
            with suppress(sqlite3.Error):  # what made it fail is told; closing the file rolls back as well
                self.db.execute("ROLLBACK")

    def close(self) -> None:
        """Fold the WAL into the file and close it. Raises StoreError."""
        try:
            self.db.close()
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> StoreError:
        why = exc.strerror if isinstance(exc, OSError) else None
        return StoreError(str(self.path), why or str(exc))


def _make_folder(folder: Path) -> None:
    """The folder, which is nobody else's business (numbers of callers, say), and its own entry on disk: a file is only
    as durable as its name."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
