"""The domain: applies what the PBX says, returns what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..events import Account, AccountChanged, ChatReceived, DomainCallInfo, Event
from ..protocol.messages import AccountEntry, CallEntry, CallState, Chat, DomainState, Message, UserState
from .accounts import Accounts
from .calls import Calls, is_talking

PHONES = "extensions"
"""The type of accounts whose `calls` say whether they are in a call; an attendant has none."""


def _nobody(entry: CallEntry) -> bool:
    return False


class Domain:
    """Accounts, presence and calls of one domain, as one session hears of them.

    `own`: whether an entry speaks of one of the bot's own legs; those are left out of `calls` and its events.
    `extensions`: the bot's; a call that begins to ring there is nobody else's before the invite has had its time.
    `now` is always seconds since the epoch. Nothing raises.
    """

    def __init__(self, own: Callable[[CallEntry], bool] = _nobody, extensions: Iterable[str] = ()) -> None:
        self._accounts = Accounts()
        self._calls = Calls(own, extensions, self._is_idle, self._is_busy)
        self._deadline: float | None = None
        self._turn = 0
        """Counts what was applied, to tell what was said before from what was said after."""
        self._idle_since: dict[str, int] = {}
        """Accounts that were told to be in no call → in which turn that was last told."""
        self._freed: dict[str, int] = {}
        """Accounts that were in a call and then in none → in which turn that was last told."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """By account; a read-only view of what is known now."""
        return self._accounts.view

    @property
    def calls(self) -> Mapping[str, DomainCallInfo]:
        """Everybody else's calls by the PBX's id; a read-only view of what is known now."""
        return self._calls.view

    def apply(self, message: Message, now: float) -> list[Event]:
        """What the message changes: AccountChanged, DomainCallChanged, DomainCallEnded, ChatReceived.

        The first whole picture adds its accounts without events, as they are the state that the bot starts
        from; its calls are events, as their ends will be.
        """
        self._turn += 1
        changes: list[Event] = []
        match message:
            case DomainState():
                changes += self._domain_state(message, now)
            case UserState():
                changes += self._user_state(message, now)
            case CallState():
                changes += self._call_state(message, now)
            case Chat(src=src, dest=dest, message=text):
                changes.append(ChatReceived(at=now, src=src, dest=dest, message=text))
        return changes + self.tick(now)

    def reconnected(self, now: float) -> None:
        """The socket was away: from here on, what the PBX tells is compared with the state held.

        Best called before the first frame of the new socket is applied, for example when the old one is lost.
        """
        self._calls.reconnected()
        self._deadline = self._calls.deadline

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do, unless a message comes first; None while nothing is in doubt."""
        return self._deadline

    def tick(self, now: float) -> list[Event]:
        """Ends calls that the PBX has not listed for long enough.

        `apply` does it too, so that a caller without timers is only late by the pause between two frames.
        """
        self._deadline = self._calls.deadline
        if self._deadline is None or now < self._deadline:
            return []
        changes: list[Event] = [*self._calls.settle(now)]
        self._deadline = self._calls.deadline
        return changes

    # --- messages ---------------------------------------------------------------------------

    def _domain_state(self, message: DomainState, now: float) -> list[Event]:
        changes: list[Event] = []
        if message.accounts is not None:
            whole = not _was_dropped(message, "accounts")
            changed = self._accounts.picture(message.accounts, whole, now)
            changes += changed
            self._note_presence(message.accounts, changed)
        if message.calls is not None and not _was_dropped(message, "calls"):
            changes += self._calls.picture(message.calls, self._turn, now)
        else:
            changes += self._calls.some(message.calls or (), self._turn, now)
            changes += self._calls.settle(now)
        return changes

    def _user_state(self, message: UserState, now: float) -> list[Event]:
        entry = message.account
        change = self._accounts.told(entry, now)
        changed = [] if change is None else [change]
        self._note_presence((entry,), changed)
        changes: list[Event] = [*changed]
        if not entry.in_call:
            changes += self._calls.settle_idle(entry.account, now)
        return changes

    def _call_state(self, message: CallState, now: float) -> Sequence[Event]:
        if message.whole:
            return self._calls.listed(message.calls, self._turn, now)
        return self._calls.some(message.calls, self._turn, now)

    def _note_presence(self, entries: Iterable[AccountEntry], changed: Iterable[AccountChanged]) -> None:
        for entry in entries:
            if not entry.in_call:
                self._idle_since[entry.account] = self._turn
            else:
                self._idle_since.pop(entry.account, None)
        for change in changed:
            if change.changed == ("removed",):
                self._idle_since.pop(change.account.account, None)
                self._freed.pop(change.account.account, None)
            elif "in_call" in change.changed and not change.account.in_call:
                self._freed[change.account.account] = self._turn

    def _phones(self, call: DomainCallInfo) -> list[Account]:
        named = {*call.extensions, call.from_number, call.to_number}
        accounts = self._accounts.view
        return [a for name in named if (a := accounts.get(name)) is not None and a.type == PHONES]

    def _is_busy(self, call: DomainCallInfo) -> bool:
        """An extension of it is in a call; in which, the PBX need not say."""
        return any(phone.in_call for phone in self._phones(call))

    def _is_idle(self, call: DomainCallInfo, turn: int) -> bool:
        """Its extensions, and it has any, were told after the turn to be in no call (see `ending`)."""
        phones = self._phones(call)
        if not phones or any(self._idle_since.get(phone.account, 0) <= turn for phone in phones):
            return False
        return is_talking(call) or any(self._freed.get(phone.account, 0) > turn for phone in phones)


def _was_dropped(message: DomainState, field: str) -> bool:
    """An entry of this list could not be read; then what the list lacks is not gone."""
    return any(error.field.startswith(field) for error in message.dropped)
