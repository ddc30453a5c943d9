"""The SDP normaliser: each oddity that PBXs and browsers send."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.errors import SdpError
from vodiabot.media.sdp import clean_candidate, local_candidates, read_remote, write_local

PRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
OFFER = f"""v=0
o=- 4611 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE audio0
m=audio 5000 UDP/TLS/RTP/SAVPF 111 0 8 101
c=IN IP4 192.0.2.7
a=sendrecv
a=mid:audio0
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
{PRINT}
a=setup:actpass
a=candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host generation 0
"""

LOCAL = """v=0\r
o=- 99 99 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=group:BUNDLE 0\r
a=msid-semantic:WMS *\r
m=audio 4000 UDP/TLS/RTP/SAVPF 0\r
c=IN IP4 192.0.2.1\r
a=sendrecv\r
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=mid:0\r
a=rtcp-mux\r
a=rtpmap:0 PCMU/8000\r
a=candidate:7 1 udp 2130706431 192.0.2.1 4000 typ host\r
a=end-of-candidates\r
a=ice-ufrag:wxyz\r
a=ice-pwd:abcdefghijklmnopqrstuv\r
a=fingerprint:sha-256 AA:BB\r
a=fingerprint:sha-512 CC:DD\r
a=setup:active\r
"""


CHROMIUM = """v=0
o=- 9144204148552501996 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 1f8f68b5-55a9-4768-87f8-c9b397a29cbe
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:tWX4
a=ice-pwd:wc0D8pt1+CPa8eqilfIIx1td
a=ice-options:trickle
a=fingerprint:sha-256 B5:EA:41:2E:C4:92:B2:1E:9B:67:95:AE:AD:C4:8D:39:1B:7A:50:72:B1:58:81:C2:E3:A9:7C:63:95:D9:6C:8F
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:1f8f68b5-55a9-4768-87f8-c9b397a29cbe ca4dd480-6f53-4277-9876-a251ae1a5b93
a=rtcp-mux
a=rtcp-rsize
a=rtcp-xr:rcvr-rtt=all
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:4006423947 cname:46iZFwMigA5koNaT
a=ssrc:4006423947 msid:1f8f68b5-55a9-4768-87f8-c9b397a29cbe ca4dd480-6f53-4277-9876-a251ae1a5b93
"""


def without(pattern: str, text: str = OFFER) -> str:
    return "\n".join(line for line in text.split("\n") if not re.match(pattern, line))


def test_what_aiortc_gets_is_one_audio_line_with_what_is_known() -> None:
    remote = read_remote(OFFER, "offer")
    assert remote.text.count("m=") == 1
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\n" in remote.text
    assert "telephone-event" not in remote.text
    assert remote.codecs == ("opus", "pcmu", "pcma")
    assert remote.audio.mid == "audio0"
    assert "a=candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host\r\n" in remote.text


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_line_ending(ending: str) -> None:
    assert read_remote(OFFER.replace("\n", ending), "offer") == read_remote(OFFER, "offer")


@pytest.mark.parametrize(
    ("role", "setup", "expected"),
    [
        ("answer", "actpass", "passive"),
        ("answer", "active", "active"),
        ("answer", "passive", "passive"),
        ("answer", "holdconn", "passive"),
        ("answer", None, "passive"),
        ("offer", "actpass", "actpass"),
        ("offer", "active", "active"),
        ("offer", "passive", "passive"),
        ("offer", None, "actpass"),
    ],
)
def test_setup(role: str, setup: str | None, expected: str) -> None:
    text = without("a=setup", OFFER) + (f"a=setup:{setup}\n" if setup else "")
    assert f"a=setup:{expected}\r\n" in read_remote(text, role).text  # type: ignore[arg-type]


def test_an_offer_of_chromium() -> None:
    remote = read_remote(CHROMIUM, "offer")
    assert remote.codecs == ("opus", "g722", "pcmu", "pcma")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8\r\n" in remote.text
    assert "a=candidate" not in remote.text  # trickled, and names of mDNS
    assert remote.audio.mid == "0"


def test_session_level_attributes_hold_for_the_audio() -> None:
    head = "v=0\na=setup:active\na=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\na=ice-lite\na=recvonly\n"
    head += PRINT + "\n"
    body = without("[vots]=|a=(group|setup|ice|fingerprint|sendrecv)")
    remote = read_remote(head + body, "offer")
    assert remote.direction == "recvonly"
    for line in ("a=ice-lite", "a=setup:active", "a=ice-ufrag:abcd", PRINT):
        assert line in remote.text


def test_missing_direction_is_both_ways() -> None:
    assert "a=sendrecv\r\n" in read_remote(without("a=sendrecv"), "offer").text


def test_missing_mid_is_inserted_and_not_repeated_in_the_answer() -> None:
    remote = read_remote(without("a=(mid|group)"), "offer")
    assert "a=mid:0\r\n" in remote.text
    answer = write_local(LOCAL, session_id=5, version=1, offer=remote)
    assert "a=mid" not in answer
    assert "BUNDLE" not in answer


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (without("a=rtcp-mux"), "rtcp-mux"),
        (OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "plain RTP"),
        (OFFER.replace("m=audio 5000", "m=audio 0"), "port 0"),
        (without("a=fingerprint"), "fingerprint"),
        (OFFER.replace("sha-256", "sha-1"), "sha-"),
        (OFFER.replace("AB:AB", "XY:AB"), "fingerprint"),
        (without("a=ice-ufrag"), "ice-ufrag"),
        (without("a=ice-pwd"), "ice-pwd"),
        (OFFER.replace("111 0 8 101", "101 13"), "no codec"),
        (OFFER.replace("m=audio 5000", "m=audio x"), "m-line"),
        (OFFER.replace("m=audio", "m=video"), "no m=audio"),
        ("", "v=0"),
        ("hello", "line 1"),
        (OFFER.replace("s=-", "nonsense"), "line 3 ('nonsense')"),
        ("v=0\n" + "a=x\n" * 50_000, "too long"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, why: str) -> None:
    with pytest.raises(SdpError, match=re.escape(why)):
        read_remote(text, "offer")


def test_static_payload_types_need_no_rtpmap() -> None:
    text = without("a=(rtpmap|fmtp)").replace("111 0 8 101", "9 8 0 111")
    remote = read_remote(text, "offer")
    assert remote.codecs == ("g722", "pcma", "pcmu")
    assert "a=rtpmap:9 G722/8000\r\n" in remote.text


def test_fmtp_without_rtpmap_is_dropped() -> None:
    text = without("a=rtpmap:111")
    assert "fmtp" not in read_remote(text, "offer").text


def test_payload_types_that_aiortc_would_renumber_are_left_out() -> None:
    text = OFFER.replace("111 0", "63 0").replace("rtpmap:111", "rtpmap:63")
    assert read_remote(text, "offer").codecs == ("pcmu", "pcma")


def test_g722_with_its_sampling_rate_is_understood() -> None:
    text = OFFER.replace("111 0 8 101", "9").replace("rtpmap:0 PCMU/8000", "rtpmap:9 G722/16000")
    assert read_remote(text, "offer").codecs == ("g722",)


def test_other_media_are_refused_in_order() -> None:
    image = "m=image 6000 udptl t38\na=T38FaxVersion:0\n"
    video = "m=video 0 UDP/TLS/RTP/SAVPF 120 121\na=rtpmap:120 AV9/90000\na=mid:v\n"
    head, audio = OFFER.split("m=audio", 1)
    remote = read_remote(head + image + "m=audio" + audio + video, "offer")
    assert remote.audio_index == 1
    answer = write_local(LOCAL, session_id=5, version=1, offer=remote)
    m_lines = [line for line in answer.split("\r\n") if line.startswith("m=")]
    assert m_lines == [
        "m=image 0 udptl t38",
        "m=audio 4000 UDP/TLS/RTP/SAVPF 0 101",
        "m=video 0 UDP/TLS/RTP/SAVPF 120 121",
    ]
    assert "a=mid:v" in answer
    assert "a=group:BUNDLE audio0\r\n" in answer


def test_the_first_audio_that_is_on_is_taken() -> None:
    head, audio = OFFER.split("m=audio", 1)
    remote = read_remote(head + "m=audio 0 RTP/AVP 0\n" + "m=audio" + audio, "offer")
    assert remote.audio_index == 1


def test_the_answer_speaks_the_protocol_of_the_offer() -> None:
    remote = read_remote(OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"), "offer")
    assert "m=audio 4000 RTP/SAVPF 0 101\r\n" in write_local(LOCAL, session_id=5, version=1, offer=remote)


def test_our_description() -> None:
    text = write_local(LOCAL, session_id=5, version=3)
    assert "o=- 5 3 IN IP4 0.0.0.0\r\n" in text
    assert "end-of-candidates" not in text
    assert "extmap" not in text
    assert text.count("a=fingerprint") == 1
    assert "a=group:BUNDLE 0\r\n" in text
    lines = text.split("\r\n")
    assert lines[lines.index("m=audio 4000 UDP/TLS/RTP/SAVPF 0 101") + 1].startswith(
        "c="
    )  # RFC 8866: c= before a=
    assert local_candidates(text) == ["candidate:7 1 udp 2130706431 192.0.2.1 4000 typ host"]


def test_telephone_events_are_answered_by_their_numbers() -> None:
    text = OFFER.replace("111 0 8 101", "111 0 8 126 97 13").replace("rtpmap:101 tele", "rtpmap:126 tele")
    remote = read_remote(text + "a=rtpmap:97 telephone-event/48000\n", "offer")
    assert remote.events == {8000: 126, 48000: 97}
    answer = write_local(LOCAL, session_id=5, version=1, offer=remote)
    assert "m=audio 4000 UDP/TLS/RTP/SAVPF 0 126\r\n" in answer  # no codec of ours has 48000 here
    assert "a=rtpmap:126 telephone-event/8000\r\n" in answer
    assert "CN/8000" not in answer  # browsers would take tones for noise


def test_what_was_not_offered_is_not_answered() -> None:
    bare = OFFER.replace("111 0 8 101", "111 0 8").replace("a=rtpmap:101 telephone-event/8000\n", "")
    answer = write_local(LOCAL, session_id=5, version=1, offer=read_remote(bare, "offer"))
    assert "m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n" in answer
    assert "telephone-event" not in answer


@pytest.mark.parametrize(
    ("candidate", "kept"),
    [
        ("candidate:1 1 UDP 5 192.0.2.1 7 typ host", "1 1 udp 5 192.0.2.1 7 typ host"),
        (
            "a=candidate:1 1 udp 5 2001:db8::1 7 typ srflx raddr x rport y",
            "1 1 udp 5 2001:db8::1 7 typ srflx",
        ),
        ("1 1 udp 5 192.0.2.1 7 typ relay", "1 1 udp 5 192.0.2.1 7 typ relay"),
        ("candidate:1 1 udp 5 3b1d4e4a-0000.local 7 typ host", None),
        ("candidate:1 1 udp 5 fe80::1%eth0 7 typ host", None),
        ("candidate:1 1 udp 5 pbx.example.com 7 typ host", None),
        ("candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype active", None),
        ("candidate:1 2 udp 5 192.0.2.1 7 typ host", None),
        ("candidate:1 1 udp 5 192.0.2.1 0 typ host", None),
        ("candidate:1 1 udp 5 192.0.2.1 70000 typ host", None),
        ("candidate:1 1 udp 5 192.0.2.1 7 typ prflx", None),
        ("", None),
        ("candidate:", None),
        ("nonsense", None),
    ],
)
def test_candidates(candidate: str, kept: str | None) -> None:
    assert clean_candidate(candidate) == kept


def test_names_of_mdns_are_dropped_from_the_description() -> None:
    text = OFFER.replace("192.0.2.7 5000 typ", "abc.local 5000 typ") + "a=end-of-candidates\n"
    remote = read_remote(text, "offer")
    assert "candidate" not in remote.text


# --- anything at all ----------------------------------------------------------------------------------------

LINES = st.lists(
    st.one_of(
        st.sampled_from(OFFER.split("\n")), st.text(max_size=60), st.sampled_from(["m=audio", "a=", "=", "v"])
    ),
    max_size=40,
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=400), LINES.map("\n".join)), st.sampled_from(["offer", "answer"]))
def test_garbage_is_an_sdp_error_and_nothing_else(text: str, role: str) -> None:
    with suppress(SdpError):
        read_remote(text, role)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.integers(0, len(OFFER)), st.text(max_size=12), st.integers(0, 30), st.sampled_from(["offer", "answer"])
)
def test_what_is_read_aiortc_can_parse(at: int, put: str, cut: int, role: str) -> None:
    text = OFFER[:at] + put + OFFER[at + cut :]
    try:
        remote = read_remote(text, role)  # type: ignore[arg-type]
    except SdpError:
        return
    (media,) = SessionDescription.parse(remote.text).media
    assert media.rtp.codecs
    assert media.rtcp_mux
    assert media.dtls.fingerprints
    assert write_local(LOCAL, session_id=1, version=1, offer=remote).startswith("v=0\r\n")


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_candidate(text: str) -> None:
    clean = clean_candidate(text)
    assert clean is None or clean_candidate(clean) == clean
