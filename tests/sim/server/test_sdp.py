"""Descriptions in and out, as text. The offers are shaped like those of browsers and of older PBX clients."""

from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.sim.server.sdp import BadSdp, agreement, candidates, present, renumbered, understand, usable_candidate

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)

CHROMIUM = "\r\n".join(
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS stream",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2113937151 0b5b0c2e-9d0a.local 50000 typ host generation 0 network-cost 999",
        "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "a=candidate:3 1 udp 2113937151 192.0.2.7 50001 typ host generation 0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdef012345",
        "a=ice-options:trickle",
        FINGERPRINT,
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=sendrecv",
        "a=msid:stream track",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ssrc:1001 cname:x",
        "",
    ]
)
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"
LOCAL = "\r\n".join(
    [
        "v=0",
        "o=- 3 3 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 41234 UDP/TLS/RTP/SAVPF 0",
        "c=IN IP4 192.0.2.9",
        "a=mid:0",
        "a=candidate:x 1 udp 2130706431 192.0.2.9 41234 typ host",
        "a=end-of-candidates",
        "a=setup:active",
        "",
    ]
)


def test_an_offer_in_the_call_keeps_the_payload_types_of_the_first() -> None:
    media = "m=audio 9 UDP/TLS/RTP/SAVPF 96 0"
    lines = ["v=0", media, "a=rtpmap:96 opus/48000/2", "a=fmtp:96 x=1", "a=rtpmap:0 PCMU/8000"]
    local = "\r\n".join(lines) + "\r\n"
    assert renumbered(local, {"opus": "111", "PCMU": "0"}) == local.replace("96", "111")
    assert renumbered(local, {}) == local


def test_a_browsers_offer_becomes_one_section_that_aiortc_reads() -> None:
    remote = understand(CHROMIUM, "offer")
    assert remote.codecs == ("opus", "G722", "PCMU", "PCMA")
    parsed = SessionDescription.parse(remote.sdp)
    assert [c.name for c in parsed.media[0].rtp.codecs] == list(remote.codecs)
    assert [c.ip for c in parsed.media[0].ice_candidates] == ["192.0.2.7"]
    assert parsed.media[0].direction == "sendrecv"
    assert parsed.media[0].rtcp_mux


def test_the_clients_order_of_codecs_counts_not_that_of_its_rtpmaps() -> None:
    offer = CHROMIUM.replace("SAVPF 111 63 9 0 8", "SAVPF 8 0 111 63 9")
    assert understand(offer, "offer").codecs == ("PCMA", "PCMU", "opus", "G722")
    assert understand(offer, "offer", allowed=("opus", "PCMU")).codecs == ("PCMU", "opus")


@pytest.mark.parametrize("missing", ["a=rtpmap:0 PCMU/8000", "a=setup:actpass", "a=mid:0", "a=sendrecv"])
def test_lines_that_are_missing_are_put_in(missing: str) -> None:
    remote = understand(CHROMIUM.replace(missing + "\r\n", ""), "offer")
    parsed = SessionDescription.parse(remote.sdp).media[0]
    assert parsed.dtls is not None
    assert parsed.dtls.role == "auto"
    assert parsed.rtp.muxId == "0"
    assert parsed.direction == "sendrecv"
    assert "PCMU" in remote.codecs


def test_an_answer_without_mid_gets_that_of_our_offer() -> None:
    answer = CHROMIUM.replace("a=mid:0\r\n", "").replace("actpass", "active")
    assert "a=mid:7\r\n" in understand(answer, "answer", mid="7").sdp


