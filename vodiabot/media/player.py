"""One source being played, on the media loop: reads ahead in the reader threads, gives samples when asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np

from ..errors import CallEnded
from .audio import FRAME_SECONDS, NOTHING, Samples, resampled
from .sources import AtRate, Source

T = TypeVar("T")

READ_AHEAD_SECONDS = 0.6
"""Sound kept ready, so that a slow read is not heard; 48 kB at 48000 a second."""
READ_SECONDS = 0.5
"""Sound read in one go in a reader thread; a hop there and back costs as much as five frames of a call."""
FADE_SECONDS = 0.005
"""What is stopped fades over this time: shorter clicks, longer lags."""


MAX_PLAYERS = 100
"""Of one leg, those included that were stopped while nothing was sent and wait to fade."""


class Player:
    """Plays one source once. Everything here runs on the media loop, except `_open` and `_read`."""

    def __init__(self, source: Source, readers: Executor, *, alone: bool = False) -> None:
        self.alone = alone
        """While it plays, other sounds are silent (but go on): digits need a clean line."""
        self._source = source
        self._readers = readers
        self._lock = threading.Lock()  # of _reader: closing may meet a read that is still under way
        self._reader: AtRate | None = None
        self._buffer = NOTHING
        self._rate = 0
        self._eof = False
        self._fading = False
        self._started = False
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._ended = asyncio.Event()

    # --- the owner's side ---

    async def open(self, rate: int) -> None:
        """Open the source and read its beginning. Raises SourceError."""
        self._rate = rate
        await self._fill()

    async def run(self) -> None:
        """Keep the buffer filled until the last sample has left. Raises SourceError, or CallEnded after
        `end`."""
        while not self._eof:
            self._wake.clear()
            if len(self._buffer) < READ_AHEAD_SECONDS * self._rate:
                await self._fill()
            else:
                await self._or_ended(self._wake.wait())
        await self._or_ended(self._over.wait())

    def end(self) -> None:
        """The call is over: `run` raises CallEnded."""
        self._ended.set()

    def fade_out(self) -> None:
        """Stop with the next frame, which fades to silence."""
        self._fading = True
        if not self._started:
            self._buffer = NOTHING

    def close(self) -> None:
        """Give the source back, in a reader thread. Idempotent."""
        self._eof = True
        self._readers.submit(self._close)

    async def _fill(self) -> None:
        rate = self._rate
        loop = asyncio.get_running_loop()
        read = loop.run_in_executor(self._readers, self._read, rate, round(READ_SECONDS * rate))
        block = await self._or_ended(read)
        self._eof = self._eof or block is None
        if block is not None:
            self._buffer = np.concatenate((self._buffer, resampled(block, rate, self._rate)))

    async def _or_ended(self, what: Awaitable[T]) -> T:
        """The result of `what`; CallEnded if the call ends first (then a read may still be under way: it
        is let go)."""
        task, ended = asyncio.ensure_future(what), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise CallEnded(reason="the audio was closed")
            return task.result()
        finally:
            for future in (task, ended):
                future.cancel()
            await asyncio.gather(task, ended, return_exceptions=True)

    # --- the pacer's side ---

    @property
    def finished(self) -> bool:
        """Nothing more will come."""
        return self._over.is_set() or (self._eof and not len(self._buffer))

    def pull(self, n: int, rate: int) -> Samples:
        """Up to `n` samples at `rate`; fewer at the end, or when the reader is late."""
        if rate != self._rate:
            self._buffer = resampled(self._buffer, self._rate, rate)
            self._rate = rate
        out, self._buffer = self._buffer[:n], self._buffer[n:]
        self._started = self._started or bool(len(out))
        if self._fading:
            out = _faded(out, round(FADE_SECONDS * rate))
            self._buffer, self._eof = NOTHING, True
        if len(self._buffer) < READ_AHEAD_SECONDS * rate:
            self._wake.set()
        if self.finished:
            # Over when this frame's time is, not when the frame is made.
            asyncio.get_running_loop().call_later(FRAME_SECONDS, self._over.set)
        return out

    # --- in a reader thread ---

    def _read(self, rate: int, wanted: int) -> Samples | None:
        with self._lock:
            if self._reader is None:
                self._reader = AtRate(self._source.open(rate), rate)
            self._reader.retune(rate)
            blocks: list[Samples] = []
            while sum(map(len, blocks)) < wanted and (block := self._reader.read()) is not None:
                blocks.append(block)
        return np.concatenate(blocks) if blocks else None

    def _close(self) -> None:
        with self._lock:
            if self._reader is not None:
                self._reader.close()


def _faded(samples: Samples, n: int) -> Samples:
    """The first `n` samples, falling to zero."""
    head = samples[:n]
    return (head * np.linspace(1, 0, len(head))).astype(np.int16)


class Mixer:
    """All that a leg plays, summed to one stream of frames. Whoever sends asks it for 20 ms at a time."""

    def __init__(self, readers: Executor, rate: int) -> None:
        self.muted = False
        """Send silence in place of what plays; it goes on unheard."""
        self.rate = rate
        """Of the codec in use, or expected."""
        self._readers = readers
        self._players: list[Player] = []
        self._closed = False

    async def play(self, source: Source, *, alone: bool = False) -> None:
        """Returns when the last sample has left. Raises SourceError, CallEnded. Cancelling fades it out at
        once."""
        if self._closed:
            raise CallEnded(reason="the audio is closed")
        player = Player(source, self._readers, alone=alone)
        self._players = [*self._players[-MAX_PLAYERS:], player]
        try:
            await player.open(self.rate)
            await player.run()
        finally:
            player.fade_out()
            player.close()

    def pull(self, rate: int) -> Samples | None:
        """The next 20 ms at `rate`; None for silence."""
        n = round(FRAME_SECONDS * rate)
        self.rate = rate
        if not self._players:
            return None
        if len(self._players) == 1 and not self.muted:
            return self._only(self._players[0], n, rate)
        alone = any(p.alone for p in self._players)
        mixed = np.zeros(n, np.int32)
        for player in self._players:
            samples = player.pull(n, rate)
            if (player.alone or not alone) and not self.muted:
                mixed[: len(samples)] += samples
        self._players = [p for p in self._players if not p.finished]
        return np.clip(mixed, -32768, 32767).astype(np.int16)

    def _only(self, player: Player, n: int, rate: int) -> Samples:
        """What most calls do most of the time: one thing plays, and nothing has to be mixed."""
        samples = player.pull(n, rate)
        if player.finished:
            self._players = []
        return samples if len(samples) == n else np.concatenate((samples, np.zeros(n - len(samples), np.int16)))

    def end(self) -> None:
        """The call is over: everything that plays raises CallEnded. Idempotent."""
        self._closed = True
        for player in self._players:
            player.end()
        self._players.clear()


