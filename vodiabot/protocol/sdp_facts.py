"""The few facts of a session description that signalling needs. All else is the media room's."""

from __future__ import annotations

import re

import msgspec

_SETUP = re.compile(r"^a=setup:\s*(\w+)", re.MULTILINE)
_UFRAG = re.compile(r"^a=ice-ufrag:\s*(\S+)", re.MULTILINE)
_FINGERPRINT = re.compile(r"^a=fingerprint:\s*([^\r\n]+)", re.MULTILINE)
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\b", re.MULTILINE)
_ZERO_ADDRESS = re.compile(r"^c=IN IP4 0\.0\.0\.0\s*$", re.MULTILINE)
_MEDIA = re.compile(r"^m=", re.MULTILINE)


class Transport(msgspec.Struct, frozen=True):
    """What names one ICE and DTLS end: if either changes, the other side has a new peer connection."""

    ufrag: str
    fingerprint: str


def setup_of(sdp: str) -> str:
    """The first `a=setup`: `active`, `passive`, `actpass`, …; "" without one."""
    found = _SETUP.search(sdp)
    return found[1].lower() if found else ""


def transport_of(sdp: str) -> Transport:
    """The first ICE ufrag and DTLS fingerprint; "" for what is missing."""
    ufrag, fingerprint = _UFRAG.search(sdp), _FINGERPRINT.search(sdp)
    return Transport(ufrag[1] if ufrag else "", fingerprint[1].strip().lower() if fingerprint else "")


def direction_of(sdp: str) -> str:
    """`sendrecv`, `sendonly`, `recvonly` or `inactive`, as the sender of the SDP sees it: of the audio
    section, else of the session. A connection address of 0.0.0.0, the old way to hold, counts as inactive."""
    section = _audio_section(sdp)
    found = _DIRECTION.search(section) or _DIRECTION.search(sdp[: _first_media(sdp)])
    if found:
        return found[1]
    # Trickled offers of WebRTC carry 0.0.0.0 too, but those name a direction.
    return "inactive" if _ZERO_ADDRESS.search(section) and "a=ice-ufrag" not in sdp else "sendrecv"


def _first_media(sdp: str) -> int:
    found = _MEDIA.search(sdp)
    return found.start() if found else len(sdp)


def _audio_section(sdp: str) -> str:
    start = re.search(r"^m=audio\b", sdp, re.MULTILINE)
    if start is None:
        return ""
    end = _MEDIA.search(sdp, start.end())
    return sdp[start.start() : end.start() if end else len(sdp)]
