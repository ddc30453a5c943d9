"""A plugin harms only itself. Plugins are named by how they misbehave."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from vodiabot import events
from vodiabot.errors import CallEnded, PluginError
from vodiabot.plugins import PluginHost, current_plugin, hookimpl

from .kit import as_plugin, logged, running


def ended(call_id: str) -> dict[str, Any]:
    return {"call": f"call {call_id}", "event": events.CallEnded(call_id=call_id, reason="hangup")}


def account(name: str) -> dict[str, Any]:
    state = events.Account(account=name)
    return {"account": state, "event": events.AccountChanged(account=state, changed=("dnd",))}


class Listening:
    """Notes what it hears, and when."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.at: list[float] = []

    @hookimpl
    async def call_ended(self, event: Any) -> None:
        self.heard.append(event.call_id)
        self.at.append(trio.current_time())

    @hookimpl
    async def account_changed(self, account: Any) -> None:
        self.heard.append(account.account)


class SlowPlugin(Listening):
    """Takes 5 s for each call."""

    @hookimpl
    async def call_ended(self, event: Any) -> None:
        await trio.sleep(5)
        self.heard.append(event.call_id)


class HangingPlugin(Listening):
    """Never returns for calls whose id is `hang`."""

    def __init__(self) -> None:
        super().__init__()
        self.cleaned_up = 0

    @hookimpl
    async def call_ended(self, event: Any) -> None:
        try:
            if event.call_id == "hang":
                await trio.sleep_forever()
        finally:
            self.cleaned_up += 1
        self.heard.append(event.call_id)


class CrashingPlugin(Listening):
    """Raises what it is told to, for the first event."""

    def __init__(self, exc: BaseException) -> None:
        super().__init__()
        self.exc: BaseException | None = exc

    @hookimpl
    async def call_ended(self, event: Any) -> None:
        if self.exc is not None:
            exc, self.exc = self.exc, None
            raise exc
        self.heard.append(event.call_id)


class AnsweringPlugin:
    """Answers calls by what `work` does."""

    def __init__(self, work: Any = None) -> None:
        self.got: list[Any] = []
        self.work = work

    @hookimpl
    async def answer_call(self, call: Any, bot: Any) -> None:
        self.got.append((call, bot, current_plugin.get()))
        if self.work is not None:
            await self.work()


# --- order and time ----------------------------------------------------------------------------------------


async def test_events_come_in_order_and_one_at_a_time(autojump_clock: Any) -> None:
    slow = SlowPlugin()
    async with running(slow) as host:
        for call_id in ("a", "b", "c"):
            host.publish("call_ended", **ended(call_id))
        await trio.sleep(9)
        assert slow.heard == ["a"]
        await trio.sleep(7)
    assert slow.heard == ["a", "b", "c"]


async def test_what_is_published_before_the_start_waits(autojump_clock: Any) -> None:
    listening = Listening()
    host = PluginHost([as_plugin(listening)], hook_timeout=1, bot=None)
    host.publish("call_ended", **ended("early"))
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert listening.heard == ["early"]


@pytest.mark.parametrize("bad", [SlowPlugin(), HangingPlugin(), CrashingPlugin(RuntimeError("oops"))])
async def test_others_are_not_delayed(bad: Listening, autojump_clock: Any) -> None:
    good = Listening()
    start = trio.current_time()
    async with running(bad, good) as host:
        host.publish("call_ended", **ended("hang"))
        host.publish("call_ended", **ended("b"))
        await trio.sleep(0.01)
        assert good.heard == ["hang", "b"]
        assert good.at == [start, start]
        await trio.sleep(60)
    assert bad.heard[-1] == "b", "and it goes on with the next event itself"


async def test_a_plugin_that_never_waits_lets_others_have_their_turn() -> None:
    class BusyPlugin(Listening):
        """Is through with each event without waiting for anything."""

    busy = BusyPlugin()
    async with running(busy) as host:
        for number in range(500):
            host.publish("call_ended", **ended(str(number)))
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert 0 < len(busy.heard) < 500


# --- what hooks do wrong -----------------------------------------------------------------------------------


