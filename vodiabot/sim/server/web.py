"""The simulator's HTTP: `/rest/system/session`, `/websocket`, and the softphone page."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

import structlog
import trio
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketState

from .actor import Actor
from .http import MAX_FRAME, Address
from .outlet import Outlet
from .static import static_file

log = structlog.get_logger(__name__)

SESSION_PATH = "/rest/system/session"
MAX_BODY = 64 * 1024
"""Bytes of a login; a real one has a hundred."""

GOING_AWAY, UNSUPPORTED = 1001, 1003
"""WebSocket close codes (RFC 6455, section 7.4.1)."""

Message = MutableMapping[str, Any]


def make_app(actor: Actor, server_header: str, secure: bool, cut: Callable[[Address], None]) -> Any:
    """The ASGI app. `cut` ends the connection of a client's address."""
    web = _Web(actor, secure, cut)
    routes = [
        Route(SESSION_PATH, web.session, methods=["GET", "POST", "PUT", "DELETE"]),
        WebSocketRoute("/websocket", web.websocket),
        Route("/{path:path}", static_file, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    return _with_server_header(app, server_header) if server_header else app


class _Web:
    def __init__(self, actor: Actor, secure: bool, cut: Callable[[Address], None]) -> None:
        self._actor, self._secure, self._cut = actor, secure, cut

    # --- login -------------------------------------------------------------------------------------------------------

    async def session(self, request: Request) -> Response:
        """Answers are JSON; a session id comes as a quoted string and as a cookie [portal][live]."""
        try:
            body = json.loads(await _body(request) or b"null")
        except (ValueError, RecursionError):
            return PlainTextResponse("not JSON\n", 400)
        reply = await self._actor.session(request.method, body, _basic_auth(request), session_of(request))
        if request.method in ("POST", "PUT"):
            _log_login(body, reply.status)
        response = Response(
            json.dumps(reply.value), reply.status, media_type="application/json", headers={"Cache-Control": "no-store"}
        )
        if reply.cookie is not None:
            age = None if reply.cookie else 0
            response.set_cookie(
                "session", reply.cookie, max_age=age, path="/", httponly=True, samesite="lax", secure=self._secure
            )
        return response

    # --- socket ------------------------------------------------------------------------------------------------------

    async def websocket(self, ws: WebSocket) -> None:
        """One client's socket, from the upgrade to its end."""
        domain, user = ws.query_params.get("domain", ""), ws.query_params.get("user", "")
        client: Address = tuple(ws.scope["client"])
        if refusal := await self._actor.admits(domain, user, session_of(ws)):
            log.info("socket refused", user=user, domain=domain, status=refusal)
            await ws.send_denial_response(PlainTextResponse("refused\n", refusal))
            return
        await ws.accept()
        useragent = ws.headers.get("user-agent", "")
        async with self._actor.socket(lambda: self._cut(client), user, useragent) as outlet:
            log.debug("client connected", user=user, socket=outlet.socket, client=f"{client[0]}:{client[1]}")
            await self._converse(ws, outlet)

    async def _converse(self, ws: WebSocket, outlet: Outlet) -> None:
        """Both directions; ends when either does."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, ws, outlet, nursery.cancel_scope)
            await self._read(ws, outlet)
            nursery.cancel_scope.cancel()

    async def _write(self, ws: WebSocket, outlet: Outlet, conversation: trio.CancelScope) -> None:
        await outlet.pump(ws.send_text)
        if ws.application_state is WebSocketState.CONNECTED:
            await ws.close(GOING_AWAY, outlet.close_reason)
        conversation.cancel()

    async def _read(self, ws: WebSocket, outlet: Outlet) -> None:
        while (message := await ws.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            if text is None:
                log.warning("binary frame dropped", socket=outlet.socket, bytes=len(message.get("bytes") or b""))
            elif len(text) > MAX_FRAME:
                log.warning("frame too large; dropped", socket=outlet.socket, characters=len(text))
            else:
                await self._actor.frame(outlet.socket, text)


def session_of(connection: HTTPConnection) -> str:
    """The session id of a request, from its cookie or its URL [live]; "" if there is none."""
    return connection.cookies.get("session") or connection.query_params.get("session", "")


LOGIN_NAMES = {"auth": "password", "3rd": "an administrator's token", "session": "token"}
"""`name` of a login's body [portal]."""


def _log_login(body: Any, status: int) -> None:
    """Who, how and whether; never the password or token, which stands behind the user's name."""
    body = body if isinstance(body, dict) else {}
    how = LOGIN_NAMES.get(str(body.get("name")), "?")
    value = body.get("value") if how == "password" else body.get("username")
    user = value.partition(" ")[0][:40] if isinstance(value, str) and (how != "password" or " " in value) else "?"
    if status == 200:
        log.info("login", user=user, how=how)
    else:
        log.warning("login refused", user=user, how=how, status=status)


async def _body(request: Request) -> bytes:
    """Raises ValueError if it is too large."""
    body = b""
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > MAX_BODY:
                raise ValueError("too large")
    return body


def _basic_auth(request: Request) -> tuple[str, str] | None:
    """User and password of HTTP Basic authentication (RFC 7617)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def _with_server_header(app: Any, value: str) -> Any:
    """Put the `Server:` header, by which a client tells the PBX's version, on every answer."""
    header = (b"server", value.encode("latin-1", "replace"))

    async def wrapped(scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        async def with_header(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message = {**message, "headers": [*message.get("headers", []), header]}
            await send(message)

        await app(scope, receive, with_header)

    return wrapped
