"""A PBX over real sockets, just big enough to log in to and to open a WebSocket at; told what to answer."""

from __future__ import annotations

import json
import socket as sockets
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio
import trio_websocket


class Request(msgspec.Struct, kw_only=True):
    """As it came; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any = None

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Answer(msgspec.Struct, kw_only=True):
    """To a POST or PUT; `raw` in place of all else."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}
    raw: bytes | None = None

    def encode(self) -> bytes:
        if self.raw is not None:
            return self.raw
        body = self.body.encode()
        head = {"Content-Length": str(len(body)), "Content-Type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"HTTP/1.1 {self.status} Said\r\nConnection: close\r\n{lines}\r\n".encode() + body


class StubPbx:
    """`requests`: all logins. `upgrades`: all requests for a WebSocket. `heard`: all frames."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.upgrades: list[Request] = []
        self.heard: list[dict[str, Any]] = []
        self.answer: Callable[[Request], Answer] = self.log_in
        self.refuse_upgrade: int | None = None
        self.hang_up_on_upgrade = False
        self._deaf: trio.Event | None = None
        self.url = ""
        self.open: list[trio_websocket.WebSocketConnection] = []
        self._streams: list[trio.SocketStream] = []
        self._logins = 0

    def log_in(self, request: Request) -> Answer:
        """A session id in the body and as a cookie, a new one each time."""
        self._logins += 1
        session = f"session-number-{self._logins}-of-45"
        return Answer(
            body=json.dumps(session),
            headers={"Set-Cookie": f"session={session}; path=/; HttpOnly", "Server": "Vodia-PBX/69.5.3"},
        )

    async def serve_stream(self, stream: trio.SocketStream, context: ssl.SSLContext | None) -> None:
        self._streams.append(stream)
        try:
            talk: trio.abc.Stream = stream if context is None else trio.SSLStream(
                stream, context, server_side=True, https_compatible=True
            )
            async with stream:
                await self._serve(talk)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio_websocket.ConnectionClosed):
            pass  # the bot went, or distrusts our certificate
        finally:
            self._streams.remove(stream)

    async def _serve(self, stream: trio.abc.Stream) -> None:
        head, rest = await _read_head(stream)
        if not head:
            return
        request = _parse(head)
        if request.path.endswith("/websocket"):
            await self._upgrade(request, stream, head + rest)
            return
        request.body = json.loads(await _read_body(stream, rest, int(request.headers.get("content-length", "0"))))
        self.requests.append(request)
        await stream.send_all(self.answer(request).encode())
        await stream.aclose()

    async def _upgrade(self, request: Request, stream: trio.abc.Stream, read: bytes) -> None:
        self.upgrades.append(request)
        if self.hang_up_on_upgrade:
            return
        if self.refuse_upgrade is not None:
            await stream.send_all(Answer(status=self.refuse_upgrade, body="no").encode())
            return
        async with trio.open_nursery() as nursery:
            asked = await trio_websocket.wrap_server_stream(nursery, _Replayed(stream, read))
            connection = await asked.accept()
            self.open.append(connection)
            try:
                await self._listen(connection)
            finally:
                self.open.remove(connection)
                nursery.cancel_scope.cancel()

    async def _listen(self, connection: trio_websocket.WebSocketConnection) -> None:
        while True:
            frame = json.loads(await connection.get_message())
            if self._deaf is not None:
                await self._deaf.wait()
            self.heard.append(frame)
            if frame["action"] == "sip-register":
                await connection.send_message(json.dumps({"action": "sip-register", "expires": 60}))

    def deafen(self) -> None:
        """From now on nothing is read of what comes over WebSockets."""
        self._deaf = trio.Event()

    def hear_again(self) -> None:
        """On new connections; the old ones stay as they are."""
        self._deaf = None

    def cut(self) -> None:
        """All connections are gone without a close, with a reset, as when a router forgets them."""
        for stream in self._streams:
            stream.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            stream.socket.close()


@asynccontextmanager
async def serving(pbx: StubPbx, *, context: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[int]:
    """Gives the port on 127.0.0.1; on leaving all is gone, as when the server is killed."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        pbx.url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}"

        async def handle(stream: trio.SocketStream) -> None:
            await pbx.serve_stream(stream, context)

        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield port
        nursery.cancel_scope.cancel()


class _Replayed(trio.abc.Stream):
    """A stream of which something has been read already."""

    def __init__(self, stream: trio.abc.Stream, read: bytes) -> None:
        self._stream = stream
        self._read = read

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._read:
            read, self._read = self._read, b""
            return read
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _read_head(stream: trio.abc.Stream) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(65536)
        if not more:
            return b"", b""
        data += more
    end = data.index(b"\r\n\r\n") + 4
    return data[:end], data[end:]


async def _read_body(stream: trio.abc.Stream, body: bytes, length: int) -> bytes:
    while len(body) < length:
        body += await stream.receive_some(65536)
    return body


def _parse(head: bytes) -> Request:
    first, *lines = head.decode().strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method=method, target=target, headers=headers)
