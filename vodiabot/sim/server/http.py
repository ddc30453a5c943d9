"""HTTP and WebSocket connections on one port: hypercorn's trio server, one connection never harming another."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.utils import parse_socket_addr, wrap_app

log = structlog.get_logger(__name__)

MAX_FRAME = 8 * 1024 * 1024
"""Characters of a text frame that are read; a larger one is logged and dropped."""

MAX_MESSAGE = 2 * MAX_FRAME
"""Beyond this the server closes the socket (1009) instead of reading on."""

Address = tuple[str, int]


class HttpServer:
    """Serves an ASGI app on a listener until cancelled, and can cut a connection that doesn't read."""

    def __init__(self, app: Any, listener: trio.SocketListener, tls: ssl.SSLContext | None) -> None:
        self._app = wrap_app(app, MAX_FRAME, "asgi")
        self._listener: Any = trio.SSLListener(listener, tls, https_compatible=True) if tls else listener
        self._config = _config()
        self._context = WorkerContext(None)
        self._streams: dict[Address, trio.SocketStream] = {}

    async def run(self) -> None:
        """Until cancelled; then every connection is gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cut_all_when_cancelled)
            await trio.serve_listeners(self._connection, [self._listener], handler_nursery=nursery)

    def cut(self, client: Address) -> None:
        """End a client's connection now. hypercorn's writes are shielded: one to a client that doesn't read would
        hang for ever, cancelled or not, were its socket not closed."""
        if stream := self._streams.pop(client, None):
            stream.socket.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._streams)

    async def _cut_all_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            for client in list(self._streams):
                self.cut(client)

    async def _connection(self, stream: Any) -> None:
        raw: trio.SocketStream = getattr(stream, "transport_stream", stream)
        try:
            client = parse_socket_addr(raw.socket.family, raw.socket.getpeername())
        except OSError:
            client = None
        if client is None:
            return  # gone before it was served
        self._streams[client] = raw
        try:
            await TCPServer(self._app, self._config, self._context, {}, stream)
        except Exception:
            # A client's nonsense on the wire (a TLS, HTTP or WebSocket error) ends its own connection, nobody else's.
            log.warning("connection ended by an error", client=f"{client[0]}:{client[1]}", exc_info=True)
        finally:
            self._streams.pop(client, None)


def _config() -> Config:
    config = Config()
    config.include_server_header = False
    config.errorlog = logging.getLogger(__name__)
    config.websocket_max_message_size = MAX_MESSAGE
    return config
