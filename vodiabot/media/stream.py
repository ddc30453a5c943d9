"""The audio of one peer connection: its sender, its receiver, its reports. Driven by the pacer, on the media loop."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ..ports import MediaStats
from . import rtcp, rtp
from .audio import FRAME_SECONDS, Samples
from .codecs import Codec
from .quality import FIXED_DELAY, mos
from .receiver import Payloads, Receiver
from .sender import Press, Sender
from .telephone_event import EventReceiver
from .unheard import Unheard
from .wire import Wire

logger = logging.getLogger(__name__)

CNAME = "vodiabot"
"""Names the source in RTCP; nothing about the machine (RFC 7022)."""


@dataclass(frozen=True)
class Negotiated:
    """What an offer and its answer came to."""

    codec: Codec
    """Of what we send."""
    payload_type: int
    event_type: int | None
    """Payload type of the telephone-events that we send; None: not negotiated."""
    event_clock: int
    """Units a second of their durations."""
    payloads: Payloads
    """What we understand."""


class StreamOwner(Protocol):
    """What a stream asks and tells."""

    may_send: bool
    """False: nothing at all is sent (a hold)."""

    def pull(self, rate: int) -> Samples | None:
        """The next 20 ms to be sent; None for silence."""

    def sent(self, samples: Samples | None, rate: int, now: float) -> None:
        """They have left."""

    def heard(self, samples: Samples | None, rate: int, now: float) -> None:
        """The block of the other side that begins `now`; None for silence."""

    def digit(self, digit: str) -> None:
        """A telephone-event of the other side began."""

    def stream_failed(self, exc: Exception) -> None:
        """It can't go on, by a mistake of ours."""


@dataclass
class _Far:
    """What the other side's reports told."""

    lost: float | None = None
    jitter: float | None = None
    round_trip: float | None = None
    report: int = 0
    report_at: float = 0.0


