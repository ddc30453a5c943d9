"""What tells that an act on somebody else's call was done, refused or lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from vodiabot.calls.control import ACT_TIMEOUT, CallControl
from vodiabot.calls.domain_call import DomainCall
from vodiabot.calls.phone import Phone
from vodiabot.errors import CallEnded, ConnectionLost, NotAllowed, NotPermitted
from vodiabot.events import DomainCallChanged, DomainCallEnded, DomainCallInfo
from vodiabot.protocol import commands
from vodiabot.protocol import messages as m

X = DomainCallInfo(id="x", state="connected", from_number="46", to_number="47", extensions=("46", "47"))


@dataclass
class FakeSession:
    sent: list[Any] = field(default_factory=list)

    async def send(self, command: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(command)


@dataclass(eq=False)
class Line:
    user: str
    up: bool = True
    session: FakeSession = field(default_factory=FakeSession)


class House:
    """A control with one or two extensions, and calls of others that a test says."""

    def __init__(self, *lines: Line) -> None:
        self.lines = list(lines) or [Line("45")]
        self.calls = {"x": X}
        self.reached: list[str] = []
        self.control = CallControl(
            calls=lambda: self.calls,
            outlets=lambda: self.lines,
            is_phone=lambda number: number in ("45", "46", "47", "48"),
            guard=self.reached.append,
        )

    def call(self, info: DomainCallInfo = X) -> DomainCall:
        self.calls[info.id] = info
        return DomainCall(info, self.control)

    @property
    def sent(self) -> list[Any]:
        return [command for line in self.lines for command in line.session.sent]

    def hear(self, message: m.Message, line: int = 0) -> None:
        self.control.heard(self.lines[line], message)

    def end(self, info: DomainCallInfo = X) -> None:
        self.calls.pop(info.id, None)
        self.control.told(DomainCallEnded(call=info))


def listed(*entries: m.CallEntry, whole: bool = True) -> m.CallState:
    return m.CallState(calls=entries, whole=whole)


def entry(**fields: Any) -> m.CallEntry:
    return m.CallEntry(**{"id": "x", "state": "connected", "from_number": "46", "to_number": "47", **fields})


def response(code: int, **data: Any) -> m.Informational:
    return m.Informational(kind="response", call_id=data.pop("callid", ""), code=code, data={"code": code, **data})


@asynccontextmanager
async def under_way(work: Callable[[], Any]) -> AsyncIterator[list[Any]]:
    """The act, up to where it waits; gives what came of it: None, or the error."""
    outcome: list[Any] = []

    async def act() -> None:
        try:
            outcome.append(await work())
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test looks at it
            outcome.append(exc)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(act)
        await wait_all_tasks_blocked()
        yield outcome
        nursery.cancel_scope.cancel()


# --- what shows that it was done -------------------------------------------------------------------------------------

DONE: list[tuple[Callable[[DomainCall], Any], m.CallEntry, m.CallEntry]] = [
    (lambda call: call.hold(), entry(), entry(state="Holding")),
    (lambda call: call.hold(), entry(), entry(state="onhold")),
    (lambda call: call.record_on_pbx(), entry(), entry(recording=True)),
    (lambda call: call.transfer("48"), entry(), entry(to_number="48")),
    (lambda call: call.transfer("48"), entry(), entry(to_number="", to="sip:48@dom")),
    (lambda call: call.transfer("48"), entry(), entry(to_number="+4912345")),
    (lambda call: call.transfer("48"), entry(from_number="", to_number=""), entry(extensions=("48",))),
]


@pytest.mark.parametrize(("act", "not_yet", "done"), DONE)
async def test_the_effect(
    act: Callable[[DomainCall], Any], not_yet: m.CallEntry, done: m.CallEntry, autojump_clock: MockClock
) -> None:
    house = House()
    call = house.call()
    async with under_way(lambda: act(call)) as outcome:
        house.hear(listed(not_yet))
        house.hear(listed(m.CallEntry(id="y", state="holding", recording=True, to_number="48")))
        await trio.sleep(1)
        assert outcome == []
        house.hear(listed(done, whole=False))
        await wait_all_tasks_blocked()
        assert outcome == [None]


@pytest.mark.parametrize("done", [entry(state="connected"), entry(state="ringing", connect=5.0)])
async def test_an_accepted_call(done: m.CallEntry, autojump_clock: MockClock) -> None:
    house = House()
    call = house.call(DomainCallInfo(id="x", state="ringing", from_number="46", to_number="47"))
    async with under_way(call.accept) as outcome:
        house.hear(listed(entry(state="ringing")))
        await trio.sleep(1)
        assert outcome == []
        house.hear(m.DomainState(calls=(done,)))
        await wait_all_tasks_blocked()
        assert outcome == [None]


async def test_what_shows_only_for_a_moment_counts(autojump_clock: MockClock) -> None:
    """The one who waits may run only after several frames were read."""
    house = House()
    call = house.call()
    async with under_way(call.hold) as outcome:
        house.hear(listed(entry(state="holding")))
        house.hear(listed(entry(state="connected")))
        house.hear(response(403, id="x"))
        house.end()
        await wait_all_tasks_blocked()
        assert outcome == [None]


# --- what shows that the call is gone --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "gone"),
    [
        ([listed()], True),
        ([listed(), listed(m.CallEntry(id="y"))], True),
        ([listed(), listed(entry())], False),
        ([listed(entry()), listed()], False),
        ([listed(whole=False)], False),
        ([m.DomainState(calls=())], True),
        ([m.DomainState(accounts=())], False),
        ([], False),
    ],
)
async def test_gone_from_every_list_since(frames: list[m.Message], gone: bool, autojump_clock: MockClock) -> None:
    house = House()
    call = house.call()
    async with under_way(call.hangup) as outcome:
        for frame in frames:
            house.hear(frame)
        await trio.sleep(ACT_TIMEOUT - 1)
        assert outcome == [], "the domain may still tell"
        await trio.sleep(1.5)
        assert [type(one) for one in outcome] == [type(None) if gone else NotPermitted]


async def test_a_hold_of_a_call_that_is_gone_from_every_list(autojump_clock: MockClock) -> None:
    house = House()
    call = house.call()
    async with under_way(call.hold) as outcome:
        house.hear(listed())
        await trio.sleep(ACT_TIMEOUT + 1)
        assert [type(one) for one in outcome] == [CallEnded]


async def test_the_end_of_another_call_is_none_of_ours(autojump_clock: MockClock) -> None:
    house = House()
    call = house.call()
    async with under_way(call.hangup) as outcome:
        house.end(DomainCallInfo(id="y", state=""))
        await trio.sleep(1)
        assert outcome == []
        house.end()
        await wait_all_tasks_blocked()
        assert outcome == [None]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "line", "refused"),
    [
        (response(403, id="x"), 0, True),
        (response(403, callid="x"), 0, True),
        (response(403, callid="leg-of-another", id="x"), 0, True),
        (response(403, response="hold-call"), 0, True),
        (m.Informational(kind="info", call_id="x", code=603, data={}), 0, True),
        (response(403, response="clear-call"), 0, False),
        (response(403, response="hold-call", id="y"), 0, False),
        (response(200, id="x"), 0, False),
        (response(403, id="x"), 1, False),
        (m.Informational(kind="response", call_id="x", data={}), 0, False),
    ],
)
async def test_a_refusal(frame: m.Informational, line: int, refused: bool, autojump_clock: MockClock) -> None:
    house = House(Line("45"), Line("44"))
    call = house.call()
    async with under_way(call.hold) as outcome:
        house.hear(frame, line)
        await trio.sleep(1)
        assert [type(one) for one in outcome] == ([NotPermitted] if refused else [])


@pytest.mark.parametrize(("line", "lost"), [(0, True), (1, False)])
async def test_only_the_session_that_asked_is_lost(line: int, lost: bool, autojump_clock: MockClock) -> None:
    house = House(Line("45"), Line("44"))
    call = house.call()
    async with under_way(call.hold) as outcome:
        house.control.lost(house.lines[line])
        await trio.sleep(1)
        assert [type(one) for one in outcome] == ([ConnectionLost] if lost else [])


# --- by whose hand, and whose leg ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "by"),
    [
        ([Line("45"), Line("44")], "45"),
        ([Line("45", up=False), Line("44")], "44"),
        ([Line("45"), Line("47")], "47"),
        ([Line("45"), Line("47", up=False)], "45"),
        ([Line("45", up=False), Line("47", up=False)], "47"),
    ],
)
async def test_the_extension_that_takes_part_acts(lines: list[Line], by: str, autojump_clock: MockClock) -> None:
    house = House(*(Line(line.user, line.up) for line in lines))
    call = house.call()
    async with under_way(call.hold):
        assert [line.user for line in house.lines if line.session.sent] == [by]


async def test_before_the_bot_runs() -> None:
    house = House()
    house.lines.clear()
    with pytest.raises(NotAllowed):
        await house.call().hold()


@pytest.mark.parametrize(
    ("call", "leaves"),
    [
        (X, "47"),
        (DomainCallInfo(id="x", state="", from_number="+4912345", to_number="47"), "47"),
        (DomainCallInfo(id="x", state="", from_number="46", to_number="+4912345"), "46"),
        (DomainCallInfo(id="x", state="", from_number="+4912345", to_number="700", extensions=("48",)), "48"),
        (DomainCallInfo(id="x", state="", from_number="46", to_number="700", extensions=("46", "48")), "48"),
        (DomainCallInfo(id="x", state="", from_number="46", to_number="45"), "45"),
        (DomainCallInfo(id="x", state="", from_number="45", to_number="46"), "45"),
        (DomainCallInfo(id="x", state="", to_number="700"), "700"),
    ],
)
async def test_who_leaves_at_a_transfer(call: DomainCallInfo, leaves: str, autojump_clock: MockClock) -> None:
    house = House()
    handle = house.call(call)
    async with under_way(lambda: handle.transfer("500")):
        assert house.sent == [commands.BlindTransfer(id="x", from_=leaves, to="500")]
        assert house.reached == ["500"]


# --- make-call -------------------------------------------------------------------------------------------------------


async def test_where_the_bot_is_rung_first_there_is_nothing_to_act_on(autojump_clock: MockClock) -> None:
    house = House()
    phone = Phone(house.lines[0], house.control)
    assert not house.control.rings_here("45", "500")
    async with under_way(lambda: phone.make_call("500")) as outcome:
        assert house.sent == [commands.PhoneDial(to="500")]
        assert not house.control.rings_here("45", "46")
        assert not house.control.rings_here("44", "500")
        await trio.sleep(1)
        assert outcome == []
        assert house.control.rings_here("45", "500")
        await wait_all_tasks_blocked()
        assert outcome == [None]
        assert house.control.rings_here("45", "500"), "at each of its registrations"
        await trio.sleep(ACT_TIMEOUT)
        assert not house.control.rings_here("45", "500")


async def test_the_call_that_was_made_is_a_new_one_of_these_two(autojump_clock: MockClock) -> None:
    house = House()
    phone = Phone(house.lines[0], house.control)
    made = DomainCallInfo(id="m", state="alerting", from_number="500", to_number="45")
    async with under_way(lambda: phone.make_call("500")) as outcome:
        house.control.told(DomainCallChanged(call=X, changed=("added",)))
        house.control.told(DomainCallChanged(call=made, changed=("state",)))
        await trio.sleep(1)
        assert outcome == []
        house.control.told(DomainCallChanged(call=made, changed=("added",)))
        house.control.told(DomainCallChanged(call=made, changed=("added",)))
        await wait_all_tasks_blocked()
        assert [one.info for one in outcome] == [made]
