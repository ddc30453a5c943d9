"""Who reads events as a stream, by `bot.events()`: each at his own pace, and nobody waits for him."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio

from .events import Event
from .plugins import current_plugin

EVENT_BUFFER = 1000
"""Events that wait for one reader; then the oldest goes."""

log = structlog.get_logger(__name__)


class _Reader:
    """One stream."""

    def __init__(self, size: int) -> None:
        self.put, self.take = trio.open_memory_channel[Event](size)
        self._plugin = current_plugin.get() or ""
        self._lost = 0

    def tell(self, event: Event) -> None:
        """Never blocks, and never raises for what a reader does with his stream."""
        try:
            self._make_room()
            self.put.send_nowait(event)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # he has closed it, and not left it yet

    def _make_room(self) -> None:
        """Told when it begins, and with their number when he has caught up."""
        waiting = self.put.statistics()
        if waiting.current_buffer_used >= waiting.max_buffer_size:
            self.take.receive_nowait()
            self._lost += 1
            if self._lost == 1:
                log.warning("a reader of bot.events() is late, the oldest events are lost", plugin=self._plugin)
        elif self._lost and not waiting.current_buffer_used:
            log.warning("a reader of bot.events() has caught up", plugin=self._plugin, events_lost=self._lost)
            self._lost = 0


class Readers:
    """Those of one bot."""

    def __init__(self, size: int = EVENT_BUFFER) -> None:
        self._size = size
        self._all: list[_Reader] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._all)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[trio.MemoryReceiveChannel[Event]]:
        """See `Bot.events`."""
        reader = _Reader(self._size)
        self._all.append(reader)
        try:
            yield reader.take
        finally:
            self._all.remove(reader)
            reader.put.close()
            reader.take.close()

    def tell(self, event: Event) -> None:
        """Never blocks."""
        for reader in self._all:
            reader.tell(event)
