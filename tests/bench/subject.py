"""What is measured: many calls of one of three makes, in this process, against `generator` in another.

`stock`: aiortc alone in plain asyncio. `path`: our audio path in plain asyncio, no trio. `engine`: the same behind the
trio bridge, as a bot has it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import trio

from tests.bench.stock import StockCall
from vodiabot.media.bridge import open_media
from vodiabot.media.datagrams import MediaLoop
from vodiabot.media.ice import ice_servers_of
from vodiabot.media.leg import Leg
from vodiabot.media.pacer import Pacer
from vodiabot.media.peer import PeerOptions
from vodiabot.media.sources import tone
from vodiabot.ports import MediaUp

SWITCH_INTERVAL = 0.0005
"""As `vodiabot run` sets it."""


class Generator:
    """The other process. Its answers take milliseconds, so they are waited for; what is measured comes later."""

    def __init__(self, core: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.generator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    def ask(self, **what: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


class Make(Protocol):
    """One make of calls."""

    async def call(self, answer: Callable[[str], Awaitable[str]]) -> None:
        """One more call, up and playing a tone. `answer` turns our offer into the other side's answer."""


# --- the three makes ------------------------------------------------------------------------------------------


class Engine:
    """Behind the trio bridge."""

    def __init__(self, engine: Any, nursery: trio.Nursery) -> None:
        self._engine, self._nursery = engine, nursery

    async def call(self, answer: Callable[[str], Awaitable[str]]) -> None:
        up = trio.Event()
        leg = self._engine.open("bench", lambda event: up.set() if isinstance(event, MediaUp) else None)
        await leg.apply_answer(1, await answer(await leg.make_offer(1)))
        await up.wait()
        self._nursery.start_soon(leg.play, tone(440))

    @classmethod
    @asynccontextmanager
    async def opened(cls, codec: str) -> AsyncIterator[Engine]:
        async with (
            open_media(codecs=[codec], switch_interval=SWITCH_INTERVAL, short_collections=True) as engine,
            trio.open_nursery() as nursery,
        ):
            yield cls(engine, nursery)
            nursery.cancel_scope.cancel()


class Path:
    """Without trio."""

    def __init__(self, codec: str, threads: ThreadPoolExecutor) -> None:
        self._options = PeerOptions((codec,), ice_servers_of(()))
        self._threads, self._pacer = threads, Pacer()
        self.legs: list[Leg] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def call(self, answer: Callable[[str], Awaitable[str]]) -> None:
        up = asyncio.Event()
        leg = Leg(
            "bench", self._options, self._threads, lambda e: up.set() if isinstance(e, MediaUp) else None, self._pacer
        )
        self.legs.append(leg)
        await leg.apply_answer(1, await answer((await leg.make_offer(1)).sdp))
        await up.wait()
        self._tasks.append(asyncio.ensure_future(leg.play(tone(440), 0.0, 0.0, 0.0)))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(leg.aclose() for leg in self.legs))


class Stock:
    """aiortc alone."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._calls: list[StockCall] = []

    async def call(self, answer: Callable[[str], Awaitable[str]]) -> None:
        call = StockCall(self._codec)
        self._calls.append(call)
        await call.connect(answer)

    async def aclose(self) -> None:
        await asyncio.gather(*(call.close() for call in self._calls))


# --- measuring ------------------------------------------------------------------------------------------------


def usage() -> tuple[float, float, float]:
    """CPU and wall clock in seconds, memory in MB."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return own.ru_utime + own.ru_stime, time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def grow(make: Make, generator: Generator, codec: str, have: int, want: int) -> int:
    """More calls, one after the other."""

    async def answer(offer: str) -> str:
        return str(generator.ask(offer=offer, codec=codec)["answer"])

    for _ in range(want - have):
        await make.call(answer)
    return want


async def rows(
    make: Make,
    generator: Generator,
    codec: str,
    steps: list[int],
    seconds: float,
    sleep: Callable[[float], Awaitable[None]],
    *,
    enough: float = 0.99,
    disturb: Callable[[], None] | None = None,
) -> list[dict[str, Any]]:
    """A row for each number of calls, until too few packets are on time."""
    found: list[dict[str, Any]] = []
    have = 0
    for want in steps:
        have = await grow(make, generator, codec, have, want)
        await sleep(1.5)
        generator.ask(begin=True)
        before = usage()
        await sleep(seconds / 2)
        if disturb is not None:
            disturb()
        await sleep(seconds / 2)
        after = usage()
        row = generator.ask(report=True)
        row["ms"] = 1000 * (after[0] - before[0]) / ((after[1] - before[1]) * want)
        row["mb"] = after[2]
        found.append(row)
        if row["on_time"] < enough:
            break
    return found


def busy(seconds: float) -> None:
    """A plugin that computes in pure Python."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


def collect() -> None:
    """What the garbage collector does by itself now and then."""
    gc.collect()


DISTURBANCES: dict[str, Callable[[], None] | None] = {
    "none": None,
    "collect": collect,
    "sleep": lambda: time.sleep(0.5),
    "busy": lambda: busy(0.5),
}


def measure(kind: str, codec: str, steps: list[int], seconds: float, pinned: bool, disturbance: str) -> list[Any]:
    """In this process. `pinned`: this process on the first core, the load on the second."""
    cores = sorted(os.sched_getaffinity(0))
    pin = pinned and len(cores) > 1
    generator = Generator(cores[1] if pin else None)
    if pin:
        os.sched_setaffinity(0, {cores[0]})
    disturb = DISTURBANCES[disturbance]
    try:
        if kind == "engine":
            return trio.run(_engine, codec, generator, steps, seconds, disturb)
        factory = MediaLoop if kind == "path" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(_asyncio(kind, codec, generator, steps, seconds))
    finally:
        generator.close()


async def _engine(codec: str, generator: Generator, steps: list[int], seconds: float, disturb: Any) -> list[Any]:
    async with Engine.opened(codec) as make:
        return await rows(make, generator, codec, steps, seconds, trio.sleep, disturb=disturb)


async def _asyncio(kind: str, codec: str, generator: Generator, steps: list[int], seconds: float) -> list[Any]:
    async with AsyncExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(4))
        make = Path(codec, threads) if kind == "path" else Stock(codec)
        stack.push_async_callback(make.aclose)
        return await rows(make, generator, codec, steps, seconds, asyncio.sleep)


if __name__ == "__main__":
    _, kind, codec, steps, seconds, pinned, disturbance = sys.argv
    found = measure(kind, codec, json.loads(steps), float(seconds), pinned == "pinned", disturbance)
    print(json.dumps(found))  # noqa: T201 - the result
