"""A blocked trio thread is noticed, and by whom it is blocked. In real time, but no test depends on the machine's
speed: the plugin blocks until it was noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from vodiabot.plugins import Watchdog, hookimpl

from .kit import logged, running
from .test_supervision import publish

GIVE_UP = 20.0
"""Seconds: far more than any machine takes."""


def block_until(holds: Callable[[], bool]) -> None:
    """As a plugin does that computes: nothing else runs on this thread."""
    end = time.monotonic() + GIVE_UP
    while not holds():
        assert time.monotonic() < end, "nobody has noticed"
        time.sleep(0.002)


@asynccontextmanager
async def watched(blocked_after: float = 0.05) -> AsyncIterator[Watchdog]:
    dog = Watchdog(blocked_after)
    async with trio.open_nursery() as nursery:
        await nursery.start(dog.run)
        yield dog
        nursery.cancel_scope.cancel()


class BlockingPlugin:
    """Blocks in a hook, in background work, in a task of its own, or in a handler."""

    def __init__(self, noticed: Callable[[], bool]) -> None:
        self.noticed = noticed

    @hookimpl
    async def call_ended(self) -> None:
        await trio.lowlevel.checkpoint()
        await self.deeper()

    async def deeper(self) -> None:
        self.block_here()

    def block_here(self) -> None:
        block_until(self.noticed)

    @hookimpl
    async def bot_started(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.deeper)

    @hookimpl
    async def answer_call(self) -> None:
        await self.deeper()


@pytest.mark.parametrize("where", ["hook", "own task", "background", "handler"])
async def test_the_plugin_is_named_with_its_stack_once(where: str) -> None:
    with logged() as lines:
        async with watched() as dog:
            plugin = BlockingPlugin(lambda: dog.blockages == 1)
            async with running(plugin) as host:
                if where == "hook":
                    await publish(host, "a")
                elif where == "own task":
                    await host.call_and_wait("bot_started")
                elif where == "background":
                    host.spawn("BlockingPlugin", plugin.deeper)
                else:
                    handler = host.handler("BlockingPlugin")
                    assert handler is not None
                    await handler()
                await _until(lambda: dog.blocked_seconds > 0)
            assert dog.by_plugin == {"BlockingPlugin": 1}
    (blocked,) = lines("error")
    assert blocked["plugin"] == "BlockingPlugin"
    assert "in block_here" in blocked["stack"]
    assert "unrolled_run" not in blocked["stack"], "trio's own frames say nothing"
    (free,) = lines("warning")
    assert (free["plugin"], free["event"]) == ("BlockingPlugin", "the trio thread is free again")


async def test_the_engine_itself_is_not_taken_for_a_plugin() -> None:
    async with watched() as dog:
        await trio.lowlevel.checkpoint()
        block_until(lambda: dog.blockages == 1)
        await trio.lowlevel.checkpoint()
        assert dog.by_plugin == {"": 1}


async def test_two_blockages_are_two() -> None:
    with logged() as lines:
        async with watched() as dog:
            for expected in (1, 2):
                block_until(lambda expected=expected: dog.blockages == expected)  # type: ignore[misc]
                await _until(lambda expected=expected: len(lines("warning")) == expected)  # type: ignore[misc]


async def test_waiting_is_not_blocking() -> None:
    """Seen from another thread, as the watchdog sees it."""
    async with watched(blocked_after=GIVE_UP) as dog:
        await trio.to_thread.run_sync(block_until, lambda: dog._busy_since is None)
        assert dog._busy_since is not None
        assert dog.blockages == 0


async def test_the_thread_is_joined_and_the_instrument_is_gone() -> None:
    before = threading.active_count()
    async with watched() as dog:
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(KeyError):
        trio.lowlevel.remove_instrument(dog)


async def test_it_ends_in_the_middle_of_a_blockage() -> None:
    async with watched() as dog:
        block_until(lambda: dog.blockages == 1)
    assert "vodiabot-watchdog" not in {thread.name for thread in threading.enumerate()}


async def _until(holds: Callable[[], Any]) -> None:
    with trio.fail_after(GIVE_UP):
        while not holds():  # noqa: ASYNC110 - another thread's doing
            await trio.sleep(0.005)
