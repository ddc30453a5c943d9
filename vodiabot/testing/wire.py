"""Media without sockets: two ends that know each other's descriptions are connected, in virtual time.

An end is named by the ICE user fragment in its SDP; it is up when it has a local and a remote description and its peer,
which the remote description names, has the same of it. Both the bot's virtual media and the virtual PBX's are ends.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .sounds import Sound

_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)\s*$", re.MULTILINE)
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.MULTILINE)


def ufrag_of(sdp: str) -> str:
    """The ICE user fragment of a description; "" if it has none."""
    match = _UFRAG.search(sdp)
    return match[1] if match else ""


def direction_of(sdp: str) -> str:
    """`sendrecv` where the description says nothing."""
    match = _DIRECTION.search(sdp)
    return match[1] if match else "sendrecv"


@dataclass
class End:
    """One end of a virtual media connection."""

    ufrag: str
    on_up: Callable[[], None]
    on_lost: Callable[[str], None]
    remote: str = ""
    up: bool = False
    closed: bool = False
    heard: list[object] = field(default_factory=list)
    """What the other end has played to this one."""
    on_digit: Callable[[str], None] = lambda digit: None
    on_sound: Callable[[Sound], None] = lambda sound: None
    """Told when a sound of the other end begins, and again when it ends."""


class Wire:
    """All virtual media connections of one test."""

    def __init__(self) -> None:
        self._ends: dict[str, End] = {}
        self._numbers = itertools.count(1)

    def end(self, on_up: Callable[[], None], on_lost: Callable[[str], None]) -> End:
        """A new end."""
        end = End(f"v{next(self._numbers):04d}", on_up, on_lost)
        self._ends[end.ufrag] = end
        return end

    def describe(self, end: End, *, setup: str, direction: str = "sendrecv") -> str:
        """The end's SDP: small, but with all that a dialog looks at."""
        lines = [
            "v=0",
            f"o=- {end.ufrag.removeprefix('v')} 1 IN IP4 192.0.2.1",
            "s=-",
            "t=0 0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 0",
            "c=IN IP4 192.0.2.1",
            "a=mid:0",
            f"a=ice-ufrag:{end.ufrag}",
            "a=ice-pwd:0123456789abcdef012345",
            f"a=fingerprint:sha-256 {':'.join(['AB'] * 31)}:{int(end.ufrag.removeprefix('v')) % 256:02X}",
            f"a=setup:{setup}",
            "a=rtcp-mux",
            f"a={direction}",
            "a=rtpmap:0 PCMU/8000",
        ]
        return "\r\n".join(lines) + "\r\n"

    def connect(self, end: End, remote_sdp: str) -> None:
        """The end has got a remote description; tells both ends when they are up."""
        end.remote = ufrag_of(remote_sdp)
        peer = self.peer(end)
        if peer is None or peer.remote != end.ufrag:
            return
        for one in (end, peer):
            if not one.up:
                one.up = True
                one.on_up()

    def peer(self, end: End) -> End | None:
        """The living other end, as far as this one knows it."""
        peer = self._ends.get(end.remote)
        return None if peer is None or peer.closed else peer

    def close(self, end: End) -> None:
        """Idempotent; an end that was up tells its peer that the media is lost."""
        if end.closed:
            return
        peer = self.peer(end)
        end.closed = True
        self._ends.pop(end.ufrag, None)
        if end.up and peer is not None and peer.up:
            peer.up = False
            peer.on_lost("the other end closed")

    def lose(self, end: End) -> None:
        """The way between an end and its peer is gone: each finds that the other no longer consents."""
        for one in (end, self.peer(end)):
            if one is not None and one.up:
                one.up = False
                one.on_lost("consent expired")

    @property
    def ends(self) -> list[End]:
        """Those that are not closed, oldest first."""
        return list(self._ends.values())

    @property
    def open_ends(self) -> int:
        """How many ends are not closed."""
        return len(self._ends)
