"""ICE servers from the configuration's URLs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiortc import RTCIceServer

from ..errors import UsageError

_URL = re.compile(r"(stuns?|turns?):(?://)?(?:([^:@]+):([^@]*)@)?([^?@]+)(\?transport=(?:udp|tcp))?")


def ice_servers_of(urls: Sequence[str]) -> tuple[RTCIceServer, ...]:
    """`stun:host[:port]`, `turn:[user:password@]host[:port][?transport=udp|tcp]`. Raises UsageError,
    without the password."""
    return tuple(_server(url) for url in urls)


def _server(url: str) -> RTCIceServer:
    match = _URL.fullmatch(url.strip())
    if match is None or (match[1].startswith("stun") and (match[2] or match[5])):
        shown = re.sub(r":[^:@]*@", ":***@", url)
        raise UsageError(f"{shown!r} is no ICE server: stun:host:port or turn:user:password@host:port")
    kind, user, password, host, transport = match.groups()
    return RTCIceServer(f"{kind}:{host}{transport or ''}", username=user, credential=password)
