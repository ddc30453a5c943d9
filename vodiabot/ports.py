"""The interfaces between rooms. Nothing here knows trio, asyncio or aiortc: only shapes and promises.

`calls/` drives audio through `MediaPort` and speaks to the PBX through `CommandPort`; `media/` and `testing/` implement
the first, `session/` the second. All coroutines are awaited on the trio side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

# --- what media tells (called on the trio thread, must not block) ----------------------------------------------------


class IceCandidate(msgspec.Struct, frozen=True):
    """One ICE candidate; `candidate` is the line without `a=`: `candidate:1 1 UDP 2130706431 192.0.2.1 50 typ host`."""

    candidate: str
    sdp_mid: str = "0"
    sdp_mline_index: int = 0


class LocalCandidate(msgspec.Struct, frozen=True):
    """A candidate of ours to be trickled; `candidate` None says that there will be no more."""

    generation: int
    candidate: IceCandidate | None


class MediaUp(msgspec.Struct, frozen=True):
    """ICE and DTLS are up: audio can flow. Once a generation at most."""

    generation: int


class MediaLost(msgspec.Struct, frozen=True):
    """Consent expired or DTLS was closed by the other side. Not told after `close`."""

    generation: int
    reason: str


class DtmfReceived(msgspec.Struct, frozen=True):
    """One digit of the other side, `0-9*#A-D`, told when it starts."""

    digit: str


MediaEvent = LocalCandidate | MediaUp | MediaLost | DtmfReceived


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A finished recording."""

    path: Path
    duration: float
    """Seconds of audio in the file."""
    stopped_by: str
    """`ended` (the call), `max_seconds`, `silence`, `digit`, `stopped` (by us)."""


class MediaStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one leg's audio, over all its generations."""

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    jitter: float | None = None
    """Seconds."""
    round_trip: float | None = None
    """Seconds."""


# --- what calls ask of media -----------------------------------------------------------------------------------------


class MediaLeg(Protocol):
    """The audio of one leg, over as many peer connections ("generations") as signalling needs.

    What plays or records goes on over a change of generation. A generation number is chosen by the caller and rises.
    Offers and answers are SDP texts. All coroutines may be cancelled; afterwards the leg is still good or closed.
    """

    async def make_offer(self, generation: int) -> str:
        """Replace the peer connection by a new one and return its offer, candidates inside it. Raises MediaError."""

    async def make_answer(self, generation: int, offer: str) -> str:
        """Answer an offer of the PBX: on the peer connection of `generation` if it exists, else on a new one.

        Raises SdpError if the offer can't be used, MediaError if the audio can't be set up.
        """

    async def apply_answer(self, generation: int, answer: str) -> None:
        """Apply the PBX's answer to our offer of this generation. Raises SdpError."""

    async def add_candidate(self, generation: int, candidate: IceCandidate | None) -> None:
        """Add a remote candidate; one that comes before the remote description is kept until then. Never raises for a
        candidate that makes no sense: that is logged."""

    def set_sending(self, sending: bool) -> None:
        """False: send nothing at all (we hold the other side, or are muted by it); True: send again. Does not block."""

    def set_muted(self, muted: bool) -> None:
        """True: send silence in place of what plays. Does not block."""

    async def play(self, source: Any) -> None:
        """Play a path or a Source; returns when its last sample has been sent. Cancelling stops it within a frame.

        Raises SourceError if it can't be read, CallEnded when the leg is closed meanwhile.
        """

    async def send_dtmf(self, digits: str, *, duration: float = 0.1, gap: float = 0.06) -> None:
        """Send digits; returns when the last one has been sent. `duration` and `gap` in seconds."""

    async def record(
        self,
        path: Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
    ) -> Recording:
        """Record what the other side says until the leg closes or one of the conditions holds, then close the file.

        A cancelled `record` leaves a complete file of what was heard so far. Raises SourceError if it can't be written.
        """

    def stats(self) -> MediaStats:
        """Counters up to now; after `aclose` the last ones. Does not block."""

    async def aclose(self) -> None:
        """Close everything; playing and recording end. Idempotent. Leaves no task, socket or peer connection behind."""


class MediaPort(Protocol):
    """Makes the audio of legs."""

    def open(
        self,
        label: str,
        on_event: Callable[[MediaEvent], None],
        *,
        codecs: Sequence[str] | None = None,
    ) -> MediaLeg:
        """A new leg. `label` appears in logs; `on_event` is called on the trio thread, in order. `codecs` narrows
        `[media] codecs`, in order of preference."""


class CommandPort(Protocol):
    """Sends commands to the PBX."""

    async def send(self, command: Any) -> None:
        """Send one command of `protocol.commands`; returns when it has been handed to the socket, in order of calls.

        Raises ConnectionLost if the socket is not up or dies meanwhile; the command is never sent again by itself.
        """
