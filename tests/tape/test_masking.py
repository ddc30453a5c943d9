from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.tape import Mask

OPEN = Mask(numbers=False, key=b"k")
CLOSED = Mask(numbers=True, key=b"k", clean=lambda text: text.replace("hunter22", "***"))

INVITE: dict[str, Any] = {
    "invitesdp": "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secretsecret\r\na=fingerprint:sha-256 AA\r\n",
    "callid": "1234567890",
    "from": '"Ada Lovelace" <sip:+49711123456@pbx>',
    "from-display": "Ada Lovelace",
    "from-number": "+49711123456",
    "to-user": "45",
    "to-number": "0711998877",
    "candidate": "candidate:1 1 UDP 2130706431 192.0.2.1 54000 typ host",
}


def test_the_password_of_a_description_is_never_written() -> None:
    for mask in (OPEN, CLOSED):
        assert mask.frame(INVITE)["invitesdp"] == INVITE["invitesdp"].replace("secretsecret", "***")


def test_nothing_else_is_masked_unless_asked() -> None:
    masked = OPEN.frame(INVITE)
    assert {k: v for k, v in masked.items() if k != "invitesdp"} == {
        k: v for k, v in INVITE.items() if k != "invitesdp"
    }


def test_numbers_and_names_of_the_outside_world_are_others_and_the_same_ones_throughout() -> None:
    masked = CLOSED.frame(INVITE)
    assert "Ada" not in json.dumps(masked)
    assert "711123456" not in json.dumps(masked)
    assert re.fullmatch(r"\+\d{11}", masked["from-number"])
    assert masked["from"] == f'"{masked["from-display"]}" <sip:{masked["from-number"]}@pbx>'
    assert re.fullmatch(r"0\d{9}", masked["to-number"])
    assert masked["to-number"] != INVITE["to-number"]


def test_what_frames_are_told_apart_by_stays() -> None:
    masked = CLOSED.frame(INVITE)
    assert [masked[key] for key in ("callid", "to-user", "candidate")] == ["1234567890", "45", INVITE["candidate"]]


def test_what_people_write_is_left_out() -> None:
    chat = {"action": "chat", "src": "45", "message": "my PIN is 12"}
    assert CLOSED.frame(chat) == {"action": "chat", "src": "45", "message": "…"}


def test_another_tape_has_other_numbers() -> None:
    other = Mask(numbers=True, key=b"other")
    assert other.frame(INVITE)["from-number"] != CLOSED.frame(INVITE)["from-number"]


def test_known_secrets_and_keys_of_secrets() -> None:
    assert CLOSED.text("login with hunter22") == "login with ***"
    assert OPEN.frame({"session": "abc", "password": "x", "name": "session"}) == {
        "session": "***",
        "password": "***",
        "name": "session",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("from-number", 711123456),
        ("missed", ["+49 711 12 34 56"]),
        ("sender", "(0711) 12-34-56"),
        ("reason", "nobody at 0711123456."),
        ("to", "tel:+49-711-123456"),
        ("cid", '"Ada" <0711123456>'),
        ("from", "Ada Lovelace <sip:0711123456@pbx>"),
        ("sub", "Ada called"),
        ("firstname", "Ada"),
        ("email", "ada@example.com"),
        ("sdp", "v=0\r\no=0711123456 1 1 IN IP4 192.0.2.1\r\ns=Ada\r\n"),
        ("change", "\ud800 0711123456"),
    ],
)
def test_numbers_and_names_in_all_their_forms(key: str, value: Any) -> None:
    masked = json.dumps(CLOSED.frame({key: value}))
    assert not re.search("123.?456|12.34.56|ada", masked, re.I)


def test_a_number_is_the_same_other_one_however_it_is_grouped() -> None:
    one, other = CLOSED.text("+49711123456"), CLOSED.text("+49 711 12-34 56")
    assert other.replace(" ", "").replace("-", "") == one


def test_what_calls_are_known_and_routed_by_stays() -> None:
    mask = Mask(numbers=True, key=b"k", kept=["12345"])
    frame = {
        "accounts": [{"account": "54321", "name": "54"}],
        "calls": [{"id": "777777", "start": "1767600000", "connect": 1767600000.5, "from-number": "54321"}],
        "to": "sip:12345@pbx",
        "adr": [["192.0.2.2", 56856]],
        "expires": 90000,
        "at": "2026-01-05 09:00 of Vodia-PBX/70.1 at 192.0.2.2:5060 for 45 46 47",
    }
    assert mask.frame(frame) == frame


def test_a_frame_that_is_no_json_is_told_by_its_length_where_names_are_masked() -> None:
    assert OPEN.broken('{"sdp":"a=ice-pwd:geheim\\r\\n') == '{"sdp":"a=ice-pwd:***\\r\\n'
    assert CLOSED.broken('{"from-display":"Ada') == "(no JSON: 20 characters)"


def test_secrets_in_addresses() -> None:
    assert OPEN.text("http://pbx/ring?session=abc&tone=1") == "http://pbx/ring?session=***&tone=1"


def test_a_long_text_takes_no_long_time() -> None:
    CLOSED.text("Ada Lovelace 0711 " * 4_000)


@given(st.from_regex(r"(\+|0)?[1-9][0-9]{5,14}", fullmatch=True), st.sampled_from(["{}", "sip:{}@x", "call {} now"]))
def test_no_long_number_is_left_anywhere(number: str, around: str) -> None:
    text = around.format(number)
    masked = CLOSED.frame({"k": [text]})["k"][0]
    assert len(masked) == len(text)
    assert masked != text or CLOSED.text(number) == number  # one in billions is its own mask


scalars = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_frame_stays_a_frame(value: Any) -> None:
    json.dumps(CLOSED.frame(value))
