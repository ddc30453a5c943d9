"""No password, MD5, token, cookie or session id appears in any log, at any level, however the session goes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from vodiabot import logs
from vodiabot.session import Session, SessionTimers
from vodiabot.session.quiet import HTTP, unheard

from .kit import admin_config, extension_config, pbx_config
from .stub import Answer, Request, StubPbx, serving
from .test_login import third_party
from .test_sockets import session_at

WAYS = ["password", "md5", "token", "url"]

SECRETS = [
    "pass-word-45",
    hashlib.md5(b"pass-word-45").hexdigest(),
    "admin-pass-word",
    base64.b64encode(b"admin:admin-pass-word").decode(),
    "token-number-",
    "session-number-",
    "session%2Dnumber",
    "session=",
]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that anybody logs: the standard library's root at DEBUG, and structlog at its lowest."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in ("httpcore", "httpx", "trio-websocket"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    yield out
    structlog.reset_defaults()
    root.removeHandler(handler)
    root.setLevel(level)


def assert_clean(written: io.StringIO) -> None:
    text = written.getvalue()
    assert "can't be set up" in text or "is up" in text
    assert [secret for secret in SECRETS if secret in text] == []


def stub(way: str) -> StubPbx:
    pbx = StubPbx()
    if way == "token":
        pbx.answer = third_party(pbx)
    return pbx


@pytest.mark.parametrize("way", WAYS)
async def test_a_whole_session(way: str, written: io.StringIO) -> None:
    pbx = stub(way)
    async with serving(pbx), session_at(pbx, login=way, admin=admin_config()) as (_, told):
        await told.until(lambda: told.turns == ["up"])
        pbx.cut()
        await told.until(lambda: told.turns == ["up", "down", "up"])
    assert_clean(written)


def echo(request: Request) -> Answer:
    """Says back what it was told, and breaks off."""
    said = json.dumps(request.body)
    raw = f"HTTP/1.1 200 OK {said}\r\nContent-Length: 999\r\nSet-Cookie: session=session-number-1\r\n\r\n{said}"
    return Answer(raw=raw.encode())


FAILURES: dict[str, Callable[[Request], Answer]] = {
    "refused": lambda request: Answer(status=403, body=json.dumps(request.body)),
    "false": lambda request: Answer(body="false"),
    "broken": lambda request: Answer(status=500, body=json.dumps(request.body)),
    "echo": echo,
    "an unusable session": lambda request: Answer(body='"session-number-1; \\u00e4"'),
    "a bad header": lambda request: Answer(raw=b"HTTP/1.1 200 OK\r\nSet-Cookie: session=session-number-1\x00\r\n\r\n"),
}


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_login_that_fails(way: str, kind: str, written: io.StringIO) -> None:
    pbx = StubPbx()
    pbx.answer = FAILURES[kind]
    async with serving(pbx), session_at(pbx, login=way, admin=admin_config()) as (session, told):
        await told.until(lambda: session.trouble is not None)
        assert not [secret for secret in SECRETS if secret in f"{session.trouble} {session.trouble!r}"]
    assert_clean(written)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [403, 500, None])
async def test_a_websocket_that_is_refused(way: str, status: int | None, written: io.StringIO) -> None:
    pbx = stub(way)
    pbx.refuse_upgrade, pbx.hang_up_on_upgrade = status, status is None
    async with serving(pbx), session_at(pbx, login=way, admin=admin_config()) as (session, told):
        await told.until(lambda: session.trouble is not None)
        assert not [secret for secret in SECRETS if secret in f"{session.trouble} {session.trouble!r}"]
    assert_clean(written)


# --- the second wall: the log itself ---------------------------------------------------------------------------------


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """vodiabot's own logging, taken down again afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    logs.set_up(debug=True, stream=out)
    yield out
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


NASTY = 'pä"ss\\wörd /45'


@pytest.mark.parametrize("secret", ["pass-word-45", NASTY])
def test_what_is_logged_by_mistake_is_hidden(secret: str, log_lines: io.StringIO) -> None:
    logs.hiding()(secret)
    structlog.get_logger().warning(f"it is {secret}", url=f"ws://x?session={secret}", deep={"a": [secret]})
    logging.getLogger("somebody").warning("it is %s, %r", secret, secret)
    try:
        raise ValueError(secret)
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("somebody").exception("failed")
    text = log_lines.getvalue()
    assert text.count("***") >= 7
    assert not [form for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]) if form in text]


def test_a_secret_that_is_too_short_would_tell_itself(log_lines: io.StringIO) -> None:
    logs.hiding()("bot")
    structlog.get_logger().info("the bot is up")
    assert "the bot is up" in log_lines.getvalue()


def test_the_latest_secrets_are_kept_and_no_more(log_lines: io.StringIO) -> None:
    hide = logs.hiding()
    for number in range(2 * logs.SECRETS_KEPT):
        hide("the-password")
        hide(f"session-{number:06}")
    structlog.get_logger().info("the-password session-000999 session-000000")
    assert "*** *** session-000000" in log_lines.getvalue()


def test_without_a_set_up_there_is_nothing_to_tell() -> None:
    logs.hiding()("pass-word-45")


async def test_a_session_tells_its_secrets_to_the_log(log_lines: io.StringIO) -> None:
    pbx = StubPbx()
    async with serving(pbx):
        session = Session(pbx_config(pbx.url), extension_config(), hide=logs.hiding(), timers=SessionTimers(answer=5))
        await session.login_once()
    structlog.get_logger().info("45 pass-word-45 session-number-1-of-45")
    assert "45 *** ***" in log_lines.getvalue()


def test_libraries_are_unheard_only_while_secrets_pass(written: io.StringIO) -> None:
    talker = logging.getLogger("httpcore.http11")
    with unheard(HTTP):
        talker.debug("session=1")
        with unheard(HTTP):
            talker.debug("session=2")
        talker.debug("session=3")
        talker.warning("a warning")
    talker.debug("afterwards")
    assert written.getvalue().splitlines() == ["a warning", "afterwards"]
    assert talker.filters == []


async def test_the_libraries_would_tell_otherwise(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above are worth something: without the silence they find secrets."""
    monkeypatch.setattr("vodiabot.session.quiet._WarningsOnly.filter", lambda self, record: True)
    pbx = StubPbx()
    async with serving(pbx), session_at(pbx) as (_, told):
        await told.until(lambda: told.turns == ["up"])
    assert "session=session-number-1" in written.getvalue()
