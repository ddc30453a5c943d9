"""Park orbits: who is parked hears music until somebody picks him up, and is told by whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sim.core.kit import Client, Lab, config, conversation, number
from vodiabot.sim.config import Orbit

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])


def parked(lab: Lab) -> tuple[Client, Client, str]:
    """Anna (46) has parked Bruno (47) on 701: both, and the call-id of Bruno's leg."""
    anna, bruno = conversation(lab)
    anna.say("blind-transfer2", id="c1", from_="46", to="*85701")
    return anna, bruno, bruno.invite()["callid"]


def callerids(client: Client) -> list[tuple[str, str, str]]:
    return [(frame["callid"], frame["number"], frame["name"]) for frame in client.actions("callerid")]


@BOTH
def test_parked_and_picked_up(dialect: str) -> None:
    lab = Lab(config(dialect))
    watcher = lab.client("48")
    watcher.say("orbit-calls", subscribe=True)
    anna, bruno, leg = parked(lab)
    assert anna.of("bye") == ["true"]
    assert lab.hears(leg) == "music"
    assert callerids(bruno) == [(leg, "701", "Park 1")]
    [entry] = watcher.actions("call-state")[-1]["calls"]
    assert ("701" in str(entry), "47" in str(entry), "46" in str(entry)) == (True, True, False)
    clara = lab.client("48")
    clara.say("own-calls", subscribe=True)
    clara.dial("*86701", "c2")
    if dialect == "modern":
        clara.answer("c2")
    lists = [frame["calls"] for frame in clara.actions("call-state") if frame["calls"]]
    assert "*86701" in str(lists[0]), "what was dialled comes before whom it reached"
    assert "Bruno" in str(lists[-1])
    assert (lab.hears(leg), lab.hears("c2")) == ("48", "47")
    assert (callerids(clara), callerids(bruno)[-1]) == ([("c2", "47", "Bruno")], (leg, "48", "Clara"))
    assert watcher.actions("call-state")[-1]["calls"] == []
    clara.say("sip-bye", callid="c2")
    assert bruno.of("bye") == ["true"]
    assert lab.legs == lab.calls == []
    assert lab.logged("warning") == []


def test_an_orbit_holds_one_call_and_who_parks_there_keeps_the_caller() -> None:
    lab = Lab()
    parked(lab)
    clara = lab.client("48")
    clara.dial(number("tone"), "c2")
    clara.answer("c2")
    before = lab.pbx.snapshot()
    for to, code in (("*85701", 486), ("*85709", 404), ("*85", 404)):
        [refusal] = clara.say("blind-transfer2", id="c2", from_="48", to=to)
        assert (refusal["callid"], refusal["code"]) == ("c2", code)
    assert lab.pbx.snapshot() == before
    clara.say("blind-transfer2", id="c2", from_="48", to="*85702")
    assert len(lab.calls) == 2


@pytest.mark.parametrize(("dialled", "code"), [("*86701", 404), ("*86709", 404)])
def test_where_nobody_is_parked_nobody_is_picked_up(dialled: str, code: int) -> None:
    lab = Lab()
    anna = lab.client("46")
    anna.dial(dialled)
    assert anna.codes == [code]
    assert lab.legs == lab.calls == []


def test_who_is_parked_may_hang_up_and_the_orbit_is_free() -> None:
    lab = Lab()
    _, bruno, leg = parked(lab)
    bruno.say("sip-bye", callid=leg)
    assert lab.calls == []
    anna = lab.client("46")
    anna.dial("*86701", "c3")
    assert anna.codes == [404]


def test_a_service_can_be_parked_and_is_heard_again() -> None:
    lab = Lab()
    anna = lab.client("46")
    anna.dial(number("tone"))
    anna.answer("c1")
    anna.say("blind-transfer2", id="c1", to="*85702")
    clara = lab.client("48")
    clara.dial("*86702", "c2")
    clara.answer("c2")
    assert lab.hears("c2") == "tone 1000.0"
    clara.say("sip-bye", callid="c2")
    assert lab.calls == []


def returning() -> Lab:
    return Lab(replace(config(), expires=3600.0, orbits=(Orbit("701", returns_after=20),)))


def test_nobody_comes_so_it_rings_at_who_parked_it() -> None:
    lab = returning()
    anna, bruno, leg = parked(lab)
    lab.wait(19)
    assert lab.hears(leg) == "music"
    lab.wait(2)
    assert anna.invite()["from-number"] == "47"
    anna.answer()
    assert lab.hears(leg) == "46"
    assert callerids(bruno)[-1][1:] == ("46", "Anna")


def test_where_nobody_can_be_rung_it_stays_and_once_picked_up_it_does_not_ring() -> None:
    lab = returning()
    anna, _, leg = parked(lab)
    anna.close()
    lab.wait(50)
    assert lab.hears(leg) == "music"
    clara = lab.client("48")
    clara.dial("*86701", "c2")
    clara.answer("c2")
    back = lab.client("46")
    lab.wait(30)
    assert not back.of("invitesdp")
    assert lab.hears(leg) == "48"


@BOTH
def test_the_other_side_is_told_after_transfers_unless_it_is_switched_off(dialect: str) -> None:
    for tells in (True, False):
        lab = Lab(config(dialect, tells_names=tells))
        anna, bruno = conversation(lab)
        clara = lab.client("48")
        anna.say("blind-transfer2", id="c1", from_="46", to="48")
        clara.answer()
        leg = bruno.invite()["callid"]
        assert callerids(bruno) == ([(leg, "48", "Clara")] if tells else [])
        assert "Clara" in str(bruno.entry())


def test_both_are_told_whom_an_attended_transfer_has_joined() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    clara = lab.client("48")
    anna.dial("48", "c2")
    anna.answer("c2")
    clara.answer()
    anna.say("att-transfer", id="c1", from_="46", id2="c2", to="48")
    assert callerids(bruno)[-1][1:] == ("48", "Clara")
    assert callerids(clara)[-1][1:] == ("47", "Bruno")
