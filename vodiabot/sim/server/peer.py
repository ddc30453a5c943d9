"""One peer connection of the PBX: one (leg, peer) of the model, on stock aiortc."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, cast

import aioice.ice
import numpy as np
import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from ..core.effects import (
    AnswerReady,
    CandidateReady,
    Echo,
    Feed,
    MediaFailed,
    MediaLost,
    MediaNews,
    MediaUp,
    OfferReady,
    SetFaults,
)
from .codecs import Encoder, encoder
from .faults import Faults
from .incoming import Incoming, clock_of
from .outgoing import Outgoing
from .rtp import Rtp
from .sdp import (
    EVENTS,
    Agreement,
    Remote,
    agreement,
    candidates,
    event_rates,
    present,
    renumbered,
    understand,
    usable_candidate,
)
from .sources import Source
from .tones import Samples
from .track import FeedTrack

log = structlog.get_logger(__name__)

UP_TIMEOUT = 30.0
"""Seconds from both descriptions to connected media; then it is taken as lost."""

SDP_ERRORS = (
    ValueError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
    TypeError,
    StopIteration,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
    OSError,
)
"""What aiortc raises for descriptions and moves that it can't use."""


class Peer:
    """Made, used and closed by its leg, one step at a time."""

    def __init__(
        self,
        leg: str,
        number: int,
        codecs: tuple[str, ...],
        feed: Feed,
        make_source: Callable[[Feed, int], Source],
        tell: Callable[[MediaNews], None],
        heard: Callable[[Samples, int], None],
        pressed: Callable[[str], None],
    ) -> None:
        """`tell` gets the news, `heard` each frame of the client (mono samples, rate), `pressed` each key that it
        presses by telephone-event. None of them may block."""
        self.leg, self.number = leg, number
        self.track = FeedTrack(feed, self._encoder, make_source, self._event_out)
        self._codecs, self._tell, self._heard = codecs, tell, heard
        self._spoken = codecs
        """What the client's description and ours have in common, the first one is sent."""
        self._payload_types: dict[str, str] = {}
        """Of the first negotiation: they stay for the peer's life."""
        self._events: dict[int, str] = {}
        """Telephone-events that both sides take: rate to payload type."""
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.addTrack(self.track)
        self._transceiver = self._pc.getTransceivers()[0]
        self._outgoing = Outgoing(self._transceiver.sender.transport, self.track, self._clock)
        self._incoming = Incoming(self._transceiver.receiver.transport, pressed)
        self._transceiver.sender.setTransport(cast(Any, self._outgoing))  # does all that the sender asks of it
        self.set_feed(feed)
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("track", self._track_came)
        self._remote: Remote | None = None
        self._agreed: Agreement | None = None
        self._early: list[str] = []
        self._mid, self._index = "0", 0
        self._session, self._version = secrets.randbits(48), 0
        self._described = False
        self._told: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._closed = False

    # --- steps -------------------------------------------------------------------------------------------------------

    async def answer(self, offer: str) -> None:
        """The client's offer in; AnswerReady and candidates, or MediaFailed, out."""
        try:
            remote = understand(offer, "offer", allowed=self._codecs)
            self._transceiver.direction = "sendrecv"
            self._transceiver.setCodecPreferences([])
            await self._set_remote(remote, "offer")
            _gather_on_loopback(self._transceiver)
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except SDP_ERRORS as exc:
            self._failed(exc)
            return
        local = self._pc.localDescription.sdp
        self._agreed = self._agreed or agreement(local)
        answer = present(local, self._next_origin(), remote, events=self._events)
        self._tell(AnswerReady(self.leg, self.number, answer))
        self._tell_candidates(local)
        await self._add_early()

    async def offer(self, direction: str) -> None:
        """OfferReady and candidates, or MediaFailed, out."""
        try:
            self._transceiver.direction = direction
            self._transceiver.setCodecPreferences(_capabilities(self._codecs))
            _gather_on_loopback(self._transceiver)
            await self._pc.setLocalDescription(await self._pc.createOffer())
        except SDP_ERRORS as exc:
            self._failed(exc)
            return
        self._mid = self._transceiver.mid or "0"
        local = renumbered(self._pc.localDescription.sdp, self._payload_types)
        sdp = present(local, self._next_origin(), self._remote, self._agreed, self._offered_events())
        self._tell(OfferReady(self.leg, self.number, sdp))
        self._tell_candidates(local)

    async def apply(self, answer: str) -> None:
        """The client's answer in; MediaFailed out if it can't be used."""
        try:
            remote = understand(answer, "answer", allowed=self._codecs, mid=self._mid)
            # The client's order counts, and with preferences of its own aiortc would not follow it.
            self._transceiver.setCodecPreferences([])
            await self._set_remote(remote, "answer")
            self._agreed = self._agreed or agreement(remote.sdp)
        except SDP_ERRORS as exc:
            self._failed(exc)
            return
        await self._add_early()

    async def candidate(self, text: str | None, mid: str, index: int) -> None:
        """A candidate of the client, kept until its description is there."""
        if text is None or not text.strip():
            return  # aiortc is never told the end: it would give up before the client's first packet shows its address
        line = text.strip().removeprefix("a=").removeprefix("candidate:")
        if self._described and not self._is_mine(mid, index):
            return
        if not usable_candidate(line):
            return
        if self._described:
            await self._add(line)
        else:
            self._early.append(line)

    async def close(self) -> None:
        """Idempotent. Nothing is told any more, and nothing of it is left running."""
        if self._closed:
            return
        self._closed = True
        if self._deadline:
            self._deadline.cancel()
        self.track.stop()
        await self._outgoing.close()
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._pc.close()

    # --- at any time -------------------------------------------------------------------------------------------------

    def set_feed(self, feed: Feed) -> None:
        """What the client hears."""
        self.track.set_feed(feed)
        self._outgoing.pass_on_anew()
        self._incoming.tap = self._echo if isinstance(feed, Echo) else None

    def set_faults(self, settings: SetFaults | None) -> None:
        """What goes wrong with the packets to the client."""
        self._outgoing.faults = Faults(settings)

    @property
    def takes_events(self) -> bool:
        """Whether both sides say keys by telephone-event."""
        return bool(self._events)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _set_remote(self, remote: Remote, kind: str) -> None:
        self._spoken, self._remote = remote.codecs, remote
        self._payload_types = self._payload_types or remote.payload_types
        self._mid, self._index = remote.mid, remote.index
        self._events = remote.events
        self._incoming.events = frozenset(int(number) for number in remote.events.values())
        self._incoming.codec = remote.codecs[0]
        self._incoming.payload_type = int(self._payload_types.get(remote.codecs[0], "0"))
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=remote.sdp, type=kind))
        self._described = True
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(UP_TIMEOUT, self._never_up)

    async def _add_early(self) -> None:
        early, self._early = self._early, []
        for line in early:
            await self._add(line)

    async def _add(self, line: str) -> None:
        try:
            candidate = candidate_from_sdp(line)
            candidate.sdpMid, candidate.sdpMLineIndex = self._mid, 0
            await self._pc.addIceCandidate(candidate)
        except SDP_ERRORS as exc:
            log.info("candidate not used", leg=self.leg, error=str(exc))

    def _is_mine(self, mid: str, index: int) -> bool:
        """Whether a candidate is for the audio section; older clients leave the mid empty and the index 0."""
        return mid == self._mid if mid else index in (0, self._index)

    def _next_origin(self) -> str:
        """Session id and version of the `o=` line: one session for the peer's life."""
        self._version += 1
        return f"{self._session} {self._version}"

    def _encoder(self) -> Encoder:
        return encoder(self._spoken[0])

    def _clock(self) -> int:
        return clock_of(self._spoken[0])

    def _event_out(self) -> tuple[int, int] | None:
        """Payload type and rate of the events that go with what is spoken; any other if the client has but that."""
        rate = self._clock() if self._clock() in self._events else next(iter(self._events), 0)
        return (int(self._events[rate]), rate) if rate else None

    def _offered_events(self) -> dict[int, str]:
        """At first all that go with our codecs; later what was agreed."""
        if self._agreed:
            return self._events
        rates = event_rates(self._codecs)
        return {rate: number for rate, number in EVENTS.items() if rate in rates}

    async def _echo(self, packet: Rtp) -> None:
        """At once, as it came; but for sound while a key is pressed, which takes its place."""
        spoken = {*self._payload_types.values(), *self._events.values()}
        if str(packet.payload_type) in spoken and self._transceiver.sender._enabled and not self.track.pressing:
            await self._outgoing.pass_on(packet, self._transceiver.sender._ssrc)

    def _tell_candidates(self, local: str) -> None:
        for line in candidates(local):
            self._tell(CandidateReady(self.leg, self.number, line))
        self._tell(CandidateReady(self.leg, self.number, None))

    def _failed(self, exc: BaseException) -> None:
        self._tell(MediaFailed(self.leg, self.number, str(exc) or type(exc).__name__))

    def _state_changed(self) -> None:
        match self._pc.connectionState:
            case "connected":
                # aiortc starts its receiver right after this call, without a pause.
                asyncio.get_running_loop().call_soon(self._tell_once, MediaUp(self.leg, self.number))
            case "failed" | "closed":
                self._tell_once(MediaLost(self.leg, self.number))

    def _never_up(self) -> None:
        if "MediaUp" not in self._told:
            self._tell_once(MediaLost(self.leg, self.number))

    def _tell_once(self, news: MediaNews) -> None:
        name = type(news).__name__
        if not self._closed and name not in self._told:
            self._told.add(name)
            log.info("media " + name.removeprefix("Media").lower(), leg=self.leg, codec=self._spoken[0])
            self._tell(news)

    def _track_came(self, track: MediaStreamTrack) -> None:
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame: Any = await track.recv()
                self._heard(_mono(frame), frame.sample_rate)
        except MediaStreamError:
            return


def _mono(frame: Any) -> Samples:
    """s16, interleaved, of one or two channels (Opus comes in two)."""
    samples: Samples = frame.to_ndarray()[0]
    if frame.layout.nb_channels == 1:
        return samples
    return np.asarray(samples.reshape(-1, 2).mean(axis=1), dtype=np.int16)


def _capabilities(names: tuple[str, ...]) -> list[Any]:
    known = {codec.name: codec for codec in RTCRtpSender.getCapabilities("audio").codecs}
    return [known[name] for name in names]


def _gather_on_loopback(transceiver: Any) -> None:
    """aioice leaves 127.0.0.1 out, so a machine without a network would have no candidate at all: there it is used."""
    if aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True):
        return
    connection = transceiver.receiver.transport.transport.iceGatherer._connection
    gather = connection.get_component_candidates

    async def on_loopback(component: int, addresses: list[str], timeout: int = 5) -> Any:
        return await gather(component=component, addresses=["127.0.0.1"], timeout=timeout)

    connection.get_component_candidates = on_loopback
