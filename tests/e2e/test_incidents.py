"""What the network and the PBX do to a session, over real sockets: each ends registered again, told once each."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from vodiabot import ConnectionLost, events
from vodiabot.sim.config import SimConfig, default
from vodiabot.sim.server import RunningSim, serve

from .proxy import BadWire, bad_wire
from .support import IMPATIENT, a_bot, running, simulator, until

pytestmark = pytest.mark.audio

Log = list[events.Event]


def ups_and_downs(log: Log) -> list[str]:
    return [type(e).__name__ for e in log if isinstance(e, events.SessionUp | events.SessionDown)]


def is_up_again(log: Log) -> bool:
    return ups_and_downs(log) == ["SessionUp", "SessionDown", "SessionUp"]


@pytest.mark.parametrize("how", ["cut", "mute"])
async def test_the_way_to_the_pbx_breaks(how: str, tmp_path: Path) -> None:
    log: Log = []
    async with simulator() as sim, bad_wire(sim.port) as wire:
        bot = a_bot(wire.url, tmp_path, log=log, timers=IMPATIENT)
        async with running(bot):
            await until(lambda: ups_and_downs(log) == ["SessionUp"])
            getattr(wire, how)()
            await until(lambda: is_up_again(log))
            assert sim.snapshot()["registered"] == {"45": 1} or how == "mute"


async def test_the_pbx_dies_and_comes_back(tmp_path: Path) -> None:
    log: Log = []
    settings = default()
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        first = trio.CancelScope()
        sim = await nursery.start(_served, first, settings, "127.0.0.1:0")
        listen = f"127.0.0.1:{sim.port}"
        await stack.enter_async_context(running(a_bot(sim.url, tmp_path, log=log)))
        await until(lambda: ups_and_downs(log) == ["SessionUp"])
        first.cancel()
        await until(lambda: ups_and_downs(log) == ["SessionUp", "SessionDown"])
        second = trio.CancelScope()
        again = await nursery.start(_served, second, settings, listen)
        await until(lambda: is_up_again(log))
        assert again.snapshot()["registered"] == {"45": 1}
        await stack.aclose()
        second.cancel()


async def _served(
    scope: trio.CancelScope, settings: SimConfig, listen: str, *, task_status: trio.TaskStatus[RunningSim]
) -> None:
    with scope:
        await serve(settings, listen=listen, task_status=task_status)


async def test_a_registration_lost_silently_is_back_within_a_refresh(tmp_path: Path) -> None:
    log: Log = []
    async with simulator(expires=4) as sim, running(a_bot(sim.url, tmp_path, log=log)):
        await sim.lever(lambda now: sim.pbx.lose_registration(now, "45"))
        assert sim.snapshot()["registered"] == {}
        await until(lambda: sim.snapshot()["registered"] == {"45": 1})
        assert ups_and_downs(log)[:1] == ["SessionUp"]


async def test_a_login_refused_three_times_succeeds_in_the_end(tmp_path: Path) -> None:
    log: Log = []
    async with simulator() as sim, bad_wire(sim.port) as wire, running(a_bot(wire.url, tmp_path, log=log)):
        await until(lambda: ups_and_downs(log) == ["SessionUp"])
        sim.pbx.refuse_logins(3)
        wire.cut()
        await until(lambda: is_up_again(log))


async def test_a_call_goes_on_while_the_socket_is_away_and_is_found_again(tmp_path: Path) -> None:
    log: Log = []
    async with simulator() as sim, bad_wire(sim.port) as wire:
        bot = a_bot(wire.url, tmp_path, log=log)
        async with running(bot), bot.dial("600") as call:
            await call.sleep(1)
            before = call.stats().packets_received
            wire.cut()
            await until(lambda: is_up_again(log))
            await call.sleep(2.5)
            assert call.stats().packets_received > before + 50
            assert [leg["state"] for leg in sim.snapshot()["legs"]] == ["up"]
            await call.hangup()
            assert call.reason == "hangup"
            await until(lambda: sim.snapshot()["legs"] == [])


async def test_a_call_that_rings_fails_when_the_socket_dies(tmp_path: Path) -> None:
    async with simulator() as sim, bad_wire(sim.port) as wire:
        bot = a_bot(wire.url, tmp_path)
        async with running(bot), trio.open_nursery() as nursery:
            nursery.start_soon(_cut_soon, wire)
            with pytest.raises(ConnectionLost):
                async with bot.dial("604"):
                    pytest.fail("it was answered")


async def _cut_soon(wire: BadWire) -> None:
    await trio.sleep(0.5)
    wire.cut()
