"""The two dialects of the PBX, and how one finds out which it speaks (PROTOCOL.md section 5)."""

from __future__ import annotations

import enum
import re
from typing import Literal

from .sdp_facts import setup_of

FIRST_MODERN = 69
"""Major version from which on the PBX sends an offer of its own [live]."""

_VERSION = re.compile(r"\bVodia(?:-|\s*)PBX/v?(\d{1,4})(?=[.\s)]|$)", re.IGNORECASE)


class Dialect(enum.Enum):
    """Who offers in a call that we place."""

    CLASSIC = "classic"
    """67, 68 and before, and the vendor's page: we offer, the PBX answers."""
    MODERN = "modern"
    """69, 70: the PBX does not use our offer; it sends its own and wants our answer."""

    @property
    def other(self) -> Dialect:
        """The one to try when this one did not work."""
        return Dialect.MODERN if self is Dialect.CLASSIC else Dialect.CLASSIC


def from_server_header(value: str | None) -> Dialect | None:
    """The dialect by the PBX's `Server:` header, e.g. `Vodia-PBX/69.5.3` [guess]; None if it says nothing of
    use."""
    found = _VERSION.search(value or "")
    if found is None:
        return None
    return Dialect.MODERN if int(found[1]) >= FIRST_MODERN else Dialect.CLASSIC


def resolve(setting: str, server_header: str | None, remembered: Dialect | None) -> Dialect | None:
    """The dialect to speak: what the configuration forces, else what the PBX's version says, else what was
    remembered of a call that had failed. None: unknown, decided for each `sdp` frame.

    The version comes before the memory, so that what was learned of a PBX does not outlive its upgrade.
    """
    if setting in ("classic", "modern"):
        return Dialect(setting)
    return from_server_header(server_header) or remembered


def role_of(sdp: str, dialect: Dialect | None, label: str = "") -> Literal["offer", "answer"]:
    """What an `sdp` frame is that comes after our `sdp-packet`: the PBX's answer to it, or an offer of its
    own.

    Classic: the answer, even where it is marked `actpass`. Modern: an offer, unless `a=setup` says that it
    can't be one. Unknown [guess]: active or passive is an answer, actpass an offer; without `a=setup` the
    PBX's own label counts, and without that it is an answer, as on the vendor's page.
    """
    if dialect is Dialect.CLASSIC:
        return "answer"
    setup = setup_of(sdp)
    if setup in ("active", "passive"):
        return "answer"
    if setup == "actpass":
        return "offer"
    if label == "offer" or (dialect is Dialect.MODERN and label != "answer"):
        return "offer"
    return "answer"


def role_while_offering(
    sdp: str, dialect: Dialect | None, label: str = "", *, code: int | None, same_transport: bool
) -> Literal["offer", "answer"]:
    """What an `sdp` frame is that comes in mid-call while an offer of ours, of a new peer connection, is out
    [guess].

    `same_transport`: it has the ICE ufrag and DTLS fingerprint of the connection that ours is to replace, so
    it can't be the answer: both sides offered at once.
    """
    if setup_of(sdp) in ("active", "passive"):
        return "answer"
    if label in ("offer", "answer"):
        return "offer" if label == "offer" else "answer"
    if dialect is Dialect.MODERN:
        return "offer"
    if code is not None and 200 <= code < 300:
        return "answer"
    return "offer" if same_transport else "answer"


def resume_with_offer(dialect: Dialect | None) -> bool:
    """Whether a call is taken back with a new offer (classic, and unknown, as on the page) or without SDP
    (modern)."""
    return dialect is not Dialect.MODERN
