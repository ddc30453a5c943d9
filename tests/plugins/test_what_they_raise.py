"""Whatever a plugin raises, and wherever: it ends there, and the host and the other plugins live."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from vodiabot.errors import PluginError
from vodiabot.plugins import PluginHost, hookimpl

from .kit import as_plugin, logged, running
from .test_supervision import FailingPlugin, GoodPlugin, publish


class OddError(BaseException):
    """No Exception, and nobody's but the plugin's."""


async def fails_while_cancelled() -> None:
    """Its nursery raises both at once: what failed, and the cancellation."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("oops")


async def raises_an_old_cancellation() -> None:
    kept: list[BaseException] = []
    with trio.move_on_after(0.1):
        try:
            await trio.sleep_forever()
        except trio.Cancelled as exc:
            kept.append(exc)
            raise
    raise kept[0]


async def raises_odd() -> None:
    raise OddError("odd")


async def raises_asyncios() -> None:
    raise asyncio.CancelledError


class MuteError(Exception):
    """A library's, which forgot what it says."""

    def __str__(self) -> str:
        raise AttributeError("message")


async def raises_a_mix() -> None:
    raise BaseExceptionGroup("all", [ValueError("oops"), GeneratorExit(), SystemExit(7)])


ODD = [raises_odd, raises_asyncios, raises_an_old_cancellation, raises_a_mix]


class ActingPlugin(FailingPlugin):
    """Does what it is told, at each event and in each call."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.act = act

    @hookimpl
    async def call_ended(self, event: Any) -> None:
        await self.act()

    @hookimpl
    async def answer_call(self, call: Any) -> None:
        await self.act()


async def raises_an_interrupt() -> None:
    raise KeyboardInterrupt


async def test_an_interrupt_of_its_own_making(autojump_clock: Any) -> None:
    """While Ctrl-C is heard as a signal, as in `vodiabot run`, it raises nothing."""
    with trio.open_signal_receiver(signal.SIGINT):
        good, acting = GoodPlugin(), ActingPlugin(raises_an_interrupt)
        async with running(as_plugin(acting), as_plugin(good)) as host:
            await publish(host, "call_ended")
            await trio.testing.wait_all_tasks_blocked()
            assert [(s.name, s.state, s.failures) for s in host.states()] == [
                ("ActingPlugin", "running", 1), ("GoodPlugin", "running", 0)
            ]  # fmt: skip


@pytest.mark.parametrize("act", ODD)
async def test_what_is_no_exception_is_the_plugins_all_the_same(act: Any, autojump_clock: Any) -> None:
    good = GoodPlugin()
    async with running(ActingPlugin(act), good) as host:
        await publish(host, "1")
        host.spawn("ActingPlugin", act)
        handler = host.handler("ActingPlugin")
        assert handler is not None
        with pytest.raises(PluginError):
            await handler(call=1)
        await trio.sleep(1)
        assert [state.failures for state in host.states()] == [3, 0]
        await publish(host, "2")
    assert good.heard == ["1", "2"]


async def test_background_work_that_fails_as_it_is_cancelled_harms_nobody(autojump_clock: Any) -> None:
    failing, good = FailingPlugin(), GoodPlugin()
    with logged() as lines:
        async with running(failing, good, error_budget=1) as host:
            host.spawn("FailingPlugin", fails_while_cancelled)
            await publish(host, "1")
            await trio.sleep(1)
            assert [state.state for state in host.states()] == ["quarantined", "running"]
            await publish(host, "2")
    assert good.heard == ["1", "2"]
    assert "background work of a plugin failed" in [line["event"] for line in lines("error")]


async def test_a_setup_that_fails_as_it_is_given_up_harms_nobody(autojump_clock: Any) -> None:
    class FailingSetup(GoodPlugin):
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            await fails_while_cancelled()
            yield

    good = GoodPlugin()
    async with running(FailingSetup(), good, hook_timeout=5) as host:
        assert [state.state for state in host.states()] == ["quarantined", "running"]
        await publish(host, "1")
    assert good.heard == ["1"]


async def test_a_handler_that_fails_as_it_is_cancelled_is_told_and_leaves_as_cancelled(autojump_clock: Any) -> None:
    with logged() as lines:
        async with running(ActingPlugin(fails_while_cancelled)) as host:
            handler = host.handler("ActingPlugin")
            assert handler is not None
            with trio.move_on_after(1) as scope:
                await handler(call=1)
            assert scope.cancelled_caught
            assert host.states()[0].failures == 1
    assert [line["event"] for line in lines("error")] == ["the handler of a call failed"]


async def test_a_hook_that_fails_as_the_host_ends_harms_nothing(autojump_clock: Any) -> None:
    host = PluginHost([as_plugin(ActingPlugin(fails_while_cancelled))], hook_timeout=100)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        await publish(host, "1")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (MuteError(), "its setup failed: MuteError"),
        (ValueError("half a \udcff"), "its setup failed: ValueError: half a \\udcff"),
        (ExceptionGroup("two", [MuteError()]), "its setup failed: ExceptionGroup: two (1 sub-exception)"),
    ],
)
async def test_a_reason_that_can_t_be_told_is_none(exc: Exception, reason: str, autojump_clock: Any) -> None:
    class FailingSetup(GoodPlugin):
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            raise exc
            yield

    good = GoodPlugin()
    async with running(FailingSetup(), good) as host:
        assert [state.reason for state in host.states()] == [reason, ""]
        await publish(host, "1")
    assert good.heard == ["1"]
