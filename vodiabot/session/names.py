"""Names become addresses in threads, which may hang for half a minute each where DNS is away. Here they are few, and
who waits for one loses nothing by giving up: the answer that comes late serves the next try.

Trio's own way takes a thread of the pool that everything else uses for each try, and forgets what comes after it: a
dozen extensions fill the pool within seconds, and behind a first name server that is dead (5 s for each look-up) no try
would ever last long enough.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import trio

THREADS = 16
"""Look-ups at a time, of all names together."""
HANGING = 3
"""Of them for one and the same question."""
FRESH = 5.0
"""Seconds: a look-up that is younger is waited for. Beside one that hangs for longer a new one is tried, as DNS may be
back and what was asked before is lost."""
KEPT = 30.0
"""Seconds for which an answer serves, unless somebody wants it `anew`: so a login and its WebSocket go to the same of
several addresses."""

Key = tuple[Any, ...]
Answer = list[Any]


class Names(trio.abc.HostnameResolver):
    """The resolver of a trio run. `anew` and `hangs` are for who connects, again and again."""

    def __init__(self) -> None:
        self._asked: dict[Key, _Asked] = {}
        self._running = 0
        self._freed = trio.Event()

    def anew(self, host: str) -> None:
        """What is asked of this name from now on is looked up, but for an answer that has helped nobody yet."""
        for key, asked in list(self._asked.items()):
            if key[0] == _label(host) and asked.forget_used():
                del self._asked[key]

    def hangs(self, host: str) -> bool:
        """A look-up of this name is under way."""
        return any(key[0] == _label(host) and asked.running for key, asked in self._asked.items())

    async def getaddrinfo(
        self, host: bytes | None, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Answer:
        key = (host, port, family, type, proto, flags)
        asked = self._asked.setdefault(key, _Asked())
        if (kept := asked.kept(trio.current_time())) is not None:
            await trio.lowlevel.checkpoint()
            return kept
        waiter = asked.wait()
        try:
            if asked.wants_another(trio.current_time()):
                await self._start(key, asked)
            await waiter.done.wait()
        finally:
            asked.waiters.discard(waiter)
        return waiter.result()

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)

    async def _start(self, key: Key, asked: _Asked) -> None:
        while self._running >= THREADS:
            await self._freed.wait()
        if not asked.wants_another(trio.current_time()):
            return  # others were quicker
        self._running += 1
        number = asked.begin(trio.current_time())
        ended = partial(self._ended, asked, number)
        token = trio.lowlevel.current_trio_token()

        def deliver(result: Any) -> None:
            with suppress(trio.RunFinishedError):  # nobody wants to know any more
                token.run_sync_soon(ended, result)

        try:
            trio.lowlevel.start_thread_soon(lambda: socket.getaddrinfo(*key), deliver, "vodiabot-names")
        except RuntimeError as exc:  # a limit of processes: as soon as there is one again, names are looked up
            self._release()
            asked.failed(number, OSError(errno.EAGAIN, f"no thread for a look-up: {exc}"))

    def _release(self) -> None:
        self._running -= 1
        self._freed.set()
        self._freed = trio.Event()

    def _ended(self, asked: _Asked, number: int, result: Any) -> None:
        self._release()
        try:
            asked.answered(number, result.unwrap(), trio.current_time())
        except Exception as exc:  # noqa: BLE001 - raised again by whoever waits
            asked.failed(number, exc)


class _Waiter:
    """Somebody who has asked."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Answer = []
        self.error: Exception | None = None

    def result(self) -> Answer:
        if isinstance(self.error, OSError):
            raise type(self.error)(*self.error.args)  # of his own: several wait for the same
        if self.error is not None:
            raise self.error
        return self.answer


class _Asked:
    """One question: its look-ups, who waits for them, and the last answer."""

    def __init__(self) -> None:
        self.running: set[int] = set()
        self.waiters: set[_Waiter] = set()
        self._newest, self._newest_began = 0, 0.0
        self._answer: Answer | None = None
        self._answered_at, self._used = 0.0, False

    def kept(self, now: float) -> Answer | None:
        """An answer that serves."""
        if self._answer is not None and now - self._answered_at >= KEPT:
            self._answer = None
        self._used = True
        return self._answer

    def forget_used(self) -> bool:
        """An answer that has served goes. Gives whether there is nothing left to be remembered."""
        if self._used:
            self._answer = None
        return self._answer is None and not self.running and not self.waiters

    def wants_another(self, now: float) -> bool:
        return not self.running or (len(self.running) < HANGING and now - self._newest_began >= FRESH)

    def begin(self, now: float) -> int:
        self._newest, self._newest_began = self._newest + 1, now
        self.running.add(self._newest)
        return self._newest

    def wait(self) -> _Waiter:
        waiter = _Waiter()
        self.waiters.add(waiter)
        return waiter

    def answered(self, number: int, answer: Answer, now: float) -> None:
        self.running.discard(number)
        self._answer, self._answered_at, self._used = answer, now, bool(self.waiters)
        for waiter in self.waiters:
            waiter.answer = answer
            waiter.done.set()

    def failed(self, number: int, error: Exception) -> None:
        """That of an older look-up says nothing, where a newer one is awaited."""
        self.running.discard(number)
        for waiter in self.waiters if number == self._newest else ():
            waiter.error = error
            waiter.done.set()


def names_of_the_run() -> Names:
    """The resolver of this trio run; put in place by the first who asks. A test may have one of its own there."""
    before = trio.socket.set_custom_hostname_resolver(None)
    names = before if isinstance(before, Names) else Names()
    trio.socket.set_custom_hostname_resolver(before or names)
    return names


def _label(host: str) -> bytes:
    """As trio hands it on."""
    try:
        return host.encode("idna")
    except UnicodeError:  # a name that can't be one; who connects finds out
        return b""