async def test_a_hook_that_hangs_is_cancelled_and_told_once(autojump_clock: Any) -> None:
    hanging = HangingPlugin()
    with logged() as lines:
        async with running(hanging, hook_timeout=2) as host:
            host.publish("call_ended", **ended("hang"))
            host.publish("call_ended", **ended("next"))
            await trio.sleep(1.9)
            assert hanging.cleaned_up == 0
            await trio.sleep(0.2)
            assert hanging.heard == ["next"]
            assert host.states()[0].timeouts == 1
    (line,) = lines("error")
    assert (line["plugin"], line["hook"], line["hook_timeout"]) == ("HangingPlugin", "call_ended", 2)


@pytest.mark.parametrize(
    "exc",
    [RuntimeError("oops"), SystemExit(3), ExceptionGroup("two", [ValueError(), CallEnded("1")])],
    ids=lambda e: type(e).__name__,
)
async def test_a_hook_that_raises_is_told_once_and_the_plugin_goes_on(
    exc: BaseException, autojump_clock: Any
) -> None:
    crashing = CrashingPlugin(exc)
    with logged() as lines:
        async with running(crashing) as host:
            host.publish("call_ended", **ended("a"))
            host.publish("call_ended", **ended("b"))
            await trio.sleep(1)
            state = host.states()[0]
    assert crashing.heard == ["b"]
    assert (state.state, state.failures) == ("running", 1)
    (line,) = lines("error")
    assert (line["plugin"], line["hook"], line["event_kind"], line["call"]) == (
        "CrashingPlugin",
        "call_ended",
        "CallEnded",
        "a",
    )
    assert line["exc_info"] is exc, "the traceback comes with it"


@pytest.mark.parametrize("exc", [CallEnded("1"), ExceptionGroup("nursery", [CallEnded("1")])])
async def test_the_end_of_a_call_is_a_normal_end_of_a_hook(exc: BaseException, autojump_clock: Any) -> None:
    with logged() as lines:
        async with running(CrashingPlugin(exc)) as host:
            host.publish("call_ended", **ended("a"))
            await trio.sleep(1)
            assert host.states()[0].failures == 0
    assert not lines("error", "warning")


async def test_ctrl_c_in_a_hook_is_not_the_plugins_own(autojump_clock: Any) -> None:
    async def interrupted() -> None:
        async with running(CrashingPlugin(KeyboardInterrupt())) as host:
            host.publish("call_ended", **ended("a"))
            await trio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        await interrupted()
    assert caught.group_contains(KeyboardInterrupt)


# --- too many events ---------------------------------------------------------------------------------------


async def test_overflow_with_call_events_is_a_loud_quarantine(autojump_clock: Any) -> None:
    stuck, good = HangingPlugin(), Listening()
    with logged() as lines:
        async with running(stuck, good, hook_timeout=1000, mailbox_size=3) as host:
            host.publish("call_ended", **ended("hang"))
            await trio.sleep(0.1)
            for call_id in "abc":
                host.publish("call_ended", **ended(call_id))
                await trio.sleep(0.1)
            assert host.states()[0].state == "running"
            assert host.states()[0].queued == 3
            host.publish("call_ended", **ended("d"))
            host.publish("call_ended", **ended("e"))
            await trio.sleep(1)
            assert stuck.cleaned_up == 1, "what hangs is cancelled at once, not when the bot ends"
            bad, fine = host.states()
    assert (bad.state, bad.queued, stuck.cleaned_up, stuck.heard) == ("quarantined", 0, 1, [])
    assert "3 events wait" in bad.reason
    assert (fine.state, good.heard) == ("running", ["hang", "a", "b", "c", "d", "e"])
    (line,) = lines("error")
    assert (line["plugin"], line["events_lost"]) == ("HangingPlugin", 3)


async def test_a_quarantined_plugin_gets_nothing_more(autojump_clock: Any) -> None:
    class StuckAnswering(HangingPlugin, AnsweringPlugin):
        def __init__(self) -> None:
            HangingPlugin.__init__(self)

    async with running(StuckAnswering(), hook_timeout=1000, mailbox_size=1) as host:
        assert host.wants("call_ended")
        assert host.handler("StuckAnswering") is not None
        host.publish("call_ended", **ended("hang"))
        await trio.sleep(1)
        host.publish("call_ended", **ended("a"))
        host.publish("call_ended", **ended("b"))
        await trio.sleep(1)
        assert not host.wants("call_ended")
        assert host.handler("StuckAnswering") is None
        with trio.fail_after(1):
            await host.call_and_wait("call_ended", **ended("c"))


