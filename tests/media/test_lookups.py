"""Names of ICE servers while DNS is away: nobody waits for a thread that hangs, and calls come up without them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from vodiabot.media.bridge import open_media
from vodiabot.media.lookups import LookUps

from .helpers import call

pytestmark = pytest.mark.audio


class HangingDns:
    def __init__(self) -> None:
        self.asked = 0
        self.back = threading.Event()

    def __call__(self, *name: Any) -> Any:
        self.asked += 1
        self.back.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingDns]:
    dns = HangingDns()
    monkeypatch.setattr(socket, "gethostbyname", dns)
    monkeypatch.setattr("vodiabot.media.peer.GATHER_SECONDS", 0.2)
    yield dns
    dns.back.set()


async def test_calls_come_up_and_the_engine_ends_while_dns_hangs(dns: HangingDns) -> None:
    async with open_media(ice_servers=["stun:stun.test"]) as engine, call(engine):
        assert dns.asked == 1, "one thread, however many ask"
    assert not any(thread.name == "vodiabot-media" for thread in threading.enumerate())


async def test_no_thread_to_be_had_is_no_reason_to_wait_for_one_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_ups() -> tuple[str, int]:
        async def main() -> tuple[str, int]:
            names = LookUps(asyncio.get_running_loop())
            with monkeypatch.context() as limited:
                limited.setattr(threading.Thread, "start", none_left)
                try:
                    await names.ask(len, "abc")
                except OSError as exc:
                    told = str(exc)
            return told, await asyncio.wait_for(names.ask(len, "abc"), 5)

        return asyncio.run(main())

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told, length = await trio.to_thread.run_sync(look_ups)
    assert ("no thread" in told, length) == (True, 3)
