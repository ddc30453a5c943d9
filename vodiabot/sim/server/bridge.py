"""The one file of the simulator that touches both loops: aiortc's asyncio loop has a thread of its own.

trio → asyncio by `call_soon_threadsafe`, asyncio → trio by the trio token; the trio thread never waits for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio

from ..core.effects import MediaNews
from .legs import Legs, MediaEffect

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT = 10.0
"""Seconds for all peer connections to say goodbye; they need some milliseconds each."""


class MediaThread:
    """The loop of the media, as trio sees it."""

    def __init__(self, codecs: tuple[str, ...], on_news: Callable[[MediaNews], None]) -> None:
        """`on_news` is called in the trio thread."""
        self._codecs, self._on_news = codecs, on_news
        self._token = trio.lowlevel.current_trio_token()
        self._ready, self._over = trio.Event(), trio.Event()
        self._thread = threading.Thread(target=self._main, name="sim-media", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._legs: Legs | None = None
        self._stop: asyncio.Event | None = None

    def do(self, step: MediaEffect) -> None:
        """Begin to carry out a media effect. Called in the trio thread; returns at once."""
        if self._loop and self._legs and not self._over.is_set():
            self._loop.call_soon_threadsafe(self._legs.do, step)

    @property
    def legs(self) -> int:
        """How many legs have media now."""
        return self._legs.count if self._legs else 0

    async def start(self) -> None:
        """Until the loop runs."""
        self._thread.start()
        await self._ready.wait()

    async def close(self) -> None:
        """Close all media and end the thread."""
        if self._loop and self._stop and not self._over.is_set():
            self._loop.call_soon_threadsafe(self._stop.set)
        await self._over.wait()
        self._thread.join()  # its last act was to say that it is over

    # --- in the media thread -----------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._token.run_sync_soon(self._over.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_complain)
        self._stop = asyncio.Event()
        self._legs = Legs(self._codecs, self._tell)
        self._token.run_sync_soon(self._ready.set)
        await self._stop.wait()
        await self._legs.close()

    def _tell(self, news: MediaNews) -> None:
        self._token.run_sync_soon(self._on_news, news)


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A task of aiortc failed with nobody to see it."""
    exc = context.get("exception")
    log.warning("media task failed", what=context.get("message", ""), error=repr(exc) if exc else "")


@asynccontextmanager
async def media_thread(
    codecs: tuple[str, ...], on_news: Callable[[MediaNews], None]
) -> AsyncIterator[MediaThread]:
    """A running media thread; left, all of it is closed, cancelled or not."""
    media = MediaThread(codecs, on_news)
    with trio.CancelScope(shield=True):
        await media.start()
    try:
        yield media
    finally:
        with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_TIMEOUT):
            await media.close()
