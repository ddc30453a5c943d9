"""A recording that runs beside a handler's body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import trio

from ..errors import CallEnded
from ..ports import Recording
from .leg import Leg

log = structlog.get_logger(__name__)


class RunningRecording:
    """What `async with call.recording(path) as recording` gives."""

    def __init__(self, path: Path, stereo: bool) -> None:
        self.path = path
        self.result: Recording | None = None
        """Set when it is over: the body was left, or the call ended before. None if nothing could be recorded."""
        self.error: Exception | None = None
        """Why it failed, as soon as it did. Raised when the body is left, too, if nothing else flies there."""
        self._stereo = stereo
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
        except CallEnded:
            return  # before it began: nothing was recorded
        except Exception as exc:  # noqa: BLE001 - raised where the plugin is; here it would take the call down
            log.warning("a recording failed", call=leg.id, why=str(exc) or repr(exc))
            self.error = exc
        finally:
            self._done.set()

    async def _finish(self) -> None:
        self._stop.cancel()
        with trio.CancelScope(shield=True):
            await self._done.wait()

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def record_beside(leg: Leg, path: Path, *, stereo: bool = False) -> AsyncIterator[RunningRecording]:
    """Starts recording; leaving stops it and waits for the complete file. Raises SourceError when it is left, but not
    in place of what the body raises: that its call has ended, or that it is cancelled."""
    running = RunningRecording(path, stereo)
    leg.spawn(lambda: running._run(leg))
    try:
        yield running
    finally:
        await running._finish()
    running._check()
