"""Frames a second: codec, domain and one plugin beside a bare trio-websocket + msgspec loop; the same frames."""

from __future__ import annotations

import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import trio
import trio_websocket

from vodiabot import hookimpl
from vodiabot.domain import Domain
from vodiabot.plugins import LoadedPlugin, PluginHost
from vodiabot.plugins.model import Implementation
from vodiabot.protocol import codec

FRAMES = 20_000


def frame(number: int) -> str:
    """A user-state of about 600 bytes, as a busy domain sends them; each changes something."""
    state = {
        "action": "user-state",
        "type": "extensions",
        "account": str(100 + number % 200),
        "domain": "example.com",
        "name": f"Person {number % 200}",
        "registered": True,
        "chatstatus": "online" if number // 200 % 2 else "offline",
        "dnd": False,
        "tag": "x" * 350,
        "calls": [],
    }
    return msgspec.json.encode(state).decode()


class _Action(msgspec.Struct):
    action: str
    account: str = ""
    chatstatus: str = ""


async def _serve(request: trio_websocket.WebSocketRequest) -> None:
    socket = await request.accept()
    for number in range(FRAMES):
        await socket.send_message(frame(number))


async def _receive(port: int, handle: Any) -> float:
    """Seconds for all frames."""
    async with trio_websocket.open_websocket("127.0.0.1", port, "/", use_ssl=False) as socket:
        began = time.perf_counter()
        for _ in range(FRAMES):
            handle(await socket.get_message())
        return time.perf_counter() - began


def _bare() -> Any:
    decoder = msgspec.json.Decoder(_Action)
    return decoder.decode


def _ours(host: PluginHost) -> Any:
    domain = Domain()

    def handle(text: str) -> None:
        for event in domain.apply(codec.decode(text), 0.0):
            host.publish_event(event)

    return handle


class _Counter:
    def __init__(self) -> None:
        self.seen = 0

    @hookimpl
    async def account_changed(self, event: Any) -> None:
        self.seen += 1


async def measure() -> dict[str, float]:
    """Frames a second of both, and the ratio. The server is in the same process for both alike."""
    counter = _Counter()
    hook = Implementation("account_changed", counter.account_changed, ("event",))
    plugin = LoadedPlugin("counter", SimpleNamespace(), {"account_changed": hook})
    host = PluginHost([plugin], hook_timeout=10.0, bot=None)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        serve = partial(trio_websocket.serve_websocket, _serve, "127.0.0.1", 0, None)
        server = await nursery.start(serve)
        bare, ours = [], []
        for _ in range(3):
            bare.append(await _receive(server.port, _bare()))
            ours.append(await _receive(server.port, _ours(host)))
        nursery.cancel_scope.cancel()
    assert counter.seen, "the plugin has heard nothing"
    return {"bare": FRAMES / min(bare), "ours": FRAMES / min(ours), "ratio": min(bare) / min(ours)}
