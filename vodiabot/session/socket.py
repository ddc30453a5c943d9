"""The WebSocket of one connection, behind a small interface that tests and the testing kit replace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import trio_websocket

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost
from .addresses import socket_url, tls_context
from .handshake import BROKEN, open_websocket
from .login import Hide, log_in
from .timers import SessionTimers

MAX_FRAME = 8 * 1024 * 1024
"""Bytes of a frame that is handed on: a domain-state of some ten thousand accounts."""

HARD_LIMIT = 64 * 1024 * 1024
"""Bytes at which the WebSocket itself is closed, to protect the memory; between the two a frame is dropped and the
session goes on."""


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

    def __init__(
        self, connection: trio_websocket.WebSocketConnection, server_header: str | None, peer: Any = None
    ) -> None:
        self._connection = connection
        self.server_header = server_header
        self.peer = peer
        """Socket address of the PBX."""

    async def send(self, text: str) -> None:
        try:
            await self._connection.send_message(text)
        except BROKEN as exc:
            raise ConnectionLost(f"the socket is closed ({_why(exc)})") from exc

    async def receive(self) -> str | bytes:
        try:
            received: str | bytes = await self._connection.get_message()
        except BROKEN as exc:
            raise ConnectionLost(f"the PBX closed the socket ({_why(exc)})") from exc
        return received

    async def ping(self) -> None:
        try:
            await self._connection.ping()
        except BROKEN as exc:
            raise ConnectionLost(f"the socket is closed ({_why(exc)})") from exc


def _why(exc: BaseException) -> str:
    if isinstance(exc, trio_websocket.ConnectionClosed) and exc.reason is not None:
        return f"{exc.reason.code} {exc.reason.name}"
    return type(exc).__name__


def _peer(connection: trio_websocket.WebSocketConnection) -> tuple[str, int] | None:
    remote = connection.remote
    return None if isinstance(remote, str) else (str(remote.address), remote.port)


@asynccontextmanager
async def connect(
    pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Hide
) -> AsyncIterator[Socket]:
    """The real thing: see `Connect`."""
    ticket = await log_in(pbx, extension, timeout=timers.answer, hide=hide)
    in_url = pbx.login == "url"
    url = socket_url(pbx, extension.user, ticket.session if in_url else None)
    headers = [] if in_url else [(b"Cookie", b"session=" + ticket.session.encode())]
    async with open_websocket(
        url, headers, tls_context(pbx), timeout=timers.answer, max_message_size=HARD_LIMIT
    ) as connection:
        yield WebSocket(connection, ticket.server_header, _peer(connection))
