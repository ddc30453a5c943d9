"""Faults as data: what happens to single frames on the way between the PBX and the bot, in virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import trio

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, UsageError
from ..session import Connect, SessionTimers, Socket

Kind = Literal["drop", "delay", "duplicate", "reorder", "garble", "lose"]
KINDS: tuple[Kind, ...] = ("drop", "delay", "duplicate", "reorder", "garble", "lose")
FLAT = ("sdp", "invitesdp", "candidate", "bye", "ringtones", "response", "cancel", "cancelresponse", "info", "change")
"""Keys by which a frame without `action` is known."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. `drop`: the socket dies in place of the frame; `delay`: by `seconds`, and all after;
    `duplicate`; `reorder`: with the one after it; `garble`; `lose`. Frames of the bot can only be dropped, duplicated,
    garbled and lost."""

    kind: Kind
    frame: str = ""
    """Its action, or the key by which it is known (`sdp`, `bye`); "" for any."""
    nth: int = 1
    """Which of these frames; 0: each."""
    by_bot: bool = False
    """Of the frames that the bot sends."""
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or (self.by_bot and self.kind in ("delay", "reorder")):
            raise UsageError(f"a fault can't be {self.kind!r}{' of the bot' * self.by_bot}: {', '.join(KINDS)}")


def frame_name(text: str | bytes) -> str:
    """Its action, or the key by which it is known; "" if it is none."""
    try:
        frame = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(frame, dict):
        return ""
    return next((key for key in FLAT if key in frame and "action" not in frame), str(frame.get("action", "")))


class FaultyLine:
    """`connect` is given to `session.Session`. Frames are counted over all sockets."""

    def __init__(self, connect: Connect, seed: int = 0, tell: Callable[[str], None] = lambda text: None) -> None:
        self.faults: list[Fault] = []
        """To be added to."""
        self.happened: set[int] = set()
        """Places in `faults` of those that have come about."""
        self._connect = connect
        self._rng = random.Random(seed)
        self._tell = tell
        self._seen: dict[int, int] = {}
        """Place in `faults` → how many of its frames have come since; two faults may be equal."""

    def due(self, text: str | bytes, *, by_bot: bool) -> Fault | None:
        """What happens to this frame, which is counted."""
        name, found = frame_name(text), None
        for at, fault in enumerate(self.faults):
            if fault.by_bot == by_bot and fault.frame in ("", name):
                self._seen[at] = self._seen.get(at, 0) + 1
                if fault.nth in (0, self._seen[at]):
                    self.happened.add(at)
                    found = found or fault
        if found is not None:
            self._tell(f"fault: {found.kind}, {name or 'a frame'} {'of' if by_bot else 'to'} the bot")
        return found

    def garbled(self, text: str) -> str:
        """Cut off, or with another character in it."""
        at = self._rng.randrange(len(text))
        return self._rng.choice([text[:at], text[:at] + self._rng.choice('"{}[],:x0') + text[at + 1 :]])

    @asynccontextmanager
    async def connect(
        self, pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Callable[[str], None]
    ) -> AsyncIterator[FaultySocket]:
        """See `session.Connect`."""
        async with self._connect(pbx, extension, timers, hide) as socket:
            yield FaultySocket(self, socket)


class FaultySocket:
    """`session.Socket` on a faulty line."""

    def __init__(self, line: FaultyLine, inner: Socket) -> None:
        self.server_header = inner.server_header
        self._line, self._inner = line, inner
        self._waiting: list[str | bytes] = []
        self._dead = False

    async def send(self, text: str) -> None:
        fault = None if self._dead else self._line.due(text, by_bot=True)
        kind = fault.kind if fault is not None else ""
        if kind == "drop" or self._dead:
            self._die()
        if kind != "lose":
            await self._inner.send(self._line.garbled(text) if kind == "garble" else text)
        if kind == "duplicate":
            await self._inner.send(text)

    async def receive(self) -> str | bytes:
        while not self._waiting:
            frame = await self._inner.receive()
            await self._spoil(frame)
        return self._waiting.pop(0)

    async def _spoil(self, frame: str | bytes) -> None:
        fault = self._line.due(frame, by_bot=False)
        match None if fault is None else fault.kind:
            case "drop":
                self._die()
            case "delay":
                await trio.sleep(fault.seconds if fault is not None else 0)
                self._waiting.append(frame)
            case "duplicate":
                self._waiting += [frame, frame]
            case "reorder":
                self._waiting += [await self._inner.receive(), frame]
            case "garble":
                self._waiting.append(self._line.garbled(str(frame)))
            case "lose":
                return
            case _:
                self._waiting.append(frame)

    def _die(self) -> None:
        self._dead = True
        raise ConnectionLost("the connection was reset (a fault of the test)")

    async def ping(self) -> None:
        await self._inner.ping()
