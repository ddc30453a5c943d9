"""Encryption: what is too long or spoiled is refused, not an end, and the count of 65,536 packets goes on."""

from __future__ import annotations

import socket

import pylibsrtp
import pytest
import trio

from vodiabot.media import rtp
from vodiabot.media.bridge import open_media
from vodiabot.media.datagrams import MAX_DATAGRAM
from vodiabot.media.srtp import ADDED, LONGEST, Crypt, crypt

from .helpers import PATIENCE, call

KEY = bytes(range(30))


def session(ssrc_type: int) -> pylibsrtp.Session:
    profile = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
    return pylibsrtp.Session(pylibsrtp.Policy(key=KEY, ssrc_type=ssrc_type, srtp_profile=profile))


def both(what: str = "") -> tuple[Crypt, Crypt]:
    """`what` is "" for audio, "_rtcp" for reports."""
    goes, comes = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND), session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
    return crypt(goes, f"protect{what}"), crypt(comes, f"unprotect{what}")


def packet(number: int, payload: bytes = bytes(160)) -> bytes:
    return rtp.build(0, False, number % rtp.SEQUENCES, number * 160 % rtp.TIMESTAMPS, 7, payload)


def test_it_is_what_pylibsrtp_makes() -> None:
    ours, _ = both()
    theirs = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    assert [ours(packet(n)) for n in range(3)] == [theirs.protect(packet(n)) for n in range(3)]


def test_numbers_wrap_twice() -> None:
    """Each wrap is another count in the key stream, on both sides (RFC 3711, section 3.3.1)."""
    protect, unprotect = both()
    for number in (*range(65_000, 66_000), *range(98_000, 131_000, 1000), *range(131_000, 132_000)):
        assert unprotect(protect(packet(number))) == packet(number)


def test_what_was_heard_already_is_refused() -> None:
    protect, unprotect = both()
    encrypted = protect(packet(1))
    unprotect(encrypted)
    with pytest.raises(pylibsrtp.Error, match="replay"):
        unprotect(encrypted)


@pytest.mark.parametrize("n", [0, 1, 11, 1499, 1501, MAX_DATAGRAM, LONGEST - ADDED, LONGEST, 65_000])
@pytest.mark.parametrize("what", ["", "_rtcp"])
def test_no_datagram_of_a_stranger_raises_anything_else(n: int, what: str) -> None:
    with pytest.raises(pylibsrtp.Error):
        both(what)[1](b"\x80" * n)


def test_the_longest_that_is_read_can_be_encrypted() -> None:
    protect, unprotect = both()
    long = packet(1, bytes(MAX_DATAGRAM - 12))
    assert unprotect(protect(long)) == long


def test_a_session_that_is_made_otherwise_is_called_as_it_is() -> None:
    class Other:
        def protect(self, data: bytes) -> bytes:
            return data[::-1]

    assert crypt(Other(), "protect")(b"ab") == b"ba"


@pytest.mark.audio
async def test_no_datagram_of_a_stranger_ends_a_call() -> None:
    """Anybody can send anything to an open socket: every kind of first byte, in several lengths, and nothing at all."""
    async with open_media() as engine, call(engine) as (a, b):
        stream = a.leg._leg._counted[1]
        assert stream is not None
        address = stream._wire._transport.get_extra_info("sockname")
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            for first in range(256):
                for n in (0, 1, 19, 200, 1600):
                    stranger.sendto(bytes([first]) * n, address)
                await trio.sleep(0.001)
        before = stream.stats().packets_received
        with trio.fail_after(PATIENCE):
            while stream.stats().packets_received < before + 20:  # noqa: ASYNC110 - nobody tells it
                await trio.sleep(0.02)
        assert stream._wire.undecipherable > 100
        assert a.heard.losses == b.heard.losses == []
