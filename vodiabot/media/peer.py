"""One peer connection of a leg: aiortc's, with the workarounds that AIORTC-shaped PBXs and browsers need
around it.

Runs on the media loop. Every foreign exception is translated here.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from ..errors import MediaError, SdpError
from ..ports import IceCandidate
from .codecs import codec_of
from .consent import ask_patiently
from .receiver import Payloads
from .sdp import EVENT_TYPES, INTERNAL_MID, RemoteSdp, clean_candidate, local_candidates, read_remote, write_local
from .stream import Negotiated

logger = logging.getLogger(__name__)

MAX_EARLY_CANDIDATES = 64
"""Kept of one generation before its description is known."""
GATHER_SECONDS = 1.5
"""For the ICE servers: long enough to ask each twice. Where they are away, a call between neighbours goes on without
them, and the PBX (or the caller) has not given up meanwhile: aioice's own 5 s are spent twice where it makes its own
offer, and then it has."""
CLOSE_SECONDS = 5.0
"""After this a close that hangs is given up; it has sent its goodbyes long before."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class PeerOptions:
    """What all peer connections of an engine share."""

    codecs: tuple[str, ...]
    """In order of preference, as in `AUDIO_RATES`."""
    ice_servers: tuple[RTCIceServer, ...] = ()
    """None by default: aiortc's own default is a public server."""


@dataclass
class Origin:
    """The `o=` line of a leg: the same session, a rising version."""

    session_id: int
    version: int = 0

    def next(self) -> int:
        self.version += 1
        return self.version


class Owner(Protocol):
    """What a peer connection tells its leg; called on the media loop."""

    def is_up(self, peer: Peer) -> None:
        """ICE and DTLS are up; once."""

    def is_lost(self, peer: Peer, reason: str) -> None:
        """It will never carry audio again; once, and never after `close`."""

    def is_renegotiated(self, peer: Peer) -> None:
        """An offer and its answer are complete."""

    def consents(self, peer: Peer, answered: float | None) -> None:
        """Questions for consent have no answer since `answered`, on the loop's clock; None: they have again."""


