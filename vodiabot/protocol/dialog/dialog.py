"""One call leg's state machine: events in, steps out, time passed in. No clock, no socket, no audio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ...errors import IllegalMove
from .. import messages as m
from .. import steps as s
from ..dialects import Dialect
from . import handlers
from .leg import Leg
from .state import INTENTS, State, Timers


class Dialog:
    """One call leg.

    Every method but the properties takes the time `now` (seconds, any monotonic origin) and gives the steps
    to be carried out, in order. When `deadline` has passed, `tick` must be called. Messages of the PBX never
    raise: what makes no sense is ignored or answered politely. `LegEnded` comes exactly once, and right after
    it `CloseMedia`; it also ends every intent that was not settled. Where it only presumes the reason, `EndKnown`
    follows. An ended dialog still answers duplicates; when its `deadline` is None it may be dropped.
    """

    def __init__(
        self,
        *,
        call_id: str,
        direction: Literal["incoming", "outgoing"],
        now: float,
        dialect: Dialect | None,
        to: str = "",
        local: str = "",
        invite: m.Invite | None = None,
        ring_timeout: float | None = None,
        timers: Timers = Timers(),  # noqa: B008 - frozen
        dialect_is_a_guess: bool | None = None,
    ) -> None:
        """`to`: the number to dial, or the caller's. `local`: our extension. `invite`: of an incoming leg.
        `ring_timeout`: in seconds, in place of the timers' own. `dialect_is_a_guess`: whether LegEnded may
        say that the other dialect should be tried; by default if `dialect` is None."""
        if direction == "incoming" and invite is None:
            raise ValueError("an incoming leg is made from its invite")
        self._leg = Leg(
            call_id=call_id,
            direction=direction,
            now=now,
            dialect=dialect,
            guessing=dialect is None if dialect_is_a_guess is None else dialect_is_a_guess,
            timers=timers,
            state=State.NEW if direction == "outgoing" else State.OFFERED,
            to=to,
            local=local,
            invite=invite,
            ring_timeout=ring_timeout,
            aliases=frozenset({call_id}),
        )
        self._started = False

    # --- what is known --------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        """The present call-id; `LegRenamed` tells when it changes."""
        return self._leg.call_id

    @property
    def aliases(self) -> frozenset[str]:
        """All call-ids under which frames are ours."""
        return self._leg.aliases

    @property
    def state(self) -> State:
        return self._leg.state

    @property
    def direction(self) -> Literal["incoming", "outgoing"]:
        return self._leg.direction

    @property
    def to(self) -> str:
        return self._leg.to

    @property
    def local(self) -> str:
        return self._leg.local

    @property
    def dialect(self) -> Dialect | None:
        """The dialect spoken: as given, or as found out by the first `sdp` frame; None before that."""
        return self._leg.dialect

    @property
    def ended(self) -> bool:
        return self._leg.ended

    @property
    def held(self) -> bool:
        """We hold the other side."""
        return self._leg.held

    @property
    def held_by_remote(self) -> bool:
        """The other side holds us."""
        return self._leg.held_by_remote

    @property
    def socket_up(self) -> bool:
        """False from `socket_lost` until `socket_back`, or until the PBX is heard again."""
        return self._leg.socket_up

    @property
    def perhaps_taken(self) -> bool:
        """The connection was lost during a transfer, and nothing has told since whether we still have the call."""
        return self._leg.perhaps_taken and not self._leg.ended

    @property
    def answered_at(self) -> float | None:
        """In the time of `now`."""
        return self._leg.answered_at

    @property
    def deadline(self) -> float | None:
        """The next time at which `tick` must be called; None: never."""
        return min(self._leg.due.values(), default=None)

    @property
    def awaits_first_sdp(self) -> bool:
        """Our `sdp-packet` is out and no `sdp` frame has come, though call-state may have told that the call is up: one
        with an unknown call-id may be meant for us."""
        leg = self._leg
        return leg.called and not leg.sdp_heard and not leg.ended

    @property
    def unheard(self) -> bool:
        """We gave up before any `sdp` frame had come: a late one with an unknown call-id may be meant for us."""
        return self._leg.ended and self._leg.gave_up and not self._leg.sdp_heard

    def matches(self, call_id: str) -> bool:
        """Whether a frame with this call-id is ours."""
        return call_id in self._leg.aliases

    # --- what comes in --------------------------------------------------------------------------------------

    def start(self, now: float) -> list[s.Step]:
        """The steps of the birth: an incoming leg rings. A second call gives nothing."""

        def begin(leg: Leg) -> None:
            if self._started or leg.direction == "outgoing" or leg.ended:
                return
            self._started = True
            ring = leg.timers.incoming_ring if leg.ring_timeout is None else leg.ring_timeout
            leg.start_timer("ring", ring)
            leg.happen(s.LegRinging())

        return self._run(now, begin)

    def receive(self, message: m.Message, now: float) -> list[s.Step]:
        """A message of the PBX for this leg. Never raises."""

        def take(leg: Leg) -> None:
            leg.socket_up = True
            handler = handlers.MESSAGES.get(type(message))
            if handler is not None:
                handler(leg, message)

        return self._run(now, take)

    def entry(self, entry: m.CallEntry, now: float) -> list[s.Step]:
        """A call-state entry that was matched to this leg."""
        return self._run(now, lambda leg: handlers.entry_listed(leg, entry))

    def left(self, entry: m.CallEntry, now: float) -> list[s.Step]:
        """The call-state entry that was this leg's is one of others now: the call goes on without us."""
        return self._run(now, lambda leg: handlers.goes_on_without_us(leg, entry))

    def intend(self, intent: s.Intent, now: float) -> list[s.Step]:
        """What a plugin, or the engine, wants. Raises IllegalMove if the state does not allow it; nothing
        changed then."""
        if isinstance(intent, s.WantHangUp):
            return self._run(now, lambda leg: None if leg.ended else leg.hang_up(intent.reason))
        if type(intent) not in INTENTS[self.state]:
            raise IllegalMove(f"{_word(intent)} makes no sense while the call is {self.state.value}")
        _check(intent)
        return self._run(now, lambda leg: handlers.WISHES[type(intent)](leg, intent))

    def media(self, news: s.MediaNews, now: float) -> list[s.Step]:
        """What the media side says; news of an old generation is ignored."""

        def take(leg: Leg) -> None:
            if not leg.ended and news.generation == leg.generation:
                handlers.NEWS[type(news)](leg, news)

        return self._run(now, take)

    def tick(self, now: float) -> list[s.Step]:
        """Time has passed. Harmless before the deadline."""

        def fire(leg: Leg) -> None:
            while leg.due:
                timer = min(leg.due, key=lambda name: leg.due[name])
                if leg.due[timer] > now:
                    return
                del leg.due[timer]
                handlers.TIMERS[timer](leg)

        return self._run(now, fire)

    def socket_lost(self, now: float) -> list[s.Step]:
        """The session's socket is gone. What was asked of the PBX is settled with an error."""
        return self._run(now, handlers.socket_lost)

    def socket_back(self, now: float) -> list[s.Step]:
        """The session is up again, whether or not the PBX has spoken of this leg yet."""

        def note(leg: Leg) -> None:
            leg.socket_up = True

        return self._run(now, note)

    def reconciled(self, present: bool, now: float) -> list[s.Step]:
        """After a reconnect: whether the leg is in a whole list of the PBX's. Absent twice in a row ends
        it."""

        def compare(leg: Leg) -> None:
            leg.socket_up = True
            leg.absent = 0 if present else leg.absent + 1
            leg.perhaps_taken = leg.perhaps_taken and not present
            if leg.absent >= 2 and not leg.ended:
                leg.hang_up("connection_lost")

        return self._run(now, compare)

    def _run(self, now: float, act: Callable[[Leg], None]) -> list[s.Step]:
        leg = self._leg
        leg.now = max(now, leg.now)
        leg.steps = []
        act(leg)
        return leg.steps


def _word(intent: s.Intent) -> str:
    return type(intent).__name__.removeprefix("Want").lower()


def _check(intent: s.Intent) -> None:
    if isinstance(intent, s.WantTransfer) and not intent.to:
        raise IllegalMove("transfer without a number")
    if isinstance(intent, s.WantJoin) and not intent.other_call_id:
        raise IllegalMove("join without another call")
    if isinstance(intent, s.WantReject) and not 400 <= intent.code <= 699:
        raise IllegalMove(f"a call can't be refused with {intent.code}: 400 to 699")
