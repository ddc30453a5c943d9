"""Whether the PBX can be told anything about a call, for those who had better wait until it can."""

from __future__ import annotations

import trio


class Reached:
    """One a leg."""

    def __init__(self) -> None:
        self._now = trio.Event()
        self._now.set()

    def tell(self, reached: bool) -> None:
        """How it is now. Never blocks."""
        if reached:
            self._now.set()
        elif self._now.is_set():
            self._now = trio.Event()

    async def wait(self) -> None:
        """Returns when it can."""
        await self._now.wait()
