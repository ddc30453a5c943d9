"""SRTP by libsrtp itself: as pylibsrtp's sessions do it, in half the time, and for datagrams of any length.

pylibsrtp raises ValueError for more than 1500 bytes. Anybody can send that to a socket of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pylibsrtp
from pylibsrtp._binding import ffi, lib

LONGEST = 4096
"""Bytes of a packet that is encrypted or decrypted, with what encryption adds: more than any datagram we read."""
ADDED = 256
"""Bytes that encryption adds at most (SRTP_MAX_SRTCP_TRAILER_LEN is less)."""

Crypt = Callable[[bytes], bytes]
"""Encrypts or decrypts a packet. Raises pylibsrtp.Error."""


def crypt(session: Any, method: str) -> Crypt:
    """`protect`, `unprotect`, `protect_rtcp` or `unprotect_rtcp` of a session of pylibsrtp; its own method where it is
    made in another way than the one that is known here."""
    try:
        handle, function = session._srtp[0], getattr(lib, f"srtp_{method}")
        buffer, size = ffi.new("char[]", LONGEST), ffi.new("int *")
        view = ffi.buffer(buffer)
    except AttributeError:
        return getattr(session, method)  # type: ignore[no-any-return]

    def call(packet: bytes, session: Any = session) -> bytes:  # the session has to live as long as its handle
        n = len(packet)
        if n > LONGEST - ADDED:
            raise pylibsrtp.Error("packet is too long")
        view[0:n] = packet
        size[0] = n
        if code := function(handle, buffer, size):
            raise pylibsrtp.Error(pylibsrtp.ERRORS[code])
        done: bytes = view[0 : size[0]]
        return done

    return call
