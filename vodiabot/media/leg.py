"""The audio of one leg on the media loop: its peer connections, what plays, and who listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..errors import CallEnded, MediaError
from ..ports import (
    DtmfReceived,
    IceCandidate,
    MediaEvent,
    MediaLost,
    MediaStats,
    MediaUp,
    Recording,
)
from .audio import AUDIO_RATES
from .dtmf import digits_of, digits_source
from .one_way import LISTENED_EVERY, OneWay
from .pacer import Pacer
from .peer import Origin, Peer, PeerOptions
from .sdp import read_remote
from .sender import Press
from .sound import Sound
from .sources import as_source
from .stream import Stream
from .telephone_event import VOLUME, EventReceiver
from .unheard import Unheard

logger = logging.getLogger(__name__)

MAX_EARLY = 64
"""Candidates kept for generations that do not exist yet, together."""


@dataclass(frozen=True)
class Description:
    """Our offer or answer, and our candidates in it one by one."""

    sdp: str
    candidates: tuple[IceCandidate, ...]


class Leg:
    """See `ports.MediaLeg`; here with asyncio's coroutines.

    The newest generation is the one that signalling speaks of: only it tells events. The active one is the
    newest that has come up: only it sends and is heard. So an old connection carries the audio until its
    successor is up.
    """

    def __init__(
        self,
        label: str,
        options: PeerOptions,
        threads: Executor,
        tell: Callable[[MediaEvent], None],
        pacer: Pacer,
        slow_threads: Executor | None = None,
    ) -> None:
        self.label = label
        rate = AUDIO_RATES[options.codecs[0]]
        self.sound = Sound(threads, rate, self._digit, self._stream_failed, slow_threads)
        self._pacer = pacer
        self._counted: tuple[MediaStats, Stream | None] = (MediaStats(), None)
        self._events = EventReceiver()
        self._streaming = asyncio.Event()
        self._one_way, self._unheard = OneWay(), Unheard()
        self._options, self._tell_owner = options, tell
        self._origin = Origin(secrets.randbits(62))
        self._newest: Peer | None = None
        self._active: Peer | None = None
        self._told_up: set[int] = set()
        self._early: list[tuple[int, IceCandidate]] = []
        self._sending = True
        self._closed = False
        self._negotiating = asyncio.Lock()
        self._dialling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._users: set[asyncio.Task[Any]] = set()
        self._gone = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Nothing of it will be heard any more."""
        return self._closed

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
        return Description(sdp, tuple(peer.local_candidates()))

    # --- what peers tell ---

    def is_up(self, peer: Peer) -> None:
        if self._closed or peer is not self._newest:
            return
        old, self._active = self._active, peer
        self._begin_stream(peer)
        if old is not None:
            self._retire(old)
        if not self._told_up:
            self._spawn(self._listen())
        if peer.generation not in self._told_up:
            self._told_up.add(peer.generation)
            self._tell(MediaUp(peer.generation))

    def is_renegotiated(self, peer: Peer) -> None:
        stream = self._counted[1]
        if peer is self._active and stream is not None and peer.negotiated is not None:
            stream.renegotiated(peer.negotiated)
            self.sound.listens_for_digits = not stream.has_events
        self._set_gate()

    def consents(self, peer: Peer, answered: float | None) -> None:
        """Who does not hear us either way is no news, nor who has never answered; who is not heard is told so."""
        stream, now = self._counted[1], asyncio.get_running_loop().time()
        if peer is not self._active or stream is None or not self.sound.may_send:
            return
        if answered is None:
            self._unheard.answered()
        elif stream.last_packet is not None and now - stream.last_packet < LISTENED_EVERY:
            self._unheard.unanswered(answered, now)

    def _begin_stream(self, peer: Peer) -> None:
        assert peer.negotiated is not None
        self._end_stream()
        stream = Stream(peer.dtls, peer.ssrc, peer.negotiated, self.sound, self._events, self._unheard, peer.stream)
        self.sound.mixer.rate = peer.negotiated.codec.rate
        self.sound.listens_for_digits = not stream.has_events
        self._counted = (self._counted[0], stream)
        self._streaming.set()
        self._one_way.begin(stream.began)
        self._set_gate()
        self._pacer.add(stream)

    def _end_stream(self) -> None:
        past, stream = self._counted
        if stream is not None:
            self._pacer.remove(stream)
            self._counted = (_sum(past, stream.stats()), None)
            self._streaming.clear()
            stream.close()
            self.sound.fell_silent()

    def is_lost(self, peer: Peer, reason: str) -> None:
        if peer is self._active:
            self._active = None
            self._end_stream()
            self._set_gate()
        if peer is self._newest:
            self._newest = None
            self._tell(MediaLost(peer.generation, reason))
        self._retire(peer)

    # --- what the sound tells ---

    def _stream_failed(self, exc: Exception) -> None:
        if self._active is not None:
            self.is_lost(self._active, f"the audio failed: {exc or type(exc).__name__}")

    def _digit(self, digit: str) -> None:
        self._tell(DtmfReceived(digit))

    def _tell(self, event: MediaEvent) -> None:
        if not self._closed:
            self._tell_owner(event)

    # --- sending ---

    def set_sending(self, sending: bool) -> None:
        self._sending = sending
        self._set_gate()
        self._one_way.begin(asyncio.get_running_loop().time())  # on hold nobody has to be heard

    def _set_gate(self) -> None:
        self.sound.set_gate(self._sending and self._active is not None and self._active.may_send)

    async def play(self, source: object, gain: float, fade_in: float, fade_out: float) -> None:
        with self._use():
            await self.sound.mixer.play(as_source(source), gain=gain, fade_in=fade_in, fade_out=fade_out)

    async def send_dtmf(self, digits: str, duration: float, gap: float, volume: float = -VOLUME) -> None:
        digits = digits_of(digits)
        with self._use():
            async with self._dialling:
                for digit in digits:
                    await self._send_digit(digit, duration, gap, round(-volume))

    async def _send_digit(self, digit: str, duration: float, gap: float, volume: int) -> None:
        """As an event where the other side takes them, else as a tone; on another connection if the one goes away.
        Which it is, is known when the audio is up."""
        while not self._closed:
            await self._streaming.wait()
            stream = self._counted[1]
            if stream is None or not stream.has_events:
                break
            sent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            press = Press(digit, duration, gap, partial(_settle, sent), volume)
            stream.press(press)
            try:
                if await sent or self._closed:
                    return
            finally:
                stream.withdraw(press)  # not to be sent when nobody waits for it any more, as after a hold
        await self.sound.mixer.play(digits_source(digit, duration, gap, volume), alone=True)

    # --- listening ---

    async def record(
        self, path: Path, max_seconds: float | None, silence: float | None, stop_on: str, stereo: bool
    ) -> Recording:
        with self._use():
            return await self.sound.record(path, max_seconds, silence, stop_on, stereo)

    # --- counters ---

    def stats(self) -> MediaStats:
        """The counters now. From any thread: it only reads."""
        past, stream = self._counted
        return past if stream is None else _sum(past, stream.stats())

    async def _listen(self) -> None:
        """Watch whether the other side is heard, where it should be, and whether it hears us."""
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), LISTENED_EVERY)
            stream = self._counted[1]
            if stream is not None and self._sending and self._active is not None and self._active.may_receive:
                event = self._one_way.judge(stream.last_packet, asyncio.get_running_loop().time())
                if event is not None:
                    self._tell(event)
            if (news := self._unheard.take()) is not None:
                self._tell(news)

    # --- the end ---

    async def aclose(self) -> None:
        """Idempotent; a second caller waits for the first."""
        if not self._closed:
            self._closed = True
            self._gone.set()
            self._end_stream()
            self.sound.close()
            self._streaming.set()  # whoever waits for it finds the leg closed
            for peer in {p for p in (self._active, self._newest) if p}:
                self._retire(peer)
        users = self._users - {asyncio.current_task()}
        if users:
            await asyncio.wait(users)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _retire(self, peer: Peer) -> None:
        self._spawn(peer.close())

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


def _settle(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)


def _sum(past: MediaStats, now: MediaStats) -> MediaStats:
    """Counters of earlier connections and this one; what is not a counter is the newer's."""
    return msgspec.structs.replace(
        now,
        packets_sent=past.packets_sent + now.packets_sent,
        packets_received=past.packets_received + now.packets_received,
        packets_lost=past.packets_lost + now.packets_lost,
        packets_late=past.packets_late + now.packets_late,
        concealed=past.concealed + now.concealed,
    )
