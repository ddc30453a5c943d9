"""Accounts and calls as domain-state, user-state and call-state list them, in either form of the PBX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

from ..errors import FrameError
from .addresses import parse_address
from .messages import AccountEntry, CallEntry, DomainState
from .reading import Reader, as_flag, as_number, as_text

T = TypeVar("T")


# --- calls --------------------------------------------------------------------------------------------------


def call_entry(frame: str, data: Any) -> CallEntry:
    """One call, older or newer form. Raises FrameError if it is no object or has neither `id` nor
    `callid`."""
    read = _object(frame, "calls", data)
    id_ = read.text("id") or read.text("callid")
    if not id_:
        raise read.error("calls.id", "missing or not a text")
    from_name, from_number = parse_address(read.text("from"))
    to_name, to_number = parse_address(read.text("to"))
    return CallEntry(
        id=id_,
        call_id=read.text("callid"),
        state=read.text("state", "callstate"),
        from_=read.text("from"),
        from_number=read.text("from-number") or from_number,
        from_name=read.text("from-name") or from_name,
        to=read.text("to"),
        to_number=read.text("to-number") or to_number,
        to_name=read.text("to-name") or to_name,
        start=read.number("start"),
        connect=_connect(read.data.get("connect")),
        extensions=_extensions(read.data.get("extension")),
        recording=bool(as_flag(read.data.get("rec"))),
    )


def call_entries(frame: str, value: Any) -> tuple[tuple[CallEntry, ...], tuple[FrameError, ...]]:
    """The calls of a list, one object, or nothing; and why each of those left out was. Raises FrameError
    otherwise."""
    if isinstance(value, dict):
        return (call_entry(frame, value),), ()
    return _each(frame, "calls", value, call_entry)


def _connect(value: Any) -> float | None:
    """A `connect` that is not empty is the sign that the call was answered [live], whether it is a time or
    not."""
    number = as_number(value)
    if number is not None:
        return number if number > 0 else None
    return 0.0 if as_text(value) not in (None, "", "false") else None


def _extensions(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    texts = (as_text(item) for item in listed)
    return tuple(text.removeprefix("*") for text in texts if text)


# --- accounts -----------------------------------------------------------------------------------------------


def account_entry(frame: str, data: Any) -> AccountEntry:
    """One account. Raises FrameError if it is no object or has no `account`."""
    read = _object(frame, "accounts", data)
    return AccountEntry(
        account=read.needed_text("account"),
        domain=read.text("domain"),
        type=read.maybe_text("type"),
        name=read.maybe_text("name"),
        registered=read.flag("registered"),
        dnd=read.flag("dnd"),
        chat_status=read.maybe_text("chatstatus"),
        in_call=bool(as_flag_of_calls(read.data.get("calls"))),
    )


def as_flag_of_calls(value: Any) -> bool:
    """Whether `calls` of an account says that it has any: a list or object that is not empty, or a number
    above 0."""
    number = as_number(value)
    return number > 0 if number is not None else bool(value)


def account_entries(frame: str, value: Any) -> tuple[tuple[AccountEntry, ...], tuple[FrameError, ...]]:
    """The accounts of a list, one object, or nothing; and why each of those left out was. Raises FrameError
    otherwise."""
    if isinstance(value, dict):
        return (account_entry(frame, value),), ()
    return _each(frame, "accounts", value, account_entry)


# --- both ---------------------------------------------------------------------------------------------------


def _object(frame: str, field: str, data: Any) -> Reader:
    if not isinstance(data, dict):
        raise FrameError(frame, field, "an entry is not an object")
    return Reader(frame, data)


def _each(
    frame: str, field: str, value: Any, make: Callable[[str, Any], T]
) -> tuple[tuple[T, ...], tuple[FrameError, ...]]:
    if value is None or value == "":
        return (), ()
    if not isinstance(value, list):
        raise FrameError(frame, field, "not a list")
    made: list[T] = []
    dropped: list[FrameError] = []
    for data in value:
        try:
            made.append(make(frame, data))
        except FrameError as exc:  # one broken entry must not lose the others
            dropped.append(exc)
    return tuple(made), tuple(dropped)


# --- the fast way of a large domain-state -------------------------------------------------------------------


class _WireAccount(msgspec.Struct, frozen=True, gc=False):
    """An account of exactly the expected types."""

    account: str
    domain: str = ""
    type: str | None = None
    name: str | None = None
    registered: bool | None = None
    dnd: bool | None = None
    chatstatus: str | None = None
    calls: Any = None


class _WireDomainState(msgspec.Struct, frozen=True):
    action: Literal["domain-state"]
    accounts: list[_WireAccount]
    calls: Any = msgspec.UNSET
    messages: Any = None


_STATE = "domain-state"
_WIRE = msgspec.json.Decoder(_WireDomainState)


def fast_domain_state(text: str | bytes) -> DomainState | None:
    """A domain-state of exactly the expected types, decoded about three times as fast; None if it is anything
    else."""
    try:
        wire = _WIRE.decode(text)
        calls, dropped = (None, ()) if wire.calls is msgspec.UNSET else call_entries(_STATE, wire.calls)
    except (msgspec.DecodeError, RecursionError, UnicodeError, FrameError):
        return None  # the careful way finds out what it is, and what is wrong with it
    if not all(account.account for account in wire.accounts):
        return None
    accounts = tuple(_from_wire(account) for account in wire.accounts)
    return DomainState(accounts=accounts, calls=calls, messages=wire.messages, dropped=dropped)


def _from_wire(wire: _WireAccount) -> AccountEntry:
    return AccountEntry(
        account=wire.account,
        domain=wire.domain,
        type=wire.type,
        name=wire.name,
        registered=wire.registered,
        dnd=wire.dnd,
        chat_status=wire.chatstatus,
        in_call=as_flag_of_calls(wire.calls) if wire.calls else False,
    )
