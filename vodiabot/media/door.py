"""A door between a leg's audio and a plugin's samples (`call.audio()`): the media loop's half and the queues.

The media loop never waits for a plugin: what it does not fetch in time is dropped, the oldest first. The plugin waits
for the media loop: what it sends faster than it can leave waits in a bounded queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from .audio import FRAME_SECONDS, NOTHING, Blocks, Samples, silence
from .waiting import Waiting


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
        self._out = Waiting(rate)
        self._left = True
        """All that was queued has been sent, and its time is over."""
        self._wake, self._waited = wake, False
        self._heard = Blocks()
        self._sent = Blocks()

    # --- the media loop's side ------------------------------------------------------------------------------------

    def push(self, samples: Samples | None, rate: int) -> None:
        """The other side's next 20 ms."""
        block = self._heard.rest() if samples is None else self._heard.to(self.rate, samples, rate)
        frame = silence(self._samples) if block is None else block
        with self._lock:
            if len(self._in) >= self._frames:
                self._in.popleft()
                self.lost_in += 1
            self._in.append(frame.tobytes())
            wake, self._waited = self._waited, False
        if wake:
            self._wake()

    def pull(self, rate: int) -> Samples | None:
        """The next 20 ms at the call's rate of what the plugin sends; None if there is nothing."""
        with self._lock:
            self._left = not self._out.held
            block = self._out.take(self._samples)
            wake, self._waited = self._waited, False
        if wake:
            self._wake()
        if block is None:
            return self._sent.rest()
        if len(block) < self._samples:
            block = np.concatenate((block, silence(self._samples - len(block))))
        return self._sent.to(rate, block, self.rate)

    def cut(self) -> None:
        """Nothing is sent from now on (a hold); what is queued waits."""
        with self._lock:
            self._out.cut()

    def leave(self) -> None:
        """The plugin has gone: what is heard of it just now fades, and nothing more. Idempotent."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._out.clear()
        self._wake()

    def close(self) -> None:
        """Nothing goes in or out any more. Idempotent."""
        with self._lock:
            self.closed = True
            self._out.drop()
        self._wake()

    # --- the plugin's side ----------------------------------------------------------------------------------------

    def receive(self) -> bytes | None:
        """The oldest frame; None: wait for `wake`."""
        with self._lock:
            if self._in:
                return self._in.popleft()
            self._waited = True
            return None

    def send(self, samples: bytes | memoryview) -> int:
        """Queue as many as there is room for, and say how many bytes that were; wait for `wake` with the rest."""
        block = np.frombuffer(samples, np.int16) if samples else NOTHING
        with self._lock:
            room = max(0, self._limit - self._out.held)
            self._waited = self._waited or len(block) > room
            self._out.put(block[:room])
            self._left = self._left and not self._out.held
            return 2 * min(room, len(block))

    def empty(self) -> bool:
        """All that was queued has left; False: wait for `wake`."""
        with self._lock:
            self._waited = self._waited or not self._left
            return self._left

    def clear(self) -> None:
        """Drop what has not left."""
        with self._lock:
            self._out.clear()
