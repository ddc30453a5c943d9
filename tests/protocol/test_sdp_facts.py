from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.protocol.sdp_facts import Transport, direction_of, setup_of, transport_of

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
VIDEO = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"


@pytest.mark.parametrize(
    ("sdp", "direction"),
    [
        (HEAD + AUDIO + "a=sendonly\r\n", "sendonly"),
        (HEAD + AUDIO + "a=inactive\r\n" + VIDEO + "a=sendrecv\r\n", "inactive"),
        (HEAD + VIDEO + "a=inactive\r\n" + AUDIO + "a=sendrecv\r\n", "sendrecv"),
        (HEAD + "a=recvonly\r\n" + AUDIO, "recvonly"),
        (HEAD + "a=recvonly\r\n" + AUDIO + "a=sendrecv\r\n", "sendrecv"),
        (HEAD + AUDIO, "sendrecv"),
        (HEAD + AUDIO + "c=IN IP4 0.0.0.0\r\n", "inactive"),
        (HEAD + AUDIO + "c=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\n", "sendrecv"),
        ("", "sendrecv"),
    ],
)
def test_direction(sdp: str, direction: str) -> None:
    assert direction_of(sdp) == direction


def test_setup_and_transport() -> None:
    sdp = HEAD + AUDIO + "a=ice-ufrag:aB+/\r\na=fingerprint:sha-256 AA:BB\r\na=setup:ActPass\r\n"
    assert setup_of(sdp) == "actpass"
    assert transport_of(sdp) == Transport("aB+/", "sha-256 aa:bb")
    assert transport_of(sdp.replace("\r\n", "\n")) == Transport("aB+/", "sha-256 aa:bb")
    assert transport_of(HEAD) == Transport("", "")
    assert setup_of(HEAD) == ""


@given(st.text())
def test_never_raises(text: str) -> None:
    direction_of(text)
    setup_of(text)
    transport_of(text)
