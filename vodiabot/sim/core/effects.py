"""What the PBX model wants its shell to do, and what the shell tells it.

The model (`core.pbx.Pbx`) is pure: every input carries `now` (seconds, any monotonic origin) and gives a list of
effects, to be carried out in order. A shell is `sim.server` (sockets, aiortc) or `vodiabot.testing` (memory, virtual
media). A *leg* is one call leg that ends at the PBX, named by an opaque `leg` id of the model's own. A re-offer that
needs a new peer connection at the PBX's side comes as a new `peer` number of the same leg; the shell keeps one peer
connection a (leg, peer) and closes the old one when a new one of the same leg is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# --- what a leg hears ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Silence:
    """Packets of silence."""


@dataclass(frozen=True)
class Nothing:
    """No packets at all, signalling lives (service kind `media-stop`)."""


@dataclass(frozen=True)
class Tone:
    """A steady sine."""

    hz: float


@dataclass(frozen=True)
class File:
    """An audio file, once; then silence."""

    path: str


@dataclass(frozen=True)
class Echo:
    """What the leg itself says."""


@dataclass(frozen=True)
class Music:
    """Music on hold: it must be told from speech and tones of the tests; see the shell."""


@dataclass(frozen=True)
class Ringback:
    """The ringing tone that a caller hears as early media."""


@dataclass(frozen=True)
class Busy:
    """The busy tone."""


@dataclass(frozen=True)
class FromLeg:
    """What another leg says."""

    leg: str


Feed = Silence | Nothing | Tone | File | Echo | Music | Ringback | Busy | FromLeg

# --- effects ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SendFrame:
    """Send this JSON object to a client's socket."""

    socket: str
    frame: dict[str, Any]


@dataclass(frozen=True)
class CloseSocket:
    """Close a client's socket."""

    socket: str
    why: str


@dataclass(frozen=True)
class MakeAnswer:
    """Set the client's offer on (leg, peer), made if it is new, and answer it; then `AnswerReady` or `MediaFailed`."""

    leg: str
    peer: int
    offer: str


@dataclass(frozen=True)
class MakeOffer:
    """Make an offer of the PBX's own on (leg, peer), made if it is new; then `OfferReady` or `MediaFailed`."""

    leg: str
    peer: int
    direction: str = "sendrecv"


@dataclass(frozen=True)
class ApplyAnswer:
    """Set the client's answer to the PBX's offer on (leg, peer); `MediaFailed` if it can't be."""

    leg: str
    peer: int
    answer: str


@dataclass(frozen=True)
class AddCandidate:
    """A candidate of the client for the leg's newest peer; `candidate` None: there will be no more."""

    leg: str
    candidate: str | None
    sdp_mid: str = ""
    sdp_mline_index: int = 0


@dataclass(frozen=True)
class SetFeed:
    """What the leg hears from now on; may come before its media is up."""

    leg: str
    feed: Feed


@dataclass(frozen=True)
class PressDigits:
    """The leg hears these digits, which were pressed at the other end: as telephone-events where they were negotiated,
    else in-band. A shell whose audio can't say them ignores it."""

    leg: str
    digits: str


@dataclass(frozen=True)
class SetFaults:
    """What goes wrong with the packets that the leg is sent from now on. The same settings give the same faults."""

    leg: str
    loss: float
    """Percent of the packets that are lost."""
    jitter_ms: float
    """Each is late by up to so many milliseconds, and may be overtaken."""
    seed: int = 0


@dataclass(frozen=True)
class CloseMedia:
    """Close all of the leg's media. Idempotent."""

    leg: str


@dataclass(frozen=True)
class Log:
    """A line for the simulator's log; `fields` never hold a password or session id."""

    level: str
    text: str
    fields: dict[str, Any]


Effect = (
    SendFrame
    | CloseSocket
    | MakeAnswer
    | MakeOffer
    | ApplyAnswer
    | AddCandidate
    | SetFeed
    | SetFaults
    | PressDigits
    | CloseMedia
    | Log
)

# --- what the shell tells --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AnswerReady:
    """`sdp` is a complete answer of the PBX, without candidates; these follow as `CandidateReady`."""

    leg: str
    peer: int
    sdp: str


@dataclass(frozen=True)
class OfferReady:
    """`sdp` is a complete offer of the PBX, without candidates; these follow as `CandidateReady`."""

    leg: str
    peer: int
    sdp: str


@dataclass(frozen=True)
class CandidateReady:
    """A candidate of the PBX's own; None: there will be no more."""

    leg: str
    peer: int
    candidate: str | None


@dataclass(frozen=True)
class MediaUp:
    """ICE and DTLS of the leg are up."""

    leg: str
    peer: int


@dataclass(frozen=True)
class MediaLost:
    """Consent expired or the client closed DTLS."""

    leg: str
    peer: int


@dataclass(frozen=True)
class MediaFailed:
    """The client's SDP could not be used."""

    leg: str
    peer: int
    error: str


@dataclass(frozen=True)
class DigitHeard:
    """The client sent a DTMF digit."""

    leg: str
    digit: str
    apart: bool = False
    """Beside the audio, as a telephone-event: whoever hears the leg has not heard it yet. False: as tones, or the shell
    has passed it on with what else the leg says."""


MediaNews = AnswerReady | OfferReady | CandidateReady | MediaUp | MediaLost | MediaFailed | DigitHeard
