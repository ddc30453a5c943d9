"""From an address to an open WebSocket, and every way in which that can fail."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from urllib.parse import urlsplit

import trio
import trio_websocket
import wsproto.utilities

from ..errors import ConnectionLost, LoginRefused
from .quiet import SOCKET, unheard

GOODBYE = 0.3
"""Seconds for the closing handshake: politeness, nothing hangs on it."""

READ_SIZE = 65536
"""Bytes read at once; trio-websocket's own 4 KiB makes a large frame slow."""

BROKEN = (
    trio_websocket.ConnectionClosed,
    trio_websocket.HandshakeError,
    wsproto.utilities.ProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    ssl.SSLError,
    OSError,
)
"""What the libraries raise for a connection that can't be used, or can't be used any more."""

Headers = list[tuple[bytes, bytes]]


@asynccontextmanager
async def open_websocket(
    url: str, headers: Headers, context: ssl.SSLContext | None, *, timeout: float, max_message_size: int
) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """An open WebSocket; closed on leaving, as politely as is possible at once. `timeout`: seconds for the handshake.

    The stream is ours and not trio-websocket's, which leaves it open when the other side closed or cut.

    Raises LoginRefused (401, 403), ConnectionLost.
    """
    place = url.split("?", 1)[0]  # what follows may hold the session id
    try:
        with trio.fail_after(timeout) as handshake:
            stream = await trio.open_tcp_stream(urlsplit(url).hostname or "", _port(url))
    except (trio.TooSlowError, *BROKEN) as exc:
        raise _translated(exc, place) from exc
    secured = _secured(stream, url, context)
    try:
        async with trio.open_nursery() as nursery:
            try:
                with unheard(SOCKET), trio.fail_at(handshake.deadline):
                    connection = await _shake_hands(nursery, secured, url, headers, max_message_size)
            except (trio.TooSlowError, *BROKEN) as exc:
                raise _translated(exc, place) from exc
            try:
                yield connection
            finally:
                with trio.move_on_after(GOODBYE, shield=True), suppress(*BROKEN):  # it is over anyway
                    await connection.aclose()
                nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "wss" else 80)


def _secured(stream: trio.SocketStream, url: str, context: ssl.SSLContext | None) -> trio.abc.Stream:
    if context is None:
        return stream
    return trio.SSLStream(stream, context, server_hostname=urlsplit(url).hostname, https_compatible=True)


async def _shake_hands(
    nursery: trio.Nursery, stream: trio.abc.Stream, url: str, headers: Headers, max_message_size: int
) -> trio_websocket.WebSocketConnection:
    if isinstance(stream, trio.SSLStream):
        await stream.do_handshake()  # by itself, so that what is wrong with the certificate is told
    parts = urlsplit(url)
    reading = _Reading(nursery)
    with reading.waited_for:
        return await trio_websocket.wrap_client_stream(
            cast(Any, reading),
            cast(Any, stream),
            parts.netloc,
            f"{parts.path}?{parts.query}",
            extra_headers=headers,
            max_message_size=max_message_size,
            receive_buffer_size=READ_SIZE,
        )
    raise reading.error or trio.BrokenResourceError("closed before the WebSocket was open")


class _Reading:
    """Stands where trio-websocket wants a nursery for its reader: an end of the reader in the middle of the handshake
    is noticed at once, and no exception of it cancels what uses the connection."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.error: BaseException | None = None
        self.waited_for = trio.CancelScope()

    def start_soon(self, reader: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, reader)

    async def _run(self, reader: Callable[[], Awaitable[None]]) -> None:
        try:
            await reader()
        except BROKEN as exc:
            self.error = exc  # whoever uses the connection finds it closed
        finally:
            self.waited_for.cancel()


def _translated(exc: BaseException, place: str) -> LoginRefused | ConnectionLost:
    if isinstance(exc, trio_websocket.ConnectionRejected):
        if exc.status_code in (401, 403):
            return LoginRefused(f"{place} refused the session (HTTP {exc.status_code})")
        return ConnectionLost(f"{place} answered HTTP {exc.status_code}")
    if isinstance(exc, trio.TooSlowError):
        return ConnectionLost(f"{place} did not answer in time")
    if isinstance(exc, wsproto.utilities.ProtocolError):
        return ConnectionLost(f"{place}: what it answers is no WebSocket")
    return ConnectionLost(f"{place}: {exc.__cause__ or exc or type(exc).__name__}")
