"""Calls of everybody else: what lists of mixed subscriptions say, and when a call is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from vodiabot.domain import Domain
from vodiabot.domain.calls import FORGET_ENDED, INVITE_GRACE, OWN_GRACE
from vodiabot.domain.ending import MISSING_LONG, MISSING_SECONDS
from vodiabot.errors import FrameError
from vodiabot.events import DomainCallChanged, DomainCallEnded, DomainCallInfo
from vodiabot.protocol import messages as m

NOW = 1_700_000_000.0


def call(id_: str, state: str = "connected", a: str = "46", b: str = "47", **more: Any) -> m.CallEntry:
    return m.CallEntry(id=id_, state=state, from_number=a, to_number=b, start=more.pop("start", NOW), **more)


X = call("x")
OURS = call("o", a="45", b="46")


def listed(*calls: m.CallEntry) -> m.CallState:
    return m.CallState(calls=calls, whole=True)


def one(entry: m.CallEntry) -> m.CallState:
    return m.CallState(calls=(entry,), whole=False)


def presence(account: str, in_call: bool) -> m.UserState:
    return m.UserState(account=m.AccountEntry(account=account, in_call=in_call))


def picture(*calls: m.CallEntry, busy: Iterable[str] = (), **more: Any) -> m.DomainState:
    accounts = tuple(m.AccountEntry(account=a, in_call=a in busy) for a in ("45", "46", "47"))
    return m.DomainState(accounts=accounts, calls=calls, **more)


def phones(*busy: str) -> m.DomainState:
    """The accounts 45, 46 and 47, and nothing about calls."""
    return m.DomainState(accounts=picture(busy=busy).accounts)


class Heard:
    """A domain, and what it told, in short: `+x` added, `~x state` changed, `-x` ended."""

    def __init__(self, *, own: Iterable[str] = (), extensions: Iterable[str] = ()) -> None:
        self.own = set(own)
        self.domain = Domain(own=lambda entry: entry.id in self.own, extensions=extensions)
        self.now = NOW

    def apply(self, message: m.Message, after: float = 0.0) -> list[str]:
        self.now += after
        return [s for e in self.domain.apply(message, self.now) if (s := short(e))]

    def tick(self, after: float) -> list[str]:
        self.now += after
        return [s for e in self.domain.tick(self.now) if (s := short(e))]


def short(event: object) -> str:
    match event:
        case DomainCallChanged(call=c, changed=("added",)):
            return f"+{c.id}"
        case DomainCallChanged(call=c, changed=changed):
            return f"~{c.id} {','.join(changed)}"
        case DomainCallEnded(call=c):
            return f"-{c.id}"
    return ""


def test_a_call_from_ringing_to_its_end() -> None:
    heard = Heard()
    heard.apply(phones())
    assert heard.apply(listed(call("x", "ringing"))) == ["+x"]
    assert heard.apply(listed(call("x", "ringing"))) == []
    assert heard.apply(listed(call("x", "connected", connect=NOW + 3, recording=True))) == [
        "~x state,connect,recording"
    ]
    assert heard.domain.calls["x"] == DomainCallInfo(
        id="x",
        state="connected",
        from_number="46",
        to_number="47",
        start=NOW,
        connect=NOW + 3,
        recording=True,
    )
    assert heard.apply(picture()) == ["-x"]
    assert dict(heard.domain.calls) == {}


def test_one_call_as_an_object_is_added_or_changed_and_ends_nothing() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.apply(one(call("y"))) == ["+y"]
    assert heard.apply(one(call("y", "holding"))) == ["~y state"]
    assert set(heard.domain.calls) == {"x", "y"}


def test_what_an_entry_leaves_out_stays_known() -> None:
    heard = Heard()
    heard.apply(one(call("x", from_name="Anna", extensions=("46",))))
    assert heard.apply(one(m.CallEntry(id="x", state="onhold"))) == ["~x state"]
    known = heard.domain.calls["x"]
    assert (known.from_name, known.from_number, known.extensions, known.start) == ("Anna", "46", ("46",), NOW)


def test_an_unchanged_call_stays_the_same_object() -> None:
    heard = Heard()
    heard.apply(listed(X))
    before = heard.domain.calls["x"]
    heard.apply(listed(X))
    assert heard.domain.calls["x"] is before


# --- lists that lack a call ---------------------------------------------------------------------------


def test_lists_of_our_own_calls_do_not_end_the_calls_of_others() -> None:
    """own-calls, orbit-calls and domain-calls mixed, for an hour: a living call is in each third list only."""
    heard = Heard(own={"o"})
    assert heard.apply(listed(X, OURS)) == ["+x"]
    for _ in range(600):
        assert heard.apply(listed(OURS), after=6) == []
        assert heard.apply(listed()) == []
        assert heard.apply(listed(OURS, X)) == []


def test_one_list_is_not_enough() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.apply(listed()) == []
    assert heard.apply(listed(), after=MISSING_SECONDS) == []


def test_three_lists_and_some_seconds_are() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.apply(listed()) == []
    assert heard.apply(listed()) == []
    assert heard.apply(listed()) == [], "they may be of one burst"
    assert heard.domain.deadline == NOW + MISSING_SECONDS
    assert heard.domain.tick(NOW + MISSING_SECONDS - 0.1) == []
    assert [short(e) for e in heard.domain.tick(NOW + MISSING_SECONDS)] == ["-x"]
    assert heard.domain.deadline is None


def test_a_list_that_has_it_again_starts_from_the_beginning() -> None:
    heard = Heard()
    heard.apply(listed(X))
    for _ in range(5):
        assert heard.apply(listed(), after=3) == []
        assert heard.apply(listed(), after=3) == []
        assert heard.apply(listed(X), after=100) == [], "late, but here: it lives"


def test_missing_for_a_minute_is_over_at_the_next_frame_whatever_it_is() -> None:
    heard = Heard()
    heard.apply(listed(X))
    heard.apply(listed(), after=1)
    assert heard.apply(m.Registered(expires=60), after=MISSING_LONG - 1) == []
    assert heard.apply(m.Registered(expires=60), after=1) == ["-x"]


def test_a_quiet_domain_ends_nothing_by_itself() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.domain.deadline is None
    assert heard.apply(m.Registered(expires=60), after=7200) == []


# --- lists and presence ---------------------------------------------------------------------------


def test_missing_and_its_phones_free_is_over_at_once() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    heard.apply(listed(X))
    assert heard.apply(listed()) == []
    assert heard.apply(presence("46", False)) == []
    assert heard.apply(presence("47", False)) == ["-x"]


def test_phones_free_first_and_then_missing() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    heard.apply(listed(X))
    assert heard.apply(presence("46", False)) == []
    assert heard.apply(presence("47", False)) == [], "no list lacks it yet"
    assert heard.apply(listed()) == ["-x"]


def test_one_phone_still_in_a_call_keeps_it() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    heard.apply(listed(X))
    heard.apply(presence("46", False))
    assert heard.apply(listed()) == []


def test_presence_told_before_the_call_says_nothing_of_it() -> None:
    heard = Heard()
    heard.apply(phones())
    heard.apply(listed(X))
    assert heard.apply(listed()) == []


def test_phones_of_a_ringing_call_may_count_as_free() -> None:
    heard = Heard()
    heard.apply(phones())
    heard.apply(listed(call("x", "ringing")))
    heard.apply(presence("46", False))
    heard.apply(presence("47", False))
    assert heard.apply(listed()) == []
    heard.apply(presence("46", True))
    assert heard.apply(presence("46", False)) == ["-x"], "46 has hung up"


def test_a_call_of_two_strangers_is_not_ended_by_presence() -> None:
    heard = Heard()
    heard.apply(phones())
    heard.apply(listed(call("x", a="+4930123", b="+4940123")))
    heard.apply(listed())
    assert heard.apply(presence("46", False)) == []


def test_where_no_lists_come_presence_alone_ends_a_connected_call() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    heard.apply(one(X))
    assert heard.apply(presence("46", False)) == []
    assert heard.apply(presence("47", False)) == ["-x"]


# --- the whole picture, and reconnecting ---------------------------------------------------------------------------


def test_a_picture_adds_changes_and_ends() -> None:
    heard = Heard()
    assert heard.apply(picture(X, call("y"))) == ["+x", "+y"]
    assert heard.apply(picture(call("y", "onhold"), call("z"))) == ["~y state", "+z", "-x"]


def test_a_picture_that_says_nothing_of_calls_ends_none() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.apply(phones("46", "47")) == []
    lost = FrameError("domain-state", "calls.id", "missing")
    assert heard.apply(picture(busy=("46", "47"), dropped=(lost,))) == []


def test_after_a_reconnect_the_difference_is_told() -> None:
    heard = Heard()
    heard.apply(picture(X, call("y"), busy=("46", "47")))
    heard.domain.reconnected(NOW)
    assert heard.apply(picture(call("y", "holding"), call("z"))) == ["~y state", "+z", "-x"]


def test_after_a_reconnect_presence_is_enough() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    heard.apply(listed(X))
    heard.domain.reconnected(NOW)
    assert heard.apply(phones()) == ["-x"]


def test_lists_of_the_old_socket_do_not_count_after_a_reconnect() -> None:
    heard = Heard()
    heard.apply(listed(X))
    heard.apply(listed())
    heard.apply(listed())
    heard.domain.reconnected(NOW)
    assert heard.apply(listed(), after=MISSING_LONG) == []
    assert heard.apply(listed(X), after=1) == []


# --- once only, and own legs ---------------------------------------------------------------------------


def test_an_ended_call_does_not_come_back() -> None:
    heard = Heard()
    heard.apply(picture(X))
    assert heard.apply(picture()) == ["-x"]
    assert heard.apply(listed(X)) == []
    assert heard.apply(picture()) == []


def test_but_where_the_pbx_goes_on_to_list_it_it_was_not_over() -> None:
    """The list of the domain's calls was lost on the way, or came garbled."""
    heard = Heard()
    heard.apply(listed(X))
    for _ in range(3):
        heard.apply(listed())
    assert heard.tick(MISSING_SECONDS) == ["-x"]
    assert heard.apply(listed(X), after=FORGET_ENDED - 1) == []
    assert heard.apply(listed(X), after=1) == ["+x"]


