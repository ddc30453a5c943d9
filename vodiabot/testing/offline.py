"""Nothing leaves the machine while a tape or a test is played: a webhook that is told of a call that was yesterday, or
never was, is a mistake that somebody acts on.

Python asks its audit hooks before it connects, sends a datagram or looks a name up, in all threads and for all
libraries that use its sockets: httpx on trio, asyncio, requests, smtplib. What brings its own, as uvloop, C libraries
and other processes do, is not seen. This machine's own addresses are refused, too: a service behind one may reach out.
Connections that are there already are left alone, and so are Unix sockets.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..plugins import current_plugin

SOCKETS = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


class OfflineError(OSError):
    """What whoever wants to connect gets, as if there was no network. It says how to allow it."""


@dataclass(eq=False)
class Offline:
    """Of one body of `offline`."""

    how: str
    """How to allow it, in words."""
    told: Callable[[str], None]
    """Gets each line of `refused`, perhaps in another thread."""
    refused: list[str] = field(default_factory=list)
    """In words, each place once for each plugin."""

    def refuse(self, place: str) -> OfflineError:
        """To be raised."""
        who = current_plugin.get() or "something"  # a thread of a library's own does not know for whom it works
        text = f"{who} wanted to reach {place}, but nothing leaves the machine here ({self.how})"
        if text not in self.refused:
            self.refused.append(text)
            self.told(text)
        return OfflineError(errno.ENETUNREACH, text)


@contextmanager
def offline(how: str, *, allowed: bool, told: Callable[[str], None]) -> Iterator[Offline]:
    """In the body, nothing in this process connects to anything. `how`: how to allow it, in words; `allowed`: it is.
    `told`: what was refused, in words, perhaps in another thread."""
    made = Offline(how, told)
    if allowed:
        yield made
        return
    bodies = _bodies()
    bodies.append(made)
    try:
        yield made
    finally:
        bodies.remove(made)


@cache
def _bodies() -> list[Offline]:
    """Those that run now. An audit hook stays for as long as the process lives, so there is one, which does nothing
    where none runs."""
    bodies: list[Offline] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if bodies and event.startswith("socket."):
            place = _place(event, args)
            if place:
                raise bodies[-1].refuse(place)

    sys.addaudithook(hook)
    return bodies


def _place(event: str, args: tuple[Any, ...]) -> str:
    """Where something wants to go; "" if that is all right."""
    if event in SOCKETS:
        sock, address = args[0], args[1]
        if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            return f"{address[0]}:{address[1]}"
    if event in LOOKUPS and args[0] and not _is_address(args[0]):
        name = args[0].decode("utf-8", "replace") if isinstance(args[0], bytes) else str(args[0])
        return f"{name}:{args[1]}" if event == LOOKUPS[0] and args[1] else name
    return ""


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True
