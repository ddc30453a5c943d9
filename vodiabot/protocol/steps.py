"""What goes into a dialog and what comes out of it, besides messages and commands. See `dialog.Dialog`."""

from __future__ import annotations

from typing import Literal

import msgspec

from .commands import Command


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One item that a dialog gives out; the switchboard carries the items out in order."""


# --- in: what the owner of the leg wants -----------------------------------------------------------------------------


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin, or the engine, asks of a leg."""


class WantDial(Intent, frozen=True, kw_only=True):
    """Place the call; only for a new outgoing leg."""


class WantRinging(Intent, frozen=True, kw_only=True):
    """Tell the PBX that we ring."""


class WantAnswer(Intent, frozen=True, kw_only=True):
    """Answer an incoming call."""


class WantReject(Intent, frozen=True, kw_only=True):
    """Refuse an incoming call."""

    code: int = 486


class WantHangUp(Intent, frozen=True, kw_only=True):
    """End the leg whatever its state: bye, refusal or giving up. Never raises; nothing happens if it has ended."""

    reason: str = "hangup"


class WantHold(Intent, frozen=True, kw_only=True):
    """Hold the other side."""


class WantResume(Intent, frozen=True, kw_only=True):
    """Take the other side back."""

    new_offer: bool | None = None
    """True: with a new peer connection, as on the vendor's page. False: without SDP. None: as the dialect does."""


class WantTransfer(Intent, frozen=True, kw_only=True):
    """Blind transfer to a number."""

    to: str


class WantJoin(Intent, frozen=True, kw_only=True):
    """Attended transfer: join this leg with another one of ours."""

    other_call_id: str
    to: str


class WantJoined(Intent, frozen=True, kw_only=True):
    """The other leg of a join: nothing is sent, but its bye means now that it was taken. Settled as `join`."""

    to: str = ""
    """Whom it is to be joined with, for the text of an error."""


class WantJoinUndone(Intent, frozen=True, kw_only=True):
    """The join was refused, as its other leg has heard: this one is as before."""


class WantMute(Intent, frozen=True, kw_only=True):
    """Tell the PBX that we are muted."""

    on: bool


class WantPbxRecording(Intent, frozen=True, kw_only=True):
    """Recording by the PBX."""

    on: bool


# --- in: what media says ---------------------------------------------------------------------------------------------


class MediaNews(msgspec.Struct, frozen=True, kw_only=True):
    """What the media side says; news of an old generation is ignored by the dialog."""

    generation: int


class OfferMade(MediaNews, frozen=True, kw_only=True):
    """Our offer is ready (the result of MakeOffer)."""

    sdp: str


class AnswerMade(MediaNews, frozen=True, kw_only=True):
    """Our answer is ready (the result of MakeAnswer)."""

    sdp: str


class CandidateFound(MediaNews, frozen=True, kw_only=True):
    """A local candidate; "" says that there will be no more."""

    candidate: str
    sdp_mid: str = "0"
    sdp_mline_index: int = 0


class MediaIsUp(MediaNews, frozen=True, kw_only=True):
    """ICE and DTLS are up."""


class MediaIsLost(MediaNews, frozen=True, kw_only=True):
    """The way of the audio is gone."""

    reason: str


class MediaFailed(MediaNews, frozen=True, kw_only=True):
    """MakeOffer, MakeAnswer or ApplyAnswer failed."""

    what: Literal["offer", "answer", "apply"]
    error: str


# --- out -------------------------------------------------------------------------------------------------------------


class Send(Step, frozen=True, kw_only=True):
    """Send this command."""

    command: Command


class MakeOffer(Step, frozen=True, kw_only=True):
    """New peer connection, then OfferMade or MediaFailed."""

    generation: int


class MakeAnswer(Step, frozen=True, kw_only=True):
    """Answer this offer, on the peer connection of `generation` or a new one; then AnswerMade or MediaFailed."""

    generation: int
    offer: str


class ApplyAnswer(Step, frozen=True, kw_only=True):
    """Apply the PBX's answer; MediaFailed if it can't be."""

    generation: int
    answer: str


class AddCandidate(Step, frozen=True, kw_only=True):
    """Add a remote candidate; "" says that there will be no more."""

    generation: int
    candidate: str
    sdp_mid: str = "0"
    sdp_mline_index: int = 0


class SetSending(Step, frozen=True, kw_only=True):
    """Send audio, or none at all."""

    sending: bool


class CloseMedia(Step, frozen=True, kw_only=True):
    """Close the audio; the last media step of a leg."""


class Happened(Step, frozen=True, kw_only=True):
    """Something that plugins hear."""

    fact: Fact


class Settled(Step, frozen=True, kw_only=True):
    """An intent that takes time is over: `transfer` (taken, refused), `hold`, `resume`, `answer`, `join`. `error`
    None: it worked. Once for each that was taken, at most: LegEnded ends what was not settled before it."""

    intent: Literal["answer", "hold", "resume", "transfer", "join"]
    error: str | None = None
    code: int | None = None


# --- facts -----------------------------------------------------------------------------------------------------------


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A past fact of the leg."""


class LegRinging(Fact, frozen=True, kw_only=True):
    """The other side rings (outgoing), or the invite has come (incoming). Once at most."""

    early_media: bool = False


class LegRenamed(Fact, frozen=True, kw_only=True):
    """The PBX gave the leg another call-id; frames under the old one are still ours."""

    old: str
    new: str


class LegAnswered(Fact, frozen=True, kw_only=True):
    """Answered, as PROTOCOL.md section 4 defines it. Once at most."""


class LegChanged(Fact, frozen=True, kw_only=True):
    """`what` as in `events.CallChanged`."""

    what: str


class RemoteNamed(Fact, frozen=True, kw_only=True):
    """A better name or number of the other side; "" where not told."""

    name: str = ""
    number: str = ""


class LegEnded(Fact, frozen=True, kw_only=True):
    """Over. Exactly once; no step but CloseMedia, EndKnown and the last answers follow it."""

    reason: str
    """As in `events.CallEnded`."""
    code: int | None = None
    words: str = ""
    """The PBX's own for why a call that we placed was refused."""
    presumed: bool = False
    """The PBX may tell in a moment that the reason is another one: EndKnown follows, soon and in any case."""
    other_dialect: bool = False
    """`dialect = "auto"` and the call died as if it were read in the wrong dialect: try the other one next time."""


class EndKnown(Fact, frozen=True, kw_only=True):
    """Why the leg ended, where LegEnded only presumed it. Once at most."""

    reason: str
