"""The way between the PBX and the bot, and what may happen to frames on it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import trio

from vodiabot.config.model import ExtensionConfig, PbxConfig
from vodiabot.errors import ConnectionLost
from vodiabot.testing.pbx import MemorySocket, VirtualPbx
from vodiabot.testing.wire import End


@dataclass(frozen=True)
class Weather:
    """What happens to frames: chances from 0 to 1 for each frame, and seconds."""

    delay: float = 0.0
    """Each frame is late by up to so long; the order stays."""
    duplicated: float = 0.0
    swapped: float = 0.0
    """With the one after it."""
    garbled: float = 0.0
    lost: float = 0.0
    cut: float = 0.0
    """The socket dies while the bot sends: before or after the frame has gone out."""

    @property
    def clean(self) -> bool:
        """Whether each frame comes once, whole and in order, or the socket dies, as TCP promises."""
        return not (self.duplicated or self.swapped or self.garbled or self.lost)


FAIR = Weather()


def some_weather(rng: random.Random, *, dirty: bool) -> Weather:
    """One kind of weather; `dirty`: also what TCP rules out, but a PBX may do all the same."""
    weather = Weather(delay=rng.choice([0.0, 0.05, 0.3, 2.0]), cut=rng.choice([0.0, 0.0, 0.1]))
    if not dirty:
        return weather
    chance = rng.choice([0.005, 0.02])
    kind = rng.choice(["duplicated", "swapped", "garbled", "lost"])
    return replace(weather, **{kind: chance})


class Network:
    """Sockets of the virtual PBX, in the weather of the moment. `connect` is given to `Session`."""

    def __init__(self, pbx: VirtualPbx, rng: random.Random) -> None:
        self.weather = FAIR
        self.spoiled = 0
        """Frames that were duplicated, swapped, garbled or lost."""
        self.spoiled_of: set[str] = set()
        """Extensions of which some were, on the connection that they have now."""
        self.clock = 0.0
        """Seconds by which the clock of the bot's machine differs from the true time."""
        self.dead = False
        """True: the bot is being killed."""
        self.orphans: list[End] = []
        """Ends of the PBX whose other end was the bot's that was killed."""
        self.away = ""
        """An extension that finds no way to the PBX, as if its session alone were refused."""
        self.cut: Counter[tuple[str, str]] = Counter()
        """Commands in whose midst the socket died, by call-id and action: the bot can't know whether they arrived."""
        self._pbx = pbx
        self._rng = rng

    def fall_silent(self) -> None:
        """The bot's ends of all audio are gone, and nobody says so."""
        for end in self._pbx._ends.values():
            bots = self._pbx.wire.peer(end)
            if bots is not None and bots.up:
                bots.up = False
                self.orphans.append(end)

    def notice_silence(self) -> None:
        """The PBX finds that nobody is at the other end."""
        orphans, self.orphans = self.orphans, []
        for end in orphans:
            if end.up and not end.closed:
                end.up = False
                end.on_lost("consent expired")

    @asynccontextmanager
    async def connect(self, pbx: PbxConfig, extension: ExtensionConfig, *args: Any) -> AsyncIterator[RoughSocket]:
        if extension.user == self.away or self.dead:
            raise ConnectionLost("there is no way to the PBX")
        async with self._pbx.connect(pbx, extension, *args) as socket:
            self.spoiled_of.discard(extension.user)
            yield RoughSocket(self, socket, self._rng, extension.user)

    def spoil(self, extension: str) -> None:
        """A frame to it is spoiled."""
        self.spoiled += 1
        self.spoiled_of.add(extension)

    def cut_off(self, extension: str) -> None:
        """The sockets of one extension die; those of the others live on."""
        for name, socket in self._pbx.pbx.snapshot()["sockets"].items():
            if socket["user"] == extension:
                self._pbx.cut(name)


class RoughSocket:
    """`session.Socket` with weather."""

    def __init__(self, network: Network, inner: MemorySocket, rng: random.Random, user: str) -> None:
        self.server_header = inner.server_header
        self._network = network
        self._inner = inner
        self._rng = rng
        self._user = user
        self._waiting: list[str | bytes] = []
        self._next: str | bytes | None = None

    async def send(self, text: str) -> None:
        cut = self._rng.random() < self._network.weather.cut
        if cut and self._rng.random() < 0.5:
            self._die(text)
        await self._inner.send(text)
        if cut:
            self._die(text)

    def _die(self, text: str) -> None:
        frame = json.loads(text)
        self._network.cut[str(frame.get("callid") or ""), str(frame["action"])] += 1
        self._inner._pbx.cut(self._inner._name)
        raise ConnectionLost("the connection was reset")

    async def receive(self) -> str | bytes:
        if self._waiting:
            await trio.lowlevel.checkpoint()
            return self._waiting.pop(0)
        while True:
            frame = await self._inner.receive()
            weather = self._network.weather
            if weather.delay:
                await trio.sleep(self._rng.uniform(0, weather.delay))
            if weather.clean:
                return frame
            self._waiting += self._spoil(frame, weather)
            if self._waiting:
                return self._waiting.pop(0)

    def _spoil(self, frame: str | bytes, weather: Weather) -> list[str | bytes]:
        """What comes of a frame. One that is to be swapped waits for the next."""
        held, self._next = self._next, None
        if held is not None:
            return [frame, held]
        for chance, doing in self._doings(frame, weather):
            if self._rng.random() < chance:
                self._network.spoil(self._user)
                return doing()
        return [frame]

    def _doings(self, frame: str | bytes, weather: Weather) -> list[tuple[float, Callable[[], list[str | bytes]]]]:
        def keep() -> list[str | bytes]:
            self._next = frame
            return []

        return [
            (weather.duplicated, lambda: [frame, frame]),
            (weather.swapped, keep),
            (weather.garbled, lambda: [garbled(str(frame), self._rng)]),
            (weather.lost, lambda: []),
        ]

    async def ping(self) -> None:
        await self._inner.ping()


def garbled(text: str, rng: random.Random) -> str:
    """Cut off, with another character, or with something in the middle."""
    at = rng.randrange(len(text))
    other = rng.choice('"{}[],:x0\\')
    return rng.choice([text[:at], text[:at] + other + text[at + 1 :], text[:at] + '","x":' + text[at:]])
