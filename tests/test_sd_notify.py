"""What systemd is told, over its socket."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import structlog
import trio

from tests.test_plugin_bot import Author, running
from vodiabot import sd_notify
from vodiabot.errors import MediaError
from vodiabot.sd_notify import Notifier, keep_informed


class Manager:
    """systemd's side."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = trio.socket.from_stdlib_socket(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))

    async def told(self) -> list[str]:
        with trio.fail_after(10):
            return (await self._socket.recv(4096)).decode().splitlines()


@asynccontextmanager
async def manager(address: str) -> AsyncIterator[Manager]:
    made = Manager(address)
    await made._socket.bind(address.replace("@", "\0", 1))
    try:
        yield made
    finally:
        made._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    if sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's")
    return f"@vodiabot-test-{tmp_path.name}-{id(tmp_path)}"


async def test_ready_then_fed_then_stopping(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sd_notify, "STATUS_EVERY", 0.05)
    async with running(tmp_path, Author()) as (bot, _), manager(address) as systemd, trio.open_nursery() as nursery:
        nursery.start_soon(keep_informed, bot, Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}))
        assert await systemd.told() == ["READY=1", "STATUS=1 of 1 sessions up, 0 calls"]
        assert await systemd.told() == ["STATUS=1 of 1 sessions up, 0 calls", "WATCHDOG=1"]
        async with bot.dial_by_hand("600"):
            bot.drain()
            while (told := await systemd.told()) != ["STOPPING=1"]:
                assert "WATCHDOG=1" in told
            assert await systemd.told() == ["STATUS=leaving, 1 of 1 sessions up, 1 calls", "WATCHDOG=1"]
        nursery.cancel_scope.cancel()


async def test_a_media_loop_that_hangs_is_not_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sd_notify, "STATUS_EVERY", 0.01)

    async def dead() -> None:
        raise MediaError("the media engine is closed")

    address = str(tmp_path / "notify")
    async with running(tmp_path) as (bot, _), manager(address) as systemd, trio.open_nursery() as nursery:
        monkeypatch.setattr(bot.media, "ping", dead)
        nursery.start_soon(keep_informed, bot, Notifier({"NOTIFY_SOCKET": address}))
        await systemd.told()
        assert await systemd.told() == ["STATUS=the media engine is closed"]
        nursery.cancel_scope.cancel()


async def test_it_is_fed_twice_within_the_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    pauses: list[float] = []


    async with running(tmp_path) as (bot, _), trio.open_nursery() as nursery:
        notifier = Notifier({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000"})
        notifier.tell = lambda *lines: pauses.append(trio.current_time())  # type: ignore[method-assign]
        nursery.start_soon(keep_informed, bot, notifier)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert {round(b - a, 3) for a, b in pairwise(pauses)} == {2.0}


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:3"}])
async def test_without_systemd_nothing_happens(env: dict[str, str], tmp_path: Path) -> None:
    async with running(tmp_path) as (bot, _):
        notifier = Notifier(env)
        assert not notifier.wanted
        notifier.tell("READY=1")
        await keep_informed(bot, notifier)  # returns


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_s_time(env: dict[str, str], seconds: float | None) -> None:
    assert Notifier(env, pid=7).watchdog == seconds


def test_a_manager_that_is_not_there_is_told_once() -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"})
    with structlog.testing.capture_logs() as lines:
        notifier.tell("READY=1")
        notifier.tell("WATCHDOG=1")
    assert len(lines) == 1
