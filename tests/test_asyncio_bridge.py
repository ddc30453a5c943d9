"""asyncio libraries from trio: values, exceptions, cancellation both ways, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from vodiabot import asyncio_bridge
from vodiabot.asyncio_bridge import AsyncioThread
from vodiabot.errors import AsyncioCancelled


@asynccontextmanager
async def opened() -> AsyncIterator[AsyncioThread]:
    thread = AsyncioThread("test-asyncio")
    try:
        with trio.fail_after(30):
            yield thread
    finally:
        await thread.aclose()
        assert "test-asyncio" not in [t.name for t in threading.enumerate()]


class Meter:
    """An asyncio side that tells how it fared."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended: list[str] = []

    async def hang(self) -> None:
        self.began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            self.ended.append("cancelled")
            raise

    async def wait_until_it_hangs(self) -> None:
        await trio.to_thread.run_sync(self.began.wait)


async def add(one: int, two: int) -> int:
    await asyncio.sleep(0)
    return one + two


async def test_a_value_comes_back_and_the_thread_begins_with_the_first_use() -> None:
    async with opened() as bridge:
        assert not bridge.running
        assert await bridge.run(add, 1, 2) == 3
        assert bridge.running


async def test_many_at_once_share_one_loop() -> None:
    loops: set[Any] = set()

    async def note() -> None:
        await asyncio.sleep(0.01)
        loops.add(asyncio.get_running_loop())

    async with opened() as bridge:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(bridge.run, note)
        assert len(loops) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), SystemExit(3), trio.BusyResourceError(), StopIteration()])
async def test_an_exception_comes_through_and_the_loop_goes_on(error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    async with opened() as bridge:
        with pytest.raises(expected):
            await bridge.run(fail)
        assert await bridge.run(add, 1, 2) == 3


async def test_something_that_is_no_coroutine_function() -> None:
    async with opened() as bridge:
        with pytest.raises(TypeError):
            await bridge.run(lambda: 5)  # type: ignore[arg-type, return-value]


async def test_cancelling_here_cancels_there_and_waits_for_it() -> None:
    meter = Meter()
    async with opened() as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.run, meter.hang)
        await meter.wait_until_it_hangs()
        nursery.cancel_scope.cancel()
    assert meter.ended == ["cancelled"]


async def test_a_cancellation_there_is_an_error_here() -> None:
    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    async with opened() as bridge:
        with pytest.raises(AsyncioCancelled):
            await bridge.run(give_up)


async def test_closing_cancels_what_runs_and_what_was_left_behind() -> None:
    waiting, left = Meter(), Meter()

    async def leave_one_behind() -> None:
        asyncio.current_task().the_other = asyncio.create_task(left.hang())  # type: ignore[union-attr]
        await asyncio.sleep(0)

    async def wait(bridge: AsyncioThread) -> None:
        with pytest.raises(AsyncioCancelled):
            await bridge.run(waiting.hang)

    async with opened() as bridge, trio.open_nursery() as nursery:
        await bridge.run(leave_one_behind)
        nursery.start_soon(wait, bridge)
        await waiting.wait_until_it_hangs()
        await bridge.aclose()
        assert waiting.ended == left.ended == ["cancelled"]
        assert await bridge.run(add, 1, 2) == 3, "and it can be used again"


async def test_a_blocked_loop_blocks_neither_trio_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio_bridge, "GRACE", 0.05)
    gate = threading.Event()

    async def block() -> None:
        await asyncio.sleep(0)
        gate.wait(30)

    bridge = AsyncioThread("test-asyncio-blocked")
    with trio.move_on_after(0.05) as scope:
        await bridge.run(block)
    assert scope.cancelled_caught
    await bridge.aclose()
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "test-asyncio-blocked":
            await trio.to_thread.run_sync(thread.join)


async def test_context_variables_go_along() -> None:
    variable = contextvars.ContextVar("variable", default="nobody")
    variable.set("the plugin")

    async def tell() -> str:
        return variable.get()

    async with opened() as bridge:
        assert await bridge.run(tell) == "the plugin"