def test_session_level_ice_and_dtls_are_inherited() -> None:
    lines = CHROMIUM.split("\r\n")
    moved = [x for x in lines if x.startswith(("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup"))]
    rest = [x for x in lines if x not in moved]
    media = understand("\r\n".join([*rest[:4], *moved, *rest[4:]]), "offer").sdp.split("m=audio")[1]
    assert all(line in media for line in moved)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("", "not a session description"),
        ("hello", "not a session description"),
        ("v=0\r\ns=-\r\n", "not a session description"),
        (CHROMIUM.replace("m=audio 9", "m=audio 0"), "no audio"),
        (CHROMIUM.replace("m=audio 9", "m=image 9"), "no audio"),
        (CHROMIUM.replace(FINGERPRINT + "\r\n", ""), "fingerprint"),
        (CHROMIUM.replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 13 126"), "codec"),
        (CHROMIUM.replace("m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "m=audio 9"), "media line"),
    ],
)
def test_what_cant_be_used_is_refused_with_a_reason(broken: str, why: str) -> None:
    with pytest.raises(BadSdp, match=why):
        understand(broken, "offer")


@given(st.text() | st.lists(st.sampled_from(CHROMIUM.split("\r\n"))).map("\r\n".join))
def test_nonsense_is_refused_and_never_anything_else(text: str) -> None:
    try:
        understand(text, "offer")
    except BadSdp:
        return


def test_video_and_second_audio_are_refused_in_their_places() -> None:
    remote = understand(CHROMIUM + VIDEO, "offer")
    assert remote.sdp.count("m=") == 1
    answer = present(LOCAL, "5 1", remote)
    assert [line.split()[:2] for line in answer.splitlines() if line.startswith("m=")] == [
        ["m=audio", "9"],
        ["m=video", "0"],
    ]


def test_audio_need_not_come_first() -> None:
    start = CHROMIUM.index("m=audio")
    remote = understand(CHROMIUM[:start] + VIDEO + CHROMIUM[start:], "offer")
    assert remote.index == 1
    answer = present(LOCAL, "5 1", remote)
    assert answer.index("m=video 0") < answer.index("m=audio 9")


def test_candidates_leave_the_description_and_the_origin_stays() -> None:
    shown = present(LOCAL, "5 2")
    assert "candidate" not in shown
    assert "o=- 5 2 IN IP4 0.0.0.0\r\n" in shown
    assert "192.0.2.9" not in shown
    assert candidates(LOCAL) == ["candidate:x 1 udp 2130706431 192.0.2.9 41234 typ host"]


def test_a_client_without_mid_or_bundle_gets_neither_back() -> None:
    old = CHROMIUM.replace("a=mid:0\r\n", "").replace("a=group:BUNDLE 0\r\n", "")
    shown = present(LOCAL, "5 1", understand(old, "offer"))
    assert "a=mid" not in shown
    assert "BUNDLE" not in shown
    assert "a=group:BUNDLE 0" in present(LOCAL, "5 1", understand(CHROMIUM, "offer"))


@pytest.mark.parametrize(
    ("line", "usable"),
    [
        ("1 1 udp 2113937151 192.0.2.7 50000 typ host generation 0", True),
        ("1 1 UDP 2113937151 2001:db8::1 50000 typ srflx raddr 0.0.0.0 rport 0", True),
        ("1 1 udp 2113937151 abc.local 50000 typ host", False),
        ("1 1 tcp 2113937151 192.0.2.7 9 typ host tcptype active", False),
        ("1 1 udp 2113937151 192.0.2.7 50000 typ prflx", False),
        ("1 1 udp x 192.0.2.7 50000 typ host", False),
        ("1 1 udp", False),
        ("", False),
    ],
)
def test_usable_candidates(line: str, usable: bool) -> None:
    assert usable_candidate(line) is usable


# --- telephone-events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (("opus", "PCMU"), {48000: "110", 8000: "126"}),
        (("opus",), {48000: "110"}),
        (("PCMU", "PCMA", "G722"), {8000: "126"}),
    ],
)
def test_events_of_the_rates_of_the_codecs_keep_the_clients_numbers(
    allowed: tuple[str, ...], expected: dict[int, str]
) -> None:
    remote = understand(CHROMIUM, "offer", allowed=allowed)
    assert remote.events == expected
    assert "telephone-event" not in remote.sdp, "aiortc would take its packets for audio"
    answer = present(LOCAL, "7 1", remote, events=remote.events)
    media = next(line for line in answer.splitlines() if line.startswith("m=audio"))
    assert media.split()[3:] == ["0", *expected.values()]
    for rate, number in expected.items():
        assert f"a=rtpmap:{number} telephone-event/{rate}\r\na=fmtp:{number} 0-15\r\n" in answer


def test_events_of_another_rate_are_better_than_none() -> None:
    offer = CHROMIUM.replace("a=rtpmap:110 telephone-event/48000\r\n", "")
    assert understand(offer, "offer", allowed=("opus",)).events == {8000: "126"}


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("a=rtpmap:126 telephone-event/8000", "a=rtpmap:126 telephone-event/16000"),
        ("13 110 126", "13 110"),
        ("a=rtpmap:126 telephone-event/8000\r\n", ""),
    ],
)
def test_events_that_are_not_there(line: str, other: str) -> None:
    assert understand(CHROMIUM.replace(line, other), "offer", allowed=("PCMU",)).events.get(8000) is None


def test_events_are_put_into_an_offer_that_keeps_to_what_was_agreed() -> None:
    first = present(LOCAL, "7 1", understand(CHROMIUM, "offer"), events={8000: "126"})
    offer = present(LOCAL, "7 2", None, agreement(LOCAL), {8000: "126"})
    for start in ("m=audio", "a=rtpmap", "a=fmtp"):
        assert [x for x in offer.splitlines() if x.startswith(start)] == [
            x for x in first.splitlines() if x.startswith(start)
        ]
