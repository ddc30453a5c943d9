"""Whatever the PBX sends: a message or FrameError, no other exception and no value of the wrong type."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vodiabot.errors import FrameError
from vodiabot.protocol import messages as m
from vodiabot.protocol.codec import decode

WORDS = """
sdp invitesdp candidate bye ringtones response cancel cancelresponse info change action callid cseq code
reason from from-user from-display from-number from-name to to-user to-display to-number to-name group
alertinfo adr expires add accounts account type name registered dnd chatstatus calls messages domain tag id
state callstate start connect extension rec src dest message number sdpMid sdpMLineIndex
"""
KEYS = WORDS.split()
ACTIONS = ["sip-register", "domain-state", "user-state", "call-state", "callerid", "rec-start", "chat"]

texts = st.one_of(
    st.sampled_from(["", "true", "false", "45", "+49", "486 Busy", "nan", "inf", "1e999", "offer", "v=0"]),
    st.sampled_from(['"A" <sip:45@dom>', "candidate:1 1 UDP 1 192.0.2.1 5 typ host", "9" * 5000]),
    st.text(max_size=8),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=15,
)
frames = st.builds(
    lambda frame, action: {**frame, "action": action} if action else frame,
    st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    st.sampled_from(["", *ACTIONS]),
)


hints_of = cache(get_type_hints)
"""Once for each kind: it reads the annotations anew each time."""


def check_types(value: Any, name: str = "") -> None:
    """Each field of a message has the type that its annotation promises."""
    if not isinstance(value, msgspec.Struct):
        return
    hints = hints_of(type(value))
    for field in value.__struct_fields__:
        held, hint = getattr(value, field), hints[field]
        if hint in (str, bool) or hint == int | None or hint == float | None or hint == str | None:
            allowed = get_args(hint) or (hint,)
            assert type(held) in allowed, f"{name}.{field} is {held!r}"
        if isinstance(held, tuple):
            for item in held:
                check_types(item, field)
        check_types(held, field)


def decoded(text: str | bytes) -> m.Message | None:
    try:
        message = decode(text)
    except FrameError:
        return None
    check_types(message)
    return message


@settings(max_examples=500)
@given(frames)
@example({"sdp": {"sdp": None, "type": []}, "callid": True, "cseq": 2**70, "code": 1e300})
@example({"action": "call-state", "calls": [{"id": 1, "start": "nan", "connect": "inf", "extension": {}}]})
@example({"candidate": {"candidate": "x", "sdpMLineIndex": -1, "sdpMid": []}, "adr": ["a", "b"]})
def test_any_object(frame: dict[str, Any]) -> None:
    decoded(json.dumps(frame))


@given(values)
def test_any_json(value: Any) -> None:
    decoded(json.dumps(value))


@given(st.text())
def test_any_text(text: str) -> None:
    decoded(text)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    decoded(data)


@settings(max_examples=200)
@given(frames, st.data())
def test_a_frame_that_was_cut_or_garbled(frame: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(json.dumps(frame).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    decoded(bytes(raw[: data.draw(st.integers(0, len(raw)))]))


@settings(max_examples=25, deadline=None)  # 400 accounts take as long as the machine is busy
@given(values, st.integers(1, 5))
def test_any_value_in_a_large_domain_state(value: Any, count: int) -> None:
    accounts = [{"account": str(n), "name": "x" * 40} for n in range(400)]
    accounts[7:7] = [value] * count
    message = decoded(json.dumps({"action": "domain-state", "accounts": accounts, "calls": value}))
    if isinstance(message, m.DomainState):
        assert message.accounts is not None
        assert len(message.accounts) >= 400
        dropped_accounts = [error for error in message.dropped if not error.field.startswith("calls")]
        assert len(message.accounts) + len(dropped_accounts) == 400 + count


@given(st.lists(st.sampled_from('[{"a:1,}]'), max_size=5), st.integers(0, 5000))
def test_any_depth(parts: list[str], depth: int) -> None:
    decoded("".join(parts) * depth)
    decoded('{"sdp":' + "[" * depth + "]" * depth + "}")
