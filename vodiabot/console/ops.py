"""What machines ask a bot: does it live, can it work, what has it counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import MediaError
from ..readiness import warnings, why_not_ready
from .serving import bind, guards, serve

if TYPE_CHECKING:
    from ..bot import Bot

PING_TIMEOUT = 2.0
"""Seconds within which the media loop has to answer. It moves audio every 0.02 s: one that takes longer is stuck."""


async def serve_ops(bot: Bot, listen: str, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve `/healthz`, `/readyz` and `/metrics` until cancelled; started with the address.

    Raises ListenError if the address can't be listened on.
    """

    async def healthz(request: Request) -> Response:
        return _verdict(await why_not_alive(bot))

    async def readyz(request: Request) -> Response:
        return _verdict(why_not_ready(bot), warnings=warnings(bot))

    async def metrics(request: Request) -> Response:
        body, content_type = await bot.metrics.exposition(request.headers.get("accept", ""))
        return Response(body, media_type=None, headers={"content-type": content_type})

    listener = bind(listen, "[ops]")
    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)],
        # a scraper or an orchestrator calls by address or by whatever name the machine has
        middleware=guards(listener, ("*",) if bot.config.ops.remote else ()),
    )
    await serve(app, listener, task_status=task_status)


async def why_not_alive(bot: Bot) -> list[str]:
    """That this runs says that the trio loop does; the media loop is asked. Nothing of it lies with the PBX or the
    network: what restarts a bot by it must not restart it for them."""
    if bot.media is None:
        return ["the audio engine is not open"]
    with trio.move_on_after(PING_TIMEOUT):
        try:
            await bot.media.ping()
        except MediaError as exc:
            return [str(exc)]
        return []
    return [f"the media loop did not answer within {PING_TIMEOUT:g} s"]


def _verdict(reasons: list[str], **more: list[str]) -> Response:
    body: dict[str, Any] = {"ok": not reasons, "reasons": reasons, **more}
    return JSONResponse(body, 503 if reasons else 200)
