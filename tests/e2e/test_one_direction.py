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
from vodiabot.calls import one_way
from vodiabot.media import datagrams, rtp, unheard

from .support import a_bot, running, simulator, until

pytestmark = pytest.mark.audio


class Network:
    """What becomes of the bot's datagrams: `deaf`, none reaches it; `dumb`, none reaches the PBX; `mute`, none with
    audio does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deaf = self.dumb = self.mute = False
        self._sendto = datagrams.PolledTransport.sendto
        self._stamped = datagrams._stamped
        monkeypatch.setattr(datagrams.PolledTransport, "sendto", lambda *args: self._send(*args))
        monkeypatch.setattr(datagrams, "_stamped", self._receiver)

    def _send(self, transport: datagrams.PolledTransport, data: Any, addr: Any = None) -> None:
        if not self.dumb and not (self.mute and _is_audio(data)):
            self._sendto(transport, data, addr)

    def _receiver(self, sock: socket.socket) -> Callable[[float], tuple[bytes, float, Any]]:
        receive = self._stamped(sock)

        def unless_deaf(now: float) -> tuple[bytes, float, Any]:
            got = receive(now)
            while self.deaf:
                got = receive(now)
            return got

        return unless_deaf


def _is_audio(data: bytes) -> bool:
    return 128 <= data[0] <= 191 and not rtp.is_rtcp(data)


async def changes_of(bot: Bot, told: list[str]) -> None:
    async with bot.events() as stream:
        async for event in stream:
            told += [event.what] if isinstance(event, events.CallChanged) else []
            told += ["unheard"] if isinstance(event, events.CallUnheard) else []


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


async def test_audio_that_the_pbx_does_not_get_is_told_by_its_reports_and_no_hold_nor_keys_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulator sends a report each second."""
    monkeypatch.setattr(unheard, "SENT", 100)
    monkeypatch.setattr(one_way, "PATIENCE", 2.0)
    network, told = Network(monkeypatch), list[str]()
    async with simulator() as sim, running(bot := a_bot(sim.url, tmp_path)), trio.open_nursery() as nursery:
        nursery.start_soon(changes_of, bot, told)
        async with bot.dial("600") as call:
            await until(lambda: call.stats().unheard_for == 0.0)
            await call.hold()
            await trio.sleep(3)
            await call.resume()
            await call.send_dtmf("12", duration=1.0)
            assert not {"far_side_deaf", "unheard"} & {*told}
            network.mute = True
            await until(lambda: "unheard" in told)
            assert call.stats().unheard_for
            network.mute = False
            await until(lambda: "far_side_hears" in told)
            assert call.stats().unheard_for == 0.0
            assert [what for what in told if what not in ("held", "resumed", "remote")] == [
                "far_side_deaf",
                "unheard",
                "far_side_hears",
            ]
        nursery.cancel_scope.cancel()