def test_and_a_picture_is_believed_at_once() -> None:
    heard = Heard()
    heard.apply(picture(X))
    heard.apply(picture())
    assert heard.apply(picture(X)) == ["+x"]


def test_but_its_id_may_name_a_later_call() -> None:
    heard = Heard()
    heard.apply(picture(X))
    heard.apply(picture())
    assert heard.apply(listed(call("x", start=NOW + 5))) == ["+x"]
    heard.apply(picture())
    assert heard.apply(listed(m.CallEntry(id="x")), after=FORGET_ENDED) == ["+x"]


def test_a_state_that_says_it_is_over() -> None:
    heard = Heard()
    heard.apply(listed(X))
    assert heard.apply(one(call("x", "disconnected"))) == ["-x"]
    assert heard.apply(one(call("x", "disconnected"))) == []


def test_our_own_legs_are_left_out() -> None:
    heard = Heard(own={"o"})
    assert heard.apply(listed(OURS, X)) == ["+x"]
    assert list(heard.domain.calls) == ["x"]
    assert heard.apply(picture(X)) == []


RINGS_US = call("x", "ringing", a="46", b="45")
RINGS_US_IN_A_GROUP = call("x", "ringing", a="46", b="700", extensions=("45", "48"))


@pytest.mark.parametrize("ringing", [RINGS_US, RINGS_US_IN_A_GROUP], ids=["alone", "group"])
@pytest.mark.parametrize("frame", [listed, picture, one], ids=["list", "picture", "one"])
def test_a_list_that_comes_before_the_invite_tells_nothing(frame: Any, ringing: m.CallEntry) -> None:
    heard = Heard(extensions=["45"])
    assert heard.apply(frame(ringing)) == []
    heard.own = {"x"}
    assert heard.apply(frame(ringing), after=INVITE_GRACE / 2) == []
    assert heard.tick(OWN_GRACE) == []
    assert heard.domain.calls == {}


