"""A thread that notices when the trio thread is blocked, and says by which plugin and where.

While a plugin computes, or sleeps with `time.sleep`, nothing else runs on the trio thread: no signalling, no other
plugin. It can't be stopped from outside; but it can be named.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from types import FrameType

import structlog
import trio

from .guard import current_plugin

CHECKS = 4
"""Looks in the time after which it speaks: so it speaks a quarter of that time late at most."""

FRAMES = 30
"""Of the stack, the innermost: a runaway recursion has a thousand."""

log = structlog.get_logger(__name__)


class Watchdog(trio.abc.Instrument):
    """Of one trio run."""

    def __init__(self, blocked_after: float) -> None:
        self.blocked_after = blocked_after
        """Seconds; may be changed at any time."""
        self.blockages = 0
        """How often it has spoken."""
        self.blocked_seconds = 0.0
        """How long these took, in all; those that are over."""
        self.by_plugin: dict[str, int] = {}
        """Blockages by plugin; "" for the engine."""
        self._busy_since: float | None = None
        """Since when trio has not waited for anything; None while it waits. Written by the trio thread alone."""
        self._stop = threading.Event()
        self._trio_thread = 0

    # --- on the trio thread ------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled; then the thread is joined. Once a watchdog."""
        self._trio_thread = threading.get_ident()
        self._busy_since = time.monotonic()
        thread = threading.Thread(target=self._watch, name="vodiabot-watchdog", daemon=True)
        trio.lowlevel.add_instrument(self)
        thread.start()
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            trio.lowlevel.remove_instrument(self)
            self._stop.set()
            thread.join()  # it waits for nothing but this

    def before_io_wait(self, timeout: float) -> None:
        """trio has run all that could run."""
        self._busy_since = None

    def after_io_wait(self, timeout: float) -> None:
        """trio runs again."""
        self._busy_since = time.monotonic()

    # --- on its own thread -------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.wait(self.blocked_after / CHECKS):
            since = self._busy_since
            if since is not None and time.monotonic() - since >= self.blocked_after:
                self._speak(since)

    def _speak(self, since: float) -> None:
        """Once a blockage; returns when it is over."""
        frame = sys._current_frames().get(self._trio_thread)
        plugin, stack = culprit(frame), stack_of(frame)
        self.blockages += 1
        self.by_plugin[plugin] = self.by_plugin.get(plugin, 0) + 1
        seconds = round(time.monotonic() - since, 1)
        log.error("the trio thread is blocked: signalling stands still", plugin=plugin, seconds=seconds, stack=stack)
        while self._busy_since == since and not self._stop.wait(self.blocked_after / CHECKS / 5):
            pass
        took = time.monotonic() - since
        self.blocked_seconds += took
        log.warning("the trio thread is free again", plugin=plugin, seconds=round(took, 1))


def culprit(frame: FrameType | None) -> str:
    """The plugin on whose behalf the task runs that a thread is in; "" if it is none's.

    The frame in which trio steps a task knows that task, and the task's context knows the plugin.
    """
    while frame is not None:
        task = frame.f_locals.get("task") if frame.f_globals.get("__name__", "").startswith("trio.") else None
        if isinstance(task, trio.lowlevel.Task):
            return task.context.get(current_plugin) or ""
        frame = frame.f_back
    return ""


def stack_of(frame: FrameType | None) -> str:
    """Where it is, the innermost last, without what is trio's around it."""
    if frame is None:
        return ""
    summary = traceback.extract_stack(frame, limit=FRAMES)
    steps = [i for i, entry in enumerate(summary) if entry.name == "unrolled_run"]
    return "".join(traceback.format_list(summary[steps[-1] + 1 :] if steps else summary)).rstrip()
