"""Frames of the PBX → messages. What comes is accepted generously; what can't be understood raises
FrameError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from ..errors import FrameError
from . import messages as m
from .addresses import parse_address
from .entries import account_entries, account_entry, call_entries, fast_domain_state
from .reading import Reader, as_text

FLAT_KEYS = (
    "sdp",
    "invitesdp",
    "candidate",
    "bye",
    "ringtones",
    "response",
    "cancel",
    "cancelresponse",
    "info",
    "change",
)
"""Reserved top-level keys, in the order in which the vendor's client looks for them, before it looks at
`action` [ref]."""

_FLAT_SET = frozenset(FLAT_KEYS)

INFORMATIONAL_ACTIONS = frozenset({"blf", "missed-calls", "user-change", "crmcontact"})

LARGE = 16_000
"""Characters from which on it pays to try the fast way of a domain-state first."""


def decode(text: str | bytes) -> m.Message:
    """One frame of the PBX. An unknown kind is kept whole as Unknown.

    Raises FrameError, and nothing else, if it is no JSON object or a field that matters can't be understood.
    """
    if len(text) >= LARGE and (state := fast_domain_state(text)) is not None:
        return state
    data = _parse(text)
    kind = _flat_kind(data)
    if kind is not None:
        return _FLAT[kind](Reader(kind, data))
    action = data.get("action")
    if isinstance(action, str) and action in _ACTIONS:
        return _ACTIONS[action](Reader(action, data))
    if isinstance(action, str) and action in INFORMATIONAL_ACTIONS:
        return _informational(Reader(action, data))
    named = isinstance(action, str) and action
    return m.Unknown(kind=str(action) if named else ",".join(sorted(data)), data=data)


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(text)
    except RecursionError:
        raise FrameError("frame", "", "nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError) as exc:
        raise FrameError("frame", "", f"not JSON ({exc})") from exc
    if not isinstance(data, dict):
        raise FrameError("frame", "", "not a JSON object")
    return data


def _flat_kind(data: dict[str, Any]) -> str | None:
    """The reserved key that says what the frame is. An empty one counts only where no `action` says
    otherwise: a null candidate ends the candidates, an empty sdp may carry a code."""
    if _FLAT_SET.isdisjoint(data):
        return None  # most frames
    for key in FLAT_KEYS:
        if data.get(key):
            return key
    if data.get("action"):
        return None
    return next((key for key in FLAT_KEYS if key in data and data[key] is not False), None)


# --- flat frames --------------------------------------------------------------------------------------------


def _description(read: Reader, field: str) -> tuple[str, Literal["offer", "answer", ""]]:
    """SDP as a bare string or as `{type, sdp}`. Raises FrameError for anything else."""
    value = read.data.get(field)
    if isinstance(value, dict):
        sdp, label = value.get("sdp"), value.get("type")
    else:
        sdp, label = value, None
    if sdp is None:
        sdp = ""
    if not isinstance(sdp, str):
        raise read.error(field, "neither a text nor an object with the text `sdp`")
    if label == "offer":
        return sdp, "offer"
    return sdp, "answer" if label in ("answer", "pranswer") else ""


def _sdp(read: Reader) -> m.Sdp:
    sdp, label = _description(read, "sdp")
    return m.Sdp(
        call_id=read.id("callid"),
        sdp=sdp,
        sdp_type=label,
        cseq=read.cseq(),
        code=read.code(),
        reason=read.text("reason"),
        to_user=read.text("to-user"),
        to_display=read.text("to-display"),
    )


def _invite(read: Reader) -> m.Invite:
    sdp, _ = _description(read, "invitesdp")
    if not sdp:
        raise read.error("invitesdp", "there is no offer in it")
    from_name, from_number = parse_address(read.text("from"))
    to_name, to_number = parse_address(read.text("to"))
    from_user = read.text("from-user") or from_number
    return m.Invite(
        call_id=read.needed_text("callid"),
        sdp=sdp,
        cseq=read.cseq(),
        from_=read.text("from"),
        from_user=from_user,
        from_display=read.text("from-display") or from_name,
        from_number=read.text("from-number") or from_user,
        to=read.text("to"),
        to_user=read.text("to-user") or to_number,
        to_display=read.text("to-display") or to_name,
        group=read.text("group"),
        alert_info=read.text("alertinfo"),
    )


def _bye(read: Reader) -> m.Bye:
    return m.Bye(call_id=read.id("callid"), cseq=read.cseq(), code=read.code(), reason=read.text("reason"))


def _cancel(read: Reader) -> m.Cancel:
    return m.Cancel(call_id=read.id("callid"), cseq=read.cseq(), reason=read.text("reason"))


def _informational(read: Reader) -> m.Informational:
    return m.Informational(kind=read.frame, call_id=read.text("callid"), code=read.code(), data=read.data)


# --- candidates ---------------------------------------------------------------------------------------------


def _candidate(read: Reader) -> m.Candidate:
    value = read.data.get("candidate")
    where = Reader("candidate", value) if isinstance(value, dict) else read
    text = where.data.get("candidate")
    if text is not None and not isinstance(text, str):
        raise read.error("candidate", "neither a text, an object with the text `candidate`, nor null")
    lines = [line.strip().removeprefix("a=") for line in (text or "").splitlines() if line.strip()]
    return m.Candidate(
        call_id=read.id("callid"),
        candidates=_at_addresses(lines, read.data.get("adr")),
        sdp_mid=where.text("sdpMid") or "0",
        sdp_mline_index=_mline_index(where),
    )


def _mline_index(read: Reader) -> int:
    index = read.number("sdpMLineIndex")
    return int(index) if index is not None and 0 <= index < 1000 else 0


def _at_addresses(lines: list[str], adr: Any) -> tuple[str, ...]:
    """One candidate for each pair of `adr`, put into fields 5 and 6 of the candidate [live]."""
    pairs = _pairs(adr)
    if not pairs:
        return tuple(lines)
    return tuple(_at_address(line, address, port) for line in lines for address, port in pairs)


def _pairs(adr: Any) -> list[tuple[str, str]]:
    if not isinstance(adr, list):
        return []
    if len(adr) == 2 and isinstance(adr[0], str):
        adr = [adr]  # one pair, without the list around it
    lists = [pair for pair in adr if isinstance(pair, list) and len(pair) >= 2]
    texts = [(as_text(address), as_text(port)) for address, port, *_ in lists]
    return [(address, port) for address, port in texts if address and port]


def _at_address(line: str, address: str, port: str) -> str:
    fields = line.split()
    if len(fields) < 6:
        return line
    fields[4:6] = [address, port]
    return " ".join(fields)


# --- action frames ------------------------------------------------------------------------------------------


def _registered(read: Reader) -> m.Registered:
    expires = read.number("expires")
    if expires is not None and expires < 0:
        expires = None
    return m.Registered(expires=expires, add=read.text("add"), code=read.code())


def _domain_state(read: Reader) -> m.DomainState:
    accounts, calls = None, None
    dropped: tuple[FrameError, ...] = ()
    if "accounts" in read.data:
        accounts, dropped = account_entries(read.frame, read.data["accounts"])
    if "calls" in read.data:
        calls, more = call_entries(read.frame, read.data["calls"])
        dropped += more
    return m.DomainState(accounts=accounts, calls=calls, messages=read.data.get("messages"), dropped=dropped)


def _user_state(read: Reader) -> m.UserState:
    return m.UserState(
        account=account_entry(read.frame, read.data), code=read.text("code"), tag=read.text("tag")
    )


def _call_state(read: Reader) -> m.CallState:
    if "calls" not in read.data and "id" in read.data:
        calls, dropped = call_entries(read.frame, read.data)  # the call itself, as the page lists its fields
        return m.CallState(calls=calls, whole=False, dropped=dropped)
    if "calls" not in read.data:
        raise read.error("calls", "missing")
    value = read.data["calls"]
    calls, dropped = call_entries(read.frame, value)
    # A list of which an entry was lost is not whole: its absence must not end a call.
    return m.CallState(calls=calls, whole=not isinstance(value, dict) and not dropped, dropped=dropped)


def _caller_id(read: Reader) -> m.CallerId:
    return m.CallerId(call_id=read.id("callid"), name=read.text("name"), number=read.text("number"))


def _recording(read: Reader) -> m.RecordingState:
    return m.RecordingState(call_id=read.id("callid") or read.text("id"), on=read.frame == "rec-start")


def _chat(read: Reader) -> m.Chat:
    return m.Chat(src=read.text("src"), dest=read.text("dest"), message=read.text("message"))


_FLAT: dict[str, Callable[[Reader], m.Message]] = {
    "sdp": _sdp,
    "invitesdp": _invite,
    "candidate": _candidate,
    "bye": _bye,
    "cancel": _cancel,
    **dict.fromkeys(("ringtones", "response", "cancelresponse", "info", "change"), _informational),
}

_ACTIONS: dict[str, Callable[[Reader], m.Message]] = {
    "sip-register": _registered,
    "domain-state": _domain_state,
    "user-state": _user_state,
    "call-state": _call_state,
    "callerid": _caller_id,
    "rec-start": _recording,
    "rec-stop": _recording,
    "chat": _chat,
}
