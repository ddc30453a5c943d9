"""The thread that owns a store's file. Tasks hand it operations; those that wait together are committed together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from ..errors import StoreError
from .file import Migrate, Outcome, StoreFile
from .ops import Op

T = TypeVar("T")

GROUP = 500
"""Operations at most in one commit: some milliseconds of work, so that none waits long for the others."""


class _Job(Outcome[T]):
    """An operation that a trio task waits for."""

    def __init__(self, op: Op[T], now: float, *, writes: bool) -> None:
        super().__init__(op, now, writes=writes)
        self.done = trio.Event()
        self.abandoned = False


class Worker:
    """One thread from `start` to `aclose`."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._token = trio.lowlevel.current_trio_token()
        self._opened = trio.Event()
        self._ended = trio.Event()
        self._failed: BaseException | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    async def start(self, version: int, migrate: Migrate | None) -> None:
        """Open the file. Raises StoreError, and what `migrate` raises; then nothing is left."""
        name = f"vodiabot-store-{self._path.stem}"
        begin = (version, migrate, self._wall())
        self._thread = threading.Thread(target=self._main, args=begin, name=name, daemon=True)
        self._thread.start()
        with trio.CancelScope(shield=True):  # a migration must not go on when nobody knows of it
            await self._opened.wait()
        if self._failed is not None:
            await self.aclose()
            raise self._failed

    def submit(self, op: Op[T], *, writes: bool = True) -> _Job[T]:
        """Queue an operation; they run in this order. Raises StoreError when closed."""
        if self._closing:
            raise StoreError(str(self._path), "the store is closed")
        job: _Job[T] = _Job(op, self._wall(), writes=writes)
        self._jobs.put(job)
        return job

    async def outcome(self, job: _Job[T]) -> T:
        """What came of it, once it is on disk. Cancelled: it is not carried out unless it had begun."""
        try:
            await job.done.wait()
        except trio.Cancelled:
            job.abandoned = True
            raise
        if job.error is not None:
            raise job.error
        return job.value  # type: ignore[return-value]

    async def aclose(self) -> None:
        """What waits is still carried out; then the file is closed and the thread gone. Idempotent, and carried
        through even if it is cancelled."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        with trio.CancelScope(shield=True):
            await self._ended.wait()
        if self._thread is not None:
            self._thread.join()

    def _over(self) -> None:
        """The thread is at its end, by a mistake of ours too: nobody is left waiting for it."""
        self._closing = True
        with suppress(queue.Empty):
            while True:
                if (job := self._jobs.get_nowait()) is not None:
                    job.error = StoreError(str(self._path), "the store is closed")
                    job.done.set()
        self._opened.set()
        self._ended.set()

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _main(self, version: int, migrate: Migrate | None, now: float) -> None:
        try:
            file = StoreFile(self._path, now)
            try:
                file.open(version, migrate)
                self._in_trio(self._opened.set)
                self._serve(file)
            finally:
                file.close()
        except BaseException as exc:  # noqa: BLE001 - told to whoever opens it
            self._failed = exc
        finally:
            self._in_trio(self._over)

    def _serve(self, file: StoreFile) -> None:
        while (job := self._jobs.get()) is not None:
            group, last = self._grouped(job)
            if wanted := [job for job in group if not job.abandoned]:
                file.run(wanted)
            self._in_trio(partial(_all_done, group))
            if last:
                return

    def _grouped(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
        """It and all that wait behind it; whether the end came, too."""
        group = [first]
        with suppress(queue.Empty):
            while len(group) < GROUP:
                job = self._jobs.get_nowait()
                if job is None:
                    return group, True
                group.append(job)
        return group, False

    def _in_trio(self, call: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(call)


class InPlace(Worker):
    """Without a thread, for virtual time: a clock that jumps whenever all tasks wait would outrun a thread."""

    async def start(self, version: int, migrate: Migrate | None) -> None:
        self._file = StoreFile(self._path, self._wall())
        try:
            self._file.open(version, migrate)
        except BaseException:
            self._file.close()
            raise
        await trio.lowlevel.checkpoint()

    def submit(self, op: Op[T], *, writes: bool = True) -> _Job[T]:
        if self._closing:
            raise StoreError(str(self._path), "the store is closed")
        job: _Job[T] = _Job(op, self._wall(), writes=writes)
        self._file.run([job])
        job.done.set()
        return job

    async def aclose(self) -> None:
        if not self._closing:
            self._closing = True
            self._file.close()
        await trio.lowlevel.cancel_shielded_checkpoint()


def worker_for(path: Path, wall: Callable[[], float]) -> Worker:
    """As time is: trio's, or virtual."""
    virtual = hasattr(trio.lowlevel.current_clock(), "autojump_threshold")
    return InPlace(path, wall) if virtual else Worker(path, wall)


def _all_done(group: list[_Job[Any]]) -> None:
    for job in group:
        job.done.set()
