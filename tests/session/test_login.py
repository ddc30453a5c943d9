"""The four ways to log in, over real HTTP, and everything that can be wrong with the answer."""

from __future__ import annotations

import base64
import gc
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from vodiabot.errors import ConnectionLost, LoginRefused, UsageError, VodiabotError
from vodiabot.session import Session, SessionTimers
from vodiabot.session.addresses import login_url, socket_url
from vodiabot.session.login import Ticket, TooManyLogins, log_in

from .kit import admin_config, extension_config, pbx_config
from .stub import Answer, Request, StubPbx, serving

MD5 = hashlib.md5(b"pass-word-45").hexdigest()


async def ticket_of(pbx: StubPbx, *, timeout: float = 10, hidden: list[str] | None = None, **changes: Any) -> Ticket:
    """Log in once at the stub."""
    async with serving(pbx):
        config = pbx_config(pbx.url, **changes)
        heard = [] if hidden is None else hidden
        try:
            return await log_in(config, extension_config(), timeout=timeout, hide=heard.append)
        except VodiabotError as exc:  # taken out of the server's nursery, which would wrap it
            failure = exc
    raise failure


async def answered(answer: Answer, **changes: Any) -> Ticket:
    pbx = StubPbx()
    pbx.answer = lambda request: answer
    return await ticket_of(pbx, **changes)


def third_party(pbx: StubPbx, *, cookie: bool = True) -> Callable[[Request], Answer]:
    """The administrator's way: a token that is good once."""
    tokens: set[str] = set()
    minted = 0

    def answer(request: Request) -> Answer:
        nonlocal minted
        if request.body["name"] == "3rd":
            expected = "Basic " + base64.b64encode(b"admin:admin-pass-word").decode()
            if request.headers.get("authorization") != expected:
                return Answer(status=401)
            minted += 1
            tokens.add(f"token-number-{minted}")
            return Answer(body=f'"token-number-{minted}"', headers={"Set-Cookie": "session=administrator; path=/"})
        if request.body["value"] not in tokens:
            return Answer(body="false")
        tokens.remove(request.body["value"])
        session = pbx.log_in(request)
        return session if cookie else Answer(body=session.body)

    return answer


@pytest.mark.parametrize("way", ["password", "url"])
async def test_with_user_and_password(way: str) -> None:
    pbx = StubPbx()
    ticket = await ticket_of(pbx, login=way)
    assert ticket == Ticket("session-number-1-of-45", "Vodia-PBX/69.5.3")
    (request,) = pbx.requests
    assert (request.method, request.target) == ("POST", "/rest/system/session")
    assert request.body == {"name": "auth", "value": "45@test.example pass-word-45"}
    assert request.headers["content-type"] == "application/json"


async def test_without_a_domain_the_extension_alone_is_the_user() -> None:
    pbx = StubPbx()
    await ticket_of(pbx, domain="")
    assert pbx.requests[0].body["value"] == "45 pass-word-45"


async def test_the_older_way_puts_the_md5_of_the_password() -> None:
    pbx = StubPbx()
    assert (await ticket_of(pbx, login="md5")).session == "session-number-1-of-45"
    (request,) = pbx.requests
    assert request.method == "PUT"
    assert request.body == {"name": "auth", "value": f"45@test.example {MD5}"}


@pytest.mark.parametrize("cookie", [True, False])
async def test_with_a_token_of_the_administrator(cookie: bool) -> None:
    pbx = StubPbx()
    pbx.answer = third_party(pbx, cookie=cookie)
    ticket = await ticket_of(pbx, login="token", admin=admin_config())
    assert ticket.session == "session-number-1-of-45"  # never the administrator's own
    mint, redeem = pbx.requests
    assert mint.body == {"name": "3rd", "username": "45", "domain": "test.example"}
    assert redeem.body == {"name": "session", "value": "token-number-1"}
    assert "authorization" not in redeem.headers
    assert "cookie" not in redeem.headers


async def test_a_refused_administrator_is_named() -> None:
    pbx = StubPbx()
    pbx.answer = third_party(pbx)
    with pytest.raises(LoginRefused, match="administrator"):
        await ticket_of(pbx, login="token", admin=admin_config("wrong"))


async def test_token_without_an_administrator() -> None:
    with pytest.raises(LoginRefused, match="admin"):
        await ticket_of(StubPbx(), login="token")


