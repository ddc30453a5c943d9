"""Commands → frames, exactly as PROTOCOL.md section 2 and the vendor's page print them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vodiabot.errors import UsageError
from vodiabot.protocol import commands as c
from vodiabot.protocol.codec import encode

FRAMES: list[tuple[c.Command, dict[str, Any]]] = [
    (c.AvoidDisconnect(), {"action": "avoid-disconnect"}),
    (c.Subscribe(what="own-calls"), {"action": "own-calls", "subscribe": True}),
    (c.Subscribe(what="domain-calls"), {"action": "domain-calls", "subscribe": True}),
    (c.Subscribe(what="orbit-calls"), {"action": "orbit-calls", "subscribe": True}),
    (c.WatchExtensions(add=("500",)), {"action": "blf", "add": ["500"]}),
    (
        c.WatchExtensions(add=("500",), remove=("501",)),
        {"action": "blf", "add": ["500"], "remove": ["501"]},
    ),
    (c.GetRingtones(), {"action": "ringtones"}),
    (c.GetUsers(), {"action": "get-users"}),
    (c.GetCalls(), {"action": "get-calls"}),
    (c.Register(user_agent="vodiabot"), {"action": "sip-register", "useragent": "vodiabot"}),
    (
        c.PlaceCall(to="600", call_id="c1", sdp="v=0"),
        {"action": "sdp-packet", "to": "600", "callid": "c1", "sdp": {"type": "offer", "sdp": "v=0"}},
    ),
    (c.TellRinging(call_id="c1", cseq=1), {"action": "sip-ringing", "callid": "c1", "cseq": 1}),
    (c.TellRinging(call_id="c1"), {"action": "sip-ringing", "callid": "c1"}),
    (
        c.AcceptCall(call_id="c1", sdp="v=0", cseq="1"),
        {"action": "sdp-200ok", "callid": "c1", "cseq": "1", "sdp": {"type": "answer", "sdp": "v=0"}},
    ),
    (c.Acknowledge(call_id="c1"), {"action": "sip-ack", "callid": "c1"}),
    (
        c.RefuseCall(call_id="c1", cseq=1, code=603),
        {"action": "sip-busy", "callid": "c1", "cseq": 1, "code": 603},
    ),
    (c.HangUp(call_id="c1", caller=True), {"action": "sip-bye", "callid": "c1", "caller": "true"}),
    (c.HangUp(call_id="c1", caller=False), {"action": "sip-bye", "callid": "c1", "caller": "false"}),
    (c.AnswerBye(call_id="c1", cseq="3"), {"action": "bye-response", "callid": "c1", "cseq": "3"}),
    (c.AnswerBye(call_id="c1"), {"action": "bye-response", "callid": "c1"}),
    (c.AnswerCancel(call_id="c1"), {"action": "cancel-response", "callid": "c1"}),
    (c.AnswerCancel(call_id=""), {"action": "cancel-response"}),
    (
        c.SendCandidate(call_id="c1", candidate="candidate:1", sdp_mid="0", sdp_mline_index=0),
        {
            "action": "ice-candidate",
            "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0},
            "callid": "c1",
        },
    ),
    (c.SendCandidate(call_id="c1"), {"action": "ice-candidate", "candidate": None, "callid": "c1"}),
    (
        c.Hold(call_id="c1", side="caller"),
        {"action": "wrtc-hold", "callid": "c1", "holdcmd": "sendonly", "calldir": "caller"},
    ),
    (
        c.Resume(call_id="c1", side="callee", sdp="v=0"),
        {
            "action": "wrtc-hold",
            "holdcmd": "sendrecv",
            "sdp": {"type": "offer", "sdp": "v=0"},
            "callid": "c1",
            "calldir": "callee",
        },
    ),
    (
        c.Resume(call_id="c1", side="caller"),
        {"action": "wrtc-hold", "holdcmd": "sendrecv", "callid": "c1", "calldir": "caller"},
    ),
    (
        c.BlindTransfer(id="c1", from_="45", to="500"),
        {"action": "blind-transfer2", "id": "c1", "from": "45", "to": "500"},
    ),
    (
        c.AttendedTransfer(id="c1", from_="45", id2="c2", to="500"),
        {"action": "att-transfer", "id": "c1", "from": "45", "id2": "c2", "to": "500"},
    ),
    (c.Mute(call_id="c1", muted=True), {"action": "mute", "callid": "c1", "muted": True}),
    (c.RecordCall(id="c1", on=True), {"action": "rec-call", "id": "c1", "startstop": "on"}),
    (c.RecordCall(id="c1", on=False), {"action": "rec-call", "id": "c1", "startstop": "off"}),
    (c.PhoneDial(to="500"), {"action": "make-call", "to": "500"}),
    (c.PhoneHold(id="7"), {"action": "hold-call", "id": "7"}),
    (c.PhoneAccept(id="7"), {"action": "accept-call", "id": "7"}),
    (c.PhoneClear(id="7", connected=False), {"action": "clear-call", "id": "7", "connected": False}),
    (
        c.SendChat(src="45", dest="46", message="grüße"),
        {"action": "chat", "src": "45", "dest": "46", "message": "grüße"},
    ),
    (
        c.AddToCrm(id="7", sub="s", des="d"),
        {"action": "add-to-crm", "id": "7", "sub": "s", "des": "d"},
    ),
]


@pytest.mark.parametrize(("command", "frame"), FRAMES, ids=lambda x: type(x).__name__)
def test_each_command_is_sent_exactly_so(command: c.Command, frame: dict[str, Any]) -> None:
    assert json.loads(encode(command)) == frame


def test_no_command_is_left_out() -> None:
    assert {type(command) for command, _ in FRAMES} == set(c.Command.__subclasses__())


@pytest.mark.parametrize(
    "command",
    [
        c.Command(),
        c.PlaceCall(to="", call_id="c1", sdp="v=0"),
        c.PlaceCall(to="600", call_id="", sdp="v=0"),
        c.PlaceCall(to="600", call_id="c1", sdp=""),
        c.AcceptCall(call_id="c1", sdp=""),
        c.RefuseCall(call_id="c1", code=200),
        c.Hold(call_id="c1", side="both"),  # type: ignore[arg-type]
        c.Subscribe(what="all-calls"),  # type: ignore[arg-type]
        c.BlindTransfer(id="c1", from_="45", to=""),
        c.SendChat(src="45", dest="46", message="\ud800"),
        c.HangUp(call_id=7, caller=True),  # type: ignore[arg-type]
    ],
)
def test_what_the_table_does_not_have_is_not_sent(command: c.Command) -> None:
    with pytest.raises(UsageError):
        encode(command)