async def test_events_of_state_give_way_to_calls_and_are_counted(autojump_clock: Any) -> None:
    slow = SlowPlugin()
    with logged() as lines:
        async with running(slow, mailbox_size=3) as host:
            host.publish("call_ended", **ended("first"))
            await trio.sleep(1)
            for name in ("40", "41", "42", "43"):
                host.publish("account_changed", **account(name))
            host.publish("call_ended", **ended("a"))
            host.publish("call_ended", **ended("b"))
            await trio.sleep(60)
            state = host.states()[0]
    assert slow.heard == ["first", "43", "a", "b"]
    assert (state.state, state.skipped) == ("running", 3)
    behind, caught_up = lines("warning")
    assert behind["plugin"] == "SlowPlugin"
    assert caught_up["events_skipped"] == 3


async def test_a_mailbox_full_of_calls_takes_no_state_and_the_plugin_lives(autojump_clock: Any) -> None:
    slow = SlowPlugin()
    async with running(slow, mailbox_size=1) as host:
        host.publish("call_ended", **ended("first"))
        await trio.sleep(1)
        host.publish("call_ended", **ended("a"))
        host.publish("account_changed", **account("40"))
        await trio.sleep(60)
        assert host.states()[0].skipped == 1
    assert slow.heard == ["first", "a"]


# --- the beginning and the end -----------------------------------------------------------------------------


class LifeCycle(Listening):
    @hookimpl
    async def bot_started(self, bot: Any) -> None:
        await trio.sleep(1)
        self.heard.append(f"started {bot}")

    @hookimpl
    async def bot_stopping(self) -> None:
        self.heard.append("stopping")


async def test_started_and_stopping_take_their_turn_and_are_awaited(autojump_clock: Any) -> None:
    life, crashing = LifeCycle(), CrashingPlugin(ValueError())
    async with running(life, crashing, bot="it") as host:
        await host.call_and_wait("bot_started")
        assert life.heard == ["started it"]
        host.publish("call_ended", **ended("a"))
        await host.call_and_wait("bot_stopping")
    assert life.heard == ["started it", "a", "stopping"]


async def test_waiting_ends_though_a_plugin_hangs_or_raises(autojump_clock: Any) -> None:
    class HangsAtStart:
        @hookimpl
        async def bot_started(self) -> None:
            await trio.sleep_forever()

    class CrashesAtStart:
        @hookimpl
        async def bot_started(self) -> None:
            raise RuntimeError

    life = LifeCycle()
    start = trio.current_time()
    async with running(HangsAtStart(), CrashesAtStart(), life, hook_timeout=7) as host:
        await host.call_and_wait("bot_started")
    assert trio.current_time() - start == pytest.approx(7)
    assert life.heard == ["started the bot"]


async def test_stopping_reaches_a_plugin_that_is_far_behind(autojump_clock: Any) -> None:
    class FarBehind(SlowPlugin, LifeCycle):
        """A minute of work waits for it."""

    far_behind = FarBehind()
    start = trio.current_time()
    with logged() as lines:
        async with running(far_behind, hook_timeout=6) as host:
            for number in range(12):
                host.publish("call_ended", **ended(str(number)))
            await host.call_and_wait("bot_stopping")
    assert far_behind.heard == ["0", "1", "stopping"]
    assert trio.current_time() - start <= 3 * 6
    (line,) = lines("error")
    assert line["events_lost"] == 10


async def test_two_who_wait_behind_a_slow_plugin_are_both_let_go(autojump_clock: Any) -> None:
    class FarBehind(SlowPlugin, LifeCycle):
        """A minute of work waits for it."""

    async with running(FarBehind(), hook_timeout=6) as host:
        for number in range(12):
            host.publish("call_ended", **ended(str(number)))
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(host.call_and_wait, "bot_started")
                nursery.start_soon(host.call_and_wait, "bot_stopping")


async def test_cancellation_leaves_nothing_behind(autojump_clock: Any) -> None:
    hanging = HangingPlugin()
    before = trio.lowlevel.current_statistics().tasks_living
    async with running(hanging, Listening(), hook_timeout=1000) as host:
        host.publish("call_ended", **ended("hang"))
        host.publish("call_ended", **ended("waits"))
        await trio.sleep(1)
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert (hanging.cleaned_up, hanging.heard) == (1, [])
    assert [(s.state, s.queued) for s in host.states()] == [("stopped", 0)] * 2
    host.publish("call_ended", **ended("late"))
    assert [s.queued for s in host.states()] == [0, 0]
    assert not host.wants("call_ended")


