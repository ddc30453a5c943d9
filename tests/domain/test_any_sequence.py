"""Whatever the PBX sends, in whatever order: the events rebuild the state, and each call ends once."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vodiabot.domain import Domain
from vodiabot.domain.calls import FORGET_ENDED
from vodiabot.errors import FrameError
from vodiabot.events import Account, AccountChanged, DomainCallChanged, DomainCallEnded, DomainCallInfo, Event
from vodiabot.protocol import messages as m

NUMBERS = st.sampled_from(["45", "46", "47", "500", "+4930", ""])
IDS = st.sampled_from(["x", "y", "z"])
MAYBE = st.none() | st.booleans()

ACCOUNTS = st.builds(
    m.AccountEntry,
    account=NUMBERS,
    type=st.none() | st.sampled_from(["extensions", "hunts"]),
    name=st.none() | st.sampled_from(["Anna", "Bruno"]),
    registered=MAYBE,
    dnd=MAYBE,
    chat_status=st.none() | st.just("online"),
    in_call=st.booleans(),
)
CALLS = st.builds(
    m.CallEntry,
    id=IDS,
    state=st.sampled_from(["", "ringing", "connected", "onhold", "disconnected"]),
    from_number=NUMBERS,
    to_number=NUMBERS,
    start=st.sampled_from([None, 0.0, 50.0]),
    connect=st.sampled_from([None, 1.0]),
    extensions=st.lists(NUMBERS, max_size=2).map(tuple),
    recording=st.booleans(),
)
MANY_CALLS = st.lists(CALLS, max_size=3).map(tuple)
DROPPED = st.sampled_from([(), (FrameError("domain-state", "calls.id", "?"),)])
MESSAGES = st.one_of(
    st.builds(m.UserState, account=ACCOUNTS),
    st.builds(m.CallState, calls=MANY_CALLS, whole=st.just(True)),
    st.builds(m.CallState, calls=CALLS.map(lambda entry: (entry,)), whole=st.just(False)),
    st.builds(
        m.DomainState,
        accounts=st.none() | st.lists(ACCOUNTS, max_size=3).map(tuple),
        calls=st.none() | MANY_CALLS,
        dropped=DROPPED,
    ),
    st.builds(m.Registered, expires=st.just(60.0)),
)
STEPS = st.one_of(MESSAGES, st.sampled_from(["reconnected", "tick"]))
TIMED_STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 1.0, 6.0, 61.0]), STEPS), max_size=9)
OWN = st.sampled_from([frozenset(), frozenset({"z"})])


class Mirror:
    """The state, rebuilt from events alone."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.calls: dict[str, DomainCallInfo] = {}

    def hear(self, event: Event) -> None:
        match event:
            case AccountChanged(account=account, changed=changed):
                self.hear_account(account, changed)
            case DomainCallChanged(call=call, changed=changed):
                assert (changed == ("added",)) == (call.id not in self.calls)
                assert_differs(self.calls.get(call.id), call, changed)
                self.calls[call.id] = call
            case DomainCallEnded(call=call):
                assert self.calls.pop(call.id) == call, "ended once, and only what was there"

    def hear_account(self, account: Account, changed: tuple[str, ...]) -> None:
        assert (changed == ("added",)) == (account.account not in self.accounts)
        if changed == ("removed",):
            assert self.accounts.pop(account.account) == account
            return
        assert_differs(self.accounts.get(account.account), account, changed)
        self.accounts[account.account] = account


def assert_differs(old: Any, new: Any, changed: tuple[str, ...]) -> None:
    """`changed` names just those fields that differ."""
    if old is not None:
        fields = type(new).__struct_fields__
        assert set(changed) == {field for field in fields if getattr(old, field) != getattr(new, field)}
        assert changed


@given(TIMED_STEPS, OWN, st.sampled_from([(), ("45",)]))
def test_the_events_rebuild_the_state(
    steps: list[tuple[float, Any]], own: frozenset[str], extensions: tuple[str, ...]
) -> None:
    domain, mirror = Domain(own=lambda entry: entry.id in own, extensions=extensions), Mirror()
    now, pictured = 0.0, False
    for pause, step in steps:
        now += pause
        silent = not pictured and isinstance(step, m.DomainState)
        for event in take(domain, step, now):
            mirror.hear(event)
            assert event.at == now
        assert domain.deadline is None or domain.deadline > now, "else who waits for it runs in circles"
        if silent:  # the first picture is the state to start from
            mirror.accounts = {**domain.accounts, **mirror.accounts}
            pictured = bool(step.accounts)
        assert mirror.accounts == dict(domain.accounts)
        assert mirror.calls == dict(domain.calls)
        assert not own & set(domain.calls)


def take(domain: Domain, step: Any, now: float) -> list[Event]:
    if step == "reconnected":
        domain.reconnected(now)
        return domain.tick(now)
    return domain.tick(now) if step == "tick" else domain.apply(step, now)


@given(st.lists(MESSAGES, max_size=9))
def test_the_same_again_is_no_event(messages: list[m.Message]) -> None:
    """A duplicate of the last frame, at the same time, may only end what a further list lacks; it changes nothing."""
    domain = Domain()
    for message in messages:
        domain.apply(message, 0.0)
        again = domain.apply(message, 0.0)
        ids = [entry.id for entry in getattr(message, "calls", None) or ()]
        names = [entry.account for entry in getattr(message, "accounts", None) or ()]
        if len(ids) == len(set(ids)) and len(names) == len(set(names)):  # else it contradicts itself
            assert not [event for event in again if not isinstance(event, DomainCallEnded)]


@given(TIMED_STEPS)
def test_lists_that_are_late_do_not_end_a_call_twice(steps: list[tuple[float, Any]]) -> None:
    domain, ended, now = Domain(extensions=["46"]), {}, 0.0
    for pause, step in steps:
        now += pause
        if isinstance(step, m.CallState):
            step = replace(step, calls=tuple(map(one_call, step.calls)))
        if isinstance(step, m.DomainState):
            step = replace(step, calls=None)
        for event in take(domain, step, now):
            if isinstance(event, DomainCallEnded):
                assert now - ended.get(event.call.id, -math.inf) >= FORGET_ENDED
                ended[event.call.id] = now


def one_call(entry: m.CallEntry) -> m.CallEntry:
    """An id that comes again with a later start or with others in it may be another call; here it is one."""
    return replace(entry, start=0.0, from_number="45", to_number={"x": "46", "y": "47", "z": "500"}[entry.id])
