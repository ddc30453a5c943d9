"""A PBX inside Playwright, without audio: a test says each frame, and sees what the page sends."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Route, WebSocketRoute

ORIGIN = "http://localhost:8321"
"""Nothing listens there: all requests are answered by Playwright."""

STATIC = Path(__file__).parents[2] / "vodiabot" / "sim" / "static"

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
"""As strict as any server may be: the page has no inline script or style and loads nothing from elsewhere."""

Frame = dict[str, Any]


class FakePbx:
    """Serves the page's own files, takes any login with the password `good`, and registers at once."""

    def __init__(self, context: BrowserContext) -> None:
        self.frames: list[Frame] = []
        self.logins: list[str] = []
        self.sockets: list[WebSocketRoute] = []
        self.urls: list[str] = []
        self.up = True
        self.server = "Vodia-PBX/67.0"
        self.registers = True
        self.on_frame: Callable[[Frame], None] = lambda frame: None
        context.route(f"{ORIGIN}/**", self._answer)
        context.route_web_socket("**/websocket*", self._socket)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).split("?")[0].split("#")[0]
        if not self.up:
            route.abort("connectionrefused")
        elif path == "/rest/system/session":
            self._login(route)
        else:
            file = STATIC / (path.lstrip("/") or "index.html")
            kind = mimetypes.guess_type(file.name)[0] or "text/plain"
            route.fulfill(body=file.read_bytes(), headers={"Content-Security-Policy": POLICY, "Content-Type": kind})

    def _login(self, route: Route) -> None:
        value = json.loads(route.request.post_data or "{}")["value"]
        user, _, password = value.partition(" ")
        self.logins.append(user)
        if password != "good":
            route.fulfill(status=401, body="false")
        else:
            headers = {"Server": self.server, "Content-Type": "application/json"}
            route.fulfill(body='"a-session"', headers=headers)

    def _socket(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        self.urls.append(socket.url)
        socket.on_message(self._received)

    def _received(self, text: str | bytes) -> None:
        frame: Frame = json.loads(text)
        self.frames.append(frame)
        if frame["action"] == "sip-register" and self.registers:
            self.say({"action": "sip-register", "expires": 60})
        self.on_frame(frame)

    def say(self, frame: Frame) -> None:
        """Send a frame to the page's newest socket."""
        self.sockets[-1].send(json.dumps(frame))

    def sent(self, action: str) -> list[Frame]:
        """The page's frames of one action, in order."""
        return [frame for frame in self.frames if frame["action"] == action]

    def drop(self) -> None:
        """The socket is gone."""
        self.sockets[-1].close(code=1001)
