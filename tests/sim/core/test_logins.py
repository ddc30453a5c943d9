"""`/rest/system/session` and who may open a socket (PROTOCOL.md section 1)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.core.kit import Lab, config
from vodiabot.sim.config import Extension
from vodiabot.sim.core import Pbx, Reply
from vodiabot.sim.core.logins import SESSIONS, TOKEN_LIFE

ADMIN = ("admin", "admin")
MD5 = hashlib.md5(b"bot").hexdigest()


@pytest.fixture
def pbx() -> Pbx:
    return Lab().pbx


def post(pbx: Pbx, now: float = 0, method: str = "POST", basic: tuple[str, str] | None = None, **body: Any) -> Reply:
    return pbx.session(now, method, body, basic, None)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("value", ["45 bot", "45@localhost bot", f"45 {MD5}", f"45 {MD5.upper()}"])
def test_password_or_its_md5_by_post_or_put(pbx: Pbx, method: str, value: str) -> None:
    reply = post(pbx, method=method, name="auth", value=value)
    assert reply.status == 200
    assert reply.value
    assert reply.value == reply.cookie
    assert pbx.admits(0, "localhost", "45", reply.value) == 0


@pytest.mark.parametrize(
    "value", ["45 wrong", "45", "", "45@elsewhere bot", "99 bot", "45  bot", None, 5, ["45", "bot"]]
)
def test_refused(pbx: Pbx, value: Any) -> None:
    reply = post(pbx, name="auth", value=value)
    assert (reply.status, reply.value, reply.cookie) == (403, False, None)


@pytest.mark.parametrize("body", [None, [], "auth", 5, {}, {"name": "other"}, {"name": ["auth"]}])
def test_a_body_that_says_nothing(pbx: Pbx, body: Any) -> None:
    assert pbx.session(0, "POST", body, None, None).status == 400


def test_a_password_with_blanks() -> None:
    pbx = Pbx(config(extensions=(Extension("45", "a b  c"),)))
    assert post(pbx, name="auth", value="45 a b  c").status == 200


def test_a_token_is_good_once_and_for_ten_seconds(pbx: Pbx) -> None:
    def mint(now: float) -> str:
        token = post(pbx, now, basic=ADMIN, name="3rd", username="45", domain="localhost").value
        assert isinstance(token, str)
        return token

    token = mint(0)
    session = post(pbx, TOKEN_LIFE, name="session", value=token)
    assert pbx.admits(0, "localhost", "45", session.value) == 0
    assert post(pbx, TOKEN_LIFE, name="session", value=token).status == 403, "once"
    assert post(pbx, 20.1, name="session", value=mint(10)).status == 403, "for ten seconds"
    assert post(pbx, name="session", value=["x"]).status == 403


@pytest.mark.parametrize("basic", [None, ("admin", "wrong"), ("45", "bot")])
def test_a_token_is_minted_by_the_administrator_alone(pbx: Pbx, basic: tuple[str, str] | None) -> None:
    assert post(pbx, basic=basic, name="3rd", username="45", domain="localhost").status == 401


@pytest.mark.parametrize(("user", "domain"), [("99", "localhost"), ("45", "elsewhere"), (["45"], "localhost")])
def test_no_token_for_nobody(pbx: Pbx, user: Any, domain: str) -> None:
    assert post(pbx, basic=ADMIN, name="3rd", username=user, domain=domain).status == 404


def test_a_session_opens_its_own_sockets_alone_and_ends_by_delete(pbx: Pbx) -> None:
    session = post(pbx, name="auth", value="45 bot").value
    assert pbx.admits(0, "localhost", "46", session) == 403
    assert pbx.admits(0, "elsewhere", "45", session) == 404
    assert pbx.admits(0, "localhost", "45", None) == 403
    assert pbx.session(0, "GET", None, None, session).value == "45"
    assert pbx.session(0, "DELETE", None, None, session).cookie == ""
    assert pbx.session(0, "GET", None, None, session).value is False
    assert pbx.admits(0, "localhost", "45", session) == 403


def test_so_many_logins_can_be_refused(pbx: Pbx) -> None:
    pbx.refuse_logins(3)
    statuses = [post(pbx, name="auth", value="45 bot").status for _ in range(4)]
    assert statuses == [403, 403, 403, 200]


def test_old_sessions_are_forgotten_first(pbx: Pbx) -> None:
    first = post(pbx, name="auth", value="45 bot").value
    for _ in range(SESSIONS):
        last = post(pbx, name="auth", value="45 bot").value
    assert pbx.admits(0, "localhost", "45", first) == 403
    assert pbx.admits(0, "localhost", "45", last) == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)


@given(
    st.sampled_from(["POST", "PUT", "GET", "DELETE", "PATCH"]),
    st.dictionaries(st.sampled_from(["name", "value", "username", "domain"]), json_values),
    st.sampled_from(["auth", "3rd", "session", None]),
    st.none() | st.just(ADMIN) | st.tuples(st.text(), st.text()),
    st.none() | st.text(),
)
def test_whatever_is_sent_is_refused(
    method: str, body: dict[str, Any], name: str | None, basic: tuple[str, str] | None, session: str | None
) -> None:
    reply = Lab().pbx.session(0, method, {**body, **({"name": name} if name else {})}, basic, session)
    assert reply.value in (False, True)
    assert reply.value is False or method == "DELETE"


def test_ids_are_repeatable_by_the_seed_and_different_without() -> None:
    def session(seed: int | None) -> str:
        value: str = post(Pbx(Lab().pbx.config, seed=seed), name="auth", value="45 bot").value
        return value

    assert session(1) == session(1) != session(2)
    assert session(None) != session(None)


def test_nothing_secret_in_a_repr(pbx: Pbx) -> None:
    reply = post(pbx, name="auth", value="45 bot")
    assert reply.value not in repr(reply)
    assert "password" not in repr(pbx.config)
    assert "'bot'" not in repr(pbx.config)


@pytest.mark.parametrize(
    ("dialect", "header", "expected"),
    [
        ("modern", None, "Vodia-PBX/70.1"),
        ("classic", None, "Vodia-PBX/67.0"),
        ("modern", "", ""),
        ("classic", "Vodia-PBX/69.5.3", "Vodia-PBX/69.5.3"),
    ],
)
def test_the_server_header_tells_the_version(dialect: str, header: str | None, expected: str) -> None:
    assert Pbx(config(dialect, server_header=header)).server_header == expected
