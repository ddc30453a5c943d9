"""asyncio libraries for plugins: a loop in a thread of its own, apart from the audio's, so that a plugin that blocks it
harms only itself."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog
import trio

from .errors import AsyncioCancelled, NotAllowed

T = TypeVar("T")

GRACE = 5.0
"""Seconds that coroutines which are cancelled have to tidy up; who blocks the loop for longer is left behind."""

A_MOMENT = 0.0005
"""Seconds between two looks, in tests with virtual time."""

log = structlog.get_logger(__name__)


class _Job(Generic[T]):
    """A coroutine on the asyncio loop whose outcome a trio task waits for."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]], tell: Callable[[], None]) -> None:
        self._make, self._tell = make, tell
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[None] | None = None
        self.value: T | None = None
        self.error: BaseException | None = AsyncioCancelled("the asyncio loop has ended")  # until it has run

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop."""
        self._task = loop.create_task(self._run(), context=self._context)
        self._task.add_done_callback(self._over)

    def cancel(self) -> None:
        """On the loop."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self.value = await self._make()
            self.error = None
        except asyncio.CancelledError:
            self.error = AsyncioCancelled("the coroutine was cancelled on the asyncio side")
        except BaseException as exc:  # noqa: BLE001 - raised again where it is waited for; sys.exit() must not end the loop
            self.error = exc

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before its first step
            self.error = AsyncioCancelled("the coroutine was cancelled on the asyncio side")
        self._tell()


class AsyncioThread:
    """One loop and its thread, from the first `run` to `aclose`; after that a `run` starts afresh."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = trio.Lock()
        self._loop: _Loop | None = None

    @property
    def running(self) -> bool:
        return self._loop is not None

    async def run(self, fn: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Await `fn(*args)` on the loop. Cancelling cancels it there, and waits until it has tidied up.

        Raises what it raises; AsyncioCancelled if it was cancelled there.
        """
        async with self._lock:
            if self._loop is None:
                loop = _Loop(self._name)
                await loop.start()
                self._loop = loop
        return await self._loop.run(fn, *args)

    async def aclose(self) -> None:
        """Cancel all tasks of the loop, end it, and join the thread. Idempotent; carried through if cancelled."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                loop, self._loop = self._loop, None
                if loop is not None:
                    await loop.aclose()


async def _patiently(done: trio.Event) -> None:
    """In virtual time, the clock would jump while all of trio waits for the other thread: so one task does not."""
    while hasattr(trio.lowlevel.current_clock(), "autojump_threshold") and not done.is_set():
        time.sleep(A_MOMENT)  # noqa: ASYNC251 - never in real time
        await trio.lowlevel.checkpoint()
    await done.wait()


class _Loop:
    """A loop that runs."""

    def __init__(self, name: str) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._ready, self._ended = trio.Event(), trio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._waiting: set[trio.Event] = set()
        self._name = name
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    async def start(self) -> None:
        self._thread.start()
        with trio.CancelScope(shield=True):  # of milliseconds
            await self._ready.wait()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._loop = None
            self._in_trio(self._over)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._in_trio(self._ready.set)
        await self._stop.wait()  # then `asyncio.run` cancels all tasks that are left, and waits for them

    def _over(self) -> None:
        for event in (self._ready, self._ended, *self._waiting):
            event.set()

    def _in_trio(self, call: Callable[[], object]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(call)

    def _post(self, call: Callable[..., object], *args: Any) -> bool:
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(call, *args)
            return loop is not None
        except RuntimeError:  # closed meanwhile
            return False

    async def run(self, fn: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        done = trio.Event()
        job: _Job[T] = _Job(lambda: fn(*args), lambda: self._in_trio(done.set))
        self._waiting.add(done)
        try:
            if not self._post(lambda: job.start(asyncio.get_running_loop())):
                raise NotAllowed("the asyncio loop has ended")
            await self._outcome(job, done)
        finally:
            self._waiting.discard(done)
        if job.error is not None:
            raise job.error
        return job.value  # type: ignore[return-value]

    async def _outcome(self, job: _Job[Any], done: trio.Event) -> None:
        try:
            await _patiently(done)
        except trio.Cancelled:
            self._post(job.cancel)
            with trio.move_on_after(GRACE, shield=True) as grace:
                await done.wait()
            if grace.cancelled_caught:
                log.error("a cancelled coroutine goes on on the asyncio side", thread=self._name, grace=GRACE)
            raise

    async def aclose(self) -> None:
        self._post(self._stop.set)
        with trio.move_on_after(GRACE, shield=True):
            await self._ended.wait()
            self._thread.join()
            return
        self._over()
        log.error("an asyncio loop is blocked and is left behind", thread=self._name, grace=GRACE)
