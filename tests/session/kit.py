"""Scripted PBXs in memory, named by how they misbehave, and what a session told, with the time of it."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from vodiabot.config.model import AdminConfig, ExtensionConfig, PbxConfig, Secret
from vodiabot.errors import ConnectionLost
from vodiabot.session import Session, SessionTimers, Socket


def pbx_config(url: str = "wss://pbx.test", **changes: Any) -> PbxConfig:
    return PbxConfig(url=url, **{"domain": "test.example", **changes})


def extension_config(password: str = "pass-word-45", **changes: Any) -> ExtensionConfig:
    return ExtensionConfig(user="45", password=Secret(password), **changes)


def admin_config(password: str = "admin-pass-word") -> AdminConfig:
    return AdminConfig(user="admin", password=Secret(password))


class GoodPbx:
    """Takes every connection, answers registrations and pings. The others misbehave in one thing each.

    `connects`: when it was tried to connect; `heard`: (time, frame) of all connections; `sockets`: the open ones
    and those that were.
    """

    expires: float | None = 60

    def __init__(self) -> None:
        self.connects: list[float] = []
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self.sockets: list[FakeSocket] = []

    @asynccontextmanager
    async def connect(
        self, pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Callable[[str], None]
    ) -> AsyncIterator[Socket]:
        self.connects.append(trio.current_time())
        await self.admit()
        async with trio.open_nursery() as nursery:
            socket = FakeSocket(self, nursery)
            self.sockets.append(socket)
            try:
                yield socket
            finally:
                socket.cut("left")
                socket.left = True
                nursery.cancel_scope.cancel()

    async def admit(self) -> None:
        """Raises what the login or the connection raises."""
        await trio.sleep(0.01)

    async def take(self, socket: FakeSocket, text: str) -> None:
        """A frame of the session."""
        await trio.lowlevel.checkpoint()
        frame = json.loads(text)
        self.heard.append((trio.current_time(), frame))
        if frame["action"] == "sip-register":
            self.register(socket)

    def register(self, socket: FakeSocket) -> None:
        socket.say(action="sip-register", **({} if self.expires is None else {"expires": self.expires}))

    async def pong(self, socket: FakeSocket) -> None:
        await trio.sleep(0.02)

    def times(self, action: str) -> list[float]:
        return [at for at, frame in self.heard if frame["action"] == action]

    def actions(self) -> list[str]:
        return [frame["action"] for _, frame in self.heard]


class FakeSocket:
    """`Socket` of a scripted PBX."""

    server_header = "Vodia-PBX/70.1"

    def __init__(self, pbx: GoodPbx, nursery: trio.Nursery) -> None:
        self._pbx = pbx
        self._nursery = nursery
        self._put, self._take = trio.open_memory_channel[str | bytes](math.inf)
        self._dead: str | None = None
        self.left = False

    def say(self, **frame: Any) -> None:
        self.say_raw(json.dumps(frame))

    def say_raw(self, text: str | bytes) -> None:
        if self._dead is None:
            self._put.send_nowait(text)

    def later(self, pause: float, what: Callable[..., None], *args: Any) -> None:
        """Do that after so many seconds, if the socket is still there."""
        self._nursery.start_soon(_after, pause, what, args)

    def cut(self, why: str = "cut") -> None:
        self._dead = self._dead or why
        self._put.close()

    async def send(self, text: str) -> None:
        if self._dead:
            raise ConnectionLost(self._dead)
        await self._pbx.take(self, text)

    async def receive(self) -> str | bytes:
        try:
            return await self._take.receive()
        except trio.EndOfChannel:
            raise ConnectionLost(self._dead or "cut") from None

    async def ping(self) -> None:
        if self._dead:
            raise ConnectionLost(self._dead)
        await self._pbx.pong(self)


async def _after(pause: float, what: Callable[..., None], args: tuple[Any, ...]) -> None:
    await trio.sleep(pause)
    what(*args)


class Watched:
    """A session and all that it told: `(time, "up"|"down", reason)`."""

    def __init__(self, pbx: GoodPbx, *, register: bool = True, seed: int = 1, **more: Any) -> None:
        self.pbx = pbx
        self.told: list[tuple[float, str, str]] = []
        self.frames: list[tuple[str, Any]] = []
        self.troubles: list[str] = []
        settings: dict[str, Any] = {
            "on_frame": lambda text, message: self.frames.append((text, message)),
            "on_up": lambda reason: self._tell("up", reason),
            "on_down": lambda reason: self._tell("down", reason),
            "on_trouble": lambda: self.troubles.append(str(self.session.trouble)),
            "connect": pbx.connect,
            "rng": random.Random(seed),
        }
        self.session = Session(pbx_config(), extension_config(register=register), **{**settings, **more})

    def _tell(self, what: str, reason: str) -> None:
        self.told.append((trio.current_time(), what, reason))

    @property
    def ups_and_downs(self) -> list[str]:
        return [what for _, what, _ in self.told]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Watched]:
        """Leaves nothing behind, or the test says so."""
        before = tasks()
        async with trio.open_nursery() as nursery:
            await nursery.start(self.session.run)
            yield self
            nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()  # whoever waited for the session has its answer now
        assert tasks() == before
        assert all(socket.left for socket in self.pbx.sockets)
        assert self.ups_and_downs == ["up", "down"] * (len(self.told) // 2)
        assert not self.session.up


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]
