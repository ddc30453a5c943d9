"""The one outgoing track of a leg's peer connection: 20 ms after 20 ms, whatever it is fed with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.packet import Packet
from av.stream import Stream

from ..core.effects import Feed
from .codecs import FRAME_SECONDS, Encoder
from .keypad import Keypad, Slot
from .outgoing import Dress
from .sources import Live, Silence, Source
from .tones import Samples

FADE_SECONDS = 0.005
"""Over which an old feed goes over into a new one, so that nothing clicks."""

MAX_BEHIND = 0.5
"""Seconds of packets that are sent late in one go after a stall; what is older is never sent."""


class FeedTrack(MediaStreamTrack):
    """Encoded audio for aiortc's sender.

    `encoder` is called at the first packet, when the codec is known; `source` makes the source of a feed at a rate.
    `events` gives payload type and rate of telephone-events; None: keys are pressed in-band.
    """

    kind = "audio"

    def __init__(
        self,
        feed: Feed,
        encoder: Callable[[], Encoder],
        source: Callable[[Feed, int], Source],
        events: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        super().__init__()
        self.worn = Dress(0)
        """By the packet that was handed out last."""
        self._feed = feed
        self._make_event = events
        self._keypad = Keypad()
        self._make_encoder, self._make_source = encoder, source
        self._encoder: Encoder | None = None
        self._source: Source = Silence()
        self._playing: Feed | None = None
        self._due = 0.0
        self._clock = 0
        self._event: tuple[int, int] | None = None
        """Payload type and rate, while a key is pressed by telephone-event."""

    def set_feed(self, feed: Feed) -> None:
        """From the next packet on."""
        self._feed = feed
        if isinstance(self._source, Live):
            self._source.wake()

    def press(self, keys: str) -> None:
        """In place of what is fed, one key after the other."""
        self._keypad.press(keys)

    @property
    def pressing(self) -> bool:
        """Whether keys are being pressed."""
        return self._keypad.busy

    @property
    def clock(self) -> int:
        """RTP timestamp of the next packet, from 0."""
        return self._clock

    async def recv(self) -> Packet[Stream]:
        """The next packet, when it is due. Raises MediaStreamError once stopped."""
        if self._encoder is None:
            self._encoder = self._make_encoder()
            self._due = asyncio.get_running_loop().time()
        while self.readyState == "live":
            await self._slot()
            timestamp, self._clock = self._clock, self._clock + round(FRAME_SECONDS * self._encoder.clock)
            samples = self._next_samples(round(FRAME_SECONDS * self._encoder.rate))
            slot = self._keypad.next(timestamp)
            packet = self._audio(samples, timestamp) if slot is None else self._key(slot, timestamp)
            if packet is not None:
                return packet
        raise MediaStreamError

    def _audio(self, samples: Samples | None, timestamp: int) -> Packet[Stream] | None:
        assert self._encoder is not None
        payload = b"" if samples is None else self._encoder.encode(samples)
        self.worn = Dress(timestamp)
        return _packet(payload, timestamp, self._encoder.clock) if payload else None

    def _key(self, slot: Slot, timestamp: int) -> Packet[Stream] | None:
        """A key, in whichever way the client takes it."""
        assert self._encoder is not None
        count = round(FRAME_SECONDS * self._encoder.rate)
        if slot.first:
            self._event = self._make_event()
        if self._event is None:
            return self._audio(slot.tones(self._encoder.rate, count), timestamp)
        event_type, rate = self._event
        if not (payload := slot.event(rate)):
            return self._audio(slot.tones(self._encoder.rate, count), timestamp)
        self.worn = Dress(slot.start, event_type, slot.first)
        return _packet(payload, slot.start, self._encoder.clock)

    async def _slot(self) -> None:
        """Wait until the next packet is due: by the clock, or by what a live source brings."""
        loop = asyncio.get_running_loop()
        assert self._encoder is not None
        if isinstance(self._source, Live) and self._feed == self._playing and not self.pressing:
            await self._source.wait(round(FRAME_SECONDS * self._encoder.rate), self._due)
            self._due = loop.time() + FRAME_SECONDS
            return
        if (ahead := self._due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        missed = max(0, int((loop.time() - self._due - MAX_BEHIND) / FRAME_SECONDS))
        self._clock += missed * round(FRAME_SECONDS * self._encoder.clock)
        self._due += (missed + 1) * FRAME_SECONDS

    def _next_samples(self, count: int) -> Samples | None:
        if self._feed == self._playing:
            return self._source.read(count)
        assert self._encoder is not None
        old, self._playing = self._source, self._feed
        self._source = self._make_source(self._feed, self._encoder.rate)
        ending = old.read(count)
        old.close()
        return _cross_faded(ending, self._source.read(count), round(FADE_SECONDS * self._encoder.rate))

    def stop(self) -> None:
        """Idempotent."""
        super().stop()
        self._source.close()


def _packet(payload: bytes, timestamp: int, clock: int) -> Packet[Stream]:
    packet: Packet[Stream] = Packet(payload)
    packet.pts = timestamp
    packet.time_base = Fraction(1, clock)
    return packet


def _cross_faded(old: Samples | None, new: Samples | None, length: int) -> Samples | None:
    if old is None or new is None:
        return new
    rising = np.linspace(0.0, 1.0, length)
    mixed = new.copy()
    mixed[:length] = np.rint(new[:length] * rising + old[:length] * (1.0 - rising)).astype(np.int16)
    return mixed
