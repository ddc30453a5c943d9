"""Where trio meets asyncio: the media engine, its thread, and the way between the two loops. No other file
knows both.

trio → asyncio: a coroutine is posted to the loop as a task, and its result awaited through a trio event.
asyncio → trio: the trio token's `run_sync_soon`. Nothing on the trio thread ever blocks on the audio, nor the
other way round.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Generic, TypeVar

import trio

from ..errors import MediaError
from ..ports import MediaEvent
from .audio import codec_names
from .bridged import BridgedConference, BridgedLeg
from .datagrams import MediaLoop
from .ice import ice_servers_of
from .pacer import Pacer
from .peer import PeerOptions

logger = logging.getLogger(__name__)
T = TypeVar("T")

FILE_THREADS = 16
"""Threads at most that read and write sound files for all calls. A job of theirs takes about a millisecond."""
STREAM_THREADS = 256
"""Threads at most that read from elsewhere for all calls: a server may keep one waiting for seconds, and one that sends
live sound, as a radio does, keeps one all the time. That must not starve those who play and record files."""
GRACE_SECONDS = 10.0
"""What a cancelled or closing piece of audio may take to tidy up; far more than it needs."""
DEFAULT_CODECS = ("opus", "PCMU", "PCMA")


# --- one piece of work --------------------------------------------------------------------------------------


class _Job(Generic[T]):
    """A coroutine on the media loop whose outcome trio waits for."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]], tell: Callable[[], None]) -> None:
        self._make, self._tell = make, tell
        self._task: asyncio.Task[None] | None = None
        self._value: T | None = None
        self._error: BaseException | None = MediaError("the media engine is closed")  # until it has run

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.ensure_future(self._run())
        # A task that is cancelled before its first step never gets into `_run`.
        self._task.add_done_callback(self._done)
        return self._task

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self._value = await self._make()
            self._error = None
        except Exception as exc:  # noqa: BLE001 (raised again by `result`, on the trio side)
            self._error = exc
        except asyncio.CancelledError:
            self._error = MediaError("the audio was stopped")

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._error = MediaError("the audio was stopped")
        self._tell()

    def result(self) -> T:
        """What the coroutine returned or raised; once it has been told, or the loop has ended."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


# --- the loop -----------------------------------------------------------------------------------------------


class MediaLoopThread:
    """An asyncio loop in a thread of its own, what runs on it, and the threads that read and write files for it."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self.files = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="vodiabot-files")
        self.streams = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="vodiabot-streams")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()
        self._waiting: set[trio.Event] = set()
        self._ending = False
        self._ready, self._ended = trio.Event(), trio.Event()
        self._thread = threading.Thread(target=self._main, name="vodiabot-media", daemon=True)

    async def start(self) -> None:
        self._thread.start()
        with trio.CancelScope(shield=True):  # of milliseconds; a thread half begun could not be ended
            await self._ready.wait()

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=MediaLoop) as runner:
                runner.run(self._serve())
        except Exception:
            logger.exception("the media loop died")
        finally:
            self._loop = None
            for threads in (self.files, self.streams):
                threads.shutdown(wait=True, cancel_futures=True)
            self.to_trio(self._over)

    def _over(self) -> None:
        for event in (self._ready, self._ended, *self._waiting):
            event.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.to_trio(self._ready.set)
        await self._stop.wait()
        self._ending = True
        for task in self._jobs:
            task.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    def to_trio(self, call: Callable[..., object], *args: Any) -> None:
        """Call it soon on the trio thread; not at all if trio has ended. From any thread."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(call, *args)

    def post(self, call: Callable[..., object], *args: Any) -> bool:
        """Call it soon on the media loop; False if that has ended."""
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(call, *args)
            return loop is not None
        except RuntimeError:
            return False

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]], *, cancellable: bool = True) -> T:
        """Await a coroutine of the media side. Cancelling cancels it there and waits until it is over."""
        done = trio.Event()
        job: _Job[T] = _Job(make, lambda: self.to_trio(done.set))
        if not self.post(self._start, job):
            raise MediaError("the media engine is closed")
        self._waiting.add(done)
        try:
            await self._outcome(job, done, cancellable)
        finally:
            self._waiting.discard(done)
        return job.result()

    async def _outcome(self, job: _Job[Any], done: trio.Event, cancellable: bool) -> None:
        try:
            await done.wait()
        except trio.Cancelled:
            if cancellable:
                self.post(job.cancel)
            with trio.move_on_after(GRACE_SECONDS, shield=True) as grace:
                await done.wait()
            if grace.cancelled_caught:
                logger.error("a cancelled piece of audio did not end within %g s", GRACE_SECONDS)
            raise

    def _start(self, job: _Job[Any]) -> None:
        if self._ending:
            return  # `_over` tells it
        task = job.start()
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def aclose(self) -> None:
        self.post(self._stop.set)
        with trio.move_on_after(GRACE_SECONDS, shield=True):
            await self._ended.wait()
            self._thread.join()
            return
        logger.error("the media thread did not end within %g s", GRACE_SECONDS)


# --- the engine ---------------------------------------------------------------------------------------------


class MediaEngine:
    """`ports.MediaPort`. Made by `open_media`."""

    def __init__(self, loop: MediaLoopThread, options: PeerOptions, max_legs: int | None) -> None:
        self._loop, self._options, self._max_legs = loop, options, max_legs
        self._legs: set[BridgedLeg] = set()
        self._pacer = Pacer()
        self._closed = False

    async def ping(self) -> None:
        """See `ports.MediaPort.ping`."""

        async def answer() -> None:
            return

        await self._loop.run(answer)

    def conference(self) -> BridgedConference:
        """See `ports.MediaPort.conference`."""
        if self._closed:
            raise MediaError("the media engine is closed")
        return BridgedConference(self._loop)

    def open(
        self,
        label: str,
        on_event: Callable[[MediaEvent], None],
        *,
        codecs: Sequence[str] | None = None,
    ) -> BridgedLeg:
        """See `ports.MediaPort.open`. Raises MediaError if there are `max_legs` already or the engine is closed,
        UsageError if no codec of the engine is left."""
        if self._closed:
            raise MediaError("the media engine is closed")
        if self._max_legs is not None and len(self._legs) >= self._max_legs:
            raise MediaError(f"{self._max_legs} calls have audio already")
        options = self._options
        if codecs is not None:
            narrowed = codec_names([c for c in codec_names(codecs) if c in options.codecs])
            options = PeerOptions(narrowed, options.ice_servers)
        leg = BridgedLeg(label, on_event, options, self._loop, self._pacer, self._legs.discard)
        self._legs.add(leg)
        return leg

    @property
    def legs(self) -> int:
        """How many are open."""
        return len(self._legs)

    async def aclose(self) -> None:
        """Close all legs, the threads and the loop. Idempotent; carried through even if it is cancelled."""
        self._closed = True
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for leg in list(self._legs):
                    nursery.start_soon(leg.aclose)
            await self._loop.aclose()


@asynccontextmanager
async def open_media(
    *,
    codecs: Sequence[str] = DEFAULT_CODECS,
    ice_servers: Sequence[str] = (),
    max_legs: int | None = None,
    switch_interval: float | None = None,
    short_collections: bool = False,
) -> AsyncIterator[MediaEngine]:
    """The media engine for as long as the body runs; afterwards no thread, task, socket or peer connection is
    left.

    `codecs`: in order of preference. `ice_servers`: `stun:host:port`, `turn:user:password@host:port`.
    `max_legs`: how many `open` gives at a time. `switch_interval`: seconds for `sys.setswitchinterval` meanwhile;
    0.0005 shortens the gaps in the audio that a plugin makes which computes in pure Python. `short_collections`: what
    exists now, all the imported code above all, is kept out of the garbage collections meanwhile (`gc.freeze`): a full
    one stops every thread for 50 ms else, and for 10 ms then with 20 calls. Both hold for the whole process, so they
    are the caller's decision. Raises UsageError for a wrong codec or server.
    """
    options = PeerOptions(codec_names(codecs), ice_servers_of(ice_servers))
    with _interpreter(switch_interval, short_collections):
        loop = MediaLoopThread()
        engine = MediaEngine(loop, options, max_legs)
        try:
            await loop.start()
            yield engine
        finally:
            await engine.aclose()


@contextmanager
def _interpreter(switch_interval: float | None, short_collections: bool) -> Iterator[None]:
    """What `open_media` asks of the whole process; afterwards it is as it was."""
    before = sys.getswitchinterval()
    if switch_interval is not None:
        sys.setswitchinterval(switch_interval)
    if short_collections:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        if short_collections:
            gc.unfreeze()
