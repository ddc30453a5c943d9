"""What leaves on one leg: stands between aiortc's sender and its transport.

aiortc knows nothing of telephone-events and would send everything with the payload type of the audio, nor can it send
on another stream's packets. So all packets are numbered here, those of aiortc's sender, which may be events of the
track's, as well as those that are passed on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pylibsrtp
import structlog

from . import rtp
from .faults import Faults
from .rtp import Rtp, ahead

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Dress:
    """How a packet of the track's has to look, beyond what aiortc makes of it."""

    timestamp: int
    """By the track's clock, which begins at 0."""
    event_type: int | None = None
    """The payload type, if it is a telephone-event."""
    marker: bool = False
    """Of a telephone-event: its first packet."""


class Dresser(Protocol):
    """The track."""

    worn: Dress
    """By the packet that it handed out last."""

    @property
    def clock(self) -> int:
        """The timestamp of its next packet."""


@dataclass
class _Way:
    """From the numbers of a stream that is passed on to ours."""

    ssrc: int
    sequence: int
    timestamp: int


class Outgoing:
    """Takes the place of the DTLS transport for aiortc's sender."""

    def __init__(self, transport: Any, track: Dresser, rate: Callable[[], int]) -> None:
        """`rate`: hertz of the audio's timestamps."""
        self._transport, self._track, self._rate = transport, track, rate
        self._sequence = secrets.randbits(15)
        """Of the newest packet. It begins low: a wrap soon after the beginning is hard on SRTP."""
        self._origin = secrets.randbits(32)
        """The track's 0."""
        self._ssrc = 0
        self._sent, self._octets = 0, 0
        self._newest: tuple[float, int] | None = None
        """When the newest packet was sent, and its timestamp."""
        self._way: _Way | None = None
        self._late: set[asyncio.Task[None]] = set()
        self.faults = Faults()

    def __getattr__(self, name: str) -> Any:
        """The rest of the transport."""
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        """aiortc's sender has a packet. Raises ConnectionError, which ends it."""
        if rtp.is_rtcp(data):
            await self._transport._send_rtp(self._report(data))
            return
        packet, worn = rtp.parse(data), self._track.worn
        self._ssrc = packet.ssrc
        packet = replace(packet, sequence=self._next(), timestamp=self._origin + worn.timestamp & 0xFFFFFFFF)
        if worn.event_type is not None:
            packet = replace(packet, payload_type=worn.event_type, marker=worn.marker)
        await self._put_out(packet)

    async def pass_on(self, packet: Rtp, ssrc: int) -> None:
        """Send on a packet of another stream under our `ssrc`: order, gaps and times stay as they are."""
        way = self._way
        if way is None or way.ssrc != packet.ssrc:
            now = self._origin + self._track.clock
            way = self._way = _Way(packet.ssrc, self._sequence + 1 - packet.sequence, now - packet.timestamp)
        self._ssrc = ssrc
        sequence = packet.sequence + way.sequence & 0xFFFF
        if ahead(self._sequence, sequence, 16) > 0:
            self._sequence = sequence
        timestamp = packet.timestamp + way.timestamp & 0xFFFFFFFF
        try:
            await self._put_out(replace(packet, ssrc=ssrc, sequence=sequence, timestamp=timestamp))
        except ConnectionError:
            return  # not connected yet, or no longer

    def pass_on_anew(self) -> None:
        """What is passed on next is another stream."""
        self._way = None

    async def close(self) -> None:
        """No packet is on its way any more. Idempotent."""
        for task in self._late:
            task.cancel()
        if self._late:
            await asyncio.wait(self._late)

    def _next(self) -> int:
        self._sequence = self._sequence + 1 & 0xFFFF
        if self._way:
            self._way.sequence += 1  # what is passed on comes after it
        return self._sequence

    async def _put_out(self, packet: Rtp) -> None:
        self._sent += 1
        self._octets += len(packet.payload)
        self._newest = time.time(), packet.timestamp
        fate = self.faults.fate()
        if fate is None:
            return
        if fate == 0.0:
            await self._write(packet)
            return
        task = asyncio.get_running_loop().create_task(self._write_later(packet, fate))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _write_later(self, packet: Rtp, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self._write(packet)
        except ConnectionError:
            return  # the call is over

    async def _write(self, packet: Rtp) -> None:
        try:
            await self._transport._send_rtp(packet.pack())
        except pylibsrtp.Error as exc:
            # Its number is too old: passed on from a stream whose packets are far out of order.
            log.debug("packet not sent", sequence=packet.sequence, error=str(exc))

    def _report(self, data: bytes) -> bytes:
        """aiortc's sender report knows neither our timestamps nor what was passed on."""
        if self._newest is None:
            return data
        now = time.time()
        timestamp = self._newest[1] + round((now - self._newest[0]) * self._rate())
        return rtp.with_report(data, now, timestamp, self._sent, self._octets)
