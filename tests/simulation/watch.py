"""What must hold at every step of a run, whatever happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import trio

from vodiabot import Bot, Call, events
from vodiabot.plugins.mailbox import MAILBOX_SIZE
from vodiabot.testing.pbx import VirtualPbx

from .authors import Witness
from .network import Network
from .people import BOT, DESK

ONCE = ("sdp-packet", "sip-bye", "sip-busy", "sip-ack")
"""Frames that make sense once for a call-id."""

AGAIN = ("sip-bye", "sip-busy")
"""Of these the ones that are said again after a reconnect, if the socket died over them: a PBX that has missed one
keeps a caller in a dead line, and one that has had both does nothing (`calls.comeback`)."""


LATE = 3
"""Looks during which bot and PBX may differ: calls that were the bot's own until just now are somebody else's only
when that is sure (`domain.calls.OWN_GRACE`)."""


DEAF = 3
"""Looks after which a call that is up has audio again, or is over: an offer that is to bring it has 10 s (PROTOCOL.md
section 4), and frames may be late."""

FROM_AFAR = 2.0
"""Seconds of delay a frame from which on a burst of ten may be late by more than that: such looks do not count."""


PHONES = {"46", "47", "48"}


SITS_OUT = "vodiabot.plugins.runner._first_of.<locals>.wait"
"""A task of a plugin in quarantine: one for its end, one for that of the plugin."""


class Violation(AssertionError):
    """Something that must hold does not."""


class Watch:
    """Sees all that the engine publishes, and looks at the engine between two steps."""

    def __init__(
        self,
        bot: Bot,
        pbx: VirtualPbx,
        network: Network,
        witnesses: Sequence[Witness],
        before: Sequence[Watch] = (),
    ) -> None:
        """`before`: those of earlier lives of the bot."""
        self.bot = bot
        self.pbx = pbx
        self.network = network
        self.witnesses = witnesses
        self._past = {call for watch in before for call in watch.ended}
        self.published: list[events.Event] = []
        self._must_be_heard: list[events.Event] = []
        self.handed: Counter[str] = Counter()
        """Commands that the calls room has handed to a session, by call-id."""
        self.ended: dict[str, str] = {}
        """Calls of the bot's that were told as ended → reason."""
        self._living: set[str] = set()
        self._up: dict[str, bool] = {}
        self._domain_calls: dict[str, events.DomainCallInfo] = {}
        self._seen_frames = len(pbx.received)
        self._once: Counter[tuple[str, str]] = Counter()
        self._on_wire: Counter[str] = Counter()
        self._tasks: Counter[str] = before[-1]._tasks if before else Counter()
        self._wrong = ""
        self._steady = 0
        self._up_before: set[str] = set()
        self._differed: Counter[str] = Counter()
        self._deaf: Counter[str] = Counter()
        self._tap()

    def _tap(self) -> None:
        publish = self.bot.host.publish_event

        def seen(event: events.Event, **objects: Any) -> None:
            try:
                self._note(event)
            except Violation as exc:  # the engine would live with it, so it is raised at the next step
                self._wrong = self._wrong or str(exc)
            publish(event, **objects)

        self.bot.host.publish_event = seen  # type: ignore[method-assign]

    def tap_sessions(self) -> None:
        """Once the bot has its lines: count the commands that they are handed."""
        for line in self.bot.lines:
            send = line.session.send

            async def counted(command: Any, send: Any = send) -> None:
                self.handed[getattr(command, "call_id", "")] += 1
                await send(command)

            line.session.send = counted  # type: ignore[method-assign]

    # --- each event --------------------------------------------------------------------------------------------------

    def _note(self, event: events.Event) -> None:
        self.published.append(event)
        if not isinstance(event, STATE):
            self._must_be_heard.append(event)
        if isinstance(event, events.SessionUp | events.SessionDown):
            up = isinstance(event, events.SessionUp)
            self.require(self._up.get(event.extension, False) is not up, lambda: f"session told twice: {event}")
            self._up[event.extension] = up
        if isinstance(event, events.DomainCallChanged | events.DomainCallEnded):
            self._note_domain_call(event)
        if not isinstance(event, events.CallEvent):
            return
        over = event.call_id in self.ended or event.call_id in self._past
        self.require(not over, lambda: f"told of a call that is over: {event}")
        self._living.add(event.call_id)
        if isinstance(event, events.CallEnded):
            self.require(bool(event.reason), "a call ended without a reason")
            self.ended[event.call_id] = event.reason
            self._living.discard(event.call_id)

    def _note_domain_call(self, event: events.DomainCallChanged | events.DomainCallEnded) -> None:
        """Whichever extension leads, each is told as new, as changed where something is, and as over once."""
        id_, before = event.call.id, self._domain_calls.pop(event.call.id, None)
        if isinstance(event, events.DomainCallEnded):
            self.require(before is not None, lambda: f"the end of a call that is not there: {event}")
            return
        is_new = event.changed == ("added",)
        self.require(is_new is (before is None), lambda: f"a call of the domain told as new twice or never: {event}")
        self.require(event.call != before, lambda: f"nothing has changed: {event}")
        self._domain_calls[id_] = event.call

    # --- each step ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Look at everything that may be looked at at any time. Raises Violation."""
        if self._wrong:
            raise Violation(self._wrong)
        self._wire_is_sound()
        self._in_order()
        self._can_be_heard()
        for name, runner in self.bot.host._runners.items():
            queued = len(runner._mailbox)
            self.require(queued <= MAILBOX_SIZE, lambda name=name, n=queued: f"mailbox of {name} holds {n}")
        lives = any(call.id in self.ended for call in self.bot.calls)
        self.require(not lives, "a call that was told as ended lives")

    def _can_be_heard(self) -> None:
        """No call stays up without audio both ways, whatever became of its frames; but for holds."""
        up = [call for call in self.bot.calls if call.state == "up" and not call.held_by_remote]
        more = self.network.weather.delay < FROM_AFAR
        self._deaf = Counter({call.id: self._deaf[call.id] + more for call in up if not self._has_audio(call)})
        lasting = [id_ for id_, looks in self._deaf.items() if looks > DEAF]
        self.require(not lasting, f"these calls are up and nobody is heard: {lasting}")

    def _has_audio(self, call: Call) -> bool:
        media: Any = call._leg.media
        end = media._current
        return media.sending and end is not None and end.up and self.pbx.wire.peer(end) is not None

    def _wire_is_sound(self) -> None:
        """No command goes out twice: neither by itself after a reconnect, nor by a slip."""
        fresh = self.pbx.received[self._seen_frames :]
        self._seen_frames += len(fresh)
        for _, frame in fresh:
            call_id, action = str(frame.get("callid") or ""), str(frame.get("action"))
            if not call_id:
                continue
            self._on_wire[call_id] += 1
            if self._on_wire[call_id] > self.handed[call_id]:
                text = json.dumps(frame)[:200]
                self.require(False, f"{action} of {call_id} was sent more often than it was meant: {text}")
            if action in ONCE and not (action == "sdp-packet" and not frame.get("to")):
                self._once[call_id, action] += 1
                enough = self._once[call_id, action] <= self._most(frame)
                # an answer that comes twice is acknowledged twice
                self.require(enough or bool(self.network.spoiled), f"{action} of {call_id} was sent too often")

    def _most(self, frame: dict[str, Any]) -> int:
        """Who hangs up a call that he has placed does so again if an answer comes after that (PROTOCOL.md section 4).
        That a call is over is said once more where nobody knows whether it arrived."""
        call_id, action = str(frame["callid"]), str(frame["action"])
        most = 2 if action == "sip-bye" and frame.get("caller") == "true" else 1
        return most + (self.network.cut[call_id, action] if action in AGAIN else 0)

    # --- quiet moments -----------------------------------------------------------------------------------------------

    def remember_tasks(self) -> None:
        """The tasks of a bot without calls."""
        self._tasks = tasks()

    def check_quiet(self) -> None:
        """The bot has no calls, and has had the time to tidy up: nothing is left of those that it had."""
        self.require(not self._living, f"these calls never ended: {sorted(self._living)}")
        left = tasks() - self._tasks - self._quarantines()
        self.require(not left, f"these tasks outlive their calls: {dict(left)}")
        self.require(self.pbx.wire.open_ends == 0, f"{self.pbx.wire.open_ends} media ends are open")

    def _quarantines(self) -> Counter[str]:
        """The tasks in which plugins that are in quarantine now wait for its end: theirs, no call's."""
        quarantined = sum(state.state == "quarantined" for state in self.bot.host.states())
        return Counter({SITS_OUT: 2 * quarantined})

    def check_witnesses(self) -> None:
        """Each healthy plugin has heard of all calls and sessions, each event once and in order."""
        self._in_order()
        told = len(self._must_be_heard)
        for one in self.witnesses:
            self.require(told == one.heard, f"{told} events were published, the plugin {one.name} heard {one.heard}")

    def _in_order(self) -> None:
        """What they have heard up to now; some may be on their way."""
        for one in self.witnesses:
            self._has_heard_in_order(one)

    def _has_heard_in_order(self, one: Witness) -> None:
        fresh = [event for event in one.told[one.checked :] if not isinstance(event, STATE)]
        one.checked = len(one.told)
        for heard in fresh:
            if one.heard >= len(self._must_be_heard):
                self.require(False, f"the plugin {one.name} heard {heard} before it was published")
            due = self._must_be_heard[one.heard]
            if due != heard:
                self.require(False, f"event {one.heard}: published {due}, the plugin {one.name} heard {heard}")
            one.heard += 1

    def differences(self, snapshot: dict[str, Any]) -> set[str]:
        """Where what the bot believes of the domain is not what the PBX says. Its own calls aside, and those of which
        the PBX names no extension, whose end nobody tells."""
        own = {leg["call"] for leg in self._own_legs(snapshot)}
        others = {call["id"] for call in snapshot["calls"] if {call["from"], call["to"]} & PHONES} - own
        listed = {call["id"]: call["state"] for call in snapshot["calls"] if call["id"] in others}
        unsure = own | ({call["id"] for call in snapshot["calls"]} - others)
        held = {id_: call.state for id_, call in self.bot.domain.calls.items() if id_ not in unsure}
        found = {f"{one}: not so" for one in listed.items() ^ held.items()}
        parked = {id_ for id_ in listed if self.pbx.pbx._world.calls[id_].orbit}
        waiting = {one.call_id for one in self.bot.parked if one.call_id not in unsure}
        found |= {f"{id_} is parked: not so" for id_ in parked ^ waiting}
        for user in sorted(PHONES):
            account = self.bot.domain.accounts.get(user)
            if account is None or account.registered is not (user in snapshot["registered"]):
                found.add(f"registration of {user}: {account}")
        return found

    def forgotten(self, snapshot: dict[str, Any], users: set[str]) -> set[str]:
        """Legs of the bot at the PBX that the bot knows nothing of: somebody sits there in a dead line."""
        known: set[str] = set().union(*(call._leg.dialog.aliases for call in self.bot.calls))
        own = [leg for leg in self._own_legs(snapshot) if leg["user"] in users and not _is_for_the_desk(leg)]
        return {f"leg {leg['callid']} is left" for leg in own if leg["callid"] not in known}

    def _own_legs(self, snapshot: dict[str, Any]) -> list[dict[str, Any]]:
        """Those of the bot, without those of the desk phone."""
        legs = self.pbx.pbx._world.legs
        return [leg for leg in snapshot["legs"] if leg["user"] in BOT and not legs[leg["id"]].virtual]

    def agree(self, *, fair: bool) -> None:
        """Some steps after each reconcile, bot and PBX agree: an extension that is up knows its calls, and one of those
        that are up the domain, whatever became of the others. `fair`: nothing is in the way of frames now."""
        up = {line.user for line in self.bot.lines if fair and line.up}
        sure = up - self.network.spoiled_of  # what was lost to a connection is known again after the next one
        self._steady = self._steady + 1 if up and up == sure == self._up_before else 0
        self._up_before = up
        differences: set[str] = set()
        if sure:
            snapshot = self.pbx.pbx.snapshot()
            differences = self.forgotten(snapshot, sure) | (self.differences(snapshot) if self._steady > 3 else set())
        self._differed = Counter({one: self._differed[one] + 1 for one in differences})
        lasting = sorted(one for one, looks in self._differed.items() if looks > LATE)
        self.require(not lasting, f"the bot does not believe what the PBX says: {lasting}")

    def require(self, holds: bool, otherwise: str | Callable[[], str]) -> None:
        """`otherwise`: a function where it takes time to say, as it is nearly never read."""
        if not holds:
            why = otherwise if isinstance(otherwise, str) else otherwise()
            raise Violation(f"at {trio.current_time():.2f} s: {why}")


def _is_for_the_desk(leg: dict[str, Any]) -> bool:
    """What its remote control has dialled the bot lets ring, and after a while it is none of its calls."""
    return leg["user"] == DESK and leg["side"] == "callee" and leg["state"] in ("offered", "ringing")


STATE = (events.AccountChanged, events.DomainCallChanged, events.FrameReceived)


def tasks() -> Counter[str]:
    """All tasks under the present task's root, by name."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    return Counter(task.name for task in _below(root))


def _below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child
            yield from _below(child)