async def test_who_waits_for_a_hook_is_let_go_when_the_host_ends(autojump_clock: Any) -> None:
    host = PluginHost([as_plugin(HangingPlugin())], hook_timeout=1000, bot=None)
    async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
        await nursery.start(host.run)
        host.publish("call_ended", **ended("hang"))
        outer.start_soon(lambda: host.call_and_wait("call_ended", **ended("waits")))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()


# --- calls -------------------------------------------------------------------------------------------------


async def test_a_handler_gets_the_arguments_that_it_names(autojump_clock: Any) -> None:
    answering = AnsweringPlugin()
    async with running(answering, bot="it") as host:
        handler = host.handler("AnsweringPlugin")
        assert handler is not None
        await handler(call="the call")
    assert answering.got == [("the call", "it", "AnsweringPlugin")]
    assert current_plugin.get() is None


async def test_a_handler_has_no_time_limit_and_is_not_in_the_mailbox(autojump_clock: Any) -> None:
    class Both(AnsweringPlugin, Listening):
        def __init__(self) -> None:
            Listening.__init__(self)
            AnsweringPlugin.__init__(self, work=partial(trio.sleep, 3600))

    both = Both()
    async with running(both, hook_timeout=1) as host, trio.open_nursery() as nursery:
        handler = host.handler("Both")
        assert handler is not None
        nursery.start_soon(lambda: handler(call=1))
        nursery.start_soon(lambda: handler(call=2))
        await trio.sleep(10)
        host.publish("call_ended", **ended("a"))
        await trio.sleep(1)
        assert both.heard == ["a"]
        assert len(both.got) == 2


async def test_what_a_handler_raises_comes_through_but_no_exit(autojump_clock: Any) -> None:
    async def fails() -> None:
        raise KeyError("mine")

    async def exits() -> None:
        raise SystemExit(1)

    failing, exiting = AnsweringPlugin(fails), AnsweringPlugin(exits)
    async with running(as_plugin(failing, name="failing"), as_plugin(exiting, name="exiting")) as host:
        for name, expected in (("failing", KeyError), ("exiting", PluginError)):
            handler = host.handler(name)
            assert handler is not None
            with pytest.raises(expected):
                await handler(call=1)


async def test_there_is_no_handler_where_there_is_no_answer_call(autojump_clock: Any) -> None:
    async with running(Listening()) as host:
        assert host.handler("Listening") is None
        assert host.handler("nobody") is None


# --- arguments ---------------------------------------------------------------------------------------------


async def test_a_plugin_has_its_own_config_and_log(autojump_clock: Any) -> None:
    class Chatty:
        @hookimpl
        async def call_ended(self, config: Any, log: Any, call: Any) -> None:
            log.info("heard", config=config)

    class ACall:
        id = "c1"

    with logged() as lines:
        async with running(
            as_plugin(Chatty(), name="one", config=1), as_plugin(Chatty(), name="two", config=2)
        ) as host:
            host.publish("call_ended", **{**ended("c1"), "call": ACall()})
            await trio.sleep(1)
    told = [(x["plugin"], x["config"], x["call"]) for x in lines("info")]
    assert sorted(told) == [("one", 1, "c1"), ("two", 2, "c1")]


async def test_tasks_of_a_plugin_bear_its_name(autojump_clock: Any) -> None:
    names: list[str | None] = []

    class Spawning:
        @hookimpl
        async def call_ended(self) -> None:
            async def child() -> None:
                names.append(current_plugin.get())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)

    async with running(Spawning()) as host:
        host.publish("call_ended", **ended("a"))
        await trio.sleep(1)
    assert names == ["Spawning"]
    assert current_plugin.get() is None


async def test_frames_cost_nothing_where_nobody_wants_them(autojump_clock: Any) -> None:
    class ReadsFrames:
        def __init__(self) -> None:
            self.texts: list[str] = []

        @hookimpl
        async def frame_received(self, frame: Any) -> None:
            self.texts.append(frame.text)

    reader = ReadsFrames()
    async with running(Listening()) as host:
        assert not host.wants("frame_received")
    async with running(reader) as host:
        assert host.wants("frame_received")
        host.publish_event(events.FrameReceived(extension="45", text="{}"))
        await trio.sleep(1)
    assert reader.texts == ["{}"]


async def test_an_unknown_hook_is_our_own_mistake(autojump_clock: Any) -> None:
    async with running() as host:
        with pytest.raises(KeyError):
            host.publish("call_endet")
