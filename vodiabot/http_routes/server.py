"""From an HTTP request to a plugin's handler, and back. The handler runs in the plugin's own nursery, on its behalf,
within `hook_timeout`; what it raises is counted and logged as the plugin's, and the caller learns nothing of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import structlog
import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response as WebResponse
from starlette.routing import Route as WebRoute

from ..config.model import HttpConfig
from ..console.serving import bind, guards, serve
from ..errors import NotAllowed
from .http import PluginHttp, Route, Routes
from .request import BadRequest, Request, Response, as_response

BIGGEST_BODY = 1_000_000
"""Bytes. Webhooks are some kilobytes; what is bigger is a mistake or an attack."""

BODY_TIMEOUT = 10.0
"""Seconds within which a body has to come: who sends a byte a second must not hold a place."""

MOST_REQUESTS = 20
"""Of one plugin at a time. Those after them get 503 and may come again."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

log = structlog.get_logger(__name__)


async def serve_routes(
    routes: Routes, config: HttpConfig, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve `/plugin/NAME/…` until cancelled; started with the address. Raises ListenError if it can't be had."""
    listener = bind(config.listen, "[http]")
    app = Starlette(
        routes=[web_route(routes)],
        middleware=guards(listener, config.hosts),
    )
    app.router.redirect_slashes = False
    await serve(app, listener, task_status=task_status)


def web_route(routes: Routes) -> WebRoute:
    """All routes of all plugins, as starlette takes it."""

    async def answer(request: WebRequest) -> WebResponse:
        return _web(await _answer(routes, request))

    return WebRoute("/plugin/{plugin}/{path:path}", answer, methods=METHODS)


async def _answer(routes: Routes, request: WebRequest) -> Response:
    plugin, path = request.path_params["plugin"], "/" + request.path_params["path"]
    headers = dict(request.headers)
    if _from_another_page(headers):
        return Response(403, "not from another page")
    http = routes.of(plugin)
    if http is None:
        return Response(404, "there is nothing here")
    if routes.states()[plugin] != "running":
        return Response(503, "not now", {"retry-after": "30"})
    found = _find(http, request.method, path)
    if isinstance(found, Response):
        return found
    route, params = found
    if not route.admits(headers):
        log.warning("an HTTP request without the right token", plugin=plugin, path=route.path)
        return Response(401, "who are you?", {"www-authenticate": "Bearer"})
    if http.running >= MOST_REQUESTS:
        return Response(503, "too many at once", {"retry-after": "1"})
    http.running += 1
    try:
        return await _handled(http, route, params, path, headers, request, routes.hook_timeout())
    finally:
        http.running -= 1


def _from_another_page(headers: Mapping[str, str]) -> bool:
    """A page of somebody else in a browser on this network can send a simple POST here (cross-site request forgery). A
    browser says so; services say neither."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _find(http: PluginHttp, method: str, path: str) -> tuple[Route, dict[str, str]] | Response:
    matching = [(route, params) for route in http.routes if (params := route.match(path)) is not None]
    for route, params in matching:
        if route.method == method:
            return route, params
    if matching:
        return Response(405, "not that way", {"allow": ", ".join(sorted({route.method for route, _ in matching}))})
    return Response(404, "there is nothing here")


async def _handled(
    http: PluginHttp,
    route: Route,
    params: dict[str, str],
    path: str,
    headers: dict[str, str],
    request: WebRequest,
    hook_timeout: float,
) -> Response:
    body = await _body(request)
    if isinstance(body, Response):
        return body
    asked = Request(request.method, path, params, dict(request.query_params), headers, body)
    visit = _Visit(route, asked, hook_timeout)
    try:
        http.spawn(visit.run)
    except NotAllowed:
        return Response(503, "not now", {"retry-after": "30"})
    await visit.over.wait()
    log.info("an HTTP request", plugin=http.plugin, method=route.method, path=route.path, status=visit.answer.status)
    return visit.answer


class _Visit:
    """One run of a handler, as a task of the plugin's."""

    def __init__(self, route: Route, request: Request, time_limit: float) -> None:
        self.over = trio.Event()
        self.answer = Response(503, "not now", {"retry-after": "30"})  # if the plugin ends meanwhile
        self._route = route
        self._request = request
        self._time_limit = time_limit
        self.task_name = f"{route.method} {route.path}"
        """In the log."""

    async def run(self) -> None:
        """What it raises is the plugin's, for whoever runs the plugin's work."""
        try:
            with trio.fail_after(self._time_limit):
                answer = as_response(await self._route.handler(self._request))
            answer.encoded()
            self.answer = answer
        except BadRequest as exc:
            self.answer = Response(400, str(exc))
        except trio.TooSlowError:
            self.answer = Response(504, "it took too long")
            raise TimeoutError(f"{self.task_name} took longer than {self._time_limit:g} s") from None
        except Exception as exc:
            self.answer = Response(500, "that went wrong here")
            exc.add_note(f"in the handler of {self.task_name}")
            raise
        finally:
            self.over.set()


def _parts(request: WebRequest) -> AsyncGenerator[bytes, None]:
    stream: Any = request.stream()  # starlette says AsyncGenerator in its own way
    return stream  # type: ignore[no-any-return]


async def _body(request: WebRequest) -> bytes | Response:
    parts: list[bytes] = []
    size = 0
    with trio.move_on_after(BODY_TIMEOUT):
        try:
            async with aclosing(_parts(request)) as stream:
                async for part in stream:
                    size += len(part)
                    if size > BIGGEST_BODY:
                        return Response(413, f"{BIGGEST_BODY} bytes at most")
                    parts.append(part)
        except ClientDisconnect:
            return Response(400, "it broke off")
        return b"".join(parts)
    return Response(408, "it did not come in time")


def _web(answer: Response) -> WebResponse:
    body, content_type = answer.encoded()
    headers: dict[str, Any] = {k.lower(): v for k, v in answer.headers.items()}
    if answer.status not in (204, 304):
        headers.setdefault("content-type", content_type)
    return WebResponse(body, answer.status, headers=headers)
