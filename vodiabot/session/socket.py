"""The WebSocket of one connection, behind a small interface that tests and the testing kit replace."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol, cast

import trio
import trio_websocket
import wsproto.utilities

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, LoginRefused
from .addresses import socket_url, tls_context
from .login import Hide, log_in
from .quiet import SOCKET, unheard
from .timers import SessionTimers

MAX_FRAME = 8 * 1024 * 1024
"""Bytes of a frame that is handed on: a domain-state of some ten thousand accounts."""

HARD_LIMIT = 64 * 1024 * 1024
"""Bytes at which the WebSocket itself is closed, to protect the memory; between the two a frame is dropped and the
session goes on."""

GOODBYE = 0.3
"""Seconds for the closing handshake: politeness, nothing hangs on it."""

READ_SIZE = 65536
"""Bytes read at once; trio-websocket's own 4 KiB makes a large frame slow."""

_BROKEN = (
    trio_websocket.ConnectionClosed,
    trio_websocket.HandshakeError,
    wsproto.utilities.ProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    ssl.SSLError,
    OSError,
)
"""What the libraries raise for a connection that can't be used, or can't be used any more."""


class Socket(Protocol):
    """One connection to the PBX."""

    @property
    def server_header(self) -> str | None: ...

    async def send(self, text: str) -> None:
        """Raises ConnectionLost."""

    async def receive(self) -> str | bytes:
        """The next frame; bytes for what should not be there. Raises ConnectionLost."""

    async def ping(self) -> None:
        """Returns when the pong has come. Raises ConnectionLost."""


class Connect(Protocol):
    """Logs in anew and opens the socket. Raises LoginRefused, ConnectionLost, UsageError."""

    def __call__(
        self, pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Hide
    ) -> AbstractAsyncContextManager[Socket]: ...


class WebSocket:
    """`Socket` on trio-websocket."""

    def __init__(self, connection: trio_websocket.WebSocketConnection, server_header: str | None) -> None:
        self._connection = connection
        self.server_header = server_header

    async def send(self, text: str) -> None:
        try:
            await self._connection.send_message(text)
        except _BROKEN as exc:
            raise ConnectionLost(f"the socket is closed ({_why(exc)})") from exc

    async def receive(self) -> str | bytes:
        try:
            received: str | bytes = await self._connection.get_message()
        except _BROKEN as exc:
            raise ConnectionLost(f"the PBX closed the socket ({_why(exc)})") from exc
        return received

    async def ping(self) -> None:
        try:
            await self._connection.ping()
        except _BROKEN as exc:
            raise ConnectionLost(f"the socket is closed ({_why(exc)})") from exc


def _why(exc: BaseException) -> str:
    if isinstance(exc, trio_websocket.ConnectionClosed) and exc.reason is not None:
        return f"{exc.reason.code} {exc.reason.name}"
    return type(exc).__name__


@asynccontextmanager
async def connect(
    pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Hide
) -> AsyncIterator[Socket]:
    """The real thing: see `Connect`."""
    ticket = await log_in(pbx, extension, timeout=timers.answer, hide=hide)
    in_url = pbx.login == "url"
    url = socket_url(pbx, extension.user, ticket.session if in_url else None)
    headers = [] if in_url else [(b"Cookie", b"session=" + ticket.session.encode())]
    async with trio.open_nursery() as nursery:
        with unheard(SOCKET):
            connection = await _open(nursery, url, headers, tls_context(pbx), timers)
        try:
            yield WebSocket(connection, ticket.server_header)
        finally:
            await _leave(connection)
            nursery.cancel_scope.cancel()


async def _leave(connection: trio_websocket.WebSocketConnection) -> None:
    """Close, politely where that is possible at once."""
    with trio.move_on_after(GOODBYE, shield=True), suppress(*_BROKEN):  # it is over anyway
        await connection.aclose()


class _Reading:
    """Stands where trio-websocket wants a nursery for its reader: an end of the reader in the middle of the handshake
    is noticed at once, and no exception of it cancels what uses the connection."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.error: BaseException | None = None
        self.over = trio.Event()

    def start_soon(self, reader: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, reader)

    async def _run(self, reader: Callable[[], Awaitable[None]]) -> None:
        try:
            await reader()
        except _BROKEN as exc:
            self.error = exc  # whoever uses the connection finds it closed
        finally:
            self.over.set()


async def _open(
    nursery: trio.Nursery,
    url: str,
    headers: list[tuple[bytes, bytes]],
    context: ssl.SSLContext | None,
    timers: SessionTimers,
) -> trio_websocket.WebSocketConnection:
    place = url.split("?", 1)[0]  # what follows may hold the session id
    try:
        with trio.fail_after(timers.answer):
            return await _shake_hands(nursery, url, headers, context)
    except trio_websocket.ConnectionRejected as exc:
        if exc.status_code in (401, 403):
            raise LoginRefused(f"{place} refused the session (HTTP {exc.status_code})") from None
        raise ConnectionLost(f"{place} answered HTTP {exc.status_code}") from None
    except trio.TooSlowError:
        raise ConnectionLost(f"{place} did not answer in time") from None
    except _BROKEN as exc:
        raise ConnectionLost(f"{place}: {str(exc) or type(exc).__name__}") from exc


async def _shake_hands(
    nursery: trio.Nursery, url: str, headers: list[tuple[bytes, bytes]], context: ssl.SSLContext | None
) -> trio_websocket.WebSocketConnection:
    reading = _Reading(nursery)
    opened: list[trio_websocket.WebSocketConnection] = []

    async def handshake() -> None:
        connection = await trio_websocket.connect_websocket_url(
            cast(Any, reading),
            url,
            ssl_context=context,
            extra_headers=headers,
            max_message_size=HARD_LIMIT,
            receive_buffer_size=READ_SIZE,
        )
        opened.append(connection)

    await _unless(reading.over, handshake)
    if not opened:
        raise reading.error or trio.BrokenResourceError("closed before the WebSocket was open")
    return opened[0]


async def _unless(over: trio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, but not longer than until `over`. What `work` raises comes out as it is."""
    failed: list[Exception] = []

    async def working() -> None:
        try:
            await work()
        except _BROKEN as exc:
            failed.append(exc)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope
        nursery.start_soon(working)
        await over.wait()
        scope.cancel()
    if failed:
        raise failed[0]
