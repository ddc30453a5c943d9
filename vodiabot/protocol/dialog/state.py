"""The states of a call leg, what may follow what, what may be asked when, and the timers (PROTOCOL.md
sections 3 to 5)."""

from __future__ import annotations

import enum

import msgspec

from .. import steps as s


class State(enum.Enum):
    """Where a leg is. Incoming legs begin in OFFERED, outgoing ones in NEW."""

    NEW = "new"
    """Outgoing: nothing asked yet."""
    DIALING = "dialing"
    """Outgoing: our offer is being made, nothing is sent."""
    CALLING = "calling"
    """Outgoing: `sdp-packet` is sent."""
    RINGING = "ringing"
    """Outgoing: the other side rings (180)."""
    EARLY = "early"
    """Outgoing: audio before the answer (183)."""
    OFFERED = "offered"
    """Incoming: the invite is here; it rings at our side."""
    ANSWERING = "answering"
    """Incoming: from the wish to answer until `sdp-200ok` is sent and the media is up."""
    UP = "up"
    """Answered."""
    HELD = "held"
    """Answered, and we hold the other side."""
    RESUMING = "resuming"
    """We take the other side back; held until that is over."""
    TRANSFERRING = "transferring"
    """`blind-transfer2` is sent."""
    JOINING = "joining"
    """`att-transfer` is sent, of this leg or of the one that it is to be joined with."""
    ENDED = "ended"
    """Over; only duplicates and late answers of the PBX are answered."""


UNANSWERED_OUT = frozenset({State.CALLING, State.RINGING, State.EARLY})
UNANSWERED_IN = frozenset({State.OFFERED, State.ANSWERING})
ANSWERED = frozenset({State.UP, State.HELD, State.RESUMING, State.TRANSFERRING, State.JOINING})
ON_THE_WAY = frozenset({State.TRANSFERRING, State.JOINING})
UNDER_WAY = ON_THE_WAY | {State.RESUMING}
"""An answered call of which it is open what the PBX does; by the timers below not for long."""

MOVES: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.DIALING, State.ENDED}),
    State.DIALING: frozenset({State.CALLING, State.ENDED}),
    State.CALLING: frozenset({State.RINGING, State.EARLY, State.UP, State.ENDED}),
    State.RINGING: frozenset({State.EARLY, State.UP, State.ENDED}),
    State.EARLY: frozenset({State.UP, State.ENDED}),
    State.OFFERED: frozenset({State.ANSWERING, State.ENDED}),
    State.ANSWERING: frozenset({State.UP, State.ENDED}),
    State.UP: frozenset({State.HELD, State.TRANSFERRING, State.JOINING, State.ENDED}),
    State.HELD: frozenset({State.RESUMING, State.TRANSFERRING, State.JOINING, State.ENDED}),
    State.RESUMING: frozenset({State.UP, State.HELD, State.ENDED}),
    # Refused: the other side is taken back, so up; connection lost: as before.
    State.TRANSFERRING: frozenset({State.UP, State.HELD, State.ENDED}),
    State.JOINING: frozenset({State.UP, State.HELD, State.ENDED}),
    State.ENDED: frozenset(),
}
"""Which state may follow which. Every move is checked against it."""

_ANY_ANSWERED = {s.WantMute, s.WantPbxRecording}
_LEAVING: set[type[s.Intent]] = {s.WantTransfer, s.WantJoin, s.WantJoined}

INTENTS: dict[State, frozenset[type[s.Intent]]] = {
    State.NEW: frozenset({s.WantDial}),
    State.DIALING: frozenset(),
    State.CALLING: frozenset(),
    State.RINGING: frozenset(),
    State.EARLY: frozenset(),
    State.OFFERED: frozenset({s.WantRinging, s.WantAnswer, s.WantReject}),
    State.ANSWERING: frozenset(),
    State.UP: frozenset({s.WantHold, *_LEAVING, *_ANY_ANSWERED}),
    State.HELD: frozenset({s.WantResume, *_LEAVING, *_ANY_ANSWERED}),
    State.RESUMING: frozenset(_ANY_ANSWERED),
    State.TRANSFERRING: frozenset(_ANY_ANSWERED),
    State.JOINING: frozenset({s.WantJoinUndone, *_ANY_ANSWERED}),
    State.ENDED: frozenset(),
}
"""What may be asked in which state; `WantHangUp` always may. All else raises IllegalMove and changes
nothing."""


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """How long a dialog waits, in seconds."""

    outgoing_ring: float = 60.0
    """A call that we placed rings, unless `ring_timeout` says otherwise; then it is given up."""
    incoming_ring: float = 30.0
    """Our own ring before a plugin answers; then the leg is dropped without a word, others may still ring."""
    media_up: float = 10.0
    """Answer sent or received → media up; also lost → back. Then `sip-bye`."""
    bye_response: float = 5.0
    """An ended leg stays to answer duplicates and late answers of the PBX."""
    wrong_dialect: float = 5.0
    """Without media for so long after the SDP exchange, a guessed dialect was probably the wrong one."""
    glare: float = 2.0
    """Both sides offered at once: ours is sent again after this."""
    transfer: float = 10.0
    """No frame says that a transfer was refused; with neither a bye nor a refusal it is taken as refused."""
    joined: float = 12.0
    """The other leg of a join waits so long: a little longer than the one whose id is named."""
    resume: float = 10.0
    """Our offer of a resume waits for the PBX's answer."""
    resume_quiet: float = 1.0
    """A resume without SDP gets no answer; this is the time for the PBX to refuse it."""
    end_known: float = 0.5
    """Call-state may come later than the `cancel` or `bye` whose reason it tells; all else of the leg is over then."""
    media_work: float = 10.0
    """Our own media side makes an offer or an answer; longer, and it counts as failed."""
