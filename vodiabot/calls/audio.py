"""The audio of a call as a plugin holds it that works on samples."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from ..errors import UsageError
from ..ports import MediaAudio
from .leg import Leg


class CallAudio:
    """What `async with call.audio() as audio` gives. A frame is 20 ms of mono samples, int16 in native byte order, as
    bytes: `2 * rate // 50` of them.

    `async for frame in audio` gives one frame each 20 ms, silence where nothing came, and ends with the call.
    """

    def __init__(self, leg: Leg, media: MediaAudio) -> None:
        self._leg = leg
        self._media = media

    @property
    def rate(self) -> int:
        """Hz, both ways."""
        return self._media.rate

    @property
    def lost_in(self) -> int:
        """Frames of the other side that were dropped because they were not taken in time: the oldest go first."""
        return self._media.lost_in

    def __aiter__(self) -> CallAudio:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._media.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def receive(self) -> bytes:
        """The next frame of the other side. Raises CallEnded."""
        try:
            return await self._media.receive()
        except trio.EndOfChannel:
            raise self._leg.gone() from None

    async def send(self, samples: bytes) -> None:
        """Queue samples, any number, to be sent, mixed with what plays; waits while the queue is full, so that nothing
        is dropped. Raises CallEnded, UsageError for half a sample."""
        if len(samples) % 2:
            raise UsageError("audio: samples are of two bytes each, so half a sample is too much")
        await self._while_up(partial(self._media.send, samples))

    def clear(self) -> None:
        """Drop what is queued and has not left yet, as when the caller breaks in. Does not block."""
        self._media.clear()

    async def drain(self) -> None:
        """Returns when all that was queued has left. Raises CallEnded."""
        await self._while_up(self._media.drain)

    async def _while_up(self, work: Callable[[], Awaitable[None]]) -> None:
        if self._leg.ended is None:
            with self._leg.until_end():
                await work()
                return
        raise self._leg.gone()


@asynccontextmanager
async def open_audio(leg: Leg, rate: int, frames: int) -> AsyncIterator[CallAudio]:
    """See `Call.audio`."""
    async with leg.media.audio(rate=rate, frames=frames) as media:
        yield CallAudio(leg, media)
