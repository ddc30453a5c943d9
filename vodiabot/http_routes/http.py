"""`bot.http`: how a plugin declares its routes, and the table of all of them."""

from __future__ import annotations

import hmac
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.routing import compile_path

from ..errors import UsageError
from .request import Request

Handler = Callable[[Request], Awaitable[Any]]
Spawn = Callable[..., None]

BEARER = "authorization"
"""The header of a token, unless a route says otherwise: `Authorization: Bearer TOKEN`."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    token: bytes | None = None
    token_header: str = BEARER

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of a path that fits."""
        pattern, _, convertors = compile_path(self.path)
        found = pattern.match(path)
        if found is None:
            return None
        try:
            return {k: str(convertors[k].convert(v)) for k, v in found.groupdict().items()}
        except ValueError:  # a number of thousands of digits
            return None

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether the request has the token, compared in a time that tells nothing of it."""
        if self.token is None:
            return True
        given = headers.get(self.token_header, "")
        if self.token_header == BEARER:
            scheme, _, given = given.partition(" ")
            given = given.strip() if scheme.lower() == "bearer" else ""
        # as it came over the wire: a header is read as latin-1, whatever it is
        return hmac.compare_digest(given.encode("latin-1", "backslashreplace"), self.token)


class PluginHttp:
    """The routes of one plugin, under `/plugin/NAME`. They are gone when the plugin is over: it declares them anew in
    its setup or `bot_started`."""

    def __init__(self, plugin: str, spawn: Spawn, served: Callable[[], bool]) -> None:
        """`spawn` runs work in the plugin's own nursery, and counts its errors as the plugin's."""
        self.plugin = plugin
        self.spawn = spawn
        self.running = 0
        """Requests in its handlers now."""
        self.routes: list[Route] = []
        self._served = served

    def get(self, path: str, handler: Handler | None = None, **options: Any) -> Any:
        """As `post`."""
        return self._declare("GET", path, handler, **options)

    def post(self, path: str, handler: Handler | None = None, **options: Any) -> Any:
        """`@bot.http.post("/call/{to}", token=config.token)` before `async def handler(request)`, or
        `bot.http.post("/call/{to}", handler)`.

        `token`: a text or Secret that a request must have, in `Authorization: Bearer …`, or alone in `token_header`. A
        path that is declared again gets the new handler. Raises UsageError.
        """
        return self._declare("POST", path, handler, **options)

    def put(self, path: str, handler: Handler | None = None, **options: Any) -> Any:
        """As `post`."""
        return self._declare("PUT", path, handler, **options)

    def delete(self, path: str, handler: Handler | None = None, **options: Any) -> Any:
        """As `post`."""
        return self._declare("DELETE", path, handler, **options)

    def clear(self) -> None:
        """All are gone."""
        self.routes.clear()

    def _declare(
        self, method: str, path: str, handler: Handler | None, *, token: Any = None, token_header: str = BEARER
    ) -> Any:
        if not path.startswith("/"):
            raise UsageError(f"the path of a route begins with /, unlike {path!r}")
        try:
            compile_path(path)
        except (AssertionError, ValueError) as exc:
            raise UsageError(f"{path!r} can't be the path of a route: {exc}") from exc
        secret = _secret(token)

        def declare(handler: Handler) -> Handler:
            if not inspect.iscoroutinefunction(handler):
                raise UsageError(f"the handler of {method} {path} must be an async function")
            self._add(Route(method, path, handler, secret, token_header.lower()))
            return handler

        return declare if handler is None else declare(handler)

    def _add(self, route: Route) -> None:
        if not self._served():
            log.warning("a plugin has an HTTP route, but [http] listen is not set", plugin=self.plugin, path=route.path)
        self.routes = [r for r in self.routes if (r.method, r.path) != (route.method, route.path)] + [route]


def _secret(token: Any) -> bytes | None:
    """None means that there is none; a token that is empty was meant to be one."""
    if token is None:
        return None
    text = token.reveal() if hasattr(token, "reveal") else token
    if not isinstance(text, str) or not text:
        raise UsageError("the token of a route is empty, or is no text")
    return text.encode()


class Routes:
    """Those of all plugins of one bot."""

    def __init__(
        self, hook_timeout: Callable[[], float], states: Callable[[], Mapping[str, str]], served: bool
    ) -> None:
        """`states`: of each plugin that there is, by name: `running` and others."""
        self.hook_timeout = hook_timeout
        self.states = states
        self._served = served
        self._plugins: dict[str, PluginHttp] = {}

    def make(self, plugin: str, spawn: Spawn) -> PluginHttp:
        """A new, empty table; of a plugin that was loaded again it takes the place of the old one."""
        self._plugins[plugin] = PluginHttp(plugin, spawn, lambda: self._served)
        return self._plugins[plugin]

    def of(self, plugin: str) -> PluginHttp | None:
        """None if there is no such plugin."""
        return self._plugins.get(plugin) if plugin in self.states() else None
