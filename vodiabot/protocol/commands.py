"""What we say: one struct a row of PROTOCOL.md section 2. `codec.encode` makes the frame.

Sent strictly: `codec.encode` raises rather than sending a frame that the table doesn't know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CallSide = Literal["caller", "callee"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What all frames of ours share."""


# --- session ---------------------------------------------------------------------------------------------------------


class AvoidDisconnect(Command, frozen=True, kw_only=True):
    """Keepalive: at once on open [page], then every 30 s [live]."""


class Subscribe(Command, frozen=True, kw_only=True):
    """`own-calls`, `domain-calls` or `orbit-calls` [ref][live]."""

    what: Literal["own-calls", "domain-calls", "orbit-calls"]
    subscribe: bool = True


class WatchExtensions(Command, frozen=True, kw_only=True):
    """`blf` [ref]."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class GetRingtones(Command, frozen=True, kw_only=True):
    """`ringtones`."""


class GetUsers(Command, frozen=True, kw_only=True):
    """`get-users`: older way to ask for domain-state [portal]."""


class GetCalls(Command, frozen=True, kw_only=True):
    """`get-calls`: older way to ask for call-state [portal]."""


class Register(Command, frozen=True, kw_only=True):
    """`sip-register`: become a phone of the extension [live]."""

    user_agent: str


# --- a call ----------------------------------------------------------------------------------------------------------


class PlaceCall(Command, frozen=True, kw_only=True):
    """`sdp-packet` with `{type: offer}` [page]."""

    to: str
    call_id: str
    sdp: str


class TellRinging(Command, frozen=True, kw_only=True):
    """`sip-ringing` [live]."""

    call_id: str
    cseq: str | int | None = None


class AcceptCall(Command, frozen=True, kw_only=True):
    """`sdp-200ok`: accept an invite, or answer the PBX's own offer [live]."""

    call_id: str
    sdp: str
    cseq: str | int | None = None


class Acknowledge(Command, frozen=True, kw_only=True):
    """`sip-ack`: by the caller only, once, after a final answer ≥ 200 [live]."""

    call_id: str


class RefuseCall(Command, frozen=True, kw_only=True):
    """`sip-busy`: refuse an invite [live]."""

    call_id: str
    cseq: str | int | None = None
    code: int = 486


class HangUp(Command, frozen=True, kw_only=True):
    """`sip-bye` [page]. Encoded with `caller` as the string "true" or "false"."""

    call_id: str
    caller: bool
    """Whether we placed the call."""


class AnswerBye(Command, frozen=True, kw_only=True):
    """`bye-response` [page]."""

    call_id: str
    cseq: str | int | None = None


class AnswerCancel(Command, frozen=True, kw_only=True):
    """`cancel-response` [portal]."""

    call_id: str


class SendCandidate(Command, frozen=True, kw_only=True):
    """`ice-candidate`; `candidate` "" is sent as null, at the end [page]."""

    call_id: str
    candidate: str = ""
    sdp_mid: str = "0"
    sdp_mline_index: int = 0


class Hold(Command, frozen=True, kw_only=True):
    """`wrtc-hold` sendonly [page]."""

    call_id: str
    side: CallSide


class Resume(Command, frozen=True, kw_only=True):
    """`wrtc-hold` sendrecv, with a new offer [page], or without SDP ("") as newer clients do [live]."""

    call_id: str
    side: CallSide
    sdp: str = ""


class BlindTransfer(Command, frozen=True, kw_only=True):
    """`blind-transfer2` [page]. `id` is our leg's call-id, or the entry's id of somebody else's call [guess]."""

    id: str
    from_: str
    to: str


class AttendedTransfer(Command, frozen=True, kw_only=True):
    """`att-transfer`: join two calls [portal]."""

    id: str
    from_: str
    id2: str
    to: str


class Mute(Command, frozen=True, kw_only=True):
    """`mute` [live]."""

    call_id: str
    muted: bool


class RecordCall(Command, frozen=True, kw_only=True):
    """`rec-call`: recording by the PBX [portal][live]."""

    id: str
    on: bool


# --- somebody else's phone -------------------------------------------------------------------------------------------


class PhoneDial(Command, frozen=True, kw_only=True):
    """`make-call` on the user's desk phone [portal]."""

    to: str


class PhoneHold(Command, frozen=True, kw_only=True):
    """`hold-call` [portal]."""

    id: str


class PhoneAccept(Command, frozen=True, kw_only=True):
    """`accept-call` [portal]."""

    id: str


class PhoneClear(Command, frozen=True, kw_only=True):
    """`clear-call` [portal]."""

    id: str
    connected: bool = True


class SendChat(Command, frozen=True, kw_only=True):
    """`chat` [portal]."""

    src: str
    dest: str
    message: str


class AddToCrm(Command, frozen=True, kw_only=True):
    """`add-to-crm`: a note on a call [portal]."""

    id: str
    sub: str
    des: str
