"""A recording that runs beside a handler's body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ..errors import SourceError
from ..ports import Recording
from .leg import Leg


class RunningRecording:
    """What `async with call.recording(path) as recording` gives."""

    def __init__(self, path: Path, stereo: bool) -> None:
        self.path = path
        self.result: Recording | None = None
        """Set when it is over: the body was left, or the call ended before. None if nothing could be recorded."""
        self._stereo = stereo
        self._error: SourceError | None = None
        self._stop = trio.CancelScope()
        self._done = trio.Event()

    async def _run(self, leg: Leg) -> None:
        """A task of the leg's, not of a nursery around the body: so the body's exceptions stay as they are."""
        try:
            began = trio.current_time()
            with self._stop:
                self.result = await leg.media.record(self.path, stereo=self._stereo)
            if self._stop.cancelled_caught:
                # What is written goes up to the moment at which it was stopped.
                self.result = Recording(path=self.path, duration=trio.current_time() - began, stopped_by="stopped")
        except SourceError as exc:
            self._error = exc
        finally:
            self._done.set()

    async def _finish(self) -> None:
        self._stop.cancel()
        with trio.CancelScope(shield=True):
            await self._done.wait()
        if self._error is not None:
            raise self._error


@asynccontextmanager
async def record_beside(leg: Leg, path: Path, *, stereo: bool = False) -> AsyncIterator[RunningRecording]:
    """Starts recording; leaving stops it and waits for the complete file. Raises SourceError when it is left."""
    running = RunningRecording(path, stereo)
    leg.spawn(lambda: running._run(leg))
    try:
        yield running
    finally:
        await running._finish()
