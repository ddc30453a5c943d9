"""What goes out on one client's socket: a bounded queue and the task that empties it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import trio

log = structlog.get_logger(__name__)

MAX_QUEUED = 2000
"""Frames that may wait for a client. One that has so many unread doesn't read, and is dropped: the PBX never waits."""


class Outlet:
    """Frames to one client, in order."""

    def __init__(self, socket: str, cut: Callable[[], None]) -> None:
        """`cut` ends the connection at once, without goodbye."""
        self.socket = socket
        self._cut = cut
        self._sender, self._receiver = trio.open_memory_channel[str](MAX_QUEUED)
        self.close_reason = ""

    def send(self, frame: dict[str, Any]) -> None:
        """Queue a frame; never blocks. A client that doesn't read is cut."""
        try:
            self._sender.send_nowait(json.dumps(frame, separators=(",", ":")))
        except trio.WouldBlock:
            log.warning("client doesn't read; dropped", socket=self.socket, frames=MAX_QUEUED)
            self.close("does not read")
            self._cut()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # it is going away

    def close(self, why: str) -> None:
        """No more frames; those that are queued still go out. Idempotent."""
        self.close_reason = self.close_reason or why
        self._sender.close()

    async def pump(self, send_text: Callable[[str], Awaitable[None]]) -> None:
        """Write what is queued until it is closed."""
        async with self._receiver:
            async for text in self._receiver:
                await send_text(text)
