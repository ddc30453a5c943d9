from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.calls.matching import Matcher
from vodiabot.calls.pbx_clock import REMEMBERED, PbxClock
from vodiabot.protocol.messages import CallEntry


@dataclass(frozen=True, eq=False)
class View:
    call_ids: frozenset[str]
    local: str = "45"
    remote_number: str = "500"
    began: float = 1000.0


def one(entry: CallEntry, legs: list[View], matcher: Matcher[View] | None = None) -> View | None:
    pairs = (matcher or Matcher()).match([entry], legs)
    return pairs[0][1] if pairs else None


def test_id_and_callid_decide() -> None:
    first, second = View(frozenset({"a"})), View(frozenset({"b", "b2"}))
    assert one(CallEntry(id="b2"), [first, second]) is second
    assert one(CallEntry(id="pbx-7", call_id="a"), [first, second]) is first


def test_without_ids_numbers_and_start_decide() -> None:
    leg = View(frozenset({"a"}))
    entry = CallEntry(id="pbx-7", from_="sip:45@dom", to="<sip:500@dom>", start=1003.0)
    assert one(entry, [leg]) is leg
    turned = CallEntry(id="pbx-7", from_number="500", to_number="700", extensions=("45",), start=999.0)
    assert one(turned, [leg]) is leg


def test_another_start_number_or_no_start_is_another_call() -> None:
    leg = View(frozenset({"a"}))
    assert one(CallEntry(id="x", from_number="45", to_number="500", start=1100.0), [leg]) is None
    assert one(CallEntry(id="x", from_number="45", to_number="501", start=1000.0), [leg]) is None
    assert one(CallEntry(id="x", from_number="45", to_number="500"), [leg]) is None


def entry_of(id_: str, *, connected: bool = True, start: float = 1000.0) -> CallEntry:
    connect = start if connected else None
    return CallEntry(id=id_, from_number="45", to_number="500", start=start, connect=connect)


def test_if_two_fit_neither_does_but_the_call_is_ours() -> None:
    legs = [View(frozenset({"a"})), View(frozenset({"b"}), began=1001.0)]
    matcher: Matcher[View] = Matcher()
    assert matcher.match([entry_of("x")], legs) == []
    assert matcher.owns(entry_of("x"), legs)
    assert not matcher.owns(CallEntry(id="x", from_number="46", to_number="500", start=1000.0), legs)


def test_as_many_connected_entries_as_legs_need_no_telling_apart() -> None:
    legs = [View(frozenset({"a"})), View(frozenset({"b"}))]
    matcher: Matcher[View] = Matcher()
    pairs = matcher.match([entry_of("x"), entry_of("y")], legs)
    assert {leg for _, leg in pairs} == set(legs)
    assert matcher.match([entry_of("x"), entry_of("y", connected=False)], legs) == []


def test_an_entry_once_known_stays_with_its_leg_and_leaves_the_other_clear() -> None:
    first, second = View(frozenset({"a"})), View(frozenset({"b"}))
    matcher: Matcher[View] = Matcher()
    assert one(entry_of("x"), [first], matcher) is first
    pairs = matcher.match([entry_of("x"), entry_of("y", connected=False)], [first, second])
    assert [(entry.id, leg) for entry, leg in pairs] == [("x", first), ("y", second)]
    matcher.forget(first)
    assert not matcher.owns(entry_of("x"), [])


def test_an_entry_that_names_us_no_longer_is_that_of_a_call_that_goes_on_without_us() -> None:
    transferred, other = View(frozenset({"a"})), View(frozenset({"b"}))
    matcher: Matcher[View] = Matcher()
    assert one(entry_of("x"), [other], matcher) is other, "taken for it, as the right one was gone"
    assert not matcher.owns(CallEntry(id="x", from_number="500", to_number="48", start=1000.0), [other, transferred])
    assert one(entry_of("y"), [other], matcher) is other
    unnamed = CallEntry(id="y", from_number="500", state="connected")
    assert matcher.owns(unnamed, [other])


def coded(name: str) -> View:
    return View(frozenset({name}), remote_number="*86701")


def reached(number: str, id_: str = "x", start: float = 1001.0) -> CallEntry:
    return CallEntry(id=id_, from_number="45", to_number=number, start=start)


def test_a_call_to_a_code_may_be_listed_with_whom_it_reached() -> None:
    leg, matcher = coded("a"), Matcher[View]()
    assert matcher.owns(reached("46"), [leg])
    assert one(reached("46"), [leg], matcher) is leg
    assert one(reached("48", start=9.0), [leg], matcher) is leg, "it is remembered"
    assert one(reached("46", start=900.0), [leg]) is None
    assert one(CallEntry(id="x", from_number="47", to_number="46", start=1000.0), [leg]) is None


