"""Calls and commands while the socket is away, and incidents one after another: real sockets, real audio."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio

from vodiabot import Bot, Call, ConnectionLost, events
from vodiabot.sim.config import default
from vodiabot.sim.server import RunningSim, serve

from .proxy import BadWire, bad_wire
from .support import IMPATIENT, NUMBERS, a_bot, running, simulator, until

pytestmark = pytest.mark.audio

Log = list[events.Event]


def turns(log: Log) -> str:
    """`u` for each session_up, `d` for each session_down, as they were told."""
    letters = {events.SessionUp: "u", events.SessionDown: "d"}
    return "".join(letters.get(type(event), "") for event in log)


def impatient(wire: BadWire, state: Path, log: Log | None = None) -> Bot:
    """It notices soon that the PBX has fallen silent."""
    return a_bot(wire.url, state, log=log, timers=IMPATIENT)


async def restarted(nursery: trio.Nursery, stack: AsyncExitStack, listen: str = "127.0.0.1:0") -> RunningSim:
    """A simulator that dies with `stack`."""
    scope = trio.CancelScope()

    async def run(*, task_status: trio.TaskStatus[RunningSim]) -> None:
        with scope:
            await serve(default(), listen=listen, task_status=task_status)
        gone.set()

    async def die() -> None:
        scope.cancel()
        await gone.wait()

    gone = trio.Event()
    sim: RunningSim = await nursery.start(run)
    stack.push_async_callback(die)
    return sim


async def test_every_incident_is_told_once_and_in_turn(tmp_path: Path) -> None:
    log: Log = []
    async with simulator() as sim, bad_wire(sim.port) as wire, running(impatient(wire, tmp_path, log)):
        await until(lambda: turns(log) == "u")
        expected = "u"
        for incident in (wire.cut, wire.mute, lambda: drop_all(sim), wire.cut):
            incident()
            expected += "du"
            await until(lambda wanted=expected: turns(log) == wanted)  # type: ignore[misc]
    assert turns(log) in (expected, expected + "d")


def drop_all(sim: RunningSim) -> None:
    """The PBX closes every socket."""
    for socket in sim.snapshot()["sockets"]:
        sim.post(partial(sim.pbx.drop_socket, socket=socket))


async def test_a_login_refused_three_times_is_told_once(tmp_path: Path) -> None:
    log: Log = []
    async with simulator() as sim, bad_wire(sim.port) as wire, running(bot := a_bot(wire.url, tmp_path, log=log)):
        await until(lambda: turns(log) == "u")
        sim.pbx.refuse_logins(3)
        with structlog.testing.capture_logs() as lines:
            wire.cut()
            await until(lambda: turns(log) == "udu")
        told = [line for line in lines if line["log_level"] == "error"]
        assert len(told) == 1
        assert "password" in told[0]["why"]
        assert bot.lines[0].session.trouble is None


async def test_after_a_registration_lost_silently_calls_come_again(tmp_path: Path) -> None:
    log: Log = []
    async with simulator(expires=4) as sim, bad_wire(sim.port) as wire:
        bot, caller = a_bot(wire.url, tmp_path, log=log, handler=answer), a_bot(sim.url, tmp_path, user="46")
        async with running(bot, caller):
            await sim.lever(lambda now: sim.pbx.lose_registration(now, "45"))
            await until(lambda: sim.snapshot()["registered"] == {"45": 1, "46": 1})
            async with caller.dial("45") as call:
                await call.wait_ended()
            assert call.reason == "remote_hangup"
            assert turns(log) == "u"


def heard(call: Call) -> bool:
    """Its audio flows: only then does a call outlive the socket. It may be answered a moment before that."""
    return call.stats().packets_received > 5


async def answer(call: Call) -> None:
    await call.answer()


@pytest.mark.parametrize("held", [False, True])
async def test_a_call_that_the_restarted_pbx_does_not_know_ends_with_a_reason(held: bool, tmp_path: Path) -> None:
    log: Log = []
    async with trio.open_nursery() as nursery, AsyncExitStack() as second, AsyncExitStack() as first:
        sim = await restarted(nursery, first)
        async with running(bot := a_bot(sim.url, tmp_path, log=log)), bot.dial("600") as call:
            if held:
                await call.hold()
            await first.aclose()
            again = await restarted(nursery, second, f"127.0.0.1:{sim.port}")
            await until(lambda: turns(log) == "udu")
            with trio.fail_after(30):
                await call.wait_ended()
            assert call.reason in ("connection_lost", "media_lost")
            assert again.snapshot()["legs"] == []
            ended = [event for event in log if isinstance(event, events.CallEnded)]
            assert [(event.reason, event.answered) for event in ended] == [(call.reason, True)]
            async with bot.dial("600") as fresh:
                assert fresh.state == "up"


async def test_a_call_that_came_in_goes_on_and_its_end_is_heard_on_the_new_socket(tmp_path: Path) -> None:
    log: Log = []
    ended: list[tuple[str, int]] = []

    async def stay(call: Call) -> None:
        await call.answer()
        await call.wait_ended()
        ended.append((call.reason, call.stats().packets_received))

    async with simulator() as sim, bad_wire(sim.port) as wire:
        bot, caller = a_bot(wire.url, tmp_path, log=log, handler=stay), a_bot(sim.url, tmp_path, user="46")
        async with running(bot, caller), caller.dial("45") as call:
            await until(lambda: heard(call) and heard(bot.calls[0]))
            wire.cut()
            await until(lambda: turns(log) == "udu")
            before = call.stats().packets_received
            await call.sleep(1)
            assert call.stats().packets_received > before + 20
            await call.hangup()
            await until(lambda: ended != [])
            assert ended[0][0] == "remote_hangup"
            assert ended[0][1] > 20
            await until(lambda: sim.snapshot()["legs"] == [] and sim.snapshot()["awaited"] == {})


async def test_a_call_that_goes_on_can_be_held_and_resumed_on_the_new_socket(tmp_path: Path) -> None:
    log: Log = []
    async with (
        simulator() as sim,
        bad_wire(sim.port) as wire,
        running(bot := a_bot(wire.url, tmp_path, log=log)),
        bot.dial("600") as call,
    ):
        await until(lambda: heard(call))
        wire.cut()
        with pytest.raises(ConnectionLost):
            await _asked_at_once(bot, call)
        assert call.state == "up"
        await until(lambda: turns(log) == "udu")
        await call.hold()
        await until(lambda: sim.snapshot()["legs"][0]["held"])
        await call.resume()
        await until(lambda: not sim.snapshot()["legs"][0]["held"])
        before = call.stats().packets_received
        await until(lambda: call.stats().packets_received > before + 20)


async def _asked_at_once(bot: Bot, call: Call) -> None:
    """As soon as the bot knows that the socket is gone."""
    await until(lambda: not bot.lines[0].up)
    await call.record_on_pbx(True)


async def test_a_command_in_flight_fails(tmp_path: Path) -> None:
    """The PBX has fallen silent, and so nobody can say what became of the transfer."""
    async with (
        simulator() as sim,
        bad_wire(sim.port) as wire,
        running(bot := impatient(wire, tmp_path)),
        bot.dial("600") as call,
    ):
        await until(lambda: heard(call))
        wire.mute()
        with trio.fail_after(15), pytest.raises(ConnectionLost):
            await call.transfer(NUMBERS["echo"])
        assert call.state == "up"


async def test_nothing_is_dialled_while_the_socket_is_away(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery, AsyncExitStack() as first:
        sim = await restarted(nursery, first)
        async with running(bot := a_bot(sim.url, tmp_path)):
            await first.aclose()
            await until(lambda: not bot.lines[0].up)
            with pytest.raises(ConnectionLost):
                async with bot.dial("600"):
                    pytest.fail("it was answered")
            with pytest.raises(ConnectionLost):
                await bot.chat("46", "hello")
            assert bot.calls == []


async def test_a_bot_that_leaves_while_the_pbx_is_silent_takes_no_longer_than_it_must(tmp_path: Path) -> None:
    async with simulator() as sim, bad_wire(sim.port) as wire:
        bot = a_bot(wire.url, tmp_path)
        with trio.fail_after(20):
            async with running(bot), trio.open_nursery() as nursery:
                nursery.start_soon(_talk_into, bot, wire)
                await until(lambda: bot.calls != [] and bot.calls[0].state == "up")
                wire.mute()
                bot.drain()
                bot.drain()


async def _talk_into(bot: Bot, wire: BadWire) -> None:
    async with bot.dial("600") as call:
        await call.wait_ended()
    assert call.reason == "shutdown"


@pytest.mark.parametrize("ahead", [-3600.0, 20.0])
async def test_a_pbx_whose_clock_is_not_ours(ahead: float, tmp_path: Path) -> None:
    """Only the list of calls says that a modern PBX's callee has picked up, and there it is told by number and time."""
    log: Log = []
    async with simulator() as sim:
        bot = a_bot(sim.url, tmp_path, log=log)
        bot.wall = lambda: time.time() - ahead
        async with running(bot), bot.dial("600", timeout=5) as call:
            assert call.state == "up"
            assert not bot.domain.calls, "it is nobody else's"
