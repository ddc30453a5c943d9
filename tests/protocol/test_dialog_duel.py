"""The bot's dialog against a PBX, through the codec and a network that delays and repeats, with a media side
that takes its time and fails: no exception, always an end, never two answers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vodiabot.errors import IllegalMove
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.protocol import steps as s
from vodiabot.protocol.codec import decode, encode
from vodiabot.protocol.dialects import Dialect
from vodiabot.protocol.dialog import Dialog

from .pbx_leg import Frame, PbxLeg

WANTS = [
    s.WantRinging(),
    s.WantAnswer(),
    s.WantReject(),
    s.WantHold(),
    s.WantResume(),
    s.WantResume(new_offer=True),
    s.WantResume(new_offer=False),
    s.WantTransfer(to="500"),
    s.WantJoin(other_call_id="c2", to="500"),
    s.WantJoined(),
    s.WantJoinUndone(),
    s.WantMute(on=True),
    s.WantPbxRecording(on=True),
]
SETTLED = {
    s.WantAnswer: "answer",
    s.WantHold: "hold",
    s.WantResume: "resume",
    s.WantTransfer: "transfer",
    s.WantJoin: "join",
    s.WantJoined: "join",
}
DEADLY = 9
LUCK = st.integers(0, DEADLY)
"""What ends a call happens one time in ten, so that there is a call to speak of."""
LAST_WORDS = (c.AnswerBye, c.AnswerCancel, c.HangUp, c.Acknowledge)
"""What may still be said of an ended call."""


class Duel(RuleBasedStateMachine):
    """Rules are what may happen next; the invariants hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.to_pbx: list[Frame] = []
        self.heard: list[Frame] = []
        self.heard_by_pbx: list[Frame] = []
        self.jobs: list[s.Step] = []
        self.up_generations: set[int] = set()
        self.facts: list[s.Fact] = []
        self.closed = 0
        self.generation = 0
        self.pending: dict[str, int] = {}
        self.accepted: set[object] = set()
        self.described: set[int] = set()
        self.acknowledged = False

    @initialize(
        incoming=st.booleans(),
        pbx=st.sampled_from(["classic", "modern"]),
        bot=st.sampled_from([Dialect.CLASSIC, Dialect.MODERN, None]),
        further=st.integers(0, 10),
    )
    def begin(self, incoming: bool, pbx: Any, bot: Dialect | None, further: int) -> None:
        self.pbx = PbxLeg(pbx, incoming=incoming)
        invite = None
        if incoming:
            self.pbx.invite()
            message = decode(json.dumps(self.pbx.say.pop()))
            assert isinstance(message, m.Invite)
            invite = message
        self.dialog = Dialog(
            call_id="c1",
            direction="incoming" if incoming else "outgoing",
            now=self.now,
            dialect=bot,
            to="600",
            local="45",
            invite=invite,
        )
        self.do(self.dialog.start(self.now))
        if not incoming:
            self.do(self.dialog.intend(s.WantDial(), self.now))
        self._go_further(further)

    def _go_further(self, steps: int) -> None:
        """So many steps of an ordinary call, that not each example has to find its way to the answer."""
        way = [
            lambda: self.the_bot_wants(s.WantAnswer()) if self.pbx.incoming else self.media_gets_done(0),
            self.the_pbx_hears,
            lambda: self.media_gets_done(0)
            if self.pbx.incoming
            else self.pbx.progress(200, with_sdp=True),
            self.the_bot_hears,
            lambda: self.media_gets_done(0),
            lambda: self.media_comes_up(0),
            lambda: self.the_bot_wants(s.WantHold()),
            lambda: self.the_bot_wants(s.WantResume(new_offer=True)),
            lambda: self.media_gets_done(0),
            self.the_pbx_hears,
        ]
        for step in way[:steps]:
            step()

    # --- carrying out ---------------------------------------------------------------------------------------

    def do(self, steps: list[s.Step]) -> None:
        for step in steps:
            self._do(step)

    def _do(self, step: s.Step) -> None:
        ended = self.ended_facts > 0
        match step:
            case s.Send(command=command):
                assert not ended or isinstance(command, LAST_WORDS), command
                self._check_command(command)
                self.to_pbx.append(json.loads(encode(command)))
            case s.Happened(fact=fact):
                late = isinstance(fact, s.EndKnown) and getattr(self.facts[-1], "presumed", False)
                assert not ended or late, f"{fact} after the end"
                self.facts.append(fact)
                self._check(fact)
            case s.Settled(intent=intent):
                assert not ended
                self.pending[intent] = self.pending.get(intent, 0) - 1
                assert self.pending[intent] == 0, f"{intent} was settled but not asked"
            case s.CloseMedia():
                assert ended
                self.closed += 1
            case s.MakeOffer() | s.MakeAnswer() | s.ApplyAnswer():
                assert not ended
                self._new_job(step)
            case s.AddCandidate(generation=generation):
                assert not ended
                assert 0 < generation == self.generation
            case s.SetSending():
                assert not ended

    def _check_command(self, command: c.Command) -> None:
        """What the PBX would complain of, told at once."""
        if isinstance(command, c.AcceptCall):
            assert command.cseq not in self.accepted, "two answers to one offer"
            self.accepted.add(command.cseq)
            self.described.add(self.generation)
        if isinstance(command, c.PlaceCall) or (isinstance(command, c.Resume) and command.sdp):
            self.described.add(self.generation)
        if isinstance(command, c.SendCandidate):
            assert self.generation in self.described, "a candidate before the description it belongs to"
            assert self.dialog.socket_up, "a candidate without a socket"
        if isinstance(command, c.Acknowledge):
            assert not self.acknowledged, "sip-ack twice"
            self.acknowledged = True

    def _new_job(self, step: s.MakeOffer | s.MakeAnswer | s.ApplyAnswer) -> None:
        assert step.generation >= self.generation, "generations only rise"
        if isinstance(step, s.MakeOffer):
            assert step.generation > self.generation, "an offer needs a new peer connection"
        if isinstance(step, s.ApplyAnswer):
            assert step.generation == self.generation
        self.generation = step.generation
        self.jobs.append(step)

    def _check(self, fact: s.Fact) -> None:
        if isinstance(fact, s.LegAnswered):
            if self.dialog.direction == "outgoing":
                assert self.pbx.answered, "answered, but the PBX never said so"
            else:
                assert any(f["action"] == "sdp-200ok" for f in [*self.to_pbx, *self.heard_by_pbx])
                assert self.generation in self.up_generations
        if isinstance(fact, s.LegRenamed):
            assert (fact.old, fact.new) == ("c1", "p9")

    @property
    def ended_facts(self) -> int:
        return sum(isinstance(fact, s.LegEnded) for fact in self.facts)

    # --- the network ----------------------------------------------------------------------------------------

    @rule()
    def the_pbx_hears(self) -> None:
        if self.to_pbx:
            frame = self.to_pbx.pop(0)
            self.heard_by_pbx.append(frame)
            self.pbx.hear(frame)

    @rule()
    def the_bot_hears(self) -> None:
        if self.pbx.say:
            frame = self.pbx.say.pop(0)
            self.heard.append(frame)
            self._deliver(frame)

    @rule(which=st.integers(0, 1000))
    def the_bot_hears_again(self, which: int) -> None:
        if self.heard:
            self._deliver(self.heard[which % len(self.heard)])

    @rule()
    def all_is_delivered(self) -> None:
        """The network and media are fast for a moment."""
        for _ in range(20):
            self.the_pbx_hears()
            self.the_bot_hears()
            self.media_gets_done(0)

    def _deliver(self, frame: Frame) -> None:
        self.do(self.dialog.receive(decode(json.dumps(frame)), self.now))

    # --- time -----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        while self.dialog.deadline is not None and self.dialog.deadline <= until:
            before = self.dialog.deadline
            self.now = max(self.now, before)
            self.do(self.dialog.tick(self.now))
            assert self.dialog.deadline is None or self.dialog.deadline > before
        self.now = until

    # --- the bot's side -------------------------------------------------------------------------------------

    @rule(want=st.sampled_from(WANTS))
    def the_bot_wants(self, want: s.Intent) -> None:
        name = SETTLED.get(type(want))
        if name is not None:
            self.pending[name] = self.pending.get(name, 0) + 1
        try:
            steps = self.dialog.intend(want, self.now)
        except IllegalMove:
            if name is not None:
                self.pending[name] -= 1
        else:
            self.do(steps)

    @rule(luck=LUCK)
    def the_bot_hangs_up(self, luck: int) -> None:
        if luck == DEADLY:
            self.do(self.dialog.intend(s.WantHangUp(), self.now))

    @rule(fails=LUCK)
    def media_gets_done(self, fails: int) -> None:
        if not self.jobs:
            return
        job = self.jobs.pop(0)
        news: s.MediaNews
        match job:
            case s.MakeOffer(generation=generation):
                news = s.OfferMade(generation=generation, sdp="v=0 our offer")
                what: Any = "offer"
            case s.MakeAnswer(generation=generation):
                news = s.AnswerMade(generation=generation, sdp="v=0 our answer")
                what = "answer"
            case s.ApplyAnswer(generation=generation):
                news = s.CandidateFound(generation=generation, candidate="candidate:late")
                what = "apply"
        if fails == DEADLY:
            news = s.MediaFailed(generation=generation, what=what, error="it failed")
        self.do(self.dialog.media(news, self.now))

    @rule(old=st.integers(0, 1), candidate=st.sampled_from(["candidate:1", ""]))
    def a_local_candidate(self, old: int, candidate: str) -> None:
        if self.generation > old:
            news = s.CandidateFound(generation=self.generation - old, candidate=candidate)
            self.do(self.dialog.media(news, self.now))

    @rule(old=st.integers(0, 1))
    def media_comes_up(self, old: int) -> None:
        generation = self.generation - old
        if generation > 0 and generation not in self.up_generations:
            self.up_generations.add(generation)
            self.do(self.dialog.media(s.MediaIsUp(generation=generation), self.now))

    @rule(old=st.integers(0, 1))
    def media_is_lost(self, old: int) -> None:
        if self.generation > old:
            news = s.MediaIsLost(generation=self.generation - old, reason="consent expired")
            self.do(self.dialog.media(news, self.now))

    @rule(luck=LUCK)
    def the_socket_dies(self, luck: int) -> None:
        if luck != DEADLY:
            return
        self.to_pbx.clear()
        self.pbx.say.clear()
        self.pbx.described = True  # a description may have been lost with the socket, which nobody can know afterwards
        self.do(self.dialog.socket_lost(self.now))

    @rule(luck=LUCK)
    def a_list_after_the_reconnect(self, luck: int) -> None:
        self.do(self.dialog.reconciled(luck < DEADLY - 1, self.now))

    # --- the PBX's side -------------------------------------------------------------------------------------

    @rule(code=st.sampled_from([100, 180, 183, 200, 200]), with_sdp=st.booleans(), renamed=st.booleans())
    def the_pbx_tells_progress(self, code: int, with_sdp: bool, renamed: bool) -> None:
        if self.pbx.called and not self.pbx.incoming and not self.pbx.over:
            if renamed:
                self.pbx.rename()
            self.pbx.progress(code, with_sdp=with_sdp)

    @rule(code=st.sampled_from([404, 408, 415, 486, 491]), luck=LUCK)
    def the_pbx_refuses(self, code: int, luck: int) -> None:
        if self.pbx.called and (luck == DEADLY or self.dialog.answered_at is not None):
            self.pbx.refuse(code)

    @rule(direction=st.sampled_from(["sendrecv", "sendonly", "inactive"]), new=st.booleans())
    def the_pbx_offers(self, direction: str, new: bool) -> None:
        if self.pbx.called:
            self.pbx.re_offer(direction, new=new)

    @rule(setup=st.sampled_from(["active", "passive", "actpass"]))
    def the_pbx_answers_our_offer(self, setup: str) -> None:
        if self.pbx.bot_offer and self.pbx.accepted | self.pbx.answered:
            self.pbx.answer_bots_offer(setup)

    @rule(line=st.sampled_from(["candidate:1 1 UDP 1 192.0.2.1 5 typ host", None]))
    def the_pbx_trickles(self, line: str | None) -> None:
        self.pbx.candidate(line)

    @rule(state=st.sampled_from(["ringing", "connected", "onhold", "holding"]), gone=st.booleans())
    def the_pbx_lists_the_call(self, state: str, gone: bool) -> None:
        self.pbx.answered = self.pbx.answered or state != "ringing"
        entry = m.CallEntry(id="7", state=state, extensions=("500",) if gone else ("45",))
        self.do(self.dialog.entry(entry, self.now))

    @rule(code=st.sampled_from([None, 415, 486]), luck=LUCK)
    def the_pbx_says_bye(self, code: int | None, luck: int) -> None:
        if luck == DEADLY:
            self.pbx.bye(code)

    @rule(luck=LUCK)
    def the_pbx_cancels(self, luck: int) -> None:
        if luck == DEADLY:
            self.pbx.cancel()

    @rule(code=st.sampled_from([200, 481]))
    def the_pbx_responds(self, code: int) -> None:
        self.pbx.response(code)

    # --- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def nothing_is_told_twice(self) -> None:
        kinds = [type(fact) for fact in self.facts]
        for kind in (s.LegRinging, s.LegAnswered, s.LegEnded, s.EndKnown, s.LegRenamed):
            assert kinds.count(kind) <= 1
        assert self.closed == kinds.count(s.LegEnded)
        told = [fact.what for fact in self.facts if isinstance(fact, s.LegChanged)]
        assert told.count("media_lost") - told.count("media_back") in (0, 1)
        assert told.count("early_media") <= 1

    @invariant()
    def its_properties_agree_with_what_it_told(self) -> None:
        if not hasattr(self, "dialog"):
            return
        assert self.dialog.ended == (self.ended_facts == 1)
        answered = any(isinstance(fact, s.LegAnswered) for fact in self.facts)
        assert (self.dialog.answered_at is not None) == answered
        told = [fact.what for fact in self.facts if isinstance(fact, s.LegChanged)]
        assert self.dialog.held == (told.count("held") > told.count("resumed"))
        assert self.dialog.held_by_remote == (
            told.count("held_by_remote") > told.count("resumed_by_remote")
        )

    def teardown(self) -> None:
        """Media goes away and nobody says a word more: it ends by itself, unless it is held or being held is
        its end."""
        if not hasattr(self, "dialog"):
            return
        self.time_passes(100.0)
        if not self.dialog.ended:
            self._let_it_end()
        self.time_passes(10.0)
        assert self.dialog.ended
        assert self.dialog.deadline is None
        assert getattr(self.facts[-1], "presumed", False) is False
        self.nothing_is_told_twice()

    def _let_it_end(self) -> None:
        """Only a call that is up lives on; then one bye, or the loss of media, ends it."""
        assert self.dialog.answered_at is not None
        if self.generation % 2:
            self._deliver({"bye": "true", "callid": self.dialog.call_id, "cseq": 99})
        else:
            self.do(self.dialog.socket_lost(self.now))
            news = s.MediaIsLost(generation=self.generation, reason="gone")
            self.do(self.dialog.media(news, self.now))


TestDuel = Duel.TestCase
TestDuel.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