def test_what_fits_another_leg_better_is_not_taken_for_the_code() -> None:
    plain, code = View(frozenset({"p"}), remote_number="46"), coded("c")
    assert Matcher[View]().match([reached("46"), reached("47", "y")], [code, plain]) == [
        (reached("46"), plain),
        (reached("47", "y"), code),
    ]
    assert one(reached("46"), [code, plain]) is plain
    twins = [View(frozenset({"p"}), remote_number="46"), View(frozenset({"q"}), remote_number="46")]
    assert one(reached("46"), [code, *twins]) is None, "it is open which of the two, but not the code's"


def test_numbers_of_the_country_are_the_same_in_any_form() -> None:
    leg = View(frozenset({"a"}), remote_number="+49711123456")
    entry = CallEntry(id="x", from_number="0711123456", to_number="45", start=1000.0)
    assert one(entry, [leg], Matcher("DE")) is leg
    assert one(entry, [leg]) is None


def clock(now: list[float]) -> PbxClock:
    return PbxClock(lambda: now[0])


@pytest.mark.parametrize("ahead", [-3600.0, -8.0, 0.0, 30.0, 86400.0])
def test_the_clocks_need_not_agree(ahead: float) -> None:
    now = [1000.0]
    pbx, leg = clock(now), View(frozenset({"a"}))
    old, mine = entry_of("old", start=400.0 + ahead), entry_of("mine", start=1000.0 + ahead)
    pbx.hear([old], fresh=False)
    now[0] = 1000.4
    pbx.hear([old, mine], fresh=True)
    matcher = Matcher[View]("", pbx)
    assert matcher.owns(mine, [leg])
    assert matcher.match([old, mine], [leg]) == [(mine, leg)]


def test_a_list_that_is_late_does_not_mislead() -> None:
    pbx = clock([1000.0])
    pbx.hear([entry_of("prompt", start=1020.0), entry_of("late", start=900.0)], fresh=True)
    assert pbx.agrees(1020.0, 1000.0)
    assert not pbx.agrees(900.0, 1000.0)
    pbx.hear([entry_of("prompt, too", start=1020.0)], fresh=True)
    pbx.hear([entry_of("later still", start=800.0)], fresh=True)
    assert not pbx.agrees(800.0, 1000.0)
    pbx.hear([entry_of("no time of day", start=9e12), CallEntry(id="without")], fresh=True)
    assert pbx.agrees(1020.0, 1000.0)
    assert pbx.agrees(1000.0, 1000.0), "that they agree is never ruled out"


SECONDS = st.integers(-86400, 86400).map(float)


@given(
    spells=st.lists(st.tuples(SECONDS, st.lists(st.one_of(st.none(), SECONDS), max_size=6)), min_size=1, max_size=4),
    luck=st.randoms(use_true_random=False),
)
def test_a_clock_that_is_set_is_understood_by_the_second_call(
    spells: list[tuple[float, list[float | None]]], luck: Random
) -> None:
    """Each spell: how far the PBX is ahead of us, and between its calls some whose time is odd, as they are heard of
    late. Such a one is not believed, and changes nothing."""
    now, met = [1000.0], [0.0]
    pbx = clock(now)

    def hear(start: float) -> None:
        pbx.hear([entry_of(str(now[0]), start=float(int(start)))], fresh=True)

    for ahead, oddities in spells:
        met.append(ahead)
        for number, odd in enumerate([None, None, *oddities, None]):
            now[0] += luck.uniform(10, 1000)
            if odd is None:
                began = now[0] - luck.uniform(0, 2)
                hear(began + ahead)
                assert number == 0 or pbx.agrees(float(int(began + ahead)), began)
            elif all(abs(odd - one) > 20 for one in met):
                met.append(odd)
                hear(now[0] + odd)
                assert pbx.agrees(now[0] + ahead, now[0])
                assert odd > ahead or not pbx.agrees(now[0] + odd, now[0])


@pytest.mark.parametrize("by", [-86400.0, -3600.0, -30.0, -5.5, -4.9, -3.0, 4.9, 30.0])
def test_a_clock_that_is_set_costs_one_call_at_most(by: float) -> None:
    now = [1000.0]
    pbx = clock(now)
    for number in range(20):
        now[0] += 60
        pbx.hear([entry_of(str(number), start=now[0])], fresh=True)
    understood = []
    for number in range(20, 24):
        now[0] += 60
        pbx.hear([entry_of(str(number), start=now[0] + by - 0.3)], fresh=True)
        understood.append(pbx.agrees(now[0] + by - 0.9, now[0]))
    assert understood[1:] == [True, True, True]
    assert understood[0] is (by > 0 or abs(by) < 4)


def test_the_clock_remembers_a_bounded_number_of_calls() -> None:
    pbx = clock([1000.0])
    pbx.hear((entry_of(str(number)) for number in range(REMEMBERED + 5)), fresh=False)
    assert len(pbx._seen) == REMEMBERED
