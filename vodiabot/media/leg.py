"""The audio of one leg on the media loop: its peer connections, what plays, and who listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CallEnded, MediaError
from ..ports import DtmfReceived, IceCandidate, MediaEvent, MediaLost, MediaStats, MediaUp, Recording
from .audio import AUDIO_RATES, Resampler, Samples
from .dtmf import RATE as DTMF_RATE
from .dtmf import DtmfDetector, digits_source
from .peer import Origin, Peer, PeerOptions
from .player import Mixer
from .sdp import read_remote
from .sinks import Recorder, Sink
from .sources import as_source

logger = logging.getLogger(__name__)

STATS_SECONDS = 1.0
"""How old the counters that `stats` gives may be."""
MAX_EARLY = 64
"""Candidates kept for generations that do not exist yet, together."""


@dataclass(frozen=True)
class Description:
    """Our offer or answer, and our candidates in it one by one."""

    sdp: str
    candidates: tuple[IceCandidate, ...]


class DigitListener:
    """Finds in-band DTMF in what is heard."""

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found = found
        self._detector = DtmfDetector()
        self._resampler = Resampler(DTMF_RATE, DTMF_RATE)

    def push(self, samples: Samples, rate: int) -> None:
        if rate != self._resampler.rate:
            self._resampler = Resampler(rate, DTMF_RATE)
        for digit in self._detector.feed(self._resampler.feed(samples)):
            self._found(digit)


class Leg:
    """See `ports.MediaLeg`; here with asyncio's coroutines.

    The newest generation is the one that signalling speaks of: only it tells events. The active one is the
    newest that has come up: only it sends and is heard. So an old connection carries the audio until its
    successor is up.
    """

    def __init__(
        self, label: str, options: PeerOptions, threads: Executor, tell: Callable[[MediaEvent], None]
    ) -> None:
        self.label = label
        self.snapshot = MediaStats()
        """The counters, at most a second old. Read from any thread."""
        self._options, self._threads, self._tell_owner = options, threads, tell
        self._origin = Origin(secrets.randbits(62))
        self._mixer = Mixer(threads, AUDIO_RATES[options.codecs[0]])
        self._digits = DigitListener(self._digit)
        self._sinks: list[Sink] = []
        self._newest: Peer | None = None
        self._active: Peer | None = None
        self._told_up: set[int] = set()
        self._early: list[tuple[int, IceCandidate]] = []
        self._past = MediaStats()
        self._sending = True
        self._closed = False
        self._negotiating = asyncio.Lock()
        self._dialling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._users: set[asyncio.Task[Any]] = set()
        self._gone = asyncio.Event()

    # --- offers and answers ---

    async def make_offer(self, generation: int) -> Description:
        async with self._negotiation():
            peer = self._new_peer(generation)
            return await self._described(peer, peer.offer())

    async def make_answer(self, generation: int, offer: str) -> Description:
        remote = read_remote(offer, "offer")
        async with self._negotiation():
            peer = self._newest
            if peer is None or peer.generation != generation or not peer.fits(remote):
                peer = self._new_peer(generation)
            return await self._described(peer, peer.answer(remote))

    async def apply_answer(self, generation: int, answer: str) -> None:
        async with self._negotiation():
            peer = self._newest
            if peer is None or peer.generation != generation:
                logger.debug("%s: answer to a replaced offer left out", self.label)
                return
            await peer.apply(answer)
            self._set_gates()

    async def add_candidate(self, generation: int, candidate: IceCandidate | None) -> None:
        peers = {p.generation: p for p in (self._active, self._newest) if p}
        if generation in peers:
            await peers[generation].add_candidate(candidate)
        elif candidate is not None and (self._newest is None or generation > self._newest.generation):
            self._early = [*self._early, (generation, candidate)][-MAX_EARLY:]

    @contextlib.asynccontextmanager
    async def _negotiation(self) -> AsyncIterator[None]:
        async with self._negotiating:
            if self._closed:
                raise MediaError("the audio of this call is closed")
            yield

    def _new_peer(self, generation: int) -> Peer:
        return Peer(generation, self._options, self._origin, self)

    async def _described(self, peer: Peer, making: Coroutine[Any, Any, str]) -> Description:
        """Make `peer` the newest if its description succeeds; else all stays as it was."""
        before = self._newest
        self._newest = peer
        try:
            for generation, candidate in self._early:
                if generation == peer.generation:
                    await peer.add_candidate(candidate)
            sdp = await making
        except BaseException:
            making.close()
            if peer is not before:
                self._newest = before
                self._spawn(peer.close())
            raise
        self._early = [item for item in self._early if item[0] > peer.generation]
        if before is not None and before not in (peer, self._active):
            self._retire(before)
        self._set_gates()
        return Description(sdp, tuple(peer.local_candidates()))

    # --- what peers tell ---

    def pull(self, rate: int) -> Samples:
        return self._mixer.pull(rate)

    def heard(self, peer: Peer, samples: Samples, rate: int, time: float) -> None:
        if peer is not self._active:
            return
        for sink in list(self._sinks):
            sink.push(samples, rate, peer.stream, time)
        self._digits.push(samples, rate)

    def is_up(self, peer: Peer) -> None:
        if self._closed or peer is not self._newest:
            return
        old, self._active = self._active, peer
        self._mixer.rate = peer.track.rate
        self._set_gates()
        if old is not None:
            self._retire(old)
        if not self._told_up:
            self._spawn(self._keep_stats())
        if peer.generation not in self._told_up:
            self._told_up.add(peer.generation)
            self._tell(MediaUp(peer.generation))

    def is_lost(self, peer: Peer, reason: str) -> None:
        if peer is self._active:
            self._active = None
        if peer is self._newest:
            self._newest = None
            self._tell(MediaLost(peer.generation, reason))
        self._retire(peer)

    def _digit(self, digit: str) -> None:
        self._tell(DtmfReceived(digit))
        for sink in list(self._sinks):
            sink.digit(digit)

    def _tell(self, event: MediaEvent) -> None:
        if not self._closed:
            self._tell_owner(event)

    # --- sending ---

    def set_sending(self, sending: bool) -> None:
        self._sending = sending
        self._set_gates()

    def set_muted(self, muted: bool) -> None:
        self._mixer.muted = muted

    def _set_gates(self) -> None:
        for peer in filter(None, (self._active, self._newest)):
            is_open = peer is self._active and self._sending and peer.may_send
            (peer.track.gate.set if is_open else peer.track.gate.clear)()

    async def play(self, source: object) -> None:
        with self._use():
            await self._mixer.play(as_source(source))

    async def send_dtmf(self, digits: str, duration: float, gap: float) -> None:
        source = digits_source(digits, duration, gap)
        with self._use():
            async with self._dialling:
                await self._mixer.play(source, alone=True)

    # --- listening ---

    async def record(
        self, path: Path, max_seconds: float | None, silence: float | None, stop_on: str
    ) -> Recording:
        with self._use():
            # 8 kHz codecs hold nothing more; of the others 16 kHz hold all of a voice.
            rate = 8000 if self._mixer.rate == 8000 else 16000
            recorder = Recorder(
                path, rate, self._threads, max_seconds=max_seconds, silence=silence, stop_on=stop_on
            )
            self._sinks.append(recorder)
            try:
                return await recorder.run()
            finally:
                self._sinks.remove(recorder)

    # --- counters ---

    async def _keep_stats(self) -> None:
        while not self._closed:
            if self._active is not None:
                self.snapshot = _sum(self._past, await self._active.stats())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), STATS_SECONDS)

    # --- the end ---

    async def aclose(self) -> None:
        """Idempotent; a second caller waits for the first."""
        if not self._closed:
            self._closed = True
            self._gone.set()
            self._mixer.end()
            for sink in self._sinks:
                if isinstance(sink, Recorder):
                    sink.stop("ended")
            for peer in {p for p in (self._active, self._newest) if p}:
                self._retire(peer)
        users = self._users - {asyncio.current_task()}
        if users:
            await asyncio.wait(users)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _retire(self, peer: Peer) -> None:
        self._spawn(self._close_peer(peer))

    async def _close_peer(self, peer: Peer) -> None:
        if peer.up:
            last = await peer.stats()
            self._past = _sum(self._past, last)
            self.snapshot = self._past
        await peer.close()

    def _spawn(self, coro: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coro)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("%s: media task failed", self.label, exc_info=exc)

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        """The current task works with this leg: `aclose` waits for it. Raises CallEnded if it is closed."""
        if self._closed:
            raise CallEnded(reason="the audio is closed")
        task = asyncio.current_task()
        assert task is not None
        self._users.add(task)
        try:
            yield
        finally:
            self._users.discard(task)


def _sum(past: MediaStats, now: MediaStats) -> MediaStats:
    """Counters of earlier connections and this one; what is not a counter is the newer's."""
    return MediaStats(
        codec=now.codec or past.codec,
        packets_sent=past.packets_sent + now.packets_sent,
        packets_received=past.packets_received + now.packets_received,
        packets_lost=past.packets_lost + now.packets_lost,
        jitter=now.jitter,
        round_trip=now.round_trip,
    )
