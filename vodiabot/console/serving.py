"""Serves a web application of ours, in the trio loop, until it is cancelled."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from functools import partial
from typing import Any

import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve as hypercorn_serve
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import ListenError, UsageError

HEADERS = {
    b"content-security-policy": b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}

SHUTDOWN = 1.0
"""Seconds that open requests may take when the bot leaves."""


async def serve(
    app: Starlette, listener: socket.socket, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; started with the address, `http://HOST:PORT`. Takes the listener over."""
    url = url_of(listener)
    config = HypercornConfig()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = SHUTDOWN
    config.errorlog = None
    async with trio.open_nursery() as nursery:
        leave = trio.Event()
        asgi: Any = app  # the two libraries spell ASGI differently
        await nursery.start(partial(hypercorn_serve, asgi, config, shutdown_trigger=leave.wait))
        task_status.started(url)
        try:
            await trio.sleep_forever()
        finally:
            leave.set()


def bind(listen: str, what: str) -> socket.socket:
    """A listening socket at HOST:PORT. Raises ListenError, which names `what` it is for; UsageError if it is none."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        why = "the port is in use" if exc.errno == errno.EADDRINUSE else exc.strerror or str(exc)
        why = why.partition(" (while attempting")[0]  # Python's own, with the address once more
        raise ListenError(f"{what} can't listen on {listen}: {why}") from exc
    except (ValueError, OverflowError) as exc:
        raise UsageError(f"{what} can't listen on {listen}: {exc}") from exc


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def guards(listener: socket.socket, more: Iterable[str] = ()) -> list[Middleware]:
    """Against pages elsewhere that point a name of their own at this address (DNS rebinding): only names that are known
    get an answer. And the same careful headers with each answer."""
    host = listener.getsockname()[0]
    allowed = [f"[{host}]" if ":" in host else host, "localhost", "127.0.0.1", *more]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
        Middleware(_Headers),
    ]


class _Headers:
    """Adds the same headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers)
