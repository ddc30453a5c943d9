"""The other side as the PBX tells of it, and as it is shown."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from vodiabot import events
from vodiabot.calls import Party
from vodiabot.calls.remote import ListedSide, other_side
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m

from .kit import Bench, running


def entry(sender: str, called: str, **more: str) -> m.CallEntry:
    return m.CallEntry(id="x", from_number=sender, to_number=called, **more)


@pytest.mark.parametrize(
    ("sender", "called", "direction", "side"),
    [
        ("46", "45", "incoming", "46"),
        ("45", "47", "outgoing", "47"),
        ("45", "48", "incoming", "48"),  # transferred: now we count as the caller
        ("48", "45", "outgoing", "48"),
        ("46", "700", "incoming", "46"),  # by way of a group
        ("+49711999", "0711123456", "outgoing", "0711123456"),  # with another number of ours
        ("sip:45@dom", "46", "outgoing", "46"),
    ],
)
def test_who_of_an_entry_is_not_us(sender: str, called: str, direction: str, side: str) -> None:
    found = other_side(entry(sender, called), "45", direction)  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == side


@pytest.mark.parametrize(("sender", "called"), [("45", "45"), ("", "45"), ("45", "")])
def test_where_it_is_not_said_who_that_is(sender: str, called: str) -> None:
    assert other_side(entry(sender, called), "45", "incoming") is None


def test_only_what_is_new_counts() -> None:
    listed = ListedSide()
    first = listed.heard(entry("46", "45", from_name="Anna"), "45", "incoming")
    assert first is not None
    assert first.first
    assert listed.heard(entry("46", "45", from_name="Anna"), "45", "incoming") is None
    second = listed.heard(entry("48", "45"), "45", "incoming")
    assert second is not None
    assert (second.number, second.name, second.first) == ("48", "", False)


@pytest.mark.parametrize(
    ("party", "shown", "known"),
    [
        (Party("+49711123456", country="DE"), "0711 123456", "+49711123456"),
        (Party("+49711123456", "Anna", "DE"), "Anna", "+49711123456"),
        (Party("+19785550123", country="DE"), "+1 978-555-0123", "+19785550123"),
        (Party("45", country="DE"), "45", None),
        (Party("", country="DE"), "", None),
    ],
)
def test_as_it_is_shown(party: Party, shown: str, known: str | None) -> None:
    assert (party.display, party.e164) == (shown, known)


def renamed(bench: Bench) -> int:
    return len([e for e in bench.told if isinstance(e, events.CallChanged) and e.what == "remote"])


async def test_the_same_number_in_another_form_is_no_news(autojump_clock: MockClock) -> None:
    async with running(country="DE") as bench:
        bench.invite(from_user="0711123456", from_display="Anna", to_user="0711 99 88 77")
        await trio.testing.wait_all_tasks_blocked()
        [call] = bench.calls
        assert (call.remote.number, call.local) == ("+49711123456", "+49711998877")
        for number in ("+49711123456", "0049711123456", "sip:+49711123456@dom"):
            bench.switchboard.deliver(m.CallerId(call_id=call.id, name="Anna", number=number))
        listed = m.CallEntry(id=call.id, from_number="+49 711 123456", from_name="Anna M.", to_number="45")
        bench.switchboard.deliver(m.CallState(calls=(listed,), whole=True))
        await trio.testing.wait_all_tasks_blocked()
        assert renamed(bench) == 0
        bench.switchboard.deliver(m.CallerId(call_id=call.id, name="", number="48"))
        await trio.testing.wait_all_tasks_blocked()
        assert (call.remote.number, call.remote.name, renamed(bench)) == ("48", "", 1)


@pytest.mark.parametrize(
    ("written", "wire", "number"),
    [
        ("0711 / 123-456", "0711123456", "+49711123456"),
        ("0049711123456", "0049711123456", "+49711123456"),
        ("+49 (0)711 123456", "+49711123456", "+49711123456"),
        ("500", "500", "500"),
        ("112", "112", "112"),
    ],
)
async def test_what_is_dialled_and_what_it_is_called(
    written: str, wire: str, number: str, autojump_clock: MockClock
) -> None:
    async with running(country="DE") as bench, trio.open_nursery() as nursery:

        async def dial() -> None:
            async with bench.switchboard.dial(written) as call:
                assert call.remote.number == number
                await call.transfer(written)

        nursery.start_soon(dial)
        await bench.pick_up()
        assert (await bench.port.wait_for(c.PlaceCall)).to == wire
        transfer = await bench.port.wait_for(c.BlindTransfer)
        assert transfer.to == wire
        bench.switchboard.deliver(m.Bye(call_id=transfer.id))
