"""Commands → frames, strictly: exactly the fields of PROTOCOL.md section 2, or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import UsageError
from . import commands as c

Frame = dict[str, Any]


def encode(command: c.Command) -> str:
    """The frame of one command. Raises UsageError for a command that the table doesn't know or can't
    express."""
    make = _FRAMES.get(type(command))
    if make is None:
        raise UsageError(f"{type(command).__name__} is no command that can be sent")
    try:
        return msgspec.json.encode(make(command)).decode()
    except (TypeError, ValueError, OverflowError) as exc:  # a lone surrogate in a text is a ValueError
        raise UsageError(f"{type(command).__name__} can't be sent: {exc}") from exc


def _needed(command: c.Command, name: str) -> Any:
    value = getattr(command, name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{type(command).__name__} without {name}")
    return value


def _leg(action: str, command: c.Command, **fields: Any) -> Frame:
    return {"action": action, "callid": _needed(command, "call_id"), **fields}


def _cseq(command: Any) -> Frame:
    """`cseq` where it is known: it echoes the frame that is answered."""
    return {} if command.cseq is None else {"cseq": command.cseq}


def _description(command: c.Command, label: str) -> Frame:
    return {"type": label, "sdp": _needed(command, "sdp")}


# --- session ------------------------------------------------------------------------------------------------


def _subscribe(command: c.Subscribe) -> Frame:
    if command.what not in ("own-calls", "domain-calls", "orbit-calls"):
        raise UsageError(f"there is no subscription {command.what!r}")
    return {"action": command.what, "subscribe": bool(command.subscribe)}


def _blf(command: c.WatchExtensions) -> Frame:
    removed = {"remove": list(command.remove)} if command.remove else {}
    return {"action": "blf", "add": list(command.add), **removed}


# --- a call -------------------------------------------------------------------------------------------------


def _place(command: c.PlaceCall) -> Frame:
    return _leg("sdp-packet", command, to=_needed(command, "to"), sdp=_description(command, "offer"))


def _ringing(command: c.TellRinging) -> Frame:
    return _leg("sip-ringing", command, **_cseq(command))


def _accept(command: c.AcceptCall) -> Frame:
    return _leg("sdp-200ok", command, **_cseq(command), sdp=_description(command, "answer"))


def _refuse(command: c.RefuseCall) -> Frame:
    if not 400 <= command.code <= 699:
        raise UsageError(f"a call can't be refused with {command.code}: 400 to 699")
    return _leg("sip-busy", command, **_cseq(command), code=command.code)


def _hang_up(command: c.HangUp) -> Frame:
    return _leg("sip-bye", command, caller="true" if command.caller else "false")


def _answer_cancel(command: c.AnswerCancel) -> Frame:
    return {"action": "cancel-response", **({"callid": command.call_id} if command.call_id else {})}


def _candidate(command: c.SendCandidate) -> Frame:
    candidate = {
        "candidate": command.candidate,
        "sdpMid": command.sdp_mid,
        "sdpMLineIndex": command.sdp_mline_index,
    }
    return _leg("ice-candidate", command, candidate=candidate if command.candidate else None)


def _side(command: c.Hold | c.Resume) -> str:
    if command.side not in ("caller", "callee"):
        raise UsageError(f"there is no side {command.side!r} of a call")
    return command.side


def _hold(command: c.Hold) -> Frame:
    return _leg("wrtc-hold", command, calldir=_side(command), holdcmd="sendonly")


def _resume(command: c.Resume) -> Frame:
    offer = {"sdp": _description(command, "offer")} if command.sdp else {}
    return _leg("wrtc-hold", command, calldir=_side(command), holdcmd="sendrecv", **offer)


def _blind_transfer(command: c.BlindTransfer) -> Frame:
    return {
        "action": "blind-transfer2",
        "id": _needed(command, "id"),
        "from": command.from_,
        "to": _needed(command, "to"),
    }


def _attended_transfer(command: c.AttendedTransfer) -> Frame:
    return {
        "action": "att-transfer",
        "id": _needed(command, "id"),
        "from": command.from_,
        "id2": _needed(command, "id2"),
        "to": command.to,
    }


_FRAMES: dict[type[c.Command], Callable[[Any], Frame]] = {
    c.AvoidDisconnect: lambda command: {"action": "avoid-disconnect"},
    c.Subscribe: _subscribe,
    c.WatchExtensions: _blf,
    c.GetRingtones: lambda command: {"action": "ringtones"},
    c.GetUsers: lambda command: {"action": "get-users"},
    c.GetCalls: lambda command: {"action": "get-calls"},
    c.Register: lambda command: {"action": "sip-register", "useragent": _needed(command, "user_agent")},
    c.PlaceCall: _place,
    c.TellRinging: _ringing,
    c.AcceptCall: _accept,
    c.Acknowledge: lambda command: _leg("sip-ack", command),
    c.RefuseCall: _refuse,
    c.HangUp: _hang_up,
    c.AnswerBye: lambda command: _leg("bye-response", command, **_cseq(command)),
    c.AnswerCancel: _answer_cancel,
    c.SendCandidate: _candidate,
    c.Hold: _hold,
    c.Resume: _resume,
    c.BlindTransfer: _blind_transfer,
    c.AttendedTransfer: _attended_transfer,
    c.Mute: lambda command: _leg("mute", command, muted=bool(command.muted)),
    c.RecordCall: lambda command: {
        "action": "rec-call",
        "id": _needed(command, "id"),
        "startstop": "on" if command.on else "off",
    },
    c.PhoneDial: lambda command: {"action": "make-call", "to": _needed(command, "to")},
    c.PhoneHold: lambda command: {"action": "hold-call", "id": _needed(command, "id")},
    c.PhoneAccept: lambda command: {"action": "accept-call", "id": _needed(command, "id")},
    c.PhoneClear: lambda command: {
        "action": "clear-call",
        "id": _needed(command, "id"),
        "connected": bool(command.connected),
    },
    c.SendChat: lambda command: {
        "action": "chat",
        "src": _needed(command, "src"),
        "dest": _needed(command, "dest"),
        "message": command.message,
    },
    c.AddToCrm: lambda command: {
        "action": "add-to-crm",
        "id": _needed(command, "id"),
        "sub": command.sub,
        "des": command.des,
    },
}
