from __future__ import annotations

from dataclasses import dataclass

from vodiabot.calls.matching import find_leg
from vodiabot.protocol.messages import CallEntry


@dataclass(frozen=True)
class View:
    call_ids: frozenset[str]
    local: str = "45"
    remote_number: str = "500"
    started: float = 1000.0


def test_id_and_callid_decide() -> None:
    one, two = View(frozenset({"a"})), View(frozenset({"b", "b2"}))
    assert find_leg(CallEntry(id="b2"), [one, two]) is two
    assert find_leg(CallEntry(id="pbx-7", call_id="a"), [one, two]) is one


def test_without_ids_numbers_and_start_decide() -> None:
    leg = View(frozenset({"a"}))
    entry = CallEntry(id="pbx-7", from_="sip:45@dom", to="<sip:500@dom>", start=1003.0)
    assert find_leg(entry, [leg]) is leg
    turned = CallEntry(id="pbx-7", from_number="500", to_number="700", extensions=("45",), start=999.0)
    assert find_leg(turned, [leg]) is leg


def test_another_start_number_or_no_start_is_another_call() -> None:
    leg = View(frozenset({"a"}))
    assert find_leg(CallEntry(id="x", from_number="45", to_number="500", start=1100.0), [leg]) is None
    assert find_leg(CallEntry(id="x", from_number="45", to_number="501", start=1000.0), [leg]) is None
    assert find_leg(CallEntry(id="x", from_number="45", to_number="500"), [leg]) is None


def test_if_two_fit_neither_does() -> None:
    legs = [View(frozenset({"a"})), View(frozenset({"b"}), started=1001.0)]
    assert find_leg(CallEntry(id="x", from_number="45", to_number="500", start=1000.0), legs) is None
