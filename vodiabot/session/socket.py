"""The WebSocket of one connection, behind a small interface that tests and the testing kit replace."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import trio
import trio_websocket

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, LoginRefused
from .addresses import socket_url, tls_context
from .login import Hide, log_in
from .timers import SessionTimers

MAX_FRAME = 8 * 1024 * 1024
"""Bytes of a frame that is handed on: a domain-state of some ten thousand accounts."""

HARD_LIMIT = 64 * 1024 * 1024
"""Bytes at which the WebSocket itself is closed, to protect the memory; between the two a frame is dropped and the
session goes on."""


GOODBYE = 0.3
"""Seconds for the closing handshake: politeness, nothing hangs on it."""


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
        except (trio_websocket.ConnectionClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise ConnectionLost(f"the socket is closed ({_why(exc)})") from exc

    async def receive(self) -> str | bytes:
        try:
            received: str | bytes = await self._connection.get_message()
        except (trio_websocket.ConnectionClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise ConnectionLost(f"the PBX closed the socket ({_why(exc)})") from exc
        return received

    async def ping(self) -> None:
        try:
            await self._connection.ping()
        except (trio_websocket.ConnectionClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
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
        connection = await _open(nursery, url, headers, tls_context(pbx), timers)
        try:
            yield WebSocket(connection, ticket.server_header)
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                await connection.aclose()
            nursery.cancel_scope.cancel()


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
            return await trio_websocket.connect_websocket_url(
                nursery, url, ssl_context=context, extra_headers=headers, max_message_size=HARD_LIMIT
            )
    except trio_websocket.ConnectionRejected as exc:
        if exc.status_code in (401, 403):
            raise LoginRefused(f"{place} refused the session (HTTP {exc.status_code})") from None
        raise ConnectionLost(f"{place} answered HTTP {exc.status_code}") from None
    except trio.TooSlowError:
        raise ConnectionLost(f"{place} did not answer in time") from None
    except (trio_websocket.HandshakeError, ssl.SSLError, OSError, trio.BrokenResourceError) as exc:
        raise ConnectionLost(f"{place}: {str(exc) or type(exc).__name__}") from exc