class Stream:
    """From the moment that DTLS is up until `close`. See `pacer.Paced`."""

    def __init__(
        self,
        dtls: Any,
        ssrc: int,
        negotiated: Negotiated,
        owner: StreamOwner,
        events: EventReceiver,
        unheard: Unheard,
        number: int,
    ) -> None:
        self.began = asyncio.get_running_loop().time()
        self._wall = time.time() - self.began
        """What the loop's clock is behind the wall's. Kept: a clock that is set meanwhile is no round trip."""
        self._owner, self._events, self._unheard, self._number = owner, events, unheard, number
        self._negotiated = negotiated
        self._receiver = Receiver(negotiated.payloads)
        self._sender = Sender(negotiated.payload_type, negotiated.codec, ssrc)
        self._sender.events(negotiated.event_type, negotiated.event_clock)
        self._far = _Far()
        unheard.begin()
        self._next_report = self.began + rtcp.FIRST_INTERVAL
        self._closed = False
        self._packet: bytes | None = None
        """Ready to be sent."""
        self._wire = Wire(dtls, self._on_rtp, self._on_rtcp)
        self._wire.start()

    def renegotiated(self, negotiated: Negotiated) -> None:
        """A re-offer and its answer changed what is sent and understood; the streams go on."""
        self._negotiated = negotiated
        self._unheard.pause()
        self._receiver.payloads = negotiated.payloads
        self._sender.use(negotiated.payload_type, negotiated.codec)
        self._sender.events(negotiated.event_type, negotiated.event_clock)
        if negotiated.event_type is None:
            self._sender.release()

    def close(self) -> None:
        """Say goodbye and let go of the wire. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self._wire.send_rtcp(self._report() + rtcp.goodbye(self._sender.ssrc))
        except Exception:  # it may be what made the call fail
            logger.exception("no goodbye was sent")
        self._wire.stop()
        self._sender.release()
        self._receiver.close()

    # --- the pacer's side -----------------------------------------------------------------------------------------

    def prepare(self, now: float) -> None:
        owner = self._owner
        if owner.may_send:
            rate = self._sender.codec.rate
            samples = owner.pull(rate)
            self._packet = self._wire.protected(self._sender.packet(samples))
            owner.sent(None if self._sender.dialling else samples, rate, now)
            if self._sender.dialling:
                self._unheard.pause()  # keys need not be counted with the audio
        else:
            self._sender.skip()
            self._unheard.pause()

    def send(self, now: float) -> None:
        if self._packet is not None:
            self._wire.send(self._packet)
            self._packet = None
        if now >= self._next_report:
            self._wire.send_rtcp(self._report())
            # Spread by half, so that reports of many calls do not march in step (RFC 3550, section 6.2).
            self._next_report = now + rtcp.INTERVAL * random.uniform(0.5, 1.5)

    def skip(self, blocks: int) -> None:
        self._sender.skip(blocks)

    def read(self, now: float) -> None:
        self._wire.read()

    def receive(self, now: float) -> None:
        self._wire.work()
        samples = self._receiver.pull(now)
        self._owner.heard(samples, self._receiver.rate, now)

    def failed(self, exc: Exception) -> None:
        self._owner.stream_failed(exc)

    # --- what comes -----------------------------------------------------------------------------------------------

    def _on_rtp(self, data: bytes, arrival: float) -> None:
        packet = rtp.parse(data, arrival)
        if packet is None or not self._receiver.push(packet):
            return
        if packet.payload_type in self._receiver.payloads.events and (
            digit := self._events.feed(packet, self._number)
        ):
            self._owner.digit(digit)

    def _on_rtcp(self, data: bytes, arrival: float) -> None:
        for report in rtcp.parse(data):
            heard = self._receiver.reception
            if report.sender is not None and (heard is None or heard.ssrc == report.ssrc):
                self._far.report, self._far.report_at = report.sender.middle, arrival
            for block in report.blocks:
                if block.ssrc == self._sender.ssrc:
                    self._block(block, arrival)

    def _block(self, block: rtcp.Block, arrival: float) -> None:
        self._far.lost = block.part_lost
        self._far.jitter = block.jitter / self._sender.codec.clock
        took = rtcp.round_trip(block, self._wall + arrival)  # not until now: sockets are read each 20 ms
        self._far.round_trip = self._far.round_trip if took is None else took
        self._sender.expect_loss(block.part_lost)
        self._unheard.report(block, self._sender.packets, self._sender.sequence, arrival)

    def _report(self) -> bytes:
        now = asyncio.get_running_loop().time()
        reception = self._receiver.reception
        blocks = (reception.block(self._far.report, now - self._far.report_at),) if reception else ()
        sender = self._sender
        info = rtcp.SenderInfo(rtcp.ntp(self._wall + now), sender.timestamp, sender.packets, sender.octets)
        return rtcp.build(rtcp.Report(sender.ssrc, info if sender.packets else None, blocks), CNAME)

    # --- digits ---------------------------------------------------------------------------------------------------

    @property
    def has_events(self) -> bool:
        """Digits can be sent as telephone-events."""
        return self._negotiated.event_type is not None

    def press(self, press: Press) -> None:
        """Queue a digit; its `done` is called when its gap is over."""
        self._sender.press(press)

    def withdraw(self, press: Press) -> None:
        """See `Sender.withdraw`."""
        self._sender.withdraw(press)

    # --- counters -------------------------------------------------------------------------------------------------

    @property
    def last_packet(self) -> float | None:
        """When the last audio came, on the loop's clock."""
        return self._receiver.last_audio

    def stats(self) -> MediaStats:
        """Counters of this connection. From any thread: it only reads."""
        now = time.monotonic()  # as the media loop's clock
        receiver, far = self._receiver, self._far
        last = self.began if receiver.last_audio is None else receiver.last_audio
        found = MediaStats(
            codec=self._negotiated.codec.name,
            packets_sent=self._sender.packets,
            packets_received=receiver.received,
            packets_lost=receiver.lost,
            packets_late=receiver.late,
            concealed=receiver.concealed / 8000,
            jitter=receiver.reception.jitter if receiver.reception else None,
            delay=receiver.depth(now) if receiver.reception else None,
            round_trip=far.round_trip,
            far_lost=far.lost,
            far_jitter=far.jitter,
            silent_for=max(0.0, now - last),
            unheard_for=self._unheard.seconds(now),
        )
        return msgspec.structs.replace(found, mos=_mos(found))


def _mos(stats: MediaStats) -> float | None:
    """Of what we hear; None before anything came."""
    expected = stats.packets_received + stats.packets_lost
    if not stats.packets_received or stats.delay is None:
        return None
    delay = FIXED_DELAY + stats.delay + (stats.round_trip or 0.0) / 2 + FRAME_SECONDS
    return mos(stats.codec, (stats.packets_lost + stats.packets_late) / expected, delay)
