"""What comes in on one leg: stands before aiortc's receiver, which would drop telephone-events and take the gap that
they leave for a loss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from . import rtp
from .rtp import Rtp, ahead
from .telephone_event import FORGOTTEN, EventListener, duration_of

SILENCE = {
    "PCMU": (b"\xff" * 160, b"\xff"),
    "PCMA": (b"\xd5" * 160, b"\xd5"),
    "G722": (b"\xfa" * 160, b"\xfa"),
    "opus": (b"\xf8\xff\xfe", b"\xe0\xff\xfe"),
}
"""Codec → 20 ms of silence, and the least bit of it (of Opus 2.5 ms)."""

CLOCKS = {"opus": 48_000}
"""Hertz of a codec's timestamps, where they aren't 8000."""


def clock_of(codec: str) -> int:
    """Hertz of a codec's timestamps."""
    return CLOCKS.get(codec, 8000)


class Incoming:
    """Takes the place of a DTLS transport's handler of packets, for its life."""

    def __init__(self, transport: Any, on_key: Callable[[str], None]) -> None:
        """`on_key` is told each press of a telephone-event, as it begins."""
        self._hand_on = transport._handle_rtp_data
        transport._handle_rtp_data = self._take
        self._on_key = on_key
        self._listener = EventListener()
        self._stand_in: int | None = None
        """Timestamp of the silence that last stood in for an event."""
        self.events: frozenset[int] = frozenset()
        """The payload types of telephone-events."""
        self.codec, self.payload_type = "PCMU", 0
        """Of the audio."""
        self.tap: Callable[[Rtp], Awaitable[None]] | None = None
        """Is given every packet."""

    async def _take(self, data: bytes, arrival_time_ms: int) -> None:
        try:
            packet = rtp.parse(data)
        except rtp.BadRtp:
            return
        if self.tap:
            await self.tap(packet)
        if packet.payload_type in self.events:
            if key := self._listener.feed(packet):
                self._on_key(key)
            data = self._silence_for(packet).pack()
        await self._hand_on(data, arrival_time_ms=arrival_time_ms)

    def _silence_for(self, packet: Rtp) -> Rtp:
        """Audio in an event's place, so that neither aiortc's jitter buffer nor its reports see a hole. What says
        nothing new (the end, told again) is nearly nothing: it took no time."""
        frame, least = SILENCE[self.codec]
        timestamp = packet.timestamp + max(0, duration_of(packet) - clock_of(self.codec) // 50)
        if self._stand_in is not None and -FORGOTTEN < ahead(self._stand_in, timestamp, 32) <= 0:
            frame, timestamp = least, self._stand_in + 1
        self._stand_in = timestamp & 0xFFFFFFFF
        return replace(packet, payload_type=self.payload_type, timestamp=self._stand_in, payload=frame, marker=False)
