"""The audio of the test phone: stock aiortc on an asyncio loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
import trio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from numpy.typing import NDArray

RATE = 8000
"""Hz of what is played."""

Samples = NDArray[np.int16]


class Loop:
    """asyncio for trio code."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="phone-media", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Await `work()` over there; not cancellable, and never long."""
        done = trio.Event()
        result: list[Any] = []

        def over(future: asyncio.Future[Any]) -> None:
            result.append(future)
            self._token.run_sync_soon(done.set)

        def begin() -> None:
            self._loop.create_task(work()).add_done_callback(over)

        self._loop.call_soon_threadsafe(begin)
        with trio.CancelScope(shield=True):
            await done.wait()
        return result[0].result()

    def soon(self, work: Callable[[], object]) -> None:
        """Call it over there."""
        self._loop.call_soon_threadsafe(work)

    async def close(self) -> None:
        await self.run(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@asynccontextmanager
async def open_loop() -> AsyncIterator[Loop]:
    loop = Loop()
    try:
        yield loop
    finally:
        with trio.CancelScope(shield=True):
            await loop.close()


class Player(MediaStreamTrack):
    """What the phone says: a queue of samples, silence where it is empty."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.pending = np.empty(0, dtype=np.int16)
        self._start = 0.0
        self._sent = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        count = RATE // 50
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self._sent / RATE - time.monotonic()))
        samples = np.zeros(count, dtype=np.int16)
        now, self.pending = self.pending[:count], self.pending[count:]
        samples[: len(now)] = now
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, Fraction(1, RATE)
        self._sent += count
        return frame


class Audio:
    """One peer connection. Its coroutines are for `Loop.run`."""

    make_player: Callable[[], Player] = Player

    def __init__(self, codecs: tuple[str, ...], on_candidate: Callable[[dict[str, Any] | None], None]) -> None:
        self._codecs, self._on_candidate = codecs, on_candidate
        self.up = False
        self.rate = 0
        self._heard: list[Samples] = []
        self._early: list[dict[str, Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._pc: RTCPeerConnection | None = None
        self.player: Player | None = None

    def _connection(self) -> RTCPeerConnection:
        if self._pc is None:
            pc = self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            self.player = self.make_player()
            pc.addTrack(self.player)
            pc.on("connectionstatechange", self._changed)
            pc.on("track", self._track)
            known = {c.name: c for c in RTCRtpSender.getCapabilities("audio").codecs}
            pc.getTransceivers()[0].setCodecPreferences([known[name] for name in self._codecs])
        return self._pc

    async def offer(self, direction: str = "sendrecv") -> str:
        pc = self._connection()
        pc.getTransceivers()[0].direction = direction
        await pc.setLocalDescription(await pc.createOffer())
        return self._local()

    async def accept(self, answer: str) -> None:
        """The PBX's answer; its older versions say actpass, which no answer may."""
        sdp = answer.replace("a=setup:actpass", "a=setup:passive")
        if "a=mid:" not in sdp:
            sdp = sdp.replace("a=rtcp-mux", "a=mid:0\r\na=rtcp-mux", 1)
        await self._connection().setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        await self._add_early()

    async def answer(self, offer: str, direction: str = "sendrecv") -> str:
        pc = self._connection()
        pc.getTransceivers()[0].direction = direction
        await pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        await self._add_early()
        await pc.setLocalDescription(await pc.createAnswer())
        return self._local()

    async def candidate(self, candidate: dict[str, Any]) -> None:
        if self._pc is None or self._pc.remoteDescription is None:
            self._early.append(candidate)
            return
        parsed = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
        parsed.sdpMid, parsed.sdpMLineIndex = candidate.get("sdpMid") or "0", candidate.get("sdpMLineIndex") or 0
        await self._pc.addIceCandidate(parsed)

    async def close(self) -> None:
        if self._pc:
            await self._pc.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def say(self, samples: Samples) -> None:
        self.append(samples)

    def append(self, samples: Samples) -> None:
        """To what is being said; for the loop's own thread."""
        assert self.player
        self.player.pending = np.concatenate([self.player.pending, samples])

    @property
    def seconds(self) -> float:
        """What `take` would give."""
        return sum(len(samples) for samples in self._heard) / (self.rate or RATE)

    async def take(self) -> Samples:
        """What was heard since the last time, mono, at `rate`."""
        heard, self._heard = self._heard, []
        return np.concatenate(heard) if heard else np.empty(0, dtype=np.int16)

    def _local(self) -> str:
        """Without candidates: they follow one by one, as a browser's do."""
        assert self._pc
        lines = self._pc.localDescription.sdp.splitlines()
        for line in lines:
            if line.startswith("a=candidate:"):
                self._on_candidate({"candidate": line[2:], "sdpMid": "0", "sdpMLineIndex": 0})
        self._on_candidate(None)
        kept = [x for x in lines if not x.startswith(("a=candidate:", "a=end-of-candidates"))]
        return "\r\n".join(kept) + "\r\n"

    async def _add_early(self) -> None:
        early, self._early = self._early, []
        for candidate in early:
            await self.candidate(candidate)

    def _changed(self) -> None:
        assert self._pc
        self.up = self._pc.connectionState == "connected"

    def _track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame: Any = await track.recv()
                self.rate = frame.sample_rate
                samples = frame.to_ndarray()[0]
                self._heard.append(samples[:: frame.layout.nb_channels].copy())
        except MediaStreamError:
            return


def tone(hz: float, seconds: float, amplitude: float = 8000) -> Samples:
    """To be said."""
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE), dtype=np.int16)


def loudest_hz(samples: Samples, rate: int) -> float:
    """The strongest frequency; nan in silence."""
    if len(samples) == 0 or np.abs(samples).max() < 200:
        return float("nan")
    padded = 1 << (len(samples) * 4 - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), padded))
    return float(np.argmax(spectrum) * rate / padded)


def level(samples: Samples, rate: int, hz: float) -> float:
    """Amplitude of one frequency."""
    if len(samples) == 0:
        return 0.0
    window = np.hanning(len(samples))
    wave = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate)
    return float(2 * np.abs(np.sum(samples * window * wave)) / window.sum())
