"""HTTP routes of plugins, over real HTTP, at a running bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import trio
import trio.testing

from tests.plugins.kit import as_plugin
from tests.test_plugin_bot import Author, engine, running
from vodiabot import Bot, hookimpl
from vodiabot.config.model import Secret
from vodiabot.errors import UsageError
from vodiabot.http_routes import BadRequest, Request, Response, server
from vodiabot.plugins import current_plugin

HTTP = '[http]\nlisten = "127.0.0.1:0"\n'


class Routed(Author):
    """Declares its routes anew whenever it begins."""

    def __init__(self, declare: Callable[[Bot], Any], name: str = "author") -> None:
        super().__init__()
        self.NAME = name  # type: ignore[misc]
        self.declare = declare

    @hookimpl
    async def bot_started(self, bot: Bot) -> None:
        self.bot = bot
        self.declare(bot)


@asynccontextmanager
async def served(
    state: Path, *plugins: Any, more: str = "", replace: tuple[str, str] = ("", "")
) -> AsyncIterator[tuple[Bot, httpx.AsyncClient]]:
    async with running(state, *plugins, more=HTTP + more, replace=replace) as (bot, _):
        assert bot.servers.http_url is not None
        async with httpx.AsyncClient(base_url=bot.servers.http_url, trust_env=False) as client:
            yield bot, client


def routed(handler: Callable[[Request], Awaitable[Any]], path: str = "/call", **options: Any) -> Routed:
    return Routed(lambda bot: bot.http.post(path, handler, **options))


# --- what goes in and comes out --------------------------------------------------------------------------------------


async def test_a_handler_gets_the_request_on_behalf_of_its_plugin(tmp_path: Path) -> None:
    seen: list[tuple[Request, str | None]] = []

    def declare(bot: Bot) -> None:
        @bot.http.post("/call/{to}")
        async def call(request: Request) -> dict[str, str]:
            seen.append((request, current_plugin.get()))
            async with bot.dial(request.params["to"]) as call:
                return {"call": call.id}

    async with served(tmp_path, Routed(declare)) as (_, client):
        answer = await client.post("/plugin/author/call/600?a=1&a=2", json={"x": [1]}, headers={"X-Thing": "y"})
    assert answer.status_code == 200
    assert len(answer.json()["call"]) == 32
    [(request, plugin)] = seen
    assert plugin == "author"
    assert (request.method, request.path, dict(request.query)) == ("POST", "/call/600", {"a": "2"})
    assert request.headers["x-thing"] == "y"
    assert request.json() == {"x": [1]}


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        ({"a": 1}, 200, "application/json", b'{"a": 1}'),
        ([1], 200, "application/json", b"[1]"),
        ("grün", 200, "text/plain; charset=utf-8", "grün".encode()),
        (b"\x00", 200, "application/octet-stream", b"\x00"),
        ("half \ud800", 200, "text/plain; charset=utf-8", b"half ?"),
        (None, 204, None, b""),
        (Response(201, "made", {"Location": "/x", "Content-Type": "text/html"}), 201, "text/html", b"made"),
    ],
)
async def test_what_a_handler_may_return(
    answer: Any, status: int, kind: str | None, body: bytes, tmp_path: Path
) -> None:
    async def handler(request: Request) -> Any:
        return answer

    async with served(tmp_path, routed(handler)) as (_, client):
        got = await client.post("/plugin/author/call")
    assert (got.status_code, got.headers.get("content-type"), got.content) == (status, kind, body)


async def test_each_method_and_path_has_its_handler(tmp_path: Path) -> None:
    def declare(bot: Bot) -> None:
        for method in ("get", "put", "delete"):

            async def handler(request: Request) -> str:
                return request.method

            getattr(bot.http, method)("/a", handler)

    async with served(tmp_path, Routed(declare)) as (_, client):
        for method in ("GET", "PUT", "DELETE"):
            assert (await client.request(method, "/plugin/author/a")).text == method
        wrong = await client.post("/plugin/author/a")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, PUT")
        for path in ("/plugin/author/b", "/plugin/author", "/plugin/nobody/a", "/a", "/"):
            assert (await client.get(path)).status_code == 404


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def fails(request: Request) -> None:
    raise ZeroDivisionError("the password is 1234")


async def returns_a_set(request: Request) -> Any:
    return {1}


async def returns_no_json(request: Request) -> Any:
    return {"a": object()}


@pytest.mark.parametrize("handler", [fails, returns_a_set, returns_no_json])
async def test_a_handler_that_fails_tells_the_caller_nothing(handler: Any, tmp_path: Path) -> None:
    async with served(tmp_path, routed(handler)) as (bot, client):
        with structlog.testing.capture_logs() as lines:
            answer = await client.post("/plugin/author/call")
        assert answer.status_code == 500
        assert "1234" not in answer.text
        assert [state.failures for state in bot.host.states()] == [1]
        [failed] = [line for line in lines if line["log_level"] == "error"]
        assert (failed["plugin"], failed["task"]) == ("author", "POST /call")
        assert failed["exc_info"].__notes__ == ["in the handler of POST /call"]


async def test_a_handler_that_hangs_is_cancelled_and_counted(tmp_path: Path) -> None:
    async def hangs(request: Request) -> None:
        await trio.sleep_forever()

    impatient = ("[limits]", '[limits]\nhook_timeout = "100ms"')
    async with served(tmp_path, routed(hangs), replace=impatient) as (bot, client):
        with structlog.testing.capture_logs():
            assert (await client.post("/plugin/author/call")).status_code == 504
        assert [state.failures for state in bot.host.states()] == [1]


async def test_what_the_caller_did_wrong_is_no_failure_of_the_plugin(tmp_path: Path) -> None:
    async def strict(request: Request) -> None:
        if request.query:
            raise BadRequest("no query, please")
        request.json()

    async with served(tmp_path, routed(strict)) as (bot, client):
        first = await client.post("/plugin/author/call", content=b"{")
        second = await client.post("/plugin/author/call?a=1")
        assert (first.status_code, first.text) == (400, "the body is not JSON")
        assert (second.status_code, second.text) == (400, "no query, please")
        assert [state.failures for state in bot.host.states()] == [0]


async def test_a_body_that_is_too_big(tmp_path: Path) -> None:
    async def size(request: Request) -> dict[str, int]:
        return {"size": len(request.body)}

    async with served(tmp_path, routed(size)) as (_, client):
        most = await client.post("/plugin/author/call", content=b"x" * server.BIGGEST_BODY)
        assert most.json() == {"size": server.BIGGEST_BODY}
        assert (await client.post("/plugin/author/call", content=b"x" * (server.BIGGEST_BODY + 1))).status_code == 413


async def test_too_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_REQUESTS", 2)
    go, inside = trio.Event(), []

    async def waits(request: Request) -> None:
        inside.append(request)
        await go.wait()

    async with served(tmp_path, routed(waits)) as (_, client):
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await client.post("/plugin/author/call")).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            with trio.fail_after(10):
                while len(inside) < 2:  # noqa: ASYNC110 - two tasks of the plugin
                    await trio.sleep(0.01)
            assert (await client.post("/plugin/author/call")).status_code == 503
            go.set()
        assert statuses == [204, 204]


async def test_a_plugin_in_quarantine_answers_503_and_its_open_requests_too(tmp_path: Path) -> None:
    inside = trio.Event()

    async def waits(request: Request) -> None:
        inside.set()
        await trio.sleep_forever()

    async with served(tmp_path, routed(waits)) as (bot, client):
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await client.post("/plugin/author/call")).status_code)

        with structlog.testing.capture_logs():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await inside.wait()
                bot.host._runners["author"].quarantine("a test")
            assert statuses == [503]
            answer = await client.post("/plugin/author/call")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


# --- who may ---------------------------------------------------------------------------------------------------------


async def hello(request: Request) -> str:
    return "hello"


async def test_a_number_that_is_too_long_to_be_one_is_no_such_path(tmp_path: Path) -> None:
    async def handler(request: Request) -> dict[str, str]:
        return dict(request.params)

    def declare(bot: Bot) -> None:
        bot.http.get("/call/{id:int}", handler)

    async with served(tmp_path, Routed(declare)) as (_, client):
        assert (await client.get("/plugin/author/call/7")).json() == {"id": "7"}
        assert (await client.get(f"/plugin/author/call/{'9' * 5000}")).status_code == 404


@pytest.mark.parametrize("token", ["s3cret", Secret("s3cret")])
async def test_a_token(token: Any, tmp_path: Path) -> None:
    async with served(tmp_path, routed(hello, token=token)) as (_, client):
        for value in (None, "Bearer", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret2", "Bearer s3cre"):
            headers = {} if value is None else {"Authorization": value}
            answer = await client.post("/plugin/author/call", headers=headers)
            assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), value
        assert (await client.post("/plugin/author/call", headers={"Authorization": "bearer s3cret"})).text == "hello"


async def test_a_token_with_letters_that_ascii_lacks(tmp_path: Path) -> None:
    async with served(tmp_path, routed(hello, token="schlüssel")) as (_, client):
        for value, status in (("schlüssel".encode(), 200), ("schlüssel".encode("latin-1"), 401), (b"schl?ssel", 401)):
            answer = await client.post("/plugin/author/call", headers={b"Authorization": b"Bearer " + value})
            assert answer.status_code == status, value


async def test_a_token_in_a_header_of_the_service_s_own(tmp_path: Path) -> None:
    async with served(tmp_path, routed(hello, token="t", token_header="X-Gitlab-Token")) as (_, client):
        assert (await client.post("/plugin/author/call", headers={"X-Gitlab-Token": "t"})).status_code == 200
        assert (await client.post("/plugin/author/call", headers={"Authorization": "Bearer t"})).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ],
)
async def test_pages_of_others_are_refused(headers: dict[str, str], status: int, tmp_path: Path) -> None:
    async with served(tmp_path, routed(hello)) as (_, client):
        assert (await client.post("/plugin/author/call", headers=headers)).status_code == status


async def test_names_that_are_said_are_known(tmp_path: Path) -> None:
    async with served(tmp_path, routed(hello), more='hosts = ["bot.example.com"]\n') as (_, client):
        for host, status in (("bot.example.com", 200), ("other.example.com", 400)):
            assert (await client.post("/plugin/author/call", headers={"Host": host})).status_code == status


# --- declaring -------------------------------------------------------------------------------------------------------


async def test_declared_again_it_has_the_new_handler(tmp_path: Path) -> None:
    async def other(request: Request) -> str:
        return "other"

    author = routed(hello)
    async with served(tmp_path, author) as (_, client):
        author.bot.http.post("/call", other)
        assert (await client.post("/plugin/author/call")).text == "other"
        assert len(author.bot.http.routes) == 1


async def test_without_an_address_the_log_says_so(tmp_path: Path) -> None:
    author = Author()
    async with running(tmp_path, author) as (bot, _):
        assert bot.servers.http_url is None
        with structlog.testing.capture_logs() as lines:
            author.bot.http.get("/x", hello)
    told = [(line["log_level"], line["plugin"]) for line in lines if "[http]" in line["event"]]
    assert told == [("warning", "author")]


def no_coroutine(request: Request) -> None:
    return


@pytest.mark.parametrize(
    ("path", "handler", "options"),
    [
        ("call", hello, {}),
        ("/{", hello, {}),
        ("/{a}/{a}", hello, {}),
        ("/{a:nonsense}", hello, {}),
        ("/x", no_coroutine, {}),
        ("/x", hello, {"token": ""}),
        ("/x", hello, {"token": Secret("")}),
        ("/x", hello, {"token": 5}),
    ],
)
def test_a_route_that_can_t_be_one(path: str, handler: Any, options: dict[str, Any], tmp_path: Path) -> None:
    bot, _ = engine(tmp_path)
    http = bot.http_routes.make("author", lambda work: None)
    if path == "/{":
        assert http.post(path, handler) is handler  # a path like any other
        return
    with pytest.raises(UsageError):
        http.post(path, handler, **options)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (99, {}),
        (600, {}),
        (200, {"a b": "c"}),
        (200, {"a": "b\r\nc: d"}),
        (200, {"a": "…"}),
        (200, {"Content-Length": "3"}),
        (200, {"transfer-encoding": "chunked"}),
        (200, {"Connection": "close"}),
    ],
)
def test_an_answer_that_can_t_be_one(status: int, headers: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Response(status, "", headers)


# --- a reload --------------------------------------------------------------------------------------------------------


async def test_a_plugin_that_is_loaded_again_has_its_new_routes_and_counts_on(tmp_path: Path) -> None:
    def version(text: str, path: str) -> Routed:
        def declare(bot: Bot) -> None:
            visits = bot.counter("visits", "Requests")

            @bot.http.get(path)
            async def handler(request: Request) -> str:
                visits.inc()
                return text

        return Routed(declare)

    async with served(tmp_path, version("old", "/a")) as (bot, client):
        assert (await client.get("/plugin/author/a")).text == "old"
        await bot.host.replace([as_plugin(version("new", "/b"), name="author")])
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (await client.get("/plugin/author/a")).status_code == 404
        assert (await client.get("/plugin/author/b")).text == "new"
        assert bot.metrics.registry.get_sample_value("vodiabot_plugin_author_visits_total") == 2
        await bot.host.replace([])
        assert (await client.get("/plugin/author/b")).status_code == 404
