"""`ports.MediaAudio` in virtual time: frames pass as they would, and what a plugin sends is kept for the test."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import numpy as np
import trio

from ..errors import CallEnded, UsageError
from .samples import Utterances
from .sounds import Sound

FRAMES_A_SECOND = 50

VOICE_HZ = 200
"""Of what stands for a voice."""

Work = Callable[[], Awaitable[object]]


class VirtualAudio:
    """One opened door. A frame of the other side comes each 20 ms: the next one of `says`, which the test may fill, or
    silence. What is sent leaves as fast as it would be heard."""

    def __init__(
        self,
        label: str,
        rate: int,
        frames: int,
        *,
        up: Work,
        while_open: Callable[[Work], Awaitable[None]],
        tell: Callable[[Sound], None],
    ) -> None:
        """`up` returns when audio can flow; `while_open` does some work, and raises CallEnded when the leg closes;
        `tell` is told when something that is sent begins to be heard, and when it ends."""
        if not 8000 <= rate <= 48000 or frames < 1:
            raise UsageError(f"audio(rate={rate}, frames={frames}): 8000 to 48000 Hz, and at least one frame")
        self.rate = rate
        self.says: deque[bytes] = deque()
        """Frames that the other side says next."""
        self._label, self._up, self._while_open = label, up, while_open
        self._frame = rate // FRAMES_A_SECOND
        self._frames = frames
        self._began: float | None = None
        self._ended: float | None = None
        self._come = 0
        self._in: deque[bytes] = deque()
        self._lost = 0
        self._out = bytearray()
        self._empty_at = 0.0
        self._news = trio.Event()
        self._utterances = Utterances(rate, tell)

    # --- for the test ------------------------------------------------------------------------------------------------

    @property
    def sent(self) -> bytes:
        """All samples that have left so far."""
        return bytes(self._out[: len(self._out) - 2 * self._queued()])

    def hear(self, sound: Sound) -> None:
        """The other side says it: a tone of its length stands for the voice."""
        seconds = max(0.0, sound.until - trio.current_time())
        samples = 8000 * np.sin(2 * np.pi * VOICE_HZ * np.arange(round(seconds * self.rate)) / self.rate)
        raw = samples.astype(np.int16).tobytes()
        self._let_pass()
        self.says.extend(raw[at : at + 2 * self._frame] for at in range(0, len(raw), 2 * self._frame))

    # --- see `ports.MediaAudio` --------------------------------------------------------------------------------------

    @property
    def lost_in(self) -> int:
        self._let_pass()
        return self._lost

    async def receive(self) -> bytes:
        self._let_pass()
        if self._in or self._ended is not None:
            await trio.lowlevel.checkpoint()
        while True:
            self._let_pass()
            if self._in:
                return self._in.popleft()
            if self._ended is not None:
                raise trio.EndOfChannel
            next_frame = math.inf if self._began is None else self._began + (self._come + 1) / FRAMES_A_SECOND
            with trio.move_on_at(next_frame):
                await self._news.wait()

    async def send(self, samples: bytes) -> None:
        if len(samples) % 2:
            raise UsageError("audio: samples are of two bytes each, so half a sample is too much")
        await self._work(self._up)
        while (surplus := self._queued() - self._frames * self._frame + 1) > 0:
            await self._work(partial(trio.sleep, surplus / self.rate))
        self._out += samples
        self._empty_at = max(trio.current_time(), self._empty_at) + len(samples) / 2 / self.rate
        self._utterances.sent(samples, self._empty_at)

    def clear(self) -> None:
        if queued := self._queued():
            del self._out[-2 * queued :]
            self._utterances.cut()
        self._empty_at = 0.0

    async def drain(self) -> None:
        await self._work(trio.lowlevel.checkpoint)
        while self._queued():
            await self._work(lambda: trio.sleep_until(self._empty_at))

    # --- the leg's side ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Audio flows. Idempotent."""
        if self._began is None:
            self._began = trio.current_time()
            self._changed()

    def close(self) -> None:
        """The plugin has left, or the leg is closed. Idempotent."""
        if self._ended is None:
            self._let_pass()
            self.clear()
            self._utterances.cut()
            self._ended = trio.current_time()
            self._changed()

    def _changed(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _queued(self) -> int:
        """Samples that have not left."""
        return max(0, round((self._empty_at - trio.current_time()) * self.rate))

    def _let_pass(self) -> None:
        """Let those frames come that came since."""
        if self._began is None or self._ended is not None:
            return
        # a little more than elapsed, as sums of 0.02 fall short of what they should be
        come = int((trio.current_time() - self._began) * FRAMES_A_SECOND + 1e-6)
        for _ in range(come - self._come):
            self._in.append(self.says.popleft() if self.says else bytes(2 * self._frame))
        self._come = come
        while len(self._in) > self._frames:
            self._in.popleft()
            self._lost += 1

    async def _work(self, work: Work) -> None:
        if self._ended is not None:
            raise CallEnded(self._label, "the audio is closed")
        await self._while_open(work)
