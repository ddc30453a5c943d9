"""A door between a leg's audio and a plugin's samples (`call.audio()`): the media loop's half and the queues.

The media loop never waits for a plugin: what it does not fetch in time is dropped, the oldest first. The plugin waits
for the media loop: what it sends faster than it can leave waits in a bounded queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from .audio import FRAME_SECONDS, Blocks, Samples, silence


class Door:
    """Used by two threads; whatever they share is under a lock that is held for microseconds."""

    def __init__(self, rate: int, frames: int, wake: Callable[[], None]) -> None:
        """`wake` is called (on the media loop) when the other thread waits and something changed."""
        self.rate = rate
        self.lost_in = 0
        self.closed = False
        self._samples = round(FRAME_SECONDS * rate)
        self._limit = frames * self._samples
        self._lock = threading.Lock()
        self._in: deque[bytes] = deque()
        self._frames = frames
        self._out: deque[Samples] = deque()
        self._queued = 0
        self._wake, self._waited = wake, False
        self._heard = Blocks()
        self._sent = Blocks()

    # --- the media loop's side ------------------------------------------------------------------------------------

    def push(self, samples: Samples | None, rate: int) -> None:
        """The other side's next 20 ms."""
        block = silence(self._samples) if samples is None else self._heard.to(self.rate, samples, rate)
        with self._lock:
            if len(self._in) >= self._frames:
                self._in.popleft()
                self.lost_in += 1
            self._in.append(block.tobytes())
            wake, self._waited = self._waited, False
        if wake:
            self._wake()

    def pull(self, rate: int) -> Samples | None:
        """The next 20 ms at the call's rate of what the plugin sends; None if there is nothing."""
        with self._lock:
            block = self._take(self._samples)
            wake, self._waited = self._waited, False
        if wake:
            self._wake()
        return None if block is None else self._sent.to(rate, block, self.rate)

    def close(self) -> None:
        """The leg is closed, or the plugin left. Idempotent."""
        with self._lock:
            self.closed = True
            self._out.clear()
            self._queued = 0
        self._wake()

    def _take(self, n: int) -> Samples | None:
        blocks = []
        while self._out and n > 0:
            first = self._out.popleft()
            if len(first) > n:
                self._out.appendleft(first[n:])
            blocks.append(first[:n])
            n -= len(blocks[-1])
            self._queued -= len(blocks[-1])
        if not blocks:
            return None
        return np.concatenate([*blocks, silence(n)] if n else blocks)

    # --- the plugin's side ----------------------------------------------------------------------------------------

    def receive(self) -> bytes | None:
        """The oldest frame; None: wait for `wake`."""
        with self._lock:
            if self._in:
                return self._in.popleft()
            self._waited = True
            return None

    def send(self, samples: bytes) -> bool:
        """Queue them; False: the queue is full, wait for `wake`."""
        block = np.frombuffer(samples, np.int16)
        with self._lock:
            if self._queued >= self._limit:
                self._waited = True
                return False
            self._out.append(block)
            self._queued += len(block)
            return True

    def empty(self) -> bool:
        """All that was queued has left; False: wait for `wake`."""
        with self._lock:
            self._waited = self._waited or bool(self._queued)
            return not self._queued

    def clear(self) -> None:
        """Drop what has not left."""
        with self._lock:
            self._out.clear()
            self._queued = 0
