"""Tells systemd how the service fares (sd_notify(3)): READY, WATCHDOG, STOPPING, and a line for `systemctl status`.
Without `NOTIFY_SOCKET` it does nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog
import trio

from .console.ops import why_not_alive

if TYPE_CHECKING:
    from .bot import Bot

STATUS_EVERY = 5.0
"""Seconds."""

log = structlog.get_logger(__name__)


class Notifier:
    """To the service manager that has started us, if one has."""

    def __init__(self, env: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self._failed = False
        mine = env.get("WATCHDOG_PID") in (None, str(os.getpid() if pid is None else pid))
        self.watchdog = _seconds(env.get("WATCHDOG_USEC")) if mine else None
        """Seconds after which it kills a service that has not said WATCHDOG=1; None if it does not."""

    @property
    def wanted(self) -> bool:
        return self._address is not None

    def tell(self, *lines: str) -> None:
        """`tell("READY=1")`. Never blocks and never raises: a manager that does not listen is its own trouble."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as exc:
            if not self._failed:
                log.warning("systemd can't be told how the bot fares", why=str(exc))
            self._failed = True


async def keep_informed(bot: Bot, notifier: Notifier) -> None:
    """Until cancelled, of a bot that has started: READY at once, STOPPING when it leaves. The watchdog is fed as long
    as the trio loop runs, which this shows by itself, and the media loop answers."""
    if not notifier.wanted:
        return
    notifier.tell("READY=1", f"STATUS={status_line(bot)}")
    pause = STATUS_EVERY if notifier.watchdog is None else min(STATUS_EVERY, notifier.watchdog / 2)
    told_stopping = False
    while True:
        await trio.sleep(pause)
        if bot.draining and not told_stopping:
            told_stopping = True
            notifier.tell("STOPPING=1")
        dead = await why_not_alive(bot)
        notifier.tell(f"STATUS={'; '.join(dead) or status_line(bot)}", *([] if dead else ["WATCHDOG=1"]))


def status_line(bot: Bot) -> str:
    """`1 of 2 sessions up, 3 calls`."""
    up = sum(line.up for line in bot.lines)
    leaving = "leaving, " if bot.draining else ""
    return f"{leaving}{up} of {len(bot.lines)} sessions up, {len(bot.calls)} calls"


def _address(text: str) -> str | None:
    """A path, or an abstract socket with @ for its zero byte; others (vsock) are left alone."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _seconds(microseconds: str | None) -> float | None:
    try:
        return int(microseconds or "") / 1e6 or None
    except ValueError:
        return None
