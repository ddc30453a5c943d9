"""Frames of the PBX as PROTOCOL.md section 3 and the vendor's page print them, typed by hand, → messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vodiabot.errors import FrameError
from vodiabot.protocol import messages as m
from vodiabot.protocol.codec import decode

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n"
LINE = "candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host"

FRAMES: dict[str, tuple[str, m.Message]] = {
    # --- sdp ---
    "sdp as the page has it: a bare string": (
        json.dumps({"sdp": SDP, "callid": "c1"}),
        m.Sdp(call_id="c1", sdp=SDP),
    ),
    "sdp as an object, early media": (
        json.dumps(
            {
                "sdp": {"type": "answer", "sdp": SDP},
                "callid": "c1",
                "cseq": "7",
                "code": 183,
                "to-user": "600",
                "to-display": "Tone",
            }
        ),
        m.Sdp(
            call_id="c1", sdp=SDP, sdp_type="answer", cseq="7", code=183, to_user="600", to_display="Tone"
        ),
    ),
    "sdp, the PBX's own offer": (
        json.dumps({"sdp": {"type": "offer", "sdp": SDP}, "callid": "c1", "cseq": 2, "code": "183"}),
        m.Sdp(call_id="c1", sdp=SDP, sdp_type="offer", cseq=2, code=183),
    ),
    "sdp that only carries a code": (
        '{"sdp": "", "callid": "c1", "code": 486, "reason": "Busy Here"}',
        m.Sdp(call_id="c1", sdp="", code=486, reason="Busy Here"),
    ),
    "sdp null with a code as text": (
        '{"sdp": null, "callid": "c1", "code": "404 Not Found"}',
        m.Sdp(call_id="c1", sdp="", code=404),
    ),
    "sdp whose call-id is a number": ('{"sdp": "v=0", "callid": 17}', m.Sdp(call_id="17", sdp="v=0")),
    "sdp without a call-id": ('{"sdp": "v=0"}', m.Sdp(call_id="", sdp="v=0")),
    # --- invitesdp ---
    "invite with all fields": (
        json.dumps(
            {
                "invitesdp": {"type": "offer", "sdp": SDP},
                "callid": "i1",
                "cseq": 1,
                "from": '"Ann Lee" <sip:46@example.com>',
                "from-user": "46",
                "from-display": "Ann Lee",
                "from-number": "+4930123",
                "to": "<sip:45@example.com>",
                "to-user": "45",
                "to-display": "Bot",
                "group": "700",
                "alertinfo": "internal",
            }
        ),
        m.Invite(
            call_id="i1",
            sdp=SDP,
            cseq=1,
            from_='"Ann Lee" <sip:46@example.com>',
            from_user="46",
            from_display="Ann Lee",
            from_number="+4930123",
            to="<sip:45@example.com>",
            to_user="45",
            to_display="Bot",
            group="700",
            alert_info="internal",
        ),
    ),
    "invite with only from and to": (
        json.dumps(
            {"invitesdp": SDP, "callid": "i1", "from": '"Ann" <sip:46@dom;user=phone>', "to": "sip:45@dom"}
        ),
        m.Invite(
            call_id="i1",
            sdp=SDP,
            from_='"Ann" <sip:46@dom;user=phone>',
            from_user="46",
            from_display="Ann",
            from_number="46",
            to="sip:45@dom",
            to_user="45",
        ),
    ),
    "invite from a JSON number": (
        json.dumps({"invitesdp": SDP, "callid": "i1", "from": 46, "to": 45}),
        m.Invite(
            call_id="i1", sdp=SDP, from_="46", from_user="46", from_number="46", to="45", to_user="45"
        ),
    ),
    "invite with a display name that makes no sense": (
        json.dumps({"invitesdp": SDP, "callid": "i1", "from-display": {"x": 1}, "alertinfo": [1]}),
        m.Invite(call_id="i1", sdp=SDP),
    ),
    # --- candidate ---
    "candidate as a string": (
        json.dumps({"candidate": LINE, "callid": "c1"}),
        m.Candidate(call_id="c1", candidates=(LINE,)),
    ),
    "candidate of older PBXs, without a call-id": (
        json.dumps({"candidate": "a=" + LINE}),
        m.Candidate(candidates=(LINE,)),
    ),
    "candidate as an object": (
        json.dumps(
            {"candidate": {"candidate": LINE, "sdpMid": "audio", "sdpMLineIndex": 1}, "callid": "c1"}
        ),
        m.Candidate(call_id="c1", candidates=(LINE,), sdp_mid="audio", sdp_mline_index=1),
    ),
    "candidate with adr: one for each pair, in fields 5 and 6": (
        json.dumps(
            {"candidate": LINE, "callid": "c1", "adr": [["198.51.100.7", 6000], ["2001:db8::1", "6001"]]}
        ),
        m.Candidate(
            call_id="c1",
            candidates=(
                "candidate:1 1 UDP 2130706431 198.51.100.7 6000 typ host",
                "candidate:1 1 UDP 2130706431 2001:db8::1 6001 typ host",
            ),
        ),
    ),
    "candidate with an adr that makes no sense": (
        json.dumps({"candidate": LINE, "callid": "c1", "adr": [17, ["192.0.2.9"], [None, 5]]}),
        m.Candidate(call_id="c1", candidates=(LINE,)),
    ),
    "candidate null": ('{"candidate": null, "callid": "c1"}', m.Candidate(call_id="c1")),
    "candidate empty": ('{"candidate": "", "callid": "c1"}', m.Candidate(call_id="c1")),
    "candidate object, empty": (
        '{"candidate": {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}, "callid": "c1"}',
        m.Candidate(call_id="c1"),
    ),
    # --- bye, cancel ---
    "bye": (
        '{"bye": "true", "callid": "c1", "cseq": "3", "code": 415}',
        m.Bye(call_id="c1", cseq="3", code=415),
    ),
    "bye as a boolean": ('{"bye": true, "callid": "c1"}', m.Bye(call_id="c1")),
    "cancel": (
        '{"cancel": "true", "callid": "c1", "reason": "SIP;cause=200"}',
        m.Cancel(call_id="c1", reason="SIP;cause=200"),
    ),
    # --- informational, flat ---
    "response": (
        '{"response": "sip-bye", "callid": "c1", "code": 200}',
        m.Informational(
            kind="response",
            call_id="c1",
            code=200,
            data={"response": "sip-bye", "callid": "c1", "code": 200},
        ),
    ),
    "ringtones": ('{"ringtones": []}', m.Informational(kind="ringtones", data={"ringtones": []})),
    "cancelresponse": (
        '{"cancelresponse": true, "callid": "c1"}',
        m.Informational(kind="cancelresponse", call_id="c1", data={"cancelresponse": True, "callid": "c1"}),
    ),
    "info": ('{"info": {"a": 1}}', m.Informational(kind="info", data={"info": {"a": 1}})),
    "change": (
        '{"change": "x", "callid": "c1"}',
        m.Informational(kind="change", call_id="c1", data={"change": "x", "callid": "c1"}),
    ),
    # --- actions ---
    "sip-register": (
        '{"action": "sip-register", "expires": 60, "add": "<sip:45@dom>"}',
        m.Registered(expires=60.0, add="<sip:45@dom>"),
    ),
    "sip-register with a number as text": (
        '{"action": "sip-register", "expires": "60"}',
        m.Registered(expires=60.0),
    ),
    "sip-register refused": ('{"action": "sip-register", "code": 403}', m.Registered(code=403)),
    "user-state as the page has it": (
        '{"action": "user-state", "type": "extensions", "account": "45", "domain": "localhost", '
        '"chatstatus": "online"}',
        m.UserState(
            account=m.AccountEntry(
                account="45", domain="localhost", type="extensions", chat_status="online"
            )
        ),
    ),
    "user-state with words for booleans": (
        '{"action": "user-state", "account": 45, "registered": "true", "dnd": "false", "calls": [{"id": 1}], '
        '"code": 200, "tag": "x"}',
        m.UserState(
            account=m.AccountEntry(account="45", registered=True, dnd=False, in_call=True),
            code="200",
            tag="x",
        ),
    ),
    "domain-state as the page has it": (
        '{"action": "domain-state", "messages": 2, "calls": [{"id": "7", "callstate": "ringing"}], '
        '"accounts": [{"account": "45", "type": "extensions", "registered": true, "dnd": false, '
        '"chatstatus": "offline", "calls": [], "unheard": 1}, {"account": "700", "type": "hunts", '
        '"name": "Sales", "calls": ["7"]}]}',
        m.DomainState(
            accounts=(
                m.AccountEntry(
                    account="45", type="extensions", registered=True, dnd=False, chat_status="offline"
                ),
                m.AccountEntry(account="700", type="hunts", name="Sales", in_call=True),
            ),
            calls=(m.CallEntry(id="7", state="ringing"),),
            messages=2,
        ),
    ),
    "domain-state that says nothing of calls": (
        '{"action": "domain-state", "accounts": []}',
        m.DomainState(accounts=()),
    ),
    "call-state, older form": (
        json.dumps(
            {
                "action": "call-state",
                "calls": [
                    {
                        "id": "x@dom",
                        "from": '"Ann" <sip:46@dom>',
                        "to": "sip:+4930123@dom",
                        "callstate": "connected",
                        "start": 1700000000,
                        "rec": "true",
                        "cmc": "",
                    }
                ],
            }
        ),
        m.CallState(
            whole=True,
            calls=(
                m.CallEntry(
                    id="x@dom",
                    state="connected",
                    from_='"Ann" <sip:46@dom>',
                    from_number="46",
                    from_name="Ann",
                    to="sip:+4930123@dom",
                    to_number="+4930123",
                    start=1700000000.0,
                    recording=True,
                ),
            ),
        ),
    ),
    "call-state, newer form": (
        json.dumps(
            {
                "action": "call-state",
                "calls": [
                    {
                        "id": 4711,
                        "callid": "c1",
                        "state": "connected",
                        "start": "1700000000.5",
                        "connect": "1700000003",
                        "from-number": "45",
                        "from-name": "Bot",
                        "to-number": "+4930123",
                        "to-name": "Ann",
                        "extension": ["*45", "46"],
                    }
                ],
            }
        ),
        m.CallState(
            whole=True,
            calls=(
                m.CallEntry(
                    id="4711",
                    call_id="c1",
                    state="connected",
                    start=1700000000.5,
                    connect=1700000003.0,
                    from_number="45",
                    from_name="Bot",
                    to_number="+4930123",
                    to_name="Ann",
                    extensions=("45", "46"),
                ),
            ),
        ),
    ),
    "call-state with one object, as the page has it": (
        '{"action": "call-state", "calls": {"id": "1", "from": "45", "to": "46", "callstate": "ringing"}}',
        m.CallState(
            whole=False,
            calls=(
                m.CallEntry(
                    id="1", state="ringing", from_="45", from_number="45", to="46", to_number="46"
                ),
            ),
        ),
    ),
    "call-state with the call's fields at the top": (
        '{"action": "call-state", "id": "1", "callstate": "connected"}',
        m.CallState(whole=False, calls=(m.CallEntry(id="1", state="connected"),)),
    ),
    "call-state, no call left": ('{"action": "call-state", "calls": []}', m.CallState(whole=True, calls=())),
    "callerid": (
        '{"action": "callerid", "callid": "c1", "name": "Ann", "number": 46}',
        m.CallerId(call_id="c1", name="Ann", number="46"),
    ),
    "rec-start": ('{"action": "rec-start", "callid": "c1"}', m.RecordingState(call_id="c1", on=True)),
    "rec-stop": ('{"action": "rec-stop", "callid": "c1"}', m.RecordingState(call_id="c1", on=False)),
    "chat": (
        '{"action": "chat", "src": "46", "dest": "45", "message": "hello"}',
        m.Chat(src="46", dest="45", message="hello"),
    ),
    "blf": (
        '{"action": "blf", "x": 1}',
        m.Informational(kind="blf", data={"action": "blf", "x": 1}),
    ),
    # --- unknown ---
    "an unknown action, kept whole": (
        '{"action": "new-thing", "x": [1, null]}',
        m.Unknown(kind="new-thing", data={"action": "new-thing", "x": [1, None]}),
    ),
    "no known key at all": ('{"b": 1, "a": 2}', m.Unknown(kind="a,b", data={"b": 1, "a": 2})),
    "an action that is no text": ('{"action": 5}', m.Unknown(kind="action", data={"action": 5})),
    "the empty object": ("{}", m.Unknown(kind="", data={})),
}


@pytest.mark.parametrize(("text", "message"), FRAMES.values(), ids=FRAMES.keys())
def test_each_frame_is_read(text: str, message: m.Message) -> None:
    assert decode(text) == message
    assert decode(text.encode()) == message


@pytest.mark.parametrize("name", FRAMES)
def test_keys_that_nobody_knows_do_no_harm(name: str) -> None:
    text, message = FRAMES[name]
    if isinstance(message, (m.Unknown, m.Informational)):
        return  # those keep the whole frame
    assert decode(json.dumps({**json.loads(text), "zzz": {"deep": [1]}})) == message


ORDER = ["sdp", "invitesdp", "candidate", "bye", "ringtones", "response", "cancel", "cancelresponse", "info"]
KINDS: dict[str, Any] = {
    "sdp": m.Sdp,
    "invitesdp": m.Invite,
    "candidate": m.Candidate,
    "bye": m.Bye,
    "cancel": m.Cancel,
}


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_flat_keys_count_in_the_vendors_order_and_before_the_action(first: int) -> None:
    """Each key beside all that come after it."""
    frame = dict.fromkeys(reversed(ORDER[first:]), "v=0")
    message = decode(json.dumps({"action": "chat", "change": "1", "callid": "c1", **frame}))
    assert isinstance(message, KINDS.get(ORDER[first], m.Informational))
    if isinstance(message, m.Informational):
        assert message.kind == ORDER[first]


def test_an_empty_flat_key_does_not_outweigh_an_action() -> None:
    assert decode('{"action": "chat", "src": "1", "info": null, "bye": false}') == m.Chat(
        src="1", dest="", message=""
    )


@pytest.mark.parametrize(
    ("text", "frame", "field"),
    [
        ("", "frame", ""),
        ("nonsense", "frame", ""),
        ("[1]", "frame", ""),
        ("17", "frame", ""),
        ("null", "frame", ""),
        ('{"sdp": NaN}', "frame", ""),
        ("[" * 100_000, "frame", ""),
        ('{"a":' * 100_000, "frame", ""),
        ("\ud800", "frame", ""),
        (b"\xff\xfe", "frame", ""),
        ('{"sdp": 5, "callid": "c1"}', "sdp", "sdp"),
        ('{"sdp": {"sdp": ["v=0"]}, "callid": "c1"}', "sdp", "sdp"),
        ('{"sdp": "v=0", "callid": ["c1"]}', "sdp", "callid"),
        ('{"invitesdp": "v=0"}', "invitesdp", "callid"),
        ('{"invitesdp": {"type": "offer"}, "callid": "c1"}', "invitesdp", "invitesdp"),
        ('{"candidate": 5, "callid": "c1"}', "candidate", "candidate"),
        ('{"candidate": {"candidate": 5}, "callid": "c1"}', "candidate", "candidate"),
        ('{"bye": "true", "callid": {}}', "bye", "callid"),
        ('{"action": "user-state"}', "user-state", "account"),
        ('{"action": "call-state"}', "call-state", "calls"),
        ('{"action": "call-state", "calls": "no"}', "call-state", "calls"),
        ('{"action": "call-state", "calls": {"state": "x"}}', "call-state", "calls.id"),
        ('{"action": "domain-state", "accounts": 5}', "domain-state", "accounts"),
    ],
)
def test_what_cannot_be_understood_names_frame_and_field(text: str | bytes, frame: str, field: str) -> None:
    with pytest.raises(FrameError) as raised:
        decode(text)
    assert (raised.value.frame, raised.value.field) == (frame, field)


def test_a_broken_entry_does_not_lose_the_others_and_the_list_is_not_called_whole() -> None:
    state = decode('{"action": "call-state", "calls": [{"id": "1"}, "no", {"state": "x"}, {"id": "2"}]}')
    assert isinstance(state, m.CallState)
    assert [call.id for call in state.calls] == ["1", "2"]
    assert [error.field for error in state.dropped] == ["calls", "calls.id"]
    assert not state.whole


def test_a_broken_account_does_not_lose_the_others() -> None:
    state = decode('{"action": "domain-state", "accounts": [{"account": "1"}, {}, 5, {"account": "2"}]}')
    assert isinstance(state, m.DomainState)
    assert [account.account for account in state.accounts or ()] == ["1", "2"]
    assert len(state.dropped) == 2


@pytest.mark.parametrize(
    ("connect", "read"),
    [
        (1700000003, 1700000003.0),
        ("1700000003", 1700000003.0),
        ("", None),
        (0, None),
        ("0", None),
        (None, None),
        ("2023-11-14 22:13", 0.0),
        (True, 0.0),
        (False, None),
    ],
)
def test_a_connect_that_is_not_empty_means_answered(connect: Any, read: float | None) -> None:
    state = decode(json.dumps({"action": "call-state", "calls": [{"id": "1", "connect": connect}]}))
    assert isinstance(state, m.CallState)
    assert state.calls[0].connect == read


def _account(number: int, **fields: Any) -> dict[str, Any]:
    return {"account": str(number), "type": "extensions", "name": f"User {number}", "dnd": False, **fields}


def test_a_large_domain_state_reads_the_same_as_its_accounts_do_alone() -> None:
    """The fast way and the careful way agree."""
    accounts = [_account(n, registered=n % 2 == 0, calls=["x"] if n % 7 == 0 else []) for n in range(2000)]
    large = decode(json.dumps({"action": "domain-state", "accounts": accounts, "calls": [{"id": 1}]}))
    assert isinstance(large, m.DomainState)
    for account, entry in zip(accounts, large.accounts or (), strict=True):
        assert decode(json.dumps({"action": "user-state", **account})) == m.UserState(account=entry)
    assert large.calls == (m.CallEntry(id="1"),)


def test_one_odd_account_among_many_is_read_generously() -> None:
    accounts = [_account(n) for n in range(2000)] + [{"account": 7777, "registered": "true"}, 5]
    state = decode(json.dumps({"action": "domain-state", "accounts": accounts}))
    assert isinstance(state, m.DomainState)
    assert state.accounts is not None
    assert state.accounts[-1] == m.AccountEntry(account="7777", registered=True)
    assert len(state.accounts) == 2001
    assert len(state.dropped) == 1


def test_a_large_frame_of_another_kind_is_no_domain_state() -> None:
    frame = decode(json.dumps({"action": "chat", "src": "1", "dest": "2", "message": "x" * 50_000}))
    assert isinstance(frame, m.Chat)
