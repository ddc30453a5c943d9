"""What calls hold of the media room: `ports.MediaLeg`, `MediaAudio` and `MediaConference` on the trio side, each for
its other half on the media loop."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from ..errors import CallEnded, MediaError, UsageError
from ..ports import DtmfReceived, IceCandidate, LocalCandidate, MediaEvent, MediaLeg, MediaStats, Recording
from .conference import Conference
from .door import Door
from .leg import Description, Leg
from .pacer import Pacer
from .peer import PeerOptions

if TYPE_CHECKING:
    from .bridge import MediaLoopThread

logger = logging.getLogger(__name__)

MAX_WAITING_DIGITS = 256
"""Digits of one leg that may wait for a trio thread that is busy; later ones are dropped. No other event
can be many."""


class BridgedLeg:
    """`ports.MediaLeg` on the trio side, for a `Leg` on the media loop."""

    def __init__(
        self,
        label: str,
        on_event: Callable[[MediaEvent], None],
        options: PeerOptions,
        loop: MediaLoopThread,
        pacer: Pacer,
        on_closed: Callable[[BridgedLeg], None],
    ) -> None:
        self.label = label
        self._loop, self._on_event, self._on_closed = loop, on_event, on_closed
        self._leg = Leg(label, options, loop.files, self._tell, pacer, loop.streams)
        self._closed = False
        self._negotiating = 0
        self._held: deque[MediaEvent] = deque()
        self._digits_waiting = 0

    # --- events: told on the media loop, heard on the trio thread ---

    def _tell(self, event: MediaEvent) -> None:
        if isinstance(event, DtmfReceived):
            if self._digits_waiting >= MAX_WAITING_DIGITS:
                logger.warning("%s: digits dropped, the trio thread is busy", self.label)
                return
            self._digits_waiting += 1
        self._loop.to_trio(self._deliver, event)

    def _deliver(self, event: MediaEvent) -> None:
        if isinstance(event, DtmfReceived):
            self._digits_waiting -= 1
        self._held.append(event)
        self._flush()

    def _flush(self) -> None:
        """Events wait while a description is being made or applied: what follows from it comes after it."""
        while self._held and not self._negotiating:
            event = self._held.popleft()
            if self._closed:
                continue
            try:
                self._on_event(event)
            except Exception:
                logger.exception("%s: the handler of %r failed", self.label, event)

    @contextmanager
    def _before_its_events(self) -> Iterator[None]:
        self._negotiating += 1
        try:
            yield
        finally:
            self._negotiating -= 1
            # After the caller's next step, so that it has its description first.
            self._loop.to_trio(self._flush)

    async def _describe(self, generation: int, make: Callable[[], Coroutine[Any, Any, Description]]) -> str:
        with self._before_its_events():
            made = await self._loop.run(make)
            self._held.extendleft(LocalCandidate(generation, c) for c in (None, *reversed(made.candidates)))
        return made.sdp

    # --- ports.MediaLeg ---

    async def make_offer(self, generation: int) -> str:
        """See `ports.MediaLeg.make_offer`. LocalCandidate events follow, then None."""
        return await self._describe(generation, lambda: self._leg.make_offer(generation))

    async def make_answer(self, generation: int, offer: str) -> str:
        """See `ports.MediaLeg.make_answer`. LocalCandidate events follow, then None."""
        return await self._describe(generation, lambda: self._leg.make_answer(generation, offer))

    async def apply_answer(self, generation: int, answer: str) -> None:
        """See `ports.MediaLeg.apply_answer`."""
        with self._before_its_events():
            await self._loop.run(lambda: self._leg.apply_answer(generation, answer))

    async def add_candidate(self, generation: int, candidate: IceCandidate | None) -> None:
        """See `ports.MediaLeg.add_candidate`."""
        if not self._closed:
            with suppress(MediaError):
                await self._loop.run(lambda: self._leg.add_candidate(generation, candidate))

    def set_sending(self, sending: bool) -> None:
        """See `ports.MediaLeg.set_sending`. What plays waits while nothing is sent."""
        self._loop.post(self._leg.set_sending, sending)

    def set_muted(self, muted: bool) -> None:
        """See `ports.MediaLeg.set_muted`. What plays goes on unheard."""
        self._loop.post(self._leg.sound.set_muted, muted)

    async def play(self, source: Any, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0) -> None:
        """See `ports.MediaLeg.play`."""
        self._assert_open()
        await self._loop.run(lambda: self._leg.play(source, gain, fade_in, fade_out))

    async def send_dtmf(
        self, digits: str, *, duration: float = 0.1, gap: float = 0.06, volume: float = -10.0
    ) -> None:
        """See `ports.MediaLeg.send_dtmf`: as telephone-events where the other side takes them, else as tones; what
        plays meanwhile is silent. Raises UsageError for a wrong digit."""
        self._assert_open()
        await self._loop.run(lambda: self._leg.send_dtmf(digits, duration, gap, volume))

    async def record(
        self,
        path: Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
        stereo: bool = False,
    ) -> Recording:
        """See `ports.MediaLeg.record`: 8000 samples a second for PCMU and PCMA, else 16000."""
        self._assert_open()
        return await self._loop.run(lambda: self._leg.record(Path(path), max_seconds, silence, stop_on, stereo))

    @asynccontextmanager
    async def audio(self, *, rate: int = 16000, frames: int = 50) -> AsyncIterator[BridgedAudio]:
        """See `ports.MediaLeg.audio`."""
        if not 8000 <= rate <= 48000 or rate % 50 or frames < 1:
            raise UsageError(
                f"audio(rate={rate}, frames={frames}): 8000 to 48000 Hz, a multiple of 50, and at least one frame"
            )
        self._assert_open()
        audio = BridgedAudio(rate, frames, self._loop.to_trio)
        if not self._loop.post(self._leg.sound.add_door, audio.door):
            raise MediaError("the media engine is closed")
        try:
            yield audio
        finally:
            audio.door.leave()
            self._loop.post(self._leg.sound.remove_door, audio.door)

    def stats(self) -> MediaStats:
        """See `ports.MediaLeg.stats`."""
        return self._leg.stats()

    async def aclose(self) -> None:
        """See `ports.MediaLeg.aclose`. Is carried through even if it is cancelled."""
        self._closed = True
        self._on_closed(self)
        with suppress(MediaError):
            await self._loop.run(self._leg.aclose, cancellable=False)

    def _assert_open(self) -> None:
        if self._closed:
            raise CallEnded(reason="the audio is closed")


class BridgedAudio:
    """`ports.MediaAudio` on the trio side, for a `Door` on the media loop."""

    def __init__(self, rate: int, frames: int, to_trio: Callable[..., None]) -> None:
        self.rate = rate
        self.door = Door(rate, frames, lambda: to_trio(self._changed))
        self._news = trio.Event()
        self._sending = trio.StrictFIFOLock()
        self._cleared = 0

    @property
    def lost_in(self) -> int:
        """See `ports.MediaAudio`."""
        return self.door.lost_in

    async def receive(self) -> bytes:
        """See `ports.MediaAudio.receive`."""
        await trio.lowlevel.checkpoint()
        while (frame := self.door.receive()) is None:
            if self.door.closed:
                raise trio.EndOfChannel
            await self._news.wait()
        return frame

    async def send(self, samples: bytes) -> None:
        """See `ports.MediaAudio.send`: what there is no room for waits here, and is dropped by `clear` too. Raises
        UsageError for half a sample."""
        if len(samples) % 2:
            raise UsageError("audio: samples are of two bytes each, so half a sample is too much")
        rest, cleared = memoryview(samples), self._cleared

        def all_queued() -> bool:
            nonlocal rest
            rest = rest[self.door.send(rest) :] if cleared == self._cleared else rest[:0]
            return not rest

        async with self._sending:  # one after the other, also where each has to wait
            await self._until(all_queued)

    def clear(self) -> None:
        """See `ports.MediaAudio.clear`."""
        self._cleared += 1
        self.door.clear()
        self._changed()

    async def drain(self) -> None:
        """See `ports.MediaAudio.drain`."""
        await self._until(self.door.empty)

    async def _until(self, done: Callable[[], bool]) -> None:
        await trio.lowlevel.checkpoint()
        while True:
            if self.door.closed:
                raise CallEnded(reason="the audio is closed")
            if done():
                return
            await self._news.wait()

    def _changed(self) -> None:
        self._news.set()
        self._news = trio.Event()


class BridgedConference:
    """`ports.MediaConference` on the trio side."""

    def __init__(self, loop: MediaLoopThread) -> None:
        self._loop = loop
        self._conference = Conference()

    def add(self, leg: MediaLeg) -> None:
        """See `ports.MediaConference.add`."""
        self._loop.post(self._add, self._media_leg(leg))

    def _add(self, leg: Leg) -> None:
        if not leg.closed and not self._conference.closed:  # either may have ended on the way here
            self._conference.add(leg.sound)

    def remove(self, leg: MediaLeg) -> None:
        """See `ports.MediaConference.remove`."""
        self._loop.post(self._conference.remove, self._media_leg(leg).sound)

    def close(self) -> None:
        """See `ports.MediaConference.close`."""
        self._loop.post(self._conference.close)

    def _media_leg(self, leg: MediaLeg) -> Leg:
        if not isinstance(leg, BridgedLeg) or leg._loop is not self._loop:
            raise MediaError("only legs of one media engine can hear one another")
        return leg._leg
