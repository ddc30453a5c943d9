"""Accounts and presence: pictures, single changes, and the work that they take."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import pytest

from vodiabot.domain import Domain
from vodiabot.errors import FrameError
from vodiabot.events import Account, AccountChanged, ChatReceived
from vodiabot.protocol import messages as m

NOW = 1_700_000_000.0


def entry(account: str, **told: Any) -> m.AccountEntry:
    return m.AccountEntry(account=account, **told)


def picture(*entries: m.AccountEntry, **more: Any) -> m.DomainState:
    return m.DomainState(accounts=entries, **more)


def user(account: str, **told: Any) -> m.UserState:
    return m.UserState(account=entry(account, **told))


def domain_of(*entries: m.AccountEntry) -> Domain:
    domain = Domain()
    assert domain.apply(picture(*entries), NOW) == []
    return domain


def changes(events: Iterable[object]) -> list[tuple[str, tuple[str, ...]]]:
    return [(e.account.account, e.changed) for e in events if isinstance(e, AccountChanged)]


def test_the_first_picture_is_the_state_to_start_from_and_no_event() -> None:
    domain = domain_of(entry("45", name="Bot", registered=True, chat_status="online"), entry("500", type="acds"))
    assert dict(domain.accounts) == {
        "45": Account(account="45", name="Bot", registered=True, chat_status="online"),
        "500": Account(account="500", type="acds"),
    }


def test_the_differences_to_a_later_picture_are_events() -> None:
    domain = domain_of(entry("45", registered=True), entry("46", dnd=True), entry("47"))
    domain.reconnected(NOW)
    events = domain.apply(picture(entry("45", registered=False), entry("46", dnd=True), entry("48")), NOW + 1)
    assert changes(events) == [("45", ("registered",)), ("48", ("added",)), ("47", ("removed",))]
    assert {e.at for e in events} == {NOW + 1}
    assert list(domain.accounts) == ["45", "46", "48"]


def test_what_was_heard_before_the_first_picture_is_compared_with_it() -> None:
    domain = Domain()
    assert changes(domain.apply(user("45", registered=True), NOW)) == [("45", ("added",))]
    events = domain.apply(picture(entry("45", registered=False), entry("46")), NOW)
    assert changes(events) == [("45", ("registered",))]


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ({}, ("in_call",)),
        ({"in_call": True}, ()),
        ({"in_call": True, "registered": True, "name": "Anna", "type": "extensions"}, ()),
        ({"in_call": True, "registered": False}, ("registered",)),
        ({"in_call": True, "dnd": True, "chat_status": "offline"}, ("dnd", "chat_status")),
        ({"in_call": True, "name": "Ann", "type": "hunts"}, ("type", "name")),
    ],
)
def test_absent_keys_are_unchanged_but_absent_calls_mean_none(told: dict[str, Any], changed: tuple[str, ...]) -> None:
    domain = domain_of(entry("46", name="Anna", registered=True, chat_status="online", in_call=True))
    before = domain.accounts["46"]
    events = domain.apply(user("46", **told), NOW)
    assert changes(events) == ([("46", changed)] if changed else [])
    after = domain.accounts["46"]
    assert (after is before) == (not changed)
    assert all(getattr(after, field) == getattr(before, field) for field in ("dnd", "name") if field not in changed)


def test_an_unknown_account_is_added() -> None:
    domain = domain_of(entry("45"))
    assert changes(domain.apply(user("99", dnd=True), NOW)) == [("99", ("added",))]
    assert domain.accounts["99"].dnd


def test_a_picture_of_which_an_account_was_lost_removes_nobody() -> None:
    domain = domain_of(entry("45"), entry("46"))
    lost = FrameError("domain-state", "accounts.account", "missing or not a text")
    assert domain.apply(picture(entry("45"), dropped=(lost,)), NOW) == []
    assert list(domain.accounts) == ["45", "46"]


def test_a_picture_without_accounts_removes_nobody() -> None:
    domain = domain_of(entry("45"))
    assert domain.apply(m.DomainState(), NOW) == []
    assert domain.apply(picture(), NOW) == []
    assert list(domain.accounts) == ["45"]


def test_the_view_is_read_only() -> None:
    with pytest.raises(TypeError):
        domain_of(entry("45")).accounts["46"] = Account(account="46")  # type: ignore[index]


def test_chat_is_an_event_and_other_frames_are_none() -> None:
    domain = Domain()
    chat = ChatReceived(at=NOW, src="46", dest="45", message="hello")
    assert domain.apply(m.Chat(src="46", dest="45", message="hello"), NOW) == [chat]
    for message in (m.Registered(expires=60), m.Unknown(kind="x"), m.Bye(call_id="1"), m.CallerId(call_id="1")):
        assert domain.apply(message, NOW) == []


# --- 10,000 accounts ---------------------------------------------------------------------------


def many(count: int, **told: Any) -> tuple[m.AccountEntry, ...]:
    return tuple(entry(str(1000 + i), name=f"Phone {i}", registered=True, **told) for i in range(count))


def test_an_unchanged_picture_of_ten_thousand_changes_no_snapshot() -> None:
    domain = domain_of(*many(10_000))
    before = dict(domain.accounts)
    assert domain.apply(picture(*many(10_000)), NOW) == []
    assert all(domain.accounts[name] is account for name, account in before.items())


def calls_made_by(domain: Domain, messages: Iterable[m.Message]) -> int:
    """How many functions run, of Python and C: the same on every machine."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        for message in messages:
            domain.apply(message, NOW)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["picture", "users"])
def test_the_work_grows_with_the_number_of_accounts_and_no_faster(kind: str) -> None:
    def work(count: int) -> int:
        domain = domain_of(*many(count))
        domain.apply(m.CallState(calls=(m.CallEntry(id="1", from_number="1000", to_number="1001"),), whole=True), NOW)
        told = many(count, dnd=True)
        single = [m.UserState(account=account) for account in told]
        return calls_made_by(domain, [picture(*told)] if kind == "picture" else single)

    assert work(2000) < 2.2 * work(1000)
    assert work(1000) < 1000 * 40
