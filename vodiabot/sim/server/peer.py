"""One peer connection of the PBX: one (leg, peer) of the model, on stock aiortc."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import aioice.ice
import numpy as np
import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from ..core.effects import AnswerReady, CandidateReady, Feed, MediaFailed, MediaLost, MediaNews, MediaUp, OfferReady
from .codecs import Encoder, encoder
from .sdp import Agreement, Remote, agreement, candidates, present, renumbered, understand, usable_candidate
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
    ) -> None:
        """`tell` gets the news, `heard` each frame of the client (mono samples, rate). Neither may block."""
        self.leg, self.number = leg, number
        self.track = FeedTrack(feed, self._encoder, make_source)
        self._codecs, self._tell, self._heard = codecs, tell, heard
        self._spoken = codecs
        """What the client's description and ours have in common, the first one is sent."""
        self._payload_types: dict[str, str] = {}
        """Of the first negotiation: they stay for the peer's life."""
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.addTrack(self.track)
        self._transceiver = self._pc.getTransceivers()[0]
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
        self._tell(AnswerReady(self.leg, self.number, present(local, self._next_origin(), remote)))
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
        self._tell(OfferReady(self.leg, self.number, present(local, self._next_origin(), self._remote, self._agreed)))
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
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._pc.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _set_remote(self, remote: Remote, kind: str) -> None:
        self._spoken, self._remote = remote.codecs, remote
        self._payload_types = self._payload_types or remote.payload_types
        self._mid, self._index = remote.mid, remote.index
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
