"""Serves the console's page and the state that it shows."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve as hypercorn_serve
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import UsageError

STATIC = Path(__file__).parent / "static"

HEADERS = {
    b"content-security-policy": b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}

SHUTDOWN = 1.0
"""Seconds that open requests may take when the bot leaves."""


async def serve_console(
    snapshot: Callable[[], dict[str, Any]],
    listen: str,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; started with the page's address. `snapshot` gives what `/state.json` answers.

    Raises UsageError if the address can't be listened on.
    """
    listener = _bind(listen)
    host, port = listener.getsockname()[:2]
    config = HypercornConfig()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = SHUTDOWN
    config.errorlog = None
    async with trio.open_nursery() as nursery:
        leave = trio.Event()
        app: Any = _app(snapshot, host)  # the two libraries spell ASGI differently
        serve = partial(hypercorn_serve, app, config, shutdown_trigger=leave.wait)
        await nursery.start(serve)
        task_status.started(f"http://{host}:{port}")
        try:
            await trio.sleep_forever()
        finally:
            leave.set()


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server((host, int(port)))
    except (OSError, ValueError, OverflowError) as exc:
        raise UsageError(f"the console can't listen on {listen}: {exc}") from exc


def _app(snapshot: Callable[[], dict[str, Any]], host: str) -> Starlette:
    async def state(request: Request) -> Response:
        return JSONResponse(snapshot())

    return Starlette(
        routes=[
            Route("/state.json", state),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ],
        # a page elsewhere that points its own name at this address (DNS rebinding) must not read the bot's state
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[host, "localhost", "127.0.0.1"]),
            Middleware(_Headers),
        ],
    )


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
