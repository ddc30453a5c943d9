"""Serves the console's page and the state that it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .serving import bind, guards, serve

STATIC = Path(__file__).parent / "static"


async def serve_console(
    snapshot: Callable[[], dict[str, Any]],
    listen: str,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; started with the page's address. `snapshot` gives what `/state.json` answers.

    Raises ListenError if the address can't be listened on.
    """

    async def state(request: Request) -> Response:
        return JSONResponse(snapshot())

    listener = bind(listen, "the console")
    app = Starlette(
        routes=[Route("/state.json", state), Mount("/", StaticFiles(directory=STATIC, html=True))],
        middleware=guards(listener),
    )
    await serve(app, listener, task_status=task_status)