def test_what_rings_at_our_extension_without_an_invite_is_somebody_else_s_at_once() -> None:
    """Its phone on the desk."""
    heard = Heard(extensions=["45"])
    assert heard.apply(listed(RINGS_US)) == []
    assert heard.domain.deadline == heard.now + INVITE_GRACE
    assert heard.tick(INVITE_GRACE) == ["+x"]
    assert heard.apply(listed(call("x", a="46", b="45"))) == ["~x state"]


def test_a_call_that_was_ours_and_rings_us_again_waits_for_its_invite() -> None:
    heard = Heard(own={"x"}, extensions=["45"])
    heard.apply(listed(call("x", a="46", b="45")))
    heard.own.clear()
    assert heard.apply(listed(call("x", "ringing", a="47", b="45")), after=OWN_GRACE) == []
    assert heard.domain.deadline == heard.now + INVITE_GRACE
    assert heard.tick(INVITE_GRACE) == ["+x"]
    assert heard.domain.deadline is None


def test_what_somebody_else_has_picked_up_at_our_extension_waits_for_nothing() -> None:
    heard = Heard(extensions=["45"])
    assert heard.apply(listed(RINGS_US)) == []
    assert heard.apply(listed(call("x", a="46", b="45"))) == ["+x"]


def test_our_own_leg_that_we_have_just_hung_up_is_not_somebody_else_s() -> None:
    heard = Heard(own={"o"})
    heard.apply(listed(OURS))
    heard.own.clear()
    assert heard.apply(listed(OURS), after=OWN_GRACE - 1) == []
    assert heard.apply(listed(OURS), after=1) == ["+o"], "transferred: it goes on without us"


