"""A TCP proxy between bot and simulator that misbehaves on demand."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class BadWire:
    """Forwards; `cut` breaks every connection without a close, `mute` keeps them and forwards nothing."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._streams: set[trio.SocketStream] = set()
        self._muted: set[trio.SocketStream] = set()
        self.port = 0

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            [listener, *_] = await nursery.start(trio.serve_tcp, self._connection, 0)
            self.port = listener.socket.getsockname()[1]
            task_status.started()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """A reset: the other end finds out when it reads or writes."""
        for stream in list(self._streams):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.socket.close()

    def mute(self) -> None:
        """Half-open: what is connected now says nothing any more; new connections work."""
        self._muted |= self._streams

    async def _connection(self, client: trio.SocketStream) -> None:
        try:
            server = await trio.open_tcp_stream("127.0.0.1", self._to)
        except OSError:
            return
        self._streams |= {client, server}
        try:
            async with server, trio.open_nursery() as nursery:
                nursery.start_soon(self._forward, client, server, nursery.cancel_scope)
                await self._forward(server, client, nursery.cancel_scope)
        finally:
            self._streams -= {client, server}

    async def _forward(self, one: trio.SocketStream, other: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            async for chunk in one:
                if one in self._muted:
                    await trio.sleep_forever()
                await other.send_all(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # either side is gone: so is the connection
        scope.cancel()


@asynccontextmanager
async def bad_wire(port: int) -> AsyncIterator[BadWire]:
    wire = BadWire(port)
    async with trio.open_nursery() as nursery:
        await nursery.start(wire.serve)
        yield wire
        nursery.cancel_scope.cancel()
