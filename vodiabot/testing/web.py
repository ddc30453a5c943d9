"""HTTP requests to the plugins' own routes, without a socket: in virtual time, time would run on while one waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette

from ..http_routes.server import web_route

if TYPE_CHECKING:
    from .world import VirtualBot


def client(bot: VirtualBot, plugin: str) -> httpx.AsyncClient:
    """For the routes of one plugin: `await client(bot, "pizza").post("/order", json={…}, headers={…})`."""
    app = Starlette(routes=[web_route(bot.engine.http_routes)])
    app.router.redirect_slashes = False
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=f"http://localhost/plugin/{plugin}")