def test_a_call_that_goes_on_without_us_is_told_though_nothing_more_is_heard_of_it() -> None:
    heard = Heard(own={"o"})
    heard.apply(listed(OURS))
    heard.own.clear()
    assert heard.apply(listed(OURS), after=1) == []
    assert heard.apply(listed()) == [], "the list of the orbits lacks it"
    assert heard.domain.deadline == heard.now + OWN_GRACE - 1
    assert heard.tick(after=OWN_GRACE - 1) == ["+o"]
    assert heard.apply(picture()) == ["-o"]


def test_a_call_of_ours_that_is_over_is_never_told_as_somebody_else_s() -> None:
    heard = Heard(own={"o"})
    heard.apply(listed(OURS))
    heard.own.clear()
    assert heard.apply(listed(OURS), after=1) == []
    assert heard.apply(listed()) == []
    assert heard.apply(listed()) == []
    assert heard.tick(after=OWN_GRACE) == []
    assert heard.domain.deadline is None


def test_a_call_of_ours_that_goes_on_without_us_when_our_leg_is_gone() -> None:
    heard = Heard(own={"o"})
    heard.apply(listed(OURS))
    assert heard.tick(after=OWN_GRACE) == []
    heard.own.clear()
    assert heard.tick(after=OWN_GRACE - 1) == []
    assert heard.tick(after=1) == ["+o"]


def test_a_call_that_seemed_over_and_goes_on_among_others_is_a_call_again() -> None:
    heard = Heard()
    heard.apply(phones("46"))
    assert heard.apply(listed(call("x", "connected"))) == ["+x"]
    heard.apply(listed())
    assert heard.apply(phones()) == ["-x"], "46 has joined it with another call and hung up"
    assert heard.apply(listed(call("x", "connected"))) == [], "a list that is late"
    assert heard.apply(listed(msgspec.structs.replace(call("x", "connected"), from_number="600"))) == ["+x"]


def test_a_long_call_in_a_quiet_domain_lives_on_though_the_last_list_lacked_it() -> None:
    heard = Heard()
    heard.apply(phones("46", "47"))
    assert heard.apply(listed(X)) == ["+x"]
    assert heard.apply(listed()) == [], "the list of the orbits"
    assert heard.tick(after=3600) == []
    assert heard.domain.deadline is None


def test_a_call_that_turns_out_to_be_ours_ends_as_somebody_else_s() -> None:
    heard = Heard()
    assert heard.apply(listed(OURS)) == ["+o"]
    heard.own.add("o")
    assert heard.apply(listed(OURS)) == ["-o"]
    assert heard.apply(listed()) == []


def test_a_call_that_rang_at_the_bot_too_and_was_taken_elsewhere_is_somebody_else_s_again() -> None:
    heard = Heard()
    assert heard.apply(listed(OURS)) == ["+o"]
    heard.own.add("o")
    assert heard.apply(listed(OURS)) == ["-o"]
    heard.own.clear()
    assert heard.apply(listed(OURS), after=OWN_GRACE) == ["+o"]
    assert heard.apply(picture()) == ["-o"]
    assert heard.apply(listed(OURS)) == []


@pytest.mark.parametrize("field", ["from_number", "to_number"])
def test_an_address_stands_in_for_a_number(field: str) -> None:
    heard = Heard()
    heard.apply(one(m.CallEntry(id="x", from_="a", to="b")))
    assert getattr(heard.domain.calls["x"], field) == {"from_number": "a", "to_number": "b"}[field]


def test_of_a_party_who_has_left_nothing_is_kept() -> None:
    heard = Heard()
    heard.apply(one(call("x", a="+49711", b="48", to_name="Clara", extensions=("48",))))
    heard.apply(one(call("x", a="+49711", b="702")))
    known = heard.domain.calls["x"]
    assert (known.from_number, known.to_number, known.to_name, known.extensions) == ("+49711", "702", "", ())
    heard.apply(one(call("x", a="+49711", b="702", to_name="Park 2")))
    heard.apply(one(call("x", a="+49711", b="702")))
    assert heard.domain.calls["x"].to_name == "Park 2"


def test_a_call_of_ours_that_goes_on_among_others_is_theirs_at_once() -> None:
    """Not so one that is listed as it was: that is a list which has not caught up with our hang-up."""
    heard = Heard(own=["o"])
    heard.apply(listed(OURS))
    heard.own.clear()
    assert heard.apply(listed(OURS), 0.1) == []
    assert heard.apply(listed(call("o", a="46", b="702")), 0.1) == ["+o"]