class Peer:
    """One RTCPeerConnection with one audio transceiver."""

    def __init__(self, generation: int, options: PeerOptions, origin: Origin, owner: Owner) -> None:
        self.generation = generation
        self.stream = next(_numbers)
        """Names this connection's clock to the sinks."""
        self.remote: RemoteSdp | None = None
        self.negotiated: Negotiated | None = None
        """What the last offer and answer came to."""
        self.up = False
        self._origin, self._owner = origin, owner
        self._early: list[IceCandidate] = []
        self._over = False
        self._step: asyncio.Future[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=list(options.ice_servers)))
        self._audio: RTCRtpTransceiver = self._pc.addTransceiver("audio", direction="sendrecv")
        _without_own_streams(self._audio)
        self._audio.setCodecPreferences(_preferences(options.codecs))
        self._dtls = self._audio.receiver.transport
        self._ice = self._dtls.transport
        self._dtls.on("statechange", self._state_changed)
        self._ice.on("statechange", self._state_changed)
        _own_gathering(self._ice)
        ask_patiently(self._ice._connection, self._consents)

    # --- offers and answers ---

    async def offer(self) -> str:
        """Our offer, candidates inside. Raises MediaError."""
        await self._set_local()
        return self._described(None)

    async def answer(self, offer: RemoteSdp) -> str:
        """Our answer, candidates inside. Raises SdpError, MediaError."""
        await self._set_remote(offer, "offer")
        await self._set_local()
        self._negotiated()
        return self._described(offer)

    async def apply(self, answer: str) -> None:
        """The PBX's answer to our offer; the same one again is nothing new. Raises SdpError."""
        remote = read_remote(answer, "answer")
        if self._pc.signalingState == "have-local-offer":
            await self._set_remote(remote, "answer")
            self._negotiated()
        elif self.remote is None or self.remote.identity != remote.identity:
            raise SdpError("an answer came that fits no offer of ours")

    def fits(self, offer: RemoteSdp) -> bool:
        """Can this connection go on with that offer? Not with other keys, nor while an offer of ours is
        out."""
        known = self.remote.identity if self.remote else None
        # have-remote-offer: an answer to an earlier offer was given up halfway.
        free = self._pc.signalingState in ("stable", "have-remote-offer")
        return not self._over and free and known == offer.identity

    def _described(self, offer: RemoteSdp | None) -> str:
        version = self._origin.next()
        text = self._pc.localDescription.sdp
        return write_local(text, session_id=self._origin.session_id, version=version, offer=offer)

    async def _set_local(self) -> None:
        try:
            await self._whole(self._pc.setLocalDescription())
        except Exception as exc:
            raise MediaError(f"the audio could not be set up: {exc or type(exc).__name__}") from exc

    async def _set_remote(self, remote: RemoteSdp, kind: str) -> None:
        try:
            description = RTCSessionDescription(sdp=remote.text, type=kind)
            await self._whole(self._pc.setRemoteDescription(description))
        except Exception as exc:
            raise SdpError(f"the {kind} can't be used: {exc or type(exc).__name__}") from exc
        self.remote = remote
        early, self._early = self._early, []
        for candidate in early:
            await self.add_candidate(candidate)

    async def _whole(self, step: Coroutine[Any, Any, None]) -> None:
        """A step of aiortc, never cut short: a cancelled gathering forgets its sockets. `close` waits for
        it."""
        self._step = asyncio.ensure_future(step)
        await asyncio.shield(self._step)

    def _negotiated(self) -> None:
        """What is sent and understood from now on: by the codecs that aiortc found in common, and by what it does not
        know and both have."""
        assert self.remote is not None
        chosen = self._audio._codecs[0]
        codec, events = codec_of(chosen.name), self.remote.events
        clock = codec.clock if codec.clock in events else 8000
        understood = {c.payloadType: codec_of(c.name) for c in self._audio._codecs if c.payloadType is not None}
        event_types = frozenset((*events.values(), *EVENT_TYPES.values())) if events else frozenset()
        payloads = Payloads(understood, event_types)
        self.negotiated = Negotiated(codec, int(chosen.payloadType or 0), events.get(clock), clock, payloads)
        self._owner.is_renegotiated(self)

    @property
    def dtls(self) -> Any:
        """aiortc's DTLS transport."""
        return self._dtls

    @property
    def ssrc(self) -> int:
        """Of what we send, as our description says."""
        ssrc: int = self._audio.sender._ssrc
        return ssrc

    @property
    def may_send(self) -> bool:
        """By the directions of the last offer and answer."""
        return self._audio.currentDirection in ("sendrecv", "sendonly")

    @property
    def may_receive(self) -> bool:
        """Likewise: the other side should be heard."""
        return self._audio.currentDirection in ("sendrecv", "recvonly")

    # --- candidates ---

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """One of the other side's. The end (None) is not passed on: it would let ICE give up on the
        candidates that it has, when the other side's checks may still arrive from an address that it could
        not name."""
        if candidate is None or not candidate.candidate or self._over:
            return
        if self.remote is None:
            self._early = [*self._early, candidate][-MAX_EARLY_CANDIDATES:]
            return
        clean = clean_candidate(candidate.candidate)
        if clean is None or self._is_for_refused_media(candidate, self.remote):
            logger.debug("candidate left out: %s", candidate.candidate)
            return
        parsed = candidate_from_sdp(clean)
        parsed.sdpMid = INTERNAL_MID
        try:
            await self._pc.addIceCandidate(parsed)
        except Exception as exc:
            logger.warning("candidate left out: %s (%s)", clean, exc, exc_info=True)

    def _is_for_refused_media(self, candidate: IceCandidate, remote: RemoteSdp) -> bool:
        others = {m.mid for m in remote.m_lines if m.mid} - {remote.audio.mid}
        return candidate.sdp_mid in others and not remote.bundled

    def local_candidates(self) -> Sequence[IceCandidate]:
        """Ours, all that there are: aiortc gathers before it gives its description."""
        audio = self.remote.audio if self.remote else None
        mid = audio.mid if audio else INTERNAL_MID
        index = self.remote.audio_index if self.remote else 0
        return [IceCandidate(line, mid, index) for line in local_candidates(self._pc.localDescription.sdp)]

    # --- what happens ---

    def _state_changed(self) -> None:
        if self._dtls.state == "connected" and not self.up and not self._over:
            self.up = True
            if self.negotiated is None:
                self._negotiated()
            self._owner.is_up(self)
        elif self._dtls.state in ("failed", "closed") or self._ice.state == "failed":
            self._lose()

    def _consents(self, answered: float | None) -> None:
        if not self._over:
            self._owner.consents(self, answered)

    def _lose(self) -> None:
        if self._over:
            return
        self._over = True
        self._owner.is_lost(self, self._why())

    def _why(self) -> str:
        if not self.up:
            return "no way to the other side" if self._ice.state == "failed" else "the DTLS handshake failed"
        return "consent expired" if _consent_expired(self._ice) else "closed by the other side"

    # --- the end ---

    async def close(self) -> None:
        """Idempotent; a second caller waits for the first."""
        self._over = True
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._step is not None:
            await asyncio.gather(self._step, return_exceptions=True)
        try:
            await asyncio.wait_for(self._pc.close(), CLOSE_SECONDS)
        except Exception:
            logger.exception("closing a peer connection failed")


def _preferences(codecs: Sequence[str]) -> list[Any]:
    known = {c.name.lower(): c for c in RTCRtpSender.getCapabilities("audio").codecs}
    return [known[name.lower()] for name in codecs]


def _without_own_streams(audio: RTCRtpTransceiver) -> None:
    """aiortc's sender and receiver describe themselves, and never begin: `stream.Stream` does their work."""

    async def never(parameters: Any) -> None:
        return None

    audio.sender.send = never  # type: ignore[method-assign]
    audio.receiver.receive = never  # type: ignore[method-assign]


def _consent_expired(ice: Any) -> bool:
    """aioice forgets its consent task when that gives up, and at no other time; the states that it tells
    come in any order."""
    return ice.state == "failed" or ice._connection._query_consent_task is None


def _own_gathering(ice: Any) -> None:
    """aioice leaves 127.0.0.1 out; on a machine that has nothing else there would be no candidate at all. And it is too
    patient."""
    connection = ice._connection
    gather = connection.get_component_candidates

    async def quickly(component: int, addresses: list[str], timeout: float = GATHER_SECONDS) -> Any:
        return await gather(component=component, addresses=addresses or ["127.0.0.1"], timeout=GATHER_SECONDS)

    connection.get_component_candidates = quickly
