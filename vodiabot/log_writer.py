"""Writes log lines without ever making anybody wait: a thread of its own, with a bounded queue before it.

stderr may be a pipe whose reader hangs (a log collector that is stuck, a terminal stopped by Ctrl-S). Then the bot goes
on: lines wait while there is room, later ones are left out, and how many is told as soon as somebody reads again.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

MOST_BYTES = 8_000_000
"""That wait at most: a day of a quiet bot, or a minute of one that tells everything (`--debug`)."""

FLUSH = 1.0
"""Seconds that the end of the process waits for what was not written yet."""


class LineWriter:
    """Lines to a file descriptor. `put` may be called from any thread."""

    def __init__(
        self, fd: int, *, on_lost: Callable[[int], str], most_bytes: int = MOST_BYTES, encoding: str = "utf-8"
    ) -> None:
        """`on_lost` makes the line that tells how many are missing."""
        self.lost = 0
        """Lines that were left out, in all."""
        self._fd = fd
        self._on_lost = on_lost
        self._most_bytes = most_bytes
        self._encoding = encoding
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._untold = 0
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="vodiabot-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Never waits for the reader. `line` without its end."""
        raw = self._encoded(line)
        with self._changed:
            if self._bytes + len(raw) > self._most_bytes or self._closed:
                self.lost += 1
                self._untold += 1
                return
            for item in (*self._loss(), raw):  # where it happened
                self._waiting.append(item)
                self._bytes += len(item)
            self._changed.notify_all()

    def _loss(self) -> list[bytes]:
        """The line that tells of lines that were lost, if any were since the last one."""
        told = [self._encoded(self._on_lost(self._untold))] if self._untold else []
        self._untold = 0
        return told

    def _encoded(self, line: str) -> bytes:
        return (line + "\n").encode(self._encoding, "backslashreplace")

    def flush(self, timeout: float = FLUSH) -> bool:
        """Wait until all is written, `timeout` seconds at most. False if it is not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self) -> None:
        """Write what can be written soon, and end the thread; one that hangs is left to the end of the process."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(FLUSH)

    # --- on its own thread -------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        while (chunk := self._take()) is not None:
            self._write(chunk)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _take(self) -> bytes | None:
        """A line, or the line that tells of lost ones; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._untold or self._closed)
            if self._waiting:
                raw = self._waiting.popleft()
                self._bytes -= len(raw)
            elif self._untold and not self._closed:
                [raw] = self._loss()
            else:
                return None
            self._busy = True
            return raw

    def _write(self, raw: bytes) -> None:
        """Not through `sys.stderr`: its lock, held in a write that hangs, would hang the interpreter's end as well."""
        try:
            while raw:
                raw = raw[self._write_some(raw) :]
        except OSError:  # nobody reads any more, or the disk is full: there is no better place to tell it
            with self._changed:
                self.lost += 1

    def _write_some(self, raw: bytes) -> int:
        try:
            return os.write(self._fd, raw)
        except BlockingIOError:  # somebody else who has this terminal has made it non-blocking
            select.select([], [self._fd], [])
            return 0
