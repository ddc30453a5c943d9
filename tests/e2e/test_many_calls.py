"""Nothing grows: not with a hundred calls one after another, not with twenty at once, not when all is cancelled."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import trio

from vodiabot import Bot
from vodiabot.sim.server import RunningSim

from .support import a_bot, running, simulator, until

pytestmark = pytest.mark.audio


@dataclass
class Footprint:
    """What a process holds on to."""

    tasks: int
    threads: int
    descriptors: int
    legs: int

    @classmethod
    def now(cls, sim: RunningSim) -> Footprint:
        gc.collect()
        tasks = trio.lowlevel.current_statistics().tasks_living
        return cls(tasks, threading.active_count(), psutil.Process().num_fds(), int(sim.snapshot()["media"]))

    def exceeds(self, before: Footprint) -> bool:
        pairs = zip(vars(self).values(), vars(before).values(), strict=True)
        return any(now > then for now, then in pairs)


async def one_call(bot: Bot, seconds: float = 0.1) -> None:
    async with bot.dial("600") as call:
        await call.sleep(seconds)


async def settled(sim: RunningSim, before: Footprint) -> None:
    """What ends a little later than the call (the PBX's side, the answers to duplicates) gets its time."""
    with trio.move_on_after(20):
        while Footprint.now(sim).exceeds(before):  # noqa: ASYNC110 - a census, not an event
            await trio.sleep(0.1)
    after = Footprint.now(sim)
    assert not after.exceeds(before), f"{after} after {before}: {list(_tasks(trio.lowlevel.current_root_task()))}"


def _tasks(task: trio.lowlevel.Task | None) -> Iterator[str]:
    """The names of a task and all below it."""
    if task is not None:
        yield task.name
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _tasks(child)


async def test_a_hundred_calls_one_after_another_leave_nothing(tmp_path: Path) -> None:
    async with simulator() as sim, running(bot := a_bot(sim.url, tmp_path)):
        for _ in range(3):
            await one_call(bot)
        await trio.sleep(6)  # until the warm-up's own legs are forgotten, 5 s after their end
        before = Footprint.now(sim)
        for _ in range(100):
            await one_call(bot, 0.02)
        await settled(sim, before)
        assert sim.snapshot()["calls"] == []


async def test_twenty_calls_at_once_leave_nothing(tmp_path: Path) -> None:
    async with simulator() as sim, running(bot := a_bot(sim.url, tmp_path)):
        await _twenty(bot)  # the warm-up: it fills the pools of threads, which are bounded
        await trio.sleep(6)  # until its legs are forgotten, 5 s after their end
        before = Footprint.now(sim)
        await _twenty(bot)
        await settled(sim, before)


async def _twenty(bot: Bot) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one_call, bot, 1.0)


@pytest.mark.parametrize("seed", range(6))
async def test_cancelled_at_any_moment_every_call_gets_its_bye(seed: int, tmp_path: Path) -> None:
    moments = random.Random(seed)
    async with simulator() as sim:
        async with running(a_bot(sim.url, tmp_path)):
            pass  # a warm-up: from here on everything that is made once is there
        await until(lambda: sim.snapshot()["sockets"] == {})
        before = Footprint.now(sim)
        bot = a_bot(sim.url, tmp_path)
        async with trio.open_nursery() as nursery:
            await nursery.start(bot.run)
            await bot.wait_up(20)
            for number in ("600", "601", "604", "606"):
                nursery.start_soon(_dial, bot, number)
            await trio.sleep(moments.uniform(0, 1.5))
            nursery.cancel_scope.cancel()
        await until(lambda: sim.snapshot()["legs"] == [])
        await settled(sim, before)


async def _dial(bot: Bot, number: str) -> None:
    async with bot.dial(number) as call:
        await call.wait_ended()
