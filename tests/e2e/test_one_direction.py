"""A network that lets datagrams through in one direction only: a call must not end in a bot that is deaf, or dumb."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioice.ice
import pytest
import trio

from vodiabot import Bot, events
from vodiabot.media import datagrams

from .support import a_bot, running, simulator, until

pytestmark = pytest.mark.audio


class Network:
    """What becomes of the bot's datagrams: `deaf`, none reaches it; `dumb`, none reaches the PBX."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deaf = self.dumb = False
        self._sendto = datagrams.PolledTransport.sendto
        self._stamped = datagrams._stamped
        monkeypatch.setattr(datagrams.PolledTransport, "sendto", lambda *args: self._send(*args))
        monkeypatch.setattr(datagrams, "_stamped", self._receiver)

    def _send(self, transport: datagrams.PolledTransport, data: Any, addr: Any = None) -> None:
        if not self.dumb:
            self._sendto(transport, data, addr)

    def _receiver(self, sock: socket.socket) -> Callable[[float], tuple[bytes, float, Any]]:
        receive = self._stamped(sock)

        def unless_deaf(now: float) -> tuple[bytes, float, Any]:
            got = receive(now)
            while self.deaf:
                got = receive(now)
            return got

        return unless_deaf


async def changes_of(bot: Bot, told: list[str]) -> None:
    async with bot.events() as stream:
        async for event in stream:
            told += [event.what] if isinstance(event, events.CallChanged) else []


@pytest.mark.parametrize("way", ["deaf", "dumb"])
async def test_it_is_told_and_the_audio_is_back_soon_after_the_network(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.3)
    network, told = Network(monkeypatch), list[str]()
    async with simulator() as sim, running(bot := a_bot(sim.url, tmp_path)), trio.open_nursery() as nursery:
        nursery.start_soon(changes_of, bot, told)
        async with bot.dial("600") as call:
            await until(lambda: call.stats().packets_received > 20)
            setattr(network, way, True)
            await until(lambda: "media_lost" in told)
            setattr(network, way, False)
            await until(lambda: "media_back" in told)
            before = call.stats().packets_received
            await until(lambda: call.stats().packets_received > before + 20)
            assert call.state == "up"
        nursery.cancel_scope.cancel()
