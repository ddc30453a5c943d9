"""A leg whose connection is made up: in virtual time, and everything that leaves is kept as the other side gets it.

The codec is linear, so that a click of one sample is seen; keys are events, or tones where there is no event type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vodiabot.media import rtp
from vodiabot.media.audio import Samples
from vodiabot.media.codecs import Codec
from vodiabot.media.leg import Leg
from vodiabot.media.pacer import Pacer
from vodiabot.media.peer import PeerOptions
from vodiabot.media.receiver import Payloads
from vodiabot.media.stream import Negotiated
from vodiabot.media.telephone_event import EventPacket, parse_event
from vodiabot.ports import MediaEvent

from .virtual import the_loop

T = TypeVar("T")
LINEAR_TYPE, WIDE_TYPE, EVENT_TYPE = 96, 97, 101


class LinearEncoder:
    def encode(self, samples: Samples) -> bytes:
        return samples.astype("<i2").tobytes()

    def expect_loss(self, part: float) -> None:
        return


class LinearDecoder:
    def decode(self, payload: bytes) -> Samples:
        return np.frombuffer(payload, "<i2").astype(np.int16)

    def conceal(self, n: int) -> Samples | None:
        return None

    def recover(self, payload: bytes, n: int) -> Samples | None:
        return None


def _codec(name: str, rate: int) -> Codec:
    return Codec(name, rate, rate, LinearEncoder, LinearDecoder, lambda payload: len(payload) // 2)


LINEAR, WIDE = _codec("PCMU", 8000), _codec("opus", 16000)
"""By the names of real ones, since the MOS asks for them."""
TYPES = {LINEAR: LINEAR_TYPE, WIDE: WIDE_TYPE}


def negotiated(codec: Codec = LINEAR, event_type: int | None = EVENT_TYPE, event_clock: int = 8000) -> Negotiated:
    events = frozenset() if event_type is None else frozenset({event_type})
    payloads = Payloads({number: one for one, number in TYPES.items()}, events)
    return Negotiated(codec, TYPES[codec], event_type, event_clock, payloads)


class Inline(Executor):
    """Does at once what it is given: files without threads."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as exc:  # noqa: BLE001 - as an executor does
            future.set_exception(exc)
        return future


class _Srtp:
    """Leaves everything as it is."""

    def __init__(self) -> None:
        self.protect = self.protect_rtcp = self.unprotect = self.unprotect_rtcp = lambda data: data


@dataclass
class _Pair:
    protocol: Any
    remote_addr: Any = ("192.0.2.1", 9)


class _Connection:
    """What `wire.Wire` knows of aioice."""

    def __init__(self, transport: Any) -> None:
        self._protocols: list[Any] = [self]
        self.transport = transport
        self._nominated = {1: _Pair(self)}
        self.data_received: Callable[[bytes, int], None] = lambda data, component: None


class Line:
    """One connection: what left over it, and when."""

    def __init__(self, number: int = 1, what: Negotiated | None = None) -> None:
        self.packets: list[rtp.Packet] = []
        self.reports: list[bytes] = []
        self.fail: Exception | None = None
        """What `sendto` raises."""
        self.closed = 0
        # As `peer.Peer`:
        self.generation, self.stream, self.ssrc = number, number, 1000 + number
        self.negotiated = what or negotiated()
        self.may_send = self.may_receive = True
        self.dtls = self
        # As aiortc's DTLS transport:
        self.transport = self
        self._connection = _Connection(self)
        self._rx_srtp = self._tx_srtp = _Srtp()

    def sendto(self, data: bytes, address: Any) -> None:
        if self.fail is not None:
            raise self.fail
        packet = rtp.parse(data, the_loop().time())
        assert packet is not None
        if rtp.is_rtcp(data):
            self.reports.append(data)
        else:
            self.packets.append(packet)

    async def close(self) -> None:
        self.closed += 1

    def comes(self, data: bytes) -> None:
        """A datagram of the other side."""
        self._connection.data_received(data, 1)

    # --- what the other side gets ---------------------------------------------------------------------------------

    @property
    def audio(self) -> list[rtp.Packet]:
        return [p for p in self.packets if p.payload_type != EVENT_TYPE]

    @property
    def events(self) -> list[tuple[rtp.Packet, EventPacket]]:
        return [
            (p, parsed) for p in self.packets if p.payload_type == EVENT_TYPE and (parsed := parse_event(p.payload))
        ]

    def heard(self, since: int = 0) -> Samples:
        """All audio from a packet on, each block at its timestamp, silence between."""
        packets = [p for p in self.packets[since:] if p.payload_type != EVENT_TYPE]
        if not packets:
            return np.zeros(0, np.int16)
        places = [(p.timestamp - packets[0].timestamp) % rtp.TIMESTAMPS for p in packets]
        blocks = [np.frombuffer(p.payload, "<i2") for p in packets]
        out = np.zeros(places[-1] + len(blocks[-1]), np.int16)
        for place, block in zip(places, blocks, strict=True):
            out[place : place + len(block)] = block
        return out


@dataclass
class Talk:
    """A leg and its present line."""

    leg: Leg
    line: Line
    pacer: Pacer
    told: list[MediaEvent] = field(default_factory=list)

    def up(self, line: Line) -> None:
        """A connection has come up, the first or another one."""
        self.line = line
        self.leg._newest = line  # type: ignore[assignment]
        self.leg.is_up(line)  # type: ignore[arg-type]

    def renegotiated(self, **changed: Any) -> None:
        """A new offer and its answer on this connection."""
        self.line.negotiated = replace(self.line.negotiated, **changed)
        self.leg.is_renegotiated(self.line)  # type: ignore[arg-type]

    async def frames(self, n: int) -> None:
        """So many packets later, and between two of them."""
        loop = the_loop()
        due = self.pacer._due
        await asyncio.sleep(due - loop.time() + (n - 0.5) * 0.02)

    def begin(
        self, source: object, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0
    ) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.leg.play(source, gain, fade_in, fade_out))


@contextmanager
def talk(codecs: tuple[str, ...] = ("PCMU", "opus"), pacer: Pacer | None = None) -> Iterator[Talk]:
    """A leg that is not up yet."""
    pacer = pacer or Pacer()
    told: list[MediaEvent] = []
    leg = Leg("a", PeerOptions(codecs), Inline(), told.append, pacer)
    yield Talk(leg, Line(), pacer, told)


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def steps(samples: npt.NDArray[Any], hz: float, rate: int) -> npt.NDArray[np.float64]:
    """How far each sample is from what a steady tone would do next."""
    x = samples.astype(float)
    return np.abs(x[2:] - 2 * np.cos(2 * np.pi * hz / rate) * x[1:-1] + x[:-2])


def worst_step(samples: npt.NDArray[Any]) -> float:
    """The largest second difference: of a sine, level * (2 pi hz / rate) ** 2; of a click, about its height."""
    return float(np.abs(np.diff(samples.astype(float), 2)).max())
