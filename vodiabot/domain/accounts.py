"""The accounts of the domain and their presence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..events import Account, AccountChanged
from ..protocol.messages import AccountEntry


class Accounts:
    """What is known of each account. Snapshots are frozen; one that did not change stays the same object."""

    def __init__(self) -> None:
        self._held: dict[str, Account] = {}
        self._pictured = False
        self.view: Mapping[str, Account] = MappingProxyType(self._held)

    def picture(self, entries: Iterable[AccountEntry], whole: bool, now: float) -> list[AccountChanged]:
        """A domain-state: all accounts there are, or with `whole` false some of them.

        Of the first whole one the accounts that were not known yet are no events: they are the state that the
        bot starts from. An empty one says nothing, as no domain is without accounts.
        """
        told_of = None if self._pictured else set(self._held)
        changes: list[AccountChanged] = []
        named: set[str] = set()
        for entry in entries:
            named.add(entry.account)
            change = self.told(entry, now)
            if change is not None and (told_of is None or entry.account in told_of):
                changes.append(change)
        if whole and named:
            changes += self._removed(named, now)
            self._pictured = True
        return changes

    def told(self, entry: AccountEntry, now: float) -> AccountChanged | None:
        """What the PBX says of one account; an unknown one is added."""
        old = self._held.get(entry.account)
        if old is None:
            new = self._held[entry.account] = _merged(Account(account=entry.account), entry)
            return AccountChanged(at=now, account=new, changed=("added",))
        changed = _differences(old, entry)
        if not changed:
            return None
        new = self._held[entry.account] = _merged(old, entry)
        return AccountChanged(at=now, account=new, changed=changed)

    def _removed(self, named: set[str], now: float) -> list[AccountChanged]:
        if len(named) == len(self._held):
            return []
        gone = [self._held.pop(name) for name in [name for name in self._held if name not in named]]
        return [AccountChanged(at=now, account=account, changed=("removed",)) for account in gone]


def _differences(old: Account, entry: AccountEntry) -> tuple[str, ...]:
    """The fields that the entry changes; an absent key (None) changes nothing, absent calls mean none."""
    told = (
        ("type", old.type, entry.type),
        ("name", old.name, entry.name),
        ("registered", old.registered, entry.registered),
        ("dnd", old.dnd, entry.dnd),
        ("chat_status", old.chat_status, entry.chat_status),
        ("in_call", old.in_call, entry.in_call),
    )
    return tuple([field for field, was, now in told if now is not None and now != was])


def _merged(old: Account, entry: AccountEntry) -> Account:
    return Account(
        account=old.account,
        type=old.type if entry.type is None else entry.type,
        name=old.name if entry.name is None else entry.name,
        registered=old.registered if entry.registered is None else entry.registered,
        dnd=old.dnd if entry.dnd is None else entry.dnd,
        chat_status=old.chat_status if entry.chat_status is None else entry.chat_status,
        in_call=entry.in_call,
    )
