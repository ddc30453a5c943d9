"""Errors, quarantine with backoff, background work. Plugins are named by how they misbehave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from vodiabot import events
from vodiabot.calls.limits import UsedUp
from vodiabot.errors import Busy, CallEnded, ConnectionLost, NotAllowed, PluginError, PluginFailed, TransferFailed
from vodiabot.plugins import PluginHost, current_plugin, hookimpl

from .kit import as_plugin, logged, running


def ended(call_id: str) -> dict[str, Any]:
    return {"call": None, "event": events.CallEnded(call_id=call_id, reason="hangup")}


class FailingPlugin:
    """Raises for each event as long as it is broken."""

    def __init__(self, exc: Exception | None = None) -> None:
        self.exc: Exception = exc or RuntimeError("oops")
        self.broken = True
        self.heard: list[str] = []
        self.started = 0

    @hookimpl
    async def bot_started(self) -> None:
        self.started += 1

    @hookimpl
    async def call_ended(self, event: events.CallEnded) -> None:
        if self.broken:
            raise self.exc
        self.heard.append(event.call_id)

    @hookimpl
    async def answer_call(self, call: Any) -> None:
        if callable(call):
            await call()
        elif self.broken:
            raise self.exc


class GoodPlugin:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    async def call_ended(self, event: events.CallEnded) -> None:
        self.heard.append(event.call_id)


async def publish(host: PluginHost, *call_ids: str) -> None:
    for call_id in call_ids:
        host.publish("call_ended", **ended(call_id))
    await trio.sleep(0.01)


async def fail(host: PluginHost, times: int) -> None:
    await publish(host, *(f"bad{n}" for n in range(times)))


# --- the budget -----------------------------------------------------------------------------------------------------


async def test_errors_within_the_budget_are_forgiven_and_the_last_of_it_is_quarantine(autojump_clock: Any) -> None:
    failing, good = FailingPlugin(), GoodPlugin()
    with logged() as lines:
        async with running(failing, good, error_budget=3, error_window=60) as host:
            await fail(host, 2)
            await trio.sleep(61)
            await fail(host, 2)
            assert host.states()[0].state == "running"
            assert host.states()[0].recent_errors == 2
            await fail(host, 1)
            state = host.states()[0]
    assert (state.state, state.quarantines, state.failures) == ("quarantined", 1, 5)
    assert state.reason == "3 errors within 60 s"
    assert len(good.heard) == 5
    assert [line["event"] for line in lines("error")] == ["a hook failed"] * 5 + ["a plugin is put into quarantine"]


async def test_timeouts_count(autojump_clock: Any) -> None:
    class HangingPlugin:
        @hookimpl
        async def call_ended(self) -> None:
            await trio.sleep_forever()

    async with running(HangingPlugin(), hook_timeout=1, error_budget=2) as host:
        await publish(host, "a", "b")
        await trio.sleep(3)
        assert host.states()[0].state == "quarantined"
        assert host.states()[0].timeouts == 2


@pytest.mark.parametrize("exc", [CallEnded("1"), ConnectionLost("gone"), ExceptionGroup("", [CallEnded("1")])])
async def test_what_befalls_every_plugin_is_nobodys_fault(exc: Exception, autojump_clock: Any) -> None:
    failing = FailingPlugin(exc)
    async with running(failing, error_budget=1) as host:
        await fail(host, 3)
        handler = host.handler("FailingPlugin")
        assert handler is not None
        with pytest.raises((CallEnded, ConnectionLost, ExceptionGroup)):
            await handler(call="one")
        assert host.states()[0].state == "running"


@pytest.mark.parametrize("exc", [TransferFailed("500", 486), Busy("busy"), UsedUp("30 are used up")])
async def test_what_others_decide_in_a_call_costs_the_next_caller_nothing(exc: Exception, autojump_clock: Any) -> None:
    async with running(FailingPlugin(exc), error_budget=2) as host:
        handler = host.handler("FailingPlugin")
        assert handler is not None
        for _ in range(3):
            with pytest.raises(type(exc)):
                await handler(call="one")
        assert (host.states()[0].state, host.states()[0].failures) == ("running", 3)
        await fail(host, 2)  # in a hook it does count: nothing bounds how often that comes
        assert host.states()[0].state == "quarantined"


async def test_handlers_of_calls_count_and_their_calls_are_told_by_whoever_runs_them(autojump_clock: Any) -> None:
    failing = FailingPlugin()
    with logged() as lines:
        async with running(failing, error_budget=2) as host:
            handler = host.handler("FailingPlugin")
            assert handler is not None
            for _ in range(2):
                with pytest.raises(RuntimeError):
                    await handler(call="one")
            assert host.states()[0].state == "quarantined"
            assert host.handler("FailingPlugin") is None, "so the route's fallback counts"
            with pytest.raises(PluginError):
                await handler(call="one that was on its way")
    assert [line["event"] for line in lines("error")] == ["a plugin is put into quarantine"]


# --- quarantine -----------------------------------------------------------------------------------------------------


async def test_a_quarantine_ends_with_a_fresh_start(autojump_clock: Any) -> None:
    failing = FailingPlugin()
    async with running(failing, error_budget=2) as host:
        await host.call_and_wait("bot_started")
        await fail(host, 2)
        failing.broken = False
        begun = trio.current_time()
        await publish(host, "lost")
        state = host.states()[0]
        assert state.until is not None
        assert state.until - state.since == pytest.approx(30)
        await trio.sleep(29.9)
        assert host.states()[0].state == "quarantined"
        await trio.sleep(0.2)
        state = host.states()[0]
        assert (state.state, state.reason, state.until, state.recent_errors) == ("running", "", None, 0)
        await publish(host, "heard")
        assert trio.current_time() - begun < 31
    assert failing.heard == ["heard"]
    assert failing.started == 2, "each life begins with bot_started"


async def test_quarantines_double_and_a_healthy_hour_forgives(autojump_clock: Any) -> None:
    failing = FailingPlugin()

    async def quarantine() -> float:
        await fail(host, 1)
        state = host.states()[0]
        assert (state.state, state.until is not None) == ("quarantined", True)
        length = (state.until or 0) - state.since
        await trio.sleep(length + 1)
        return length

    async with running(failing, error_budget=1) as host:
        lengths = [await quarantine() for _ in range(7)]
        assert lengths == pytest.approx([30, 60, 120, 240, 480, 900, 900])
        await trio.sleep(3600)
        assert [await quarantine() for _ in range(2)] == pytest.approx([30, 60])
        assert host.states()[0].quarantines == 9


async def test_calls_go_on_in_quarantine_and_background_work_does_not(autojump_clock: Any) -> None:
    failing, done = FailingPlugin(), []

    async def a_call() -> None:
        await trio.sleep(5)
        done.append("call")

    async def background() -> None:
        try:
            await trio.sleep(5)
        except trio.Cancelled:
            done.append("cancelled")
            raise

    async with running(failing, error_budget=1) as host, trio.open_nursery() as nursery:
        handler = host.handler("FailingPlugin")
        assert handler is not None
        nursery.start_soon(lambda: handler(call=a_call))
        host.spawn("FailingPlugin", background)
        await trio.sleep(1)
        assert host.states()[0].calls == 1
        await fail(host, 1)
        assert done == ["cancelled"]
        with pytest.raises(NotAllowed, match="not running"):
            host.spawn("FailingPlugin", background)
    assert done == ["cancelled", "call"]


async def test_an_overflow_ends_too(autojump_clock: Any) -> None:
    class SlowPlugin(GoodPlugin):
        @hookimpl
        async def call_ended(self, event: events.CallEnded) -> None:
            await trio.sleep(5)
            self.heard.append(event.call_id)

    slow = SlowPlugin()
    async with running(slow, mailbox_size=2) as host:
        await publish(host, "a")
        await publish(host, "b", "c", "d")
        assert "no room for call_ended" in host.states()[0].reason
        await trio.sleep(31)
        await publish(host, "e")
        await trio.sleep(6)
    assert slow.heard == ["e"]


async def test_the_host_ends_in_a_quarantine_at_once(autojump_clock: Any) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    start = trio.current_time()
    async with running(FailingPlugin(), error_budget=1) as host:
        await fail(host, 1)
    assert trio.current_time() - start < 1
    assert host.states()[0].state == "stopped"
    assert trio.lowlevel.current_statistics().tasks_living == before


# --- background work ------------------------------------------------------------------------------------------------


async def test_background_work_that_fails_is_told_once_counts_and_harms_nobody(autojump_clock: Any) -> None:
    async def crash() -> None:
        await trio.sleep(1)
        assert current_plugin.get() == "GoodPlugin"
        raise ValueError("oops")

    good = GoodPlugin()
    with logged() as lines:
        async with running(good, error_budget=2) as host:
            host.spawn("GoodPlugin", crash)
            await trio.sleep(2)
            await publish(host, "a")
            (line,) = lines("error")
            assert (line["plugin"], line["event"]) == ("GoodPlugin", "background work of a plugin failed")
            assert "crash" in line["task"]
            assert isinstance(line["exc_info"], ValueError)
            assert host.states()[0].failures == 1
            host.spawn("GoodPlugin", crash)
            await trio.sleep(2)
            assert host.states()[0].state == "quarantined"
    assert good.heard == ["a"]


@pytest.mark.parametrize("raises", [SystemExit(3), CallEnded("1")])
async def test_background_work_that_leaves_oddly(raises: BaseException, autojump_clock: Any) -> None:
    async def leave() -> None:
        raise raises

    async with running(GoodPlugin()) as host:
        host.spawn("GoodPlugin", leave)
        await trio.sleep(1)
        assert host.states()[0].failures == (0 if isinstance(raises, CallEnded) else 1)


async def test_background_work_ends_with_the_host_and_none_begins_after_it(autojump_clock: Any) -> None:
    ends: list[str] = []

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("over")

    async with running(GoodPlugin()) as host:
        host.spawn("GoodPlugin", forever)
        await trio.sleep(1)
    assert ends == ["over"]
    with pytest.raises(NotAllowed):
        host.spawn("GoodPlugin", forever)
    with pytest.raises(NotAllowed):
        host.spawn("nobody", forever)


# --- each its own bot, critical plugins -----------------------------------------------------------------------------


async def test_each_plugin_gets_a_bot_of_its_own_which_hears_of_its_lives(autojump_clock: Any) -> None:
    class Handle:
        def __init__(self, name: str) -> None:
            self.name = name
            self.told: list[str] = []

        def __getattr__(self, method: str) -> Callable[[], Awaitable[None]]:
            async def note() -> None:
                self.told.append(method)

            return note

    class Wants(FailingPlugin):
        @hookimpl
        async def session_up(self, bot: Handle) -> None:
            bot.told.append("hook")

    handles: dict[str, Handle] = {}

    def bot_for(plugin: Any) -> Handle:
        return handles.setdefault(plugin.name, Handle(plugin.name))

    first, second = as_plugin(Wants(), name="first"), as_plugin(Wants(), name="second")
    async with running(first, second, bot_for=bot_for, error_budget=1) as host:
        host.publish("session_up", extension="45", reason="", event=None)
        await fail(host, 1)
        await trio.sleep(31)
    assert handles["first"] is not handles["second"]
    assert handles["first"].told == ["prepare", "hook", "left", "prepare", "left", "aclose"]


async def test_the_host_does_not_start_without_a_critical_plugin(autojump_clock: Any) -> None:
    from contextlib import asynccontextmanager

    class NoDatabase(GoodPlugin):
        @asynccontextmanager
        async def lifespan(self) -> Any:
            raise ConnectionError("no database")
            yield

    with pytest.raises(BaseExceptionGroup) as caught:
        async with running(as_plugin(NoDatabase(), critical=True), GoodPlugin()):
            pytest.fail("it has started")
    assert caught.group_contains(PluginFailed, match="NoDatabase is critical .* its setup failed: .* no database")
    async with running(as_plugin(NoDatabase()), GoodPlugin()) as host:
        assert [state.state for state in host.states()] == ["quarantined", "running"]


# --- a migration that takes its time --------------------------------------------------------------------------------


class SlowToPrepare:
    """The bot of a plugin whose store is migrated."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def prepare(self) -> None:
        await trio.sleep(self.seconds)


