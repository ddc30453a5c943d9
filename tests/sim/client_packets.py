"""A client of single RTP packets, for what a stream of audio can't show."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
from aiortc import RTCPeerConnection
from aiortc.mediastreams import MediaStreamError

from .client_media import Audio, Player

KEYS = "0123456789*#ABCD"
"""By their codes as telephone-events (RFC 4733)."""


@dataclass(frozen=True)
class Packet:
    """An RTP packet, read by the tests' own hand."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def read(cls, data: bytes) -> Packet:
        flags, kind, sequence, timestamp, ssrc = struct.unpack("!BBHLL", data[:12])
        assert flags == 0x80, "neither padding nor extension was agreed"
        return cls(kind & 0x7F, bool(kind & 0x80), sequence, timestamp, ssrc, data[12:])


@dataclass(frozen=True)
class Event:
    """What a telephone-event's packet says."""

    key: str
    end: bool
    volume: int
    duration: int

    @classmethod
    def read(cls, packet: Packet) -> Event:
        code, flags, duration = struct.unpack("!BBH", packet.payload)
        return cls(KEYS[code], bool(flags & 0x80), flags & 0x3F, duration)


class Mute(Player):
    """Says nothing, not even silence."""

    async def recv(self) -> av.AudioFrame:
        await asyncio.get_running_loop().create_future()
        raise MediaStreamError


class Wire(Audio):
    """A client of single packets: aiortc's ICE, DTLS and SRTP, while all RTP is written and read here."""

    make_player = Mute

    def __init__(self, codecs: tuple[str, ...], on_candidate: Callable[[dict[str, Any] | None], None]) -> None:
        super().__init__(codecs, on_candidate)
        self.can = {8000: 126, 48000: 110}
        """Rate to payload type of the telephone-events that it offers; an answer has the PBX's numbers."""
        self.events: dict[int, int] = {}
        """Those that were agreed."""
        self.types: dict[str, int] = {}
        """Codec to payload type, as agreed."""
        self.received: list[Packet] = []
        self.reports: list[bytes] = []
        """RTCP."""
        self.ssrc, self.sequence, self.timestamp = 0x1234, 65_500, 0xFFFF_F000
        """Of the next packet; they wrap soon."""

    def _connection(self) -> RTCPeerConnection:
        fresh = self._pc is None
        pc = super()._connection()
        if fresh:
            transport: Any = pc.getSenders()[0].transport
            transport._handle_rtp_data, transport._handle_rtcp_data = self._take, self._take_report
            self.transport = transport
        return pc

    async def _take(self, data: bytes, arrival_time_ms: int) -> None:
        self.received.append(Packet.read(data))

    async def _take_report(self, data: bytes) -> None:
        self.reports.append(data)

    async def offer(self, direction: str = "sendrecv") -> str:
        return _with_events(await super().offer(direction), self.can)

    async def accept(self, answer: str) -> None:
        self._agree(answer)
        await super().accept(answer)

    async def answer(self, offer: str, direction: str = "sendrecv") -> str:
        self._agree(offer)
        self.events = {rate: number for rate, number in self.events.items() if rate in self.can}
        return _with_events(await super().answer(offer, direction), self.events)

    def _agree(self, sdp: str) -> None:
        maps = re.findall(r"a=rtpmap:(\d+) ([\w-]+)/(\d+)", sdp)
        self.events = {int(rate): int(number) for number, name, rate in maps if name == "telephone-event"}
        self.types = {name: int(number) for number, name, _ in maps if name in self._codecs}
        media = next(line for line in sdp.splitlines() if line.startswith("m=audio"))
        assert set(media.split()[3:]) >= {str(number) for number in self.events.values()}

    # --- sending -----------------------------------------------------------------------------------------------------

    @property
    def codec(self) -> str:
        return next(name for name in self._codecs if name in self.types)

    @property
    def clock(self) -> int:
        """Hertz of its timestamps."""
        return 48000 if self.codec == "opus" else 8000

    @property
    def event_type(self) -> int:
        return self.events[self.clock]

    async def send(self, payload_type: int, payload: bytes, *, marker: bool = False) -> None:
        """One packet, numbered after the last."""
        await self.send_as(self.sequence, payload_type, payload, self.timestamp, marker)
        self.sequence = self.sequence + 1 & 0xFFFF

    async def send_as(
        self, sequence: int, payload_type: int, payload: bytes, timestamp: int, marker: bool = False
    ) -> None:
        """One packet with this number."""
        kind = marker << 7 | payload_type
        head = struct.pack("!BBHLL", 0x80, kind, sequence, timestamp & 0xFFFFFFFF, self.ssrc)
        await self.transport._send_rtp(head + payload)

    async def speak(self, payloads: list[bytes], seconds: float = 0.02) -> None:
        """Audio packets, so long apart."""
        for payload in payloads:
            await self.send(self.types[self.codec], payload)
            self.timestamp += self.clock // 50
            await asyncio.sleep(seconds)

    async def press(self, key: str, lost: frozenset[int] = frozenset()) -> None:
        """Seven packets: four while it is held, and the end three times; `lost` ones are numbered and not sent."""
        for number in range(7):
            lasted = min(number + 1, 5) * self.clock // 50
            body = struct.pack("!BBH", KEYS.index(key), (number >= 4) << 7 | 10, lasted)
            if number in lost:
                self.sequence = self.sequence + 1 & 0xFFFF
            else:
                await self.send(self.event_type, body, marker=number == 0)
            await asyncio.sleep(0.002)
        self.timestamp += 8 * self.clock // 50

    # --- what came ---------------------------------------------------------------------------------------------------

    def presses(self) -> list[list[Packet]]:
        """The packets of telephone-events, press by press."""
        found: dict[int, list[Packet]] = {}
        for packet in self.received:
            if packet.payload_type in self.events.values():
                found.setdefault(packet.timestamp, []).append(packet)
        return list(found.values())

    @property
    def keys(self) -> str:
        """The presses as keys."""
        return "".join(Event.read(packets[0]).key for packets in self.presses())


def _with_events(sdp: str, events: dict[int, int]) -> str:
    numbers = "".join(f" {number}" for number in events.values())
    lines = [line + numbers if line.startswith("m=audio") else line for line in sdp.splitlines()]
    for rate, number in events.items():
        lines += [f"a=rtpmap:{number} telephone-event/{rate}", f"a=fmtp:{number} 0-15"]
    return "\r\n".join(lines) + "\r\n"
