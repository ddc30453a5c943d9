"""Look-ups of names on the media loop: each in a thread that nobody has to wait for.

asyncio's own pool has few threads, and both its end and the process' wait for all of them: half a minute where DNS is
away, after the last call was hung up.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

KEPT = 30.0
"""Seconds: an answer that came after everybody had given up serves the next who asks."""

Key = tuple[Callable[..., Any], tuple[Any, ...]]


class LookUps:
    """One thread for each name at a time. On the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[Key, list[asyncio.Future[Any]]] = {}
        self._late: dict[Key, tuple[Any, float]] = {}

    def ask(self, look_up: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        key = (look_up, args)
        answer: asyncio.Future[Any] = self._loop.create_future()
        late, came = self._late.pop(key, (None, -KEPT))
        if late is not None and self._loop.time() - came < KEPT:
            answer.set_result(late)
        elif key in self._waiting:
            self._waiting[key].append(answer)
        else:
            self._begin(key, answer)
        return answer

    def _begin(self, key: Key, answer: asyncio.Future[Any]) -> None:
        try:
            threading.Thread(target=self._work, args=(key,), name="vodiabot-names", daemon=True).start()
        except RuntimeError as exc:  # a limit of processes; who asks later may have more luck
            answer.set_exception(OSError(errno.EAGAIN, f"no thread for a look-up: {exc}"))
        else:
            self._waiting[key] = [answer]

    def _work(self, key: Key) -> None:
        value, error = None, None
        try:
            value = key[0](*key[1])
        except Exception as exc:  # noqa: BLE001 - raised again by whoever waits
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._done, key, value, error)

    def _done(self, key: Key, value: Any, error: Exception | None) -> None:
        waiting = [future for future in self._waiting.pop(key) if not future.done()]
        for future in waiting:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if error is None and not waiting:
            self._late[key] = value, self._loop.time()
