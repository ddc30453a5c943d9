"""The data of one leg and the few acts that all parts of the dialog share."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from .. import commands as c
from .. import messages as m
from .. import steps as s
from ..dialects import Dialect
from ..sdp_facts import Transport
from .state import ANSWERED, MOVES, UNANSWERED_OUT, State, Timers

SEEN = 32
"""Descriptions of the PBX that are remembered, to know a duplicate: more than can be on their way at once."""

Timer = Literal["ring", "media", "work", "glare", "transfer", "resume", "end", "linger"]


class Purpose(Enum):
    """Why an offer of ours was made."""

    DIAL = "dial"
    RESUME = "resume"
    RECOVER = "recover"
    """The media was lost."""
    RESTORE = "restore"
    """A transfer was refused."""


@dataclass
class Ours:
    """An offer of ours that has no answer yet."""

    purpose: Purpose
    sent: bool = False


@dataclass
class Leg:
    """One leg. `steps` collects what the present call of the dialog gives out, `now` is its time."""

    call_id: str
    direction: Literal["incoming", "outgoing"]
    now: float
    dialect: Dialect | None
    guessing: bool
    timers: Timers
    state: State
    to: str = ""
    local: str = ""
    invite: m.Invite | None = None
    ring_timeout: float | None = None
    aliases: frozenset[str] = frozenset()
    steps: list[s.Step] = field(default_factory=list)
    due: dict[Timer, float] = field(default_factory=dict)
    # what plugins know of it
    answered_at: float | None = None
    held: bool = False
    held_by_remote: bool = False
    recording: bool = False
    remote_name: str = ""
    told_ringing: bool = False
    told_early: bool = False
    # the offer/answer exchange
    generation: int = 0
    remote: Transport | None = None
    """Of the present generation's remote description."""
    before: Transport | None = None
    """Of the generation that our offer replaces."""
    ours: Ours | None = None
    theirs: m.Sdp | m.Invite | None = None
    """The PBX's offer that media is answering."""
    next_offer: m.Sdp | None = None
    offer_again: Purpose | None = None
    """Our offer that lost against the PBX's."""
    seen: deque[tuple[str | int | None, str]] = field(default_factory=lambda: deque(maxlen=SEEN))
    stale: bool = False
    """The PBX's answer changed after it was applied: the media needs a new offer."""
    described_at: float | None = None
    """When the first exchange was complete."""
    # candidates
    local_told: bool = False
    """The SDP of the present generation is sent, so its candidates may be."""
    local_waiting: list[s.CandidateFound] = field(default_factory=list)
    remote_early: list[tuple[int, m.Candidate]] = field(default_factory=list)
    """Candidates that came before the remote description, with the generation that they were given to (0:
    none)."""
    # media
    media_up: bool = False
    had_media: bool = False
    recovering: bool = False
    """An offer is out because the media was lost, or may be: without media it ends `media_lost`."""
    told_lost: bool = False
    # signalling
    acknowledged: bool = False
    answer_sent: bool = False
    called: bool = False
    """Our `sdp-packet` is sent."""
    sdp_heard: bool = False
    """An `sdp` frame has answered it."""
    final_seen: bool = False
    """The PBX's `sdp` frame with code 2xx has come."""
    gave_up: bool = False
    connected_elsewhere: bool = False
    """Call-state has shown the call as answered while our answer was not complete."""
    presumed: str = ""
    """Why it ended, while call-state may still tell better."""
    state_before: State = State.UP
    """The state to go back to from TRANSFERRING and JOINING."""
    perhaps_taken: bool = False
    """The socket died while it was open what became of a transfer, and the PBX has not shown yet that we still have
    the call."""
    on_hold_by_state: bool = False
    """`held_by_remote` came from call-state, not from SDP."""
    listed_meanwhile: str = ""
    """What call-state said last while we take the other side back."""
    named: bool = False
    """Our extension stood in the leg's entry."""
    absent: int = 0
    socket_up: bool = True

    # --- asking ---------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    @property
    def answered(self) -> bool:
        return self.state in ANSWERED

    @property
    def unanswered_out(self) -> bool:
        return self.state in UNANSWERED_OUT

    @property
    def placed_by_us(self) -> bool:
        return self.direction == "outgoing"

    @property
    def side(self) -> c.CallSide:
        return "caller" if self.placed_by_us else "callee"

    def seen_before(self, message: m.Sdp, *, repeated: bool = False) -> bool:
        """Whether this description was handled already; it is remembered.

        Without `cseq` only the last one counts, for the PBX may well come back to an older description. `repeated`: the
        frame is one of those that answer our `sdp-packet`, each of which may repeat the description of the one before
        under another `cseq`; later the same text under another `cseq` is a new offer.
        """
        key = (message.cseq, message.sdp)
        last = self.seen[-1][1] if self.seen else None
        known = message.cseq is not None and key in self.seen
        known = known or ((repeated or message.cseq is None) and message.sdp == last)
        if not known:
            self.seen.append(key)
        return known

    # --- giving out -----------------------------------------------------------------------------------------

    def step(self, step: s.Step) -> None:
        self.steps.append(step)

    def send(self, command: c.Command) -> None:
        self.steps.append(s.Send(command=command))

    def happen(self, fact: s.Fact) -> None:
        self.steps.append(s.Happened(fact=fact))

    def changed(self, what: str) -> None:
        self.happen(s.LegChanged(what=what))

    def settle(
        self,
        intent: Literal["answer", "hold", "resume", "transfer", "join"],
        error: str | None = None,
        code: int | None = None,
    ) -> None:
        self.steps.append(s.Settled(intent=intent, error=error, code=code))

    # --- changing -------------------------------------------------------------------------------------------

    def move(self, state: State) -> None:
        """To another state. AssertionError where the table does not have it: that would be a bug of the
        dialog."""
        if state not in MOVES[self.state]:
            raise AssertionError(f"a leg can't go from {self.state.value} to {state.value}")
        self.state = state

    def start_timer(self, timer: Timer, seconds: float) -> None:
        self.due[timer] = self.now + seconds

    def stop_timer(self, timer: Timer) -> None:
        self.due.pop(timer, None)

    def acknowledge(self) -> None:
        """`sip-ack`: by the caller only, once."""
        if self.placed_by_us and not self.acknowledged:
            self.acknowledged = True
            self.send(c.Acknowledge(call_id=self.call_id))

    def hang_up(self, reason: str, code: int | None = None) -> None:
        """Tell the PBX in the way that the state wants, and end."""
        if self.state is State.OFFERED or (self.state is State.ANSWERING and not self.answer_sent):
            assert self.invite is not None
            self.send(c.RefuseCall(call_id=self.call_id, cseq=self.invite.cseq, code=code or 486))
        elif self.state not in (State.NEW, State.DIALING):
            self.gave_up = self.unanswered_out
            self.send(c.HangUp(call_id=self.call_id, caller=self.placed_by_us))
        self.end(reason, code)

    def end(self, reason: str, code: int | None = None, words: str = "", *, presumed: bool = False) -> None:
        """Over, without a word to the PBX. An ended leg stays a while to answer duplicates and late answers, and, if
        the reason is `presumed`, to hear what call-state says of it."""
        fresh = self.state in (State.NEW, State.DIALING)
        other = self._wrong_dialect(code)
        self.move(State.ENDED)
        self.due.clear()
        self.ours = self.theirs = self.next_offer = self.offer_again = None
        self.local_waiting.clear()
        self.remote_early.clear()
        ended = s.LegEnded(reason=reason, code=code, words=words, presumed=presumed, other_dialect=other)
        self.happen(ended)
        self.step(s.CloseMedia())
        if presumed:
            self.presumed = reason
            self.start_timer("end", self.timers.end_known)
        if not fresh:
            self.start_timer("linger", self.timers.bye_response)

    def end_known(self, reason: str = "") -> None:
        """Why it ended is told, if that is still open. "": as was presumed."""
        presumed, self.presumed = self.presumed, ""
        self.stop_timer("end")
        if presumed:
            self.happen(s.EndKnown(reason=reason or presumed))

    def _wrong_dialect(self, code: int | None) -> bool:
        """A guessed dialect that ends with 415, or gave no media, was probably the wrong one (PROTOCOL.md
        section 5)."""
        if not (self.guessing and self.placed_by_us) or self.described_at is None:
            return False
        silent = not self.had_media and self.now - self.described_at >= self.timers.wrong_dialect
        return code == 415 or silent
