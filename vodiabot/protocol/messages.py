"""What the PBX says: one struct a frame of PROTOCOL.md section 3.

`codec.decode` makes them; it accepts generously (strings for numbers, `"true"` for true, missing optional keys), so the
types here are already clean. Fields keep the PBX's meaning; a missing text is "", a missing number None.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..errors import FrameError


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What all frames of the PBX share."""


# --- flat frames, known by a reserved key, in the vendor's order -----------------------------------------------------


class Sdp(Message, frozen=True, kw_only=True):
    """`sdp`: answer to our call, or the PBX's own offer (PROTOCOL.md sections 3 and 5)."""

    call_id: str
    sdp: str
    """The SDP text; "" where the frame only carries a code."""
    sdp_type: Literal["offer", "answer", ""] = ""
    """As the PBX labelled it; empty where it sent a bare string. The dialog decides what it is."""
    cseq: str | int | None = None
    code: int | None = None
    """180, 183, 200, or ≥ 400 with `reason`."""
    reason: str = ""
    to_user: str = ""
    to_display: str = ""


class Invite(Message, frozen=True, kw_only=True):
    """`invitesdp`: an incoming call."""

    call_id: str
    sdp: str
    cseq: str | int | None = None
    from_: str = ""
    """As it came, e.g. `"Name" <sip:45@dom>`."""
    from_user: str = ""
    from_display: str = ""
    from_number: str = ""
    to: str = ""
    to_user: str = ""
    to_display: str = ""
    group: str = ""
    alert_info: str = ""


class Candidate(Message, frozen=True, kw_only=True):
    """`candidate`: trickle ICE. With `adr` one line per pair, address and port already put into fields 5 and 6."""

    call_id: str = ""
    """Empty in older PBXs: the newest leg."""
    candidates: tuple[str, ...] = ()
    """Lines without `a=`; empty says that there will be no more."""
    sdp_mid: str = "0"
    sdp_mline_index: int = 0


class Bye(Message, frozen=True, kw_only=True):
    """`bye`: the call ended; to be answered with `bye-response`."""

    call_id: str
    cseq: str | int | None = None
    code: int | None = None
    reason: str = ""


class Cancel(Message, frozen=True, kw_only=True):
    """`cancel`: the caller gave up, or another phone answered, before we did; to be answered with `cancel-response`."""

    call_id: str
    cseq: str | int | None = None
    reason: str = ""


class Informational(Message, frozen=True, kw_only=True):
    """`ringtones`, `response`, `cancelresponse`, `info`, `change` and the informational actions (`blf`, `missed-calls`,
    `user-change`, `crmcontact`)."""

    kind: str
    call_id: str = ""
    code: int | None = None
    data: dict[str, Any] = {}


# --- action frames ---------------------------------------------------------------------------------------------------


class Registered(Message, frozen=True, kw_only=True):
    """`sip-register`: registered for `expires` seconds."""

    expires: float | None = None
    add: str = ""
    code: int | None = None
    """≥ 400 where the PBX refused the registration."""


class CallEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of call-state or domain-state, either form brought to one."""

    id: str
    call_id: str = ""
    """The entry's own `callid`, where it has one."""
    state: str = ""
    from_: str = ""
    from_number: str = ""
    from_name: str = ""
    to: str = ""
    to_number: str = ""
    to_name: str = ""
    start: float | None = None
    """Seconds since the epoch."""
    connect: float | None = None
    extensions: tuple[str, ...] = ()
    """Without the leading `*`."""
    recording: bool = False


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One account of domain-state, or what user-state says of one. None: the key was absent, so unchanged."""

    account: str
    domain: str = ""
    type: str | None = None
    name: str | None = None
    registered: bool | None = None
    dnd: bool | None = None
    chat_status: str | None = None
    in_call: bool = False
    """`calls` of the account is not empty; an absent `calls` means none."""


class DomainState(Message, frozen=True, kw_only=True):
    """`domain-state`: the whole picture. None where the frame lacked the key: then nothing is said about it."""

    accounts: tuple[AccountEntry, ...] | None = None
    calls: tuple[CallEntry, ...] | None = None
    messages: Any = None
    dropped: tuple[FrameError, ...] = ()
    """Why each entry that could not be understood was left out; the others are here all the same."""


class UserState(Message, frozen=True, kw_only=True):
    """`user-state`: one account changed."""

    account: AccountEntry
    code: str = ""
    tag: str = ""


class CallState(Message, frozen=True, kw_only=True):
    """`call-state`: calls."""

    calls: tuple[CallEntry, ...]
    whole: bool
    """True: the frame had a list, whole for one of our subscriptions (we can't know which). False: one object, one call
    added or changed; or an entry of the list was dropped, so that absence says nothing."""
    dropped: tuple[FrameError, ...] = ()
    """Why each entry that could not be understood was left out; the others are here all the same."""


class CallerId(Message, frozen=True, kw_only=True):
    """`callerid`: a better name for the other side."""

    call_id: str
    name: str = ""
    number: str = ""


class RecordingState(Message, frozen=True, kw_only=True):
    """`rec-start`, `rec-stop`: the recording indicator."""

    call_id: str
    on: bool


class Chat(Message, frozen=True, kw_only=True):
    """`chat`: a text message."""

    src: str
    dest: str
    message: str


class Unknown(Message, frozen=True, kw_only=True):
    """A frame whose kind we don't know, kept whole."""

    kind: str
    """The action, or the sorted top-level keys."""
    data: Any = None