async def test_nobody_waits_for_a_migration_but_its_plugin(autojump_clock: Any) -> None:
    slow, good = FailingPlugin(), GoodPlugin()
    slow.broken = False
    bots = {"FailingPlugin": SlowToPrepare(600), "GoodPlugin": SlowToPrepare(0)}
    begun = trio.current_time()
    with logged() as lines:
        async with running(slow, good, hook_timeout=5, bot_for=lambda plugin: bots[plugin.name]) as host:
            assert trio.current_time() - begun == pytest.approx(5)
            await host.call_and_wait("bot_started")
            assert trio.current_time() - begun == pytest.approx(10)
            assert [state.state for state in host.states()] == ["starting", "running"]
            await publish(host, "1")
            assert good.heard == ["1"]
            handler = host.handler("FailingPlugin")
            assert handler is not None
            with pytest.raises(PluginError):  # so that the caller gets the fallback
                await handler(call=1)
            await trio.sleep(600)
            assert (slow.started, slow.heard) == (1, ["1"]), "in order, and nothing is lost"
            await handler(call=1)
    assert [line["plugin"] for line in lines("warning")] == ["FailingPlugin"]


async def test_the_bot_waits_for_the_migration_of_a_critical_plugin(autojump_clock: Any) -> None:
    slow = as_plugin(FailingPlugin(), name="slow", critical=True)
    begun = trio.current_time()
    async with running(slow, hook_timeout=5, bot=SlowToPrepare(60)) as host:
        assert trio.current_time() - begun == pytest.approx(60)
        assert host.states()[0].state == "running"
