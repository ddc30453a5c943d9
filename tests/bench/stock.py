"""The measure to be compared with: a call over stock aiortc in plain asyncio, no trio, no signalling worth the name."""

from __future__ import annotations

import asyncio
import fractions
import math
import resource
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpsender import RTCRtpSender

FRAME = 0.02
"""Seconds a packet."""


class ToneTrack(MediaStreamTrack):
    """A tone of 8 kHz mono, paced; nothing has to be resampled for PCMU."""

    kind = "audio"

    def __init__(self, hz: float, rate: int = 8000) -> None:
        super().__init__()
        self._rate = rate
        self._samples = round(rate * FRAME)
        whole = [round(8000 * math.sin(2 * math.pi * hz * n / rate)) for n in range(rate)]
        self._second = array("h", whole).tobytes()
        self._count = 0
        self._start: float | None = None

    async def recv(self) -> av.AudioFrame:
        if self._start is None:
            self._start = time.monotonic()
        wait = self._start + self._count * FRAME - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        frame = av.AudioFrame(format="s16", layout="mono", samples=self._samples)
        at = (self._count * self._samples * 2) % len(self._second)
        frame.planes[0].update(self._second[at : at + self._samples * 2])
        frame.sample_rate = self._rate
        frame.pts = self._count * self._samples
        frame.time_base = fractions.Fraction(1, self._rate)
        self._count += 1
        return frame


async def drain(track: MediaStreamTrack) -> None:
    """Consume the other side's audio, as an application has to."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


@dataclass
class Usage:
    """CPU of this process (user and system) and wall clock, in seconds."""

    cpu: float
    wall: float

    @classmethod
    def now(cls) -> Usage:
        own = resource.getrusage(resource.RUSAGE_SELF)
        return cls(own.ru_utime + own.ru_stime, time.monotonic())

    def per_call_second(self, later: Usage, calls: int) -> float:
        """Milliseconds of CPU for each second of each call."""
        return 1000 * (later.cpu - self.cpu) / ((later.wall - self.wall) * calls)


class StockCall:
    """One call, our side."""

    def __init__(self, codec: str) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        wanted = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.name.lower() == codec.lower()]
        transceiver = self._peer.addTransceiver(
            ToneTrack(440, 48000 if codec == "opus" else 8000), direction="sendrecv"
        )
        transceiver.setCodecPreferences(wanted)
        self._drains: set[asyncio.Task[None]] = set()
        self._peer.on("track", self._track)
        self._up = asyncio.Event()
        self._peer.on("connectionstatechange", self._changed)

    def _track(self, track: MediaStreamTrack) -> None:
        self._drains.add(asyncio.ensure_future(drain(track)))

    def _changed(self) -> None:
        if self._peer.connectionState == "connected":
            self._up.set()

    async def connect(self, answer: Callable[[str], Awaitable[str]]) -> None:
        """`answer` turns our offer into the other side's answer."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        text = await answer(self._peer.localDescription.sdp)
        await self._peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
        await self._up.wait()

    async def close(self) -> None:
        await self._peer.close()
        for task in self._drains:
            task.cancel()
