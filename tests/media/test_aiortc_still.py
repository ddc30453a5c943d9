"""The weaknesses of aiortc that this room works around, each on its own.

A test that fails here says that a new aiortc can do without the workaround it names: take that out, and the
test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aioice.ice
import numpy as np
import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceGatherer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    clock,
)
from aiortc.exceptions import OperationError
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from .test_sdp import OFFER, without

Body = Callable[[RTCPeerConnection], Awaitable[None]]


def with_peer(body: Body) -> None:
    async def main() -> None:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await body(pc)
        finally:
            await pc.close()

    asyncio.run(main())


def offered(text: str) -> Body:
    async def body(pc: RTCPeerConnection) -> None:
        await pc.setRemoteDescription(RTCSessionDescription(text, "offer"))
        await pc.setLocalDescription()

    return body


def answered(change: Callable[[str], str]) -> Body:
    """Our offer, and an answer to it that a peer made and `change` spoilt."""

    async def body(pc: RTCPeerConnection) -> None:
        other = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("audio")
        await pc.setLocalDescription()
        await other.setRemoteDescription(pc.localDescription)
        await other.setLocalDescription()
        try:
            spoilt = change(other.localDescription.sdp)
            await pc.setRemoteDescription(RTCSessionDescription(spoilt, "answer"))
        finally:
            await other.close()

    return body


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (without("a=rtcp-mux"), ValueError),
        (without("a=setup"), AttributeError),
        (without("a=sendrecv"), ValueError),
        (without("a=(fingerprint|setup|ice)").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), ValueError),
        (without("a=rtpmap").replace("111 0 8 101", "0"), RuntimeError | StopIteration),
        (without("a=(rtpmap|fmtp)").replace("111 0 8 101", "0"), OperationError),
        (without("a=rtpmap:111"), RuntimeError | StopIteration),
        (OFFER + "m=video 0 UDP/TLS/RTP/SAVPF 120\na=rtpmap:120 AV9/90000\n", Exception),
        (OFFER + "m=image 6000 udptl t38\n", Exception),
    ],
)
def test_offers_that_raise_all_kinds_of_things(text: str, error: type[Exception]) -> None:
    kinds = getattr(error, "__args__", error)
    with pytest.raises(kinds):
        with_peer(offered(text))


def test_an_offer_whose_audio_is_off_is_taken_as_on() -> None:
    with_peer(offered(OFFER.replace("m=audio 5000", "m=audio 0")))


def test_an_offer_without_mid_makes_an_empty_bundle() -> None:
    async def body(pc: RTCPeerConnection) -> None:
        await offered(without("a=(mid|group)"))(pc)
        assert "a=group:BUNDLE \r\n" in pc.localDescription.sdp

    with_peer(body)


@pytest.mark.parametrize(
    "change",
    [
        lambda sdp: sdp.replace("a=setup:active", "a=setup:actpass"),
        lambda sdp: sdp.replace("a=mid:0\r\n", ""),
    ],
)
def test_answers_that_raise(change: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match=r"setup|match"):
        with_peer(answered(change))


def test_the_session_id_changes_with_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(pc: RTCPeerConnection) -> None:
        pc.addTransceiver("audio")
        origins = []
        for seconds in (5, 6):
            monkeypatch.setattr(clock, "current_ntp_time", lambda s=seconds: s << 32)
            origins.append((await pc.createOffer()).sdp.split("\r\n")[1].split()[1])
        assert origins == ["5", "6"]

    with_peer(body)


def test_rollback_changes_nothing() -> None:
    async def body(pc: RTCPeerConnection) -> None:
        pc.addTransceiver("audio")
        await pc.setLocalDescription()
        await pc.setLocalDescription(RTCSessionDescription("", "rollback"))
        assert pc.signalingState == "have-local-offer"

    with_peer(body)


def test_a_second_offer_is_not_taken_while_ours_is_out() -> None:
    async def body(pc: RTCPeerConnection) -> None:
        pc.addTransceiver("audio")
        await pc.setLocalDescription()
        await offered(OFFER)(pc)

    with pytest.raises(Exception, match="state"):
        with_peer(body)


def test_the_default_is_a_public_stun_server() -> None:
    assert RTCIceGatherer.getDefaultIceServers()


def test_loopback_is_no_candidate() -> None:
    assert "127.0.0.1" not in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)


def test_the_end_of_candidates_lets_ice_give_up_at_once() -> None:
    """Where the other side could name no address that we can use, its checks would reach us all the same."""

    async def main() -> None:
        connection = aioice.Connection(ice_controlling=False)
        await connection.gather_candidates()
        connection.remote_username, connection.remote_password = "abcd", "a" * 22
        await connection.add_remote_candidate(None)
        try:
            await asyncio.wait_for(connection.connect(), 5)
        finally:
            await connection.close()

    with pytest.raises(ConnectionError):
        asyncio.run(main())


def test_one_lost_packet_is_a_hole_and_a_delay_that_stays() -> None:
    """Why the audio path is our own: its jitter buffer waits for what never comes, and then it is ten packets late."""
    buffer, came = JitterBuffer(capacity=16, prefetch=4), []
    for i in range(200):
        if i != 100:
            packet = RtpPacket(payload_type=0, sequence_number=i, timestamp=160 * i)
            packet._data = b""  # type: ignore[attr-defined]
            frame = buffer.add(packet)[1]
            came.append((i, None if frame is None else frame.timestamp // 160))
    behind = [i - at for i, at in came if at is not None]
    assert behind[-1] - behind[0] >= 5
    assert max(np.diff([i for i, at in came if at is not None])) >= 5


def test_telephone_events_are_not_known() -> None:
    """Why descriptions are completed with them, and packets of them are our own work."""
    assert not [c for c in RTCRtpSender.getCapabilities("audio").codecs if "telephone" in c.mimeType]
