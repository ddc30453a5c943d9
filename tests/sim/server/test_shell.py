"""The shell around a model of no PBX at all: HTTP, sockets, the queue, the end."""

from __future__ import annotations

import gc
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import trio
import trio_websocket

from vodiabot.errors import ListenError, UsageError
from vodiabot.sim.core import effects
from vodiabot.sim.core.effects import Effect
from vodiabot.sim.core.logins import Reply
from vodiabot.sim.server.http import MAX_FRAME
from vodiabot.sim.server.listening import parse_listen, self_signed_context, tls_context
from vodiabot.sim.server.outlet import MAX_QUEUED
from vodiabot.sim.server.running import Running, serve_model

ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname, ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE


class ParrotPbx:
    """Sends back each frame, admits the session "good", fails on "fail", closes on "close", floods on "flood"."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.ticks = 0
        self.sockets: list[str] = []
        self.requests: list[Any] = []
        self.heard: list[effects.MediaNews] = []

    def tick(self, now: float) -> Iterable[Effect]:
        self.ticks += 1
        self.deadline = None
        return [effects.SendFrame(s, {"tick": self.ticks}) for s in self.sockets]

    def session(self, now: float, method: str, body: Any, basic: tuple[str, str] | None, session: str) -> Reply:
        self.requests.append((method, body, basic, session))
        if body == "no":
            return Reply(403, False)
        return Reply(200, "good", "" if method == "DELETE" else "good")

    def admits(self, now: float, domain: str, user: str, session: str) -> int:
        return 0 if session == "good" else 401 if not session else 403

    def opened(self, now: float, socket: str, user: str, useragent: str) -> Iterable[Effect]:
        self.sockets.append(socket)
        return [effects.SendFrame(socket, {"hello": user, "by": useragent})]

    def frame(self, now: float, socket: str, text: str) -> Iterable[Effect]:
        if text == "fail":
            raise ZeroDivisionError
        if text == "close":
            return [effects.SendFrame(socket, {"last": 1}), effects.CloseSocket(socket, "enough")]
        if text == "flood":
            return [effects.SendFrame(socket, {"n": "x" * 5000}) for _ in range(MAX_QUEUED + 1000)]
        if text == "clog":  # more than the kernel buffers, less than what drops a client
            return [effects.SendFrame(socket, {"n": "x" * 20_000}) for _ in range(MAX_QUEUED - 10)]
        if text == "tick":
            self.deadline = now + 0.01
            return []
        if text == "offer":
            return [effects.MakeOffer("leg", 1)]
        return [effects.SendFrame(socket, {"parrot": text})]

    def closed(self, now: float, socket: str) -> Iterable[Effect]:
        self.sockets.remove(socket)
        return []

    def news(self, now: float, news: effects.MediaNews) -> Iterable[Effect]:
        self.heard.append(news)
        return []


@asynccontextmanager
async def parrot(model: ParrotPbx | None = None, **options: Any) -> AsyncIterator[Running]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve_model, model or ParrotPbx(), listen="127.0.0.1:0", **options))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def socket_of(sim: Running, session: str = "good", **headers: str) -> AsyncIterator[Any]:
    url = sim.url.replace("http", "ws", 1) + f"/websocket?domain=localhost&user=45&session={session}"
    opened = trio_websocket.open_websocket_url(
        url,
        extra_headers=list(headers.items()),
        max_message_size=2 * MAX_FRAME,
        ssl_context=ANY_CERTIFICATE if sim.tls else None,
    )
    async with opened as socket:
        try:
            yield socket
        finally:
            # trio-websocket forgets to close the stream of a socket that the server has closed.
            await trio.aclose_forcefully(socket._stream)


async def say(socket: Any, text: str) -> Any:
    await socket.send_message(text)
    return json.loads(await socket.get_message())


async def drain(socket: Any) -> None:
    while True:
        await socket.get_message()


async def until(condition: Any) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - it may be anything
            await trio.sleep(0.005)


async def test_requests_reach_the_model_and_answers_are_json_with_a_cookie() -> None:
    model = ParrotPbx()
    async with parrot(model, server_header="Vodia-PBX/70.1") as sim, httpx.AsyncClient(base_url=sim.url) as http:
        answer = await http.post("/rest/system/session", json={"name": "auth"}, auth=("admin", "a:b"))
        assert (answer.status_code, answer.text) == (200, '"good"')
        assert answer.headers["server"] == "Vodia-PBX/70.1"
        assert answer.cookies["session"] == "good"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert (await http.put("/rest/system/session", json="no")).status_code == 403
        await http.get("/rest/system/session")
        await http.delete("/rest/system/session")
        assert (await http.post("/rest/system/session", content=b"{")).status_code == 400
        assert (await http.post("/rest/system/session", content=b'"' + b"x" * 100_000)).status_code == 400
        assert (await http.post("/rest/system/session", content=b"[" * 60_000)).status_code == 400
        assert (await http.patch("/rest/system/session")).status_code == 405
    assert model.requests == [
        ("POST", {"name": "auth"}, ("admin", "a:b"), ""),
        ("PUT", "no", None, "good"),
        ("GET", None, None, "good"),
        ("DELETE", None, None, "good"),
    ]


async def test_without_a_server_header_there_is_none() -> None:
    async with parrot() as sim, httpx.AsyncClient(base_url=sim.url) as http:
        assert "server" not in (await http.get("/rest/system/session")).headers


@pytest.mark.parametrize(("session", "status"), [("", 401), ("bad", 403)])
async def test_a_refused_socket_gets_its_status_before_the_upgrade(session: str, status: int) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with parrot() as sim, httpx.AsyncClient(base_url=sim.url) as http:
        answer = await http.get("/websocket", params={"user": "45", "session": session}, headers=upgrade)
        assert answer.status_code == status


async def test_a_session_in_a_cookie_opens_the_socket_too_and_the_version_is_told() -> None:
    headers = {"Cookie": "session=good", "User-Agent": "phone/1"}
    async with parrot(server_header="Vodia-PBX/67.0") as sim, socket_of(sim, "", **headers) as socket:
        assert json.loads(await socket.get_message()) == {"hello": "45", "by": "phone/1"}
        assert (b"server", b"Vodia-PBX/67.0") in socket.handshake_headers


async def test_frames_up_to_8_mib_pass_and_what_is_no_frame_is_dropped() -> None:
    async with parrot() as sim, socket_of(sim) as socket:
        await socket.get_message()
        assert await say(socket, "a") == {"parrot": "a"}
        await socket.send_message(b"binary")
        await socket.send_message("x" * (MAX_FRAME + 1))
        assert await say(socket, "fail" * 3) == {"parrot": "failfailfail"}
        await socket.send_message("fail")
        assert await say(socket, "still here") == {"parrot": "still here"}


async def test_a_large_frame_arrives_whole() -> None:
    async with parrot() as sim, socket_of(sim) as socket:
        await socket.get_message()
        text = "y" * (MAX_FRAME - 100)
        assert (await say(socket, text))["parrot"] == text


async def test_a_monstrous_frame_closes_its_socket_and_no_other() -> None:
    async with parrot() as sim, socket_of(sim) as other, socket_of(sim) as socket:
        await socket.send_message("x" * (2 * MAX_FRAME + 10))
        with pytest.raises(trio_websocket.ConnectionClosed):
            await drain(socket)
        await other.get_message()
        assert await say(other, "a") == {"parrot": "a"}


async def test_bytes_that_are_no_websocket_end_their_connection_only() -> None:
    async with parrot() as sim:
        stream = await trio.open_tcp_stream("127.0.0.1", sim.port)
        async with stream, socket_of(sim) as other:
            await stream.send_all(b"\x16\x03\x01\x00\xff\r\n\r\n" * 50)
            with trio.move_on_after(5):
                while await stream.receive_some():
                    pass
            await other.get_message()
            assert await say(other, "a") == {"parrot": "a"}


async def test_the_model_is_told_of_the_time_it_asked_for() -> None:
    model = ParrotPbx()
    async with parrot(model) as sim, socket_of(sim) as socket:
        await socket.get_message()
        with trio.fail_after(10):
            assert await say(socket, "tick") == {"tick": 1}


async def test_a_socket_that_the_model_closes_gets_what_was_queued_first() -> None:
    model = ParrotPbx()
    async with parrot(model) as sim, socket_of(sim) as socket:
        await socket.get_message()
        assert await say(socket, "close") == {"last": 1}
        with pytest.raises(trio_websocket.ConnectionClosed) as caught:
            await socket.get_message()
        assert caught.value.reason is not None
        assert (caught.value.reason.code, caught.value.reason.reason) == (1001, "enough")
        await until(lambda: not model.sockets)


async def test_a_client_that_does_not_read_is_dropped_and_blocks_nobody() -> None:
    model = ParrotPbx()
    async with parrot(model) as sim:
        deaf = await trio.open_tcp_stream("127.0.0.1", sim.port)
        async with deaf, socket_of(sim) as other:
            await other.get_message()
            await deaf.send_all(
                b"GET /websocket?user=1&session=good HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await until(lambda: len(model.sockets) == 2)
            await deaf.send_all(b"\x81\x85\x00\x00\x00\x00flood")
            assert await say(other, "a") == {"parrot": "a"}
            await until(lambda: len(model.sockets) == 1)
            assert sim.server.connections == 1


async def test_a_lever_is_pulled_in_the_actors_turn() -> None:
    async with parrot() as sim, socket_of(sim) as socket:
        await socket.get_message()
        await sim.lever(lambda now: [effects.SendFrame("socket 1", {"lever": True})])
        assert json.loads(await socket.get_message()) == {"lever": True}
        sim.post(lambda now: [effects.SendFrame("socket 1", {"posted": True}), effects.SendFrame("socket 9", {})])
        assert json.loads(await socket.get_message()) == {"posted": True}


def has_heard(model: ParrotPbx) -> bool:
    return bool(model.heard)


async def test_cancelling_leaves_nothing_behind() -> None:
    gc.collect()
    process = psutil.Process()

    def held() -> tuple[int, int, int]:
        return len(process.net_connections("all")), threading.active_count(), process.num_fds()

    before = held()
    for _ in range(2):
        model = ParrotPbx()
        async with trio.open_nursery() as nursery:

            sim = await nursery.start(partial(serve_model, model, listen="127.0.0.1:0"))
            idle = await trio.open_tcp_stream("127.0.0.1", sim.port)
            async with idle, socket_of(sim) as socket:
                await socket.send_message("offer")
                await socket.send_message("clog")
                await until(partial(has_heard, model))
                with trio.fail_after(10):
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.cancel_shielded_checkpoint()
        assert not model.sockets or sim.server.connections == 0
    await until(lambda: held() == before)


async def test_a_port_in_use_is_one_clear_error() -> None:
    async with parrot() as sim:
        with pytest.raises(ListenError, match=f"can't listen on 127.0.0.1:{sim.port}: the port is in use"):
            await serve_model(ParrotPbx(), listen=f"127.0.0.1:{sim.port}")


@pytest.mark.parametrize("listen", ["", "x", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:99999"])
async def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(UsageError):
        await serve_model(ParrotPbx(), listen=listen)


@pytest.mark.parametrize(
    ("listen", "parsed"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        (":80", ("0.0.0.0", 80)),
        ("8080", ("127.0.0.1", 8080)),
        ("[::1]:1", ("::1", 1)),
    ],
)
def test_ways_to_write_an_address(listen: str, parsed: tuple[str, int]) -> None:
    assert parse_listen(listen) == parsed


async def test_a_self_signed_certificate_serves_https_and_wss() -> None:
    async with parrot(tls=self_signed_context("127.0.0.1")) as sim:
        assert sim.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(base_url=sim.url, verify=False) as http:
            answer = await http.post("/rest/system/session", json={})
            assert "secure" in answer.headers["set-cookie"].lower()
        async with socket_of(sim) as socket:
            assert json.loads(await socket.get_message())["hello"] == "45"


async def test_all_interfaces_are_reached_from_this_machine() -> None:
    async with trio.open_nursery() as nursery:
        sim: Running = await nursery.start(partial(serve_model, ParrotPbx(), listen=":0"))
        assert sim.url == f"http://127.0.0.1:{sim.port}"
        assert sim.urls[0] == sim.url
        async with socket_of(sim) as socket:
            assert await socket.get_message()
        nursery.cancel_scope.cancel()


def test_a_certificate_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't use the certificate"):
        tls_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


async def test_files_are_served_with_their_types_never_stale_and_from_here_only() -> None:
    async with parrot() as sim, httpx.AsyncClient(base_url=sim.url) as http:
        page = await http.get("/")
        if page.status_code == 200:
            assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "no-store" in page.headers["cache-control"]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for path in ("/../server/http.py", "/..%2fserver%2fhttp.py", "/%2e%2e/__init__.py", "/nowhere.html", "/%00"):
            assert (await http.get(path)).status_code == 404