@pytest.mark.parametrize(
    "answer",
    [Answer(body="false"), Answer(body=" false\n"), *(Answer(status=code) for code in (400, 401, 403, 404, 429))],
    ids=lambda answer: f"{answer.status} {answer.body.strip()}",
)
@pytest.mark.parametrize("way", ["password", "md5", "token", "url"])
async def test_refused(answer: Answer, way: str) -> None:
    advice = {404: "url right", 429: "too many"}.get(answer.status, "password right")
    with pytest.raises(LoginRefused, match=advice) as caught:
        await answered(answer, login=way, admin=admin_config())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("120", 120),
        ("86400", 300),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2215 07:28:00 GMT", 300),
        ("", None),
        ("soon", None),
        ("\u0663".encode().decode("latin-1"), None),
        ("9" * 400, 300),
    ],
)
async def test_too_many_logins_and_when_to_come_again(said: str, wait: float | None) -> None:
    with pytest.raises(TooManyLogins) as caught:
        await answered(Answer(status=429, body="<html>", headers={"Retry-After": said}))
    assert caught.value.wait == wait


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://pbx.example.com/rest/system/session?x=1", " a redirect to https://pbx.example.com: should that"),
        ("https://us:er@pbx.example.com:8443/", " a redirect to https://pbx.example.com:8443: should that"),
        ("/login", ""),
    ],
)
async def test_a_redirect_is_not_followed_but_told(location: str, told: str) -> None:
    with pytest.raises(ConnectionLost) as caught:
        await answered(Answer(status=301, headers={"Location": location}))
    assert "HTTP 301" in str(caught.value)
    assert told in str(caught.value)
    assert ("redirect" in str(caught.value)) is bool(told)


async def test_false_beside_a_cookie_is_refused_all_the_same() -> None:
    with pytest.raises(LoginRefused):
        await answered(Answer(body="false", headers={"Set-Cookie": "session=abc"}))


JUNK = {
    "500": Answer(status=500, body="oops"),
    "503": Answer(status=503),
    "redirect": Answer(status=302, headers={"Location": "https://elsewhere.example/"}),
    "a page": Answer(body="<html>hello</html>", headers={"Content-Type": "text/html"}),
    "nothing": Answer(),
    "a number": Answer(body="5"),
    "an object": Answer(body='{"session": "abc"}'),
    "true": Answer(body="true"),
    "an empty text": Answer(body='""'),
    "deep": Answer(body="[" * 100_000),
    "header injection": Answer(body='"abc\\r\\nX-Evil: 1"'),
    "cookie injection": Answer(body='"abc; admin=1"'),
    "not ASCII": Answer(body='"s\u00e4ssion"'),
    "endless": Answer(body='"' + "x" * 5000 + '"'),
    "not HTTP": Answer(raw=b"SIP/2.0 200 OK\r\n\r\n"),
    "silence and away": Answer(raw=b""),
    "half an answer": Answer(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"abc'),
}


@pytest.mark.parametrize("kind", JUNK)
async def test_junk_is_a_connection_that_failed_in_one_plain_line(kind: str) -> None:
    with pytest.raises(ConnectionLost) as caught:
        await answered(JUNK[kind])
    assert "\n" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


# httpx itself leaves its generators to the garbage collector when it can't decode
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_coding_that_is_none() -> None:
    with pytest.raises(ConnectionLost):
        await answered(Answer(body='"abc"', headers={"Content-Encoding": "gzip"}))
    gc.collect()


@pytest.mark.parametrize(
    ("answer", "session"),
    [
        (Answer(body='"from-body"'), "from-body"),
        (Answer(body='"from-body"', headers={"Set-Cookie": "session=from-cookie; path=/"}), "from-cookie"),
        (Answer(body="", headers={"Set-Cookie": "session=from-cookie"}), "from-cookie"),
        (Answer(body='"from-body"', headers={"Set-Cookie": "other=1"}), "from-body"),
        (Answer(status=201, body='"from-body"'), "from-body"),
        (Answer(body='"a+b/c=="'), "a+b/c=="),
        (
            Answer(body='""', headers={"Set-Cookie": "session=one; path=/\r\nSet-Cookie: session=two; path=/rest"}),
            "two",
        ),
    ],
)
async def test_the_session_is_the_cookie_or_else_the_answer(answer: Answer, session: str) -> None:
    assert (await answered(answer)).session == session


async def test_a_pbx_that_drips_its_answer_is_left_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """Each byte would begin a read's time anew: the request as a whole has a limit."""

    async def drip(stream: trio.SocketStream) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 1000:
                await stream.send_all(bytes([byte]))
                await trio.sleep(3)
        except trio.BrokenResourceError:
            return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, drip, listeners)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"  # a name would be looked up in real time
        started = trio.current_time()
        with pytest.raises(ConnectionLost, match="no answer in time"):
            await log_in(pbx_config(url), extension_config(), timeout=10, hide=lambda secret: None)
        assert 9 < trio.current_time() - started < 30
        nursery.cancel_scope.cancel()


