"""aiortc's own sender and receiver loops, joined to our mixer and listeners: the stock path.

Only these two pieces know `MediaStreamTrack`; a path of our own replaces them and leaves mixer, sources,
listeners and sinks as they are.
"""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from .audio import FRAME_SECONDS, Samples, mixed_down

MAX_LATE_SECONDS = 0.1
"""A frame that is later than this is not caught up with: the clock starts anew, and the RTP timestamp
jumps."""

Pull = Callable[[int], Samples]
"""20 ms at a rate: `Mixer.pull`."""
Push = Callable[[Samples, int, float], None]
"""Samples, their rate, and their time on the stream's own clock in seconds."""


class OutgoingTrack(MediaStreamTrack):
    """Gives aiortc's sender a frame each 20 ms while the gate is open, and nothing at all while it is
    shut."""

    kind = "audio"

    def __init__(self, pull: Pull) -> None:
        super().__init__()
        self.rate = 8000
        """Of the codec; set before the gate opens."""
        self.channels = 1
        """Two where aiortc's encoder wants two: turning one into two itself, it takes 3 dB off."""
        self.gate = asyncio.Event()
        self._pull = pull
        self._due: float | None = None
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        """The next frame, when its time has come."""
        await self._until_due()
        samples = self._pull(self.rate)
        layout = "mono" if self.channels == 1 else "stereo"
        frame = av.AudioFrame(format="s16", layout=layout, samples=len(samples))
        frame.planes[0].update(np.repeat(samples, self.channels).tobytes())
        frame.sample_rate, frame.pts = self.rate, self._pts
        frame.time_base = fractions.Fraction(1, self.rate)
        self._pts += len(samples)
        return frame

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.gate.wait()
            if self.readyState != "live":
                raise MediaStreamError
            now = loop.time()
            due = now if self._due is None else self._due + FRAME_SECONDS
            if now - due > MAX_LATE_SECONDS:
                missed = int((now - due) / FRAME_SECONDS)
                self._pts += missed * round(FRAME_SECONDS * self.rate)
                due += missed * FRAME_SECONDS
            if due > now:
                await asyncio.sleep(due - now)
            if self.gate.is_set():
                self._due = due
                return


async def drain(track: MediaStreamTrack, push: Push) -> None:
    """Hand everything of aiortc's receiver on until the track ends. It has to be emptied even if nobody
    listens."""
    while True:
        try:
            frame: Any = await track.recv()
        except MediaStreamError:
            return
        channels = frame.layout.nb_channels
        samples = np.frombuffer(bytes(frame.planes[0]), np.int16)[: frame.samples * channels]
        push(mixed_down(samples, channels), frame.sample_rate, float(frame.pts * frame.time_base))
