"""Sources being played, on the media loop: read ahead in the reader threads, or inline, and mixed when asked."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import CallEnded, MediaError, SourceError
from .audio import FRAME_SECONDS, NOTHING, RAMP_SECONDS, Gate, Samples, Turned, mixed, to_int16
from .edges import Edges
from .sources import AtRate, Source, is_inline, is_quick

logger = logging.getLogger(__name__)
T = TypeVar("T")

READ_AHEAD_SECONDS = 0.6
"""Sound kept ready, so that a slow read is not heard; 19 kB at 16000 a second."""
READ_SECONDS = 0.5
"""Sound read in one go in a reader thread; a hop there and back costs as much as five frames of a call."""
MAX_PLAYERS = 100
"""Of one leg at once: far more than anybody can tell apart."""


class Player:
    """Plays one source once. Everything here runs on the media loop, except `_read` and `_close` of a source that is
    not inline."""

    def __init__(
        self,
        source: Source,
        readers: Executor,
        *,
        gain: float = 0.0,
        fade_in: float = 0.0,
        fade_out: float = 0.0,
        alone: bool = False,
    ) -> None:
        self.alone = alone
        """While it plays, other sounds are silent (but go on): digits need a clean line."""
        self._source, self._readers = source, readers
        self._inline = is_inline(source)
        self._factor = 10 ** (gain / 20)
        self._fade_in, self._fade_out = fade_in, max(RAMP_SECONDS, fade_out)
        self._lock = threading.Lock()  # of _reader: closing may meet a read that is still under way
        self._reader: AtRate | None = None
        self._buffer = NOTHING
        self._rate = 0
        """Of the buffer: that of the call when it was opened."""
        self._turned: Turned | None = None
        """The call has another rate now, or had."""
        self._last = NOTHING
        self._edges = Edges()
        self._eof = False
        self._played = 0.0  # seconds
        self._failed: Exception | None = None
        self._late_failure: Exception | None = None
        """What the next read raises: what was read before it is played first."""
        self._fading: float | None = None  # seconds of the fade that have been heard
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._ended = asyncio.Event()

    # --- the owner's side ---

    async def open(self, rate: int) -> None:
        """Open the source and read its beginning. Raises SourceError."""
        self._rate = rate
        if self._inline:
            self._top_up(1)
        else:
            await self._fill()
        if not len(self._buffer):
            self._raise_failure()

    async def run(self) -> None:
        """Keep the buffer filled until the last sample has left, also of a source that fails on the way. Raises
        SourceError, or CallEnded after `end`."""
        while not self._eof and not self._inline:
            self._wake.clear()
            before = len(self._buffer)
            if before >= READ_AHEAD_SECONDS * self._rate:
                await self._or_ended(self._wake.wait())
                continue
            await self._fill()
            if len(self._buffer) <= before and not self._eof:
                await self._or_ended(asyncio.sleep(FRAME_SECONDS))  # a source that has nothing yet
        await self._or_ended(self._over.wait())
        self._raise_failure()

    def end(self) -> None:
        """The call is over: `run` raises CallEnded."""
        self._ended.set()

    def fade_out(self) -> None:
        """Stop: the next frames fade to silence, over 5 ms or as long as was asked for."""
        if not self._played:
            self._buffer, self._eof = NOTHING, True
        if self._fading is None:
            self._fading = 0.0
            if self._inline and not self._eof:
                self._top_up(round(self._fade_out * self._rate))
            # Not longer than there is sound: it would be cut short.
            self._fade_out = max(RAMP_SECONDS, min(self._fade_out, len(self._buffer) / self._rate))

    def close(self) -> None:
        """Give the source back, what is buffered may still fade. Idempotent."""
        self._eof = True
        if self._inline:
            self._close()
        else:
            self._readers.submit(self._close)

    async def _fill(self) -> None:
        read = asyncio.get_running_loop().run_in_executor(self._readers, self._read)
        try:
            block = await self._or_ended(read)
        except CallEnded:
            raise
        except Exception as exc:  # noqa: BLE001 (a plugin's source may raise anything; `run` raises it again)
            self._failed, block = exc, None
        self._eof = self._eof or block is None
        if block is not None:
            self._buffer = np.concatenate((self._buffer, block))

    def _raise_failure(self) -> None:
        if isinstance(self._failed, SourceError):
            raise self._failed
        if self._failed is not None:
            why = str(self._failed) or type(self._failed).__name__
            raise SourceError(f"can't be played: {why}") from self._failed

    async def _or_ended(self, what: Awaitable[T]) -> T:
        """The result of `what`; CallEnded if the call ends first (then a read may still be under way: it is let go)."""
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
    def stopped(self) -> bool:
        """It only fades."""
        return self._fading is not None

    @property
    def finished(self) -> bool:
        """Nothing more will come."""
        if self._turned is not None and self._turned.pending:
            return False
        return self._over.is_set() or (self._eof and not len(self._buffer))

    def pull(self, n: int, rate: int) -> Samples:
        """Up to `n` samples, 20 ms at `rate`; fewer at the end, or when the source is late."""
        if rate == self._rate and self._turned is None:
            out = self._last = self._take(n)
        else:
            if self._turned is None:
                self._turned = Turned(self._rate, self._take, self._last)
            out = self._turned.pull(rate)
        if self.finished:
            # Over when this frame's time is, not when the frame is made.
            asyncio.get_running_loop().call_later(FRAME_SECONDS, self._over.set)
        return out

    def _take(self, n: int) -> Samples:
        """Up to `n` samples of the buffer."""
        if self._inline and len(self._buffer) <= n and not self._eof:
            self._top_up(n + 1)  # one more than is needed: so the end is known when the last sample leaves
        out, self._buffer = self._buffer[:n], self._buffer[n:]
        if self._factor != 1.0 or self._fading is not None or self._played < self._fade_in:
            out = self._shaped(out)
        if len(out) == n and not self._edges.broken:
            self._edges.before = out
        elif not self._eof or self._failed is not None:  # it is late, or broke off; its own end is as it is
            soft = self._edges.through(out, n, self._rate)
            out = NOTHING if soft is None else soft
        self._played += len(out) / self._rate
        if len(self._buffer) < READ_AHEAD_SECONDS * self._rate:
            self._wake.set()
        return out

    def _top_up(self, n: int) -> None:
        """Of an inline source, which may have nothing yet. What it raises is its player's, not the call's."""
        try:
            reader = self._opened()
            while len(self._buffer) < n:
                block = reader.read()
                self._eof = block is None
                if block is None or not len(block):
                    return
                self._buffer = np.concatenate((self._buffer, block)) if len(self._buffer) else block
        except BaseException as exc:  # noqa: BLE001 (as in `_read`)
            self._failed, self._eof = _as_exception(exc), True

    def _shaped(self, out: Samples) -> Samples:
        """Louder or softer, fading in or out."""
        at = np.arange(len(out), dtype=np.float32) / self._rate
        factor: npt.NDArray[np.float32] = np.full(len(out), self._factor, np.float32)
        if self._played < self._fade_in:
            factor *= np.clip((self._played + at) / self._fade_in, 0, 1)
        if self._fading is not None:
            factor *= np.clip(1 - (self._fading + at) / self._fade_out, 0, 1)
            self._fading += len(out) / self._rate
            if self._fading >= self._fade_out:
                self._buffer, self._eof = NOTHING, True
        return to_int16(out * factor)

    # --- in a reader thread, or inline ---

    def _read(self) -> Samples | None:
        blocks: list[Samples] = []
        with self._lock:
            if self._late_failure is not None:
                raise self._late_failure
            try:
                reader = self._opened()
                while sum(map(len, blocks)) < READ_SECONDS * self._rate and (block := reader.read()) is not None:
                    blocks.append(block)
                    if not len(block):  # nothing yet
                        break
            except BaseException as exc:  # noqa: BLE001 (sys.exit() in a plugin's source would end all calls)
                failure = _as_exception(exc)
                if not blocks:
                    raise failure  # noqa: B904 (it may be the same)
                self._late_failure = failure
        return np.concatenate(blocks) if blocks else None

    def _opened(self) -> AtRate:
        if self._reader is None:
            self._reader = AtRate(self._source.open(self._rate), self._rate)
        return self._reader

    def _close(self) -> None:
        with self._lock:
            if self._reader is not None:
                try:
                    self._reader.close()
                except BaseException:
                    logger.exception("a source that was played can't be closed")


def _as_exception(exc: BaseException) -> Exception:
    return exc if isinstance(exc, Exception) else SourceError(f"can't be played: it raised {type(exc).__name__}")


class Mixer:
    """All that a leg plays, summed to one stream of frames. Whoever sends asks it for 20 ms at a time."""

    def __init__(self, readers: Executor, rate: int, slow_readers: Executor | None = None) -> None:
        """`slow_readers`: for sources that may wait for others than the disk; None: the same ones."""
        self.rate = rate
        """Of the codec in use, or expected."""
        self._readers, self._slow_readers = readers, slow_readers or readers
        self._players: list[Player] = []
        self._others = Gate()
        """What plays beside the one that plays alone."""
        self._paused = False
        self._closed = False

    async def play(
        self, source: Source, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0, alone: bool = False
    ) -> None:
        """Returns when the last sample has left: when the 20 ms are over that it is in. Cancelling fades it out, at
        once or over `fade_out` seconds. `gain` in dB. Raises SourceError, CallEnded, MediaError if too many play."""
        if self._closed:
            raise CallEnded(reason="the audio is closed")
        if len(self._players) >= MAX_PLAYERS:
            raise MediaError(f"{MAX_PLAYERS} sounds play in this call already")
        readers = self._readers if is_quick(source) else self._slow_readers
        player = Player(source, readers, gain=gain, fade_in=fade_in, fade_out=fade_out, alone=alone)
        self._players = [*self._players, player]
        try:
            await player.open(self.rate)
            await player.run()
        finally:
            player.fade_out()
            player.close()
            self._forget_stopped()

    def pause(self, paused: bool) -> None:
        """Nothing is sent (a hold): what plays waits, and what is stopped has been cut off already and does not fade
        when the other side hears us again."""
        self._paused = paused
        self._forget_stopped()

    def _forget_stopped(self) -> None:
        if self._paused:
            self._players = [p for p in self._players if not p.stopped]

    def pull(self, rate: int) -> Samples | None:
        """The next 20 ms at `rate`; None for silence."""
        n = round(FRAME_SECONDS * rate)
        self.rate = rate
        players = self._players
        if not players:
            return None
        self._others.open = len(players) == 1 or not any(p.alone for p in players)
        if len(players) == 1 and self._others.settled:
            return self._only(players[0], n, rate)
        alone = self._sum([p for p in players if p.alone], n, rate)
        others = self._others.through(self._sum([p for p in players if not p.alone], n, rate), rate)
        self._players = [p for p in players if not p.finished]
        return others if alone is None else mixed(alone, [others])

    def _sum(self, players: list[Player], n: int, rate: int) -> Samples | None:
        if not players:
            return None
        total = np.zeros(n, np.int32)
        for player in players:
            samples = player.pull(n, rate)
            total[: len(samples)] += samples
        return np.clip(total, -32768, 32767).astype(np.int16)

    def _only(self, player: Player, n: int, rate: int) -> Samples | None:
        """What most calls do most of the time: one thing plays, and nothing has to be mixed."""
        samples = player.pull(n, rate)
        if player.finished:
            self._players = []
        if not len(samples):
            return None
        return samples if len(samples) == n else np.concatenate((samples, np.zeros(n - len(samples), np.int16)))

    def end(self) -> None:
        """The call is over: everything that plays raises CallEnded. Idempotent."""
        self._closed = True
        for player in self._players:
            player.end()
        self._players.clear()
