"""The interfaces between rooms. Nothing here knows trio, asyncio or aiortc: only shapes and promises.

`calls/` drives audio through `MediaPort` and speaks to the PBX through `CommandPort`; `media/` and `testing/` implement
the first, `session/` the second. All coroutines are awaited on the trio side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
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


class FarSideSilent(msgspec.Struct, frozen=True):
    """The call is up and should be heard, but no audio packet came for `seconds`: one-way audio. Told once, then only
    after FarSideHeard again."""

    seconds: float


class FarSideHeard(msgspec.Struct, frozen=True):
    """Audio packets come again after FarSideSilent."""


class FarSideDeaf(msgspec.Struct, frozen=True):
    """We send, but by what the other side tells nothing of it has arrived for `seconds`. Told again with each news that
    confirms it, until FarSideHears. A side that tells nothing is never told deaf."""

    seconds: float


class FarSideHears(msgspec.Struct, frozen=True):
    """What we send arrives again after FarSideDeaf."""


OneWayNews = FarSideSilent | FarSideHeard | FarSideDeaf | FarSideHears
MediaEvent = LocalCandidate | MediaUp | MediaLost | DtmfReceived | OneWayNews


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A finished recording."""

    path: Path
    duration: float
    """Seconds of audio in the file."""
    stopped_by: str
    """`ended` (the call), `max_seconds`, `silence`, `digit`, `stopped` (by us)."""


class MediaStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one leg's audio, over all its generations. What was not measured (yet) is None."""

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    """Of the other side's, by their sequence numbers."""
    packets_late: int = 0
    """That came after their time was played, and were left out."""
    concealed: float = 0.0
    """Seconds of audio that were made up because nothing was there to be played."""
    jitter: float | None = None
    """Seconds, of the packets that we receive (RFC 3550, section 6.4.1)."""
    delay: float | None = None
    """Seconds that received audio waits in the jitter buffer, now."""
    round_trip: float | None = None
    """Seconds, from the other side's RTCP reports."""
    far_lost: float | None = None
    """Part (0 to 1) of our packets that the other side lost, from its latest RTCP report."""
    far_jitter: float | None = None
    """Seconds, of our packets at the other side, from its latest RTCP report."""
    silent_for: float | None = None
    """Seconds since the last audio packet came; None before the audio is up."""
    unheard_for: float | None = None
    """Seconds for which nothing of ours has arrived, as the other side tells; 0.0: it does; None: it tells nothing."""
    mos: float | None = None
    """Estimated mean opinion score of what we hear, 1 to 4.5 (E-model, ITU-T G.107)."""


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

    async def play(self, source: Any, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0) -> None:
        """Play a path, a URL or a Source, or a list of them without a gap; returns when the last sample has been sent.
        Cancelling stops it within a frame. Several at once are mixed. `gain` in dB; `fade_in`, and `fade_out` when it
        is cancelled, in seconds.

        Raises SourceError if it can't be read, CallEnded when the leg is closed meanwhile.
        """

    async def send_dtmf(
        self, digits: str, *, duration: float = 0.1, gap: float = 0.06, volume: float = -10.0
    ) -> None:
        """Send digits; returns when the last one has been sent. `duration` and `gap` in seconds, `volume` in dBm0."""

    async def record(
        self,
        path: Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
        stereo: bool = False,
    ) -> Recording:
        """Record what the other side says until the leg closes or one of the conditions holds, then close the file.
        `.wav`, or `.ogg` and `.opus` for Ogg/Opus. `stereo`: the other side left, we right, aligned in time.

        A cancelled `record` leaves a complete file of what was heard so far. Raises SourceError if it can't be written.
        """

    def audio(self, *, rate: int = 16000, frames: int = 50) -> AbstractAsyncContextManager[MediaAudio]:
        """The audio itself, for a plugin that works on samples. `rate` in Hz; `frames` of 20 ms may wait in either
        direction. Raises CallEnded if the leg is closed, UsageError for a rate below 8000 or above 48000."""

    def stats(self) -> MediaStats:
        """Counters up to now; after `aclose` the last ones. Does not block."""

    async def aclose(self) -> None:
        """Close everything; playing and recording end. Idempotent. Leaves no task, socket or peer connection behind."""


class MediaAudio(Protocol):
    """An open door to the audio of a leg. A frame is 20 ms of mono samples, int16 in native byte order, as bytes."""

    rate: int
    """Hz, both ways."""
    @property
    def lost_in(self) -> int:
        """Frames of the other side that were dropped because `receive` was not called in time: the oldest go first."""

    async def receive(self) -> bytes:
        """The next frame of the other side: one each 20 ms, silence where nothing came. Raises trio.EndOfChannel when
        the leg is closed."""

    async def send(self, samples: bytes) -> None:
        """Queue samples (any number) to be sent, mixed with what plays; waits while the queue is full, so nothing is
        dropped. Raises CallEnded when the leg is closed."""

    def clear(self) -> None:
        """Drop what is queued to be sent and has not left yet. Does not block."""

    async def drain(self) -> None:
        """Returns when all that was queued has left. Raises CallEnded."""


class MediaConference(Protocol):
    """Legs that hear one another; two of them are a bridge. What is played to a leg is heard by that leg alone."""

    def add(self, leg: MediaLeg) -> None:
        """The leg hears the others and is heard. Idempotent. Does not block."""

    def remove(self, leg: MediaLeg) -> None:
        """Idempotent; a leg that closes leaves by itself. Does not block."""

    def close(self) -> None:
        """All leave. Idempotent. Does not block."""


class MediaPort(Protocol):
    """Makes the audio of legs."""

    async def ping(self) -> None:
        """Returns when the loop that moves the audio has answered. Raises MediaError if it has ended."""

    def conference(self) -> MediaConference:
        """A new, empty conference of legs of this port. Raises MediaError if the port is closed."""

    def open(
        self,
        label: str,
        on_event: Callable[[MediaEvent], None],
        *,
        codecs: Sequence[str] | None = None,
    ) -> MediaLeg:
        """A new leg. `label` appears in logs; `on_event` is called on the trio thread, in order. `codecs` narrows
        `[media] codecs`, in order of preference."""


class SpeechPort(Protocol):
    """Speaks texts."""

    async def say(
        self,
        text: str,
        play: Callable[[Any], Awaitable[None]],
        *,
        voice: str | None = None,
        language: str | None = None,
    ) -> None:
        """Speak a text, and `play` it (what `MediaLeg.play` takes), piece after piece; returns when the last is over.
        `voice` and `language` over those of the configuration. Cancelling leaves no process behind.

        Raises SpeechUnavailable if there is nothing to speak with, or not in this voice or language; SpeechFailed; and
        what `play` raises.
        """


class CommandPort(Protocol):
    """Sends commands to the PBX."""

    async def send(self, command: Any) -> None:
        """Send one command of `protocol.commands`; returns when it has been handed to the socket, in order of calls.

        Raises ConnectionLost if the socket is not up or dies meanwhile; the command is never sent again by itself.
        """