async def test_nobody_listens() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    for listener in listeners:
        await listener.aclose()
    with pytest.raises(ConnectionLost, match=f"127.0.0.1:{port}"):
        await log_in(pbx_config(f"ws://127.0.0.1:{port}"), extension_config(), timeout=10, hide=lambda secret: None)


async def test_every_secret_is_hidden_before_it_travels() -> None:
    pbx = StubPbx()
    hidden: list[str] = []
    seen: list[list[str]] = []
    mint = third_party(pbx)

    def answer(request: Request) -> Answer:
        seen.append(list(hidden))
        return mint(request)

    pbx.answer = answer
    await ticket_of(pbx, login="token", admin=admin_config(), hidden=hidden)
    assert "admin-pass-word" in seen[0]
    assert "token-number-1" in seen[1]
    assert hidden[-1] == "session-number-1-of-45"
    for way, secret in (("password", "pass-word-45"), ("md5", MD5)):
        hidden.clear()
        seen.clear()
        pbx.answer = lambda request: (seen.append(list(hidden)), pbx.log_in(request))[1]
        await ticket_of(pbx, login=way, hidden=hidden)
        assert secret in seen[0]


async def test_login_once_logs_in_and_knows_the_version() -> None:
    pbx = StubPbx()
    async with serving(pbx):
        session = Session(pbx_config(pbx.url), extension_config(), timers=SessionTimers(answer=5))
        await session.login_once()
    assert session.server_header == "Vodia-PBX/69.5.3"
    assert (len(pbx.requests), len(pbx.upgrades)) == (1, 0)


def test_a_ticket_does_not_show_its_session() -> None:
    assert "abc" not in f"{Ticket('abc', None)!r} {Ticket('abc', None)}"


@pytest.mark.parametrize(
    ("url", "login", "socket"),
    [
        ("https://pbx.example.com", "https://pbx.example.com", "wss://pbx.example.com"),
        ("wss://pbx.example.com/", "https://pbx.example.com", "wss://pbx.example.com"),
        ("http://pbx:8080", "http://pbx:8080", "ws://pbx:8080"),
        ("ws://pbx:8080/behind/a/proxy/", "http://pbx:8080/behind/a/proxy", "ws://pbx:8080/behind/a/proxy"),
        ("WSS://[::1]:5061", "https://[::1]:5061", "wss://[::1]:5061"),
    ],
)
def test_addresses(url: str, login: str, socket: str) -> None:
    pbx = pbx_config(url, domain="a b&c.example")
    assert login_url(pbx) == f"{login}/rest/system/session"
    assert socket_url(pbx, "4=5") == f"{socket}/websocket?domain=a%20b%26c.example&user=4%3D5"
    assert socket_url(pbx, "45", "x/=&").endswith("&user=45&session=x%2F%3D%26")


@pytest.mark.parametrize(
    "url", ["", "pbx.example.com", "sip:pbx", "http://", "http://pbx:port", "http://pbx:99999", "http://[::1", "ftp://pbx"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError):
        login_url(pbx_config(url))


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        login_url(pbx_config("https://45:pass-word@pbx.example.com"))
    assert "pass-word" not in str(caught.value)


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example", "xn--\u00e4"])
async def test_a_host_name_that_cannot_be_one(host: str) -> None:
    with pytest.raises(VodiabotError) as caught:
        await log_in(pbx_config(f"http://{host}"), extension_config(), timeout=5, hide=lambda secret: None)
    assert "\n" not in str(caught.value)


