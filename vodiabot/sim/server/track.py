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
from .sources import Live, Silence, Source
from .tones import Samples

FADE_SECONDS = 0.005
"""Over which an old feed goes over into a new one, so that nothing clicks."""

MAX_BEHIND = 0.5
"""Seconds of packets that are sent late in one go after a stall; what is older is never sent."""


class FeedTrack(MediaStreamTrack):
    """Encoded audio for aiortc's sender.

    `encoder` is called at the first packet, when the codec is known; `source` makes the source of a feed at a rate.
    """

    kind = "audio"

    def __init__(
        self, feed: Feed, encoder: Callable[[], Encoder], source: Callable[[Feed, int], Source]
    ) -> None:
        super().__init__()
        self._feed = feed
        self._make_encoder, self._make_source = encoder, source
        self._encoder: Encoder | None = None
        self._source: Source = Silence()
        self._playing: Feed | None = None
        self._due = 0.0
        self._clock = 0
        """RTP timestamp of the next packet, from 0."""

    def set_feed(self, feed: Feed) -> None:
        """From the next packet on."""
        self._feed = feed
        if isinstance(self._source, Live):
            self._source.wake()

    async def recv(self) -> Packet[Stream]:
        """The next packet, when it is due. Raises MediaStreamError once stopped."""
        if self._encoder is None:
            self._encoder = self._make_encoder()
            self._due = asyncio.get_running_loop().time()
        while self.readyState == "live":
            await self._slot()
            timestamp, self._clock = self._clock, self._clock + round(FRAME_SECONDS * self._encoder.clock)
            samples = self._next_samples(round(FRAME_SECONDS * self._encoder.rate))
            payload = b"" if samples is None else self._encoder.encode(samples)
            if payload:
                return _packet(payload, timestamp, self._encoder.clock)
        raise MediaStreamError

    async def _slot(self) -> None:
        """Wait until the next packet is due: by the clock, or by what a live source brings."""
        loop = asyncio.get_running_loop()
        assert self._encoder is not None
        if isinstance(self._source, Live) and self._feed == self._playing:
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
