"""The measure to be compared with: calls over stock aiortc in plain asyncio, no trio, no signalling worth the name."""

from __future__ import annotations

import asyncio
import fractions
import json
import math
import resource
import sys
import time
from array import array
from dataclasses import dataclass
from typing import Any

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


async def _connected(peer: RTCPeerConnection) -> None:
    up = asyncio.Event()

    def check() -> None:
        if peer.connectionState == "connected":
            up.set()

    peer.on("connectionstatechange", check)
    check()
    await up.wait()


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


async def measure(calls: int, seconds: float, codec: str = "PCMU") -> dict[str, Any]:
    """Set up the calls, let them settle, measure."""
    far = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.far_end", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert far.stdin is not None
    assert far.stdout is not None
    wanted = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.name.lower() == codec.lower()]
    peers, drains = [], set()
    for _ in range(calls):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = peer.addTransceiver(ToneTrack(440, 48000 if codec == "opus" else 8000), direction="sendrecv")
        transceiver.setCodecPreferences(wanted)
        peer.on("track", lambda track: drains.add(asyncio.ensure_future(drain(track))))
        await peer.setLocalDescription(await peer.createOffer())
        far.stdin.write(json.dumps({"sdp": peer.localDescription.sdp}).encode() + b"\n")
        answer = json.loads(await far.stdout.readline())
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        peers.append(peer)
    await asyncio.gather(*(_connected(peer) for peer in peers))
    await asyncio.sleep(1.0)
    before = Usage.now()
    await asyncio.sleep(seconds)
    cost = before.per_call_second(Usage.now(), calls)
    await asyncio.gather(*(peer.close() for peer in peers))
    for task in drains:
        task.cancel()
    far.stdin.close()
    await far.wait()
    return {"ms_per_call_second": cost}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]), float(sys.argv[2])))))  # noqa: T201 - the result
