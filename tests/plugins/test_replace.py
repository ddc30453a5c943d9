"""Plugins are replaced while the host runs: nobody else is touched, no event is lost, calls go on."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot import events
from vodiabot.errors import NotAllowed
from vodiabot.plugins import LoadedPlugin, PluginHost, hookimpl, load_plugins, outdated, unload

from .kit import as_plugin, config, logged, running, write
from .test_supervision import publish


class Generation:
    """One of several that follow one another under the same name."""

    def __init__(self, name: str, told: list[str], slow: float = 0.0) -> None:
        self.name, self.told, self.slow = name, told, slow

    def tell(self, what: str) -> None:
        self.told.append(f"{self.name} {what}")

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        await trio.sleep(self.slow)
        self.tell("up")
        yield
        self.tell("down")

    @hookimpl
    async def bot_started(self) -> None:
        self.tell("started")

    @hookimpl
    async def bot_stopping(self) -> None:
        self.tell("stopping")

    @hookimpl
    async def call_ended(self, event: events.CallEnded) -> None:
        await trio.sleep(self.slow)
        self.tell(f"heard {event.call_id}")

    @hookimpl
    async def answer_call(self, call: Any) -> None:
        self.tell("answers")
        await call.wait()
        self.tell("has answered")


def generations(*names: str, slow: float = 0.0) -> tuple[list[str], list[LoadedPlugin]]:
    told: list[str] = []
    return told, [as_plugin(Generation(name, told, slow), name="p") for name in names]


async def test_the_old_one_is_torn_down_before_the_new_one_is_set_up(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new")
    async with running(old) as host:
        await host.replace([new])
        await publish(host, "1")
        assert [p is new for p in host.plugins] == [True]
    assert told == ["old up", "old stopping", "old down", "new up", "new started", "new heard 1", "new down"]


class Slow:
    """Hears all, takes its time, and has no `bot_stopping`."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl
    async def call_ended(self, event: events.CallEnded) -> None:
        await trio.sleep(1)
        self.told.append(event.call_id)


async def test_what_waits_for_the_old_one_is_heard_also_where_it_has_no_bot_stopping(autojump_clock: Any) -> None:
    old, new = Slow(), Slow()
    async with running(as_plugin(old, name="p")) as host:
        await publish(host, *"abc")
        await host.replace([as_plugin(new, name="p")])
        assert old.told == ["a", "b", "c"]
        await publish(host, *"def")
        await host.call_and_wait("bot_stopping")
        assert new.told == ["d", "e", "f"], "as when the bot leaves: the last calls have just ended"


async def test_who_has_not_changed_is_not_touched(autojump_clock: Any) -> None:
    told, (same, other) = generations("same", "other")
    other = as_plugin(other.namespace, name="other")
    async with running(same) as host:
        await host.replace([other, same])
        assert [state.name for state in host.states()] == ["other", "p"], "in the new order"
        await host.replace([same])
        await publish(host, "1")
        assert told == ["same up", "other up", "other started", "other stopping", "other down", "same heard 1"]


async def test_no_event_is_lost_or_told_twice_in_between(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new", slow=1.0)
    async with running(old) as host, trio.open_nursery() as nursery:
        for number in range(6):
            host.publish("call_ended", event=events.CallEnded(call_id=str(number), reason=""))
            if number == 2:
                nursery.start_soon(host.replace, [new])
            await trio.sleep(0.5)
        await trio.sleep(20)
    heard = [line for line in told if "heard" in line]
    assert heard == [f"old heard {n}" for n in (0, 1, 2)] + [f"new heard {n}" for n in (3, 4, 5)]
    assert told.index("new started") < told.index("new heard 3")


async def test_a_call_goes_on_with_the_one_that_answered_it_and_that_stays_set_up(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new")
    hang_up = trio.Event()
    async with running(old) as host, trio.open_nursery() as nursery:
        handler = host.handler("p")
        assert handler is not None
        nursery.start_soon(lambda: handler(call=hang_up))
        await trio.sleep(1)
        with trio.fail_after(1):
            await host.replace([new])
        await trio.sleep(600)
        assert told == ["old up", "old answers", "old stopping", "new up", "new started"]
        done = trio.Event()
        done.set()
        await handler(call=done)
        hang_up.set()
        await trio.sleep(1)
        assert told[5:] == ["new answers", "new has answered", "old has answered", "old down"]
        assert not host._former


async def test_the_host_ends_while_a_former_one_has_a_call(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new")
    hang_up = trio.Event()
    async with trio.open_nursery() as calls:
        async with running(old) as host:
            handler = host.handler("p")
            assert handler is not None
            calls.start_soon(lambda: handler(call=hang_up))
            await trio.sleep(1)
            await host.replace([new])
        assert sorted(told[-2:]) == ["new down", "old down"]
        hang_up.set()


async def test_the_host_ends_in_the_middle_of_a_replacement(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new", slow=2.0)
    before = trio.lowlevel.current_statistics().tasks_living
    with trio.fail_after(10):
        async with trio.open_nursery() as outside, running(old) as host:
            outside.start_soon(host.replace, [new])
            await trio.sleep(1)
    assert told == ["old up", "old stopping", "old down"], "the new one was never set up"
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_a_replacement_that_is_cancelled_is_carried_through(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new", slow=2.0)
    async with running(old) as host:
        with trio.move_on_after(1):
            await host.replace([new])
        await trio.sleep(5)
        assert told[-1] == "new started"
        assert host.states()[0].state == "running"


async def test_one_that_sits_in_quarantine_is_replaced_at_once(autojump_clock: Any) -> None:
    class Broken:
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            raise ValueError("oops")
            yield

    told, (new,) = generations("new")
    async with running(as_plugin(Broken(), name="p")) as host:
        assert host.states()[0].state == "quarantined"
        with trio.fail_after(1):
            await host.replace([new])
        assert host.states()[0].state == "running"
    assert told == ["new up", "new started", "new down"]


async def test_its_bot_is_closed_when_its_last_call_is_over_in_quarantine_too(autojump_clock: Any) -> None:
    class Handle:
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    told, (old, new) = generations("old", "new")
    handles: dict[int, Handle] = {}
    hang_up = trio.Event()
    bot_for = lambda plugin: handles.setdefault(id(plugin), Handle())  # noqa: E731
    async with running(old, bot_for=bot_for) as host, trio.open_nursery() as nursery:
        handler = host.handler("p")
        assert handler is not None
        nursery.start_soon(lambda: handler(call=hang_up))
        await trio.sleep(1)
        host._runners["p"].quarantine("for a test")
        await trio.sleep(1)
        with trio.fail_after(1):
            await host.replace([new])
        await trio.sleep(100)
        assert (handles[id(old)].closed, told[-1]) == (0, "new started")
        hang_up.set()
        await trio.sleep(1)
        assert handles[id(old)].closed == 1


async def test_one_that_hangs_is_replaced_all_the_same(autojump_clock: Any) -> None:
    class Hanging:
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            yield
            await trio.sleep_forever()

        @hookimpl
        async def call_ended(self) -> None:
            await trio.sleep_forever()

        @hookimpl
        async def bot_stopping(self) -> None:
            await trio.sleep_forever()

    _, (new,) = generations("new")
    async with running(as_plugin(Hanging(), name="p"), hook_timeout=5) as host:
        await publish(host, *"abcdefgh")
        with trio.fail_after(4 * 5 + 1):
            await host.replace([new])
        assert host.states()[0].state == "running"


async def test_a_handler_waits_for_the_new_one(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new", slow=2.0)
    done = trio.Event()
    done.set()
    async with running(old) as host, trio.open_nursery() as nursery:
        nursery.start_soon(host.replace, [new])
        await trio.sleep(1)
        handler = host.handler("p")
        assert handler is not None
        await handler(call=done)
        assert told[-1] == "new has answered"


async def test_a_handler_waits_for_the_new_one_while_the_old_one_still_leaves(autojump_clock: Any) -> None:
    """It must not run before its own setup."""
    told, (new,) = generations("new")

    class LeavesSlowly(Generation):
        @hookimpl
        async def bot_stopping(self) -> None:
            await trio.sleep(5)

    old = as_plugin(LeavesSlowly("old", told), name="p")
    done = trio.Event()
    done.set()
    async with running(old) as host, trio.open_nursery() as nursery:
        nursery.start_soon(host.replace, [new])
        await trio.sleep(1)
        handler = host.handler("p")
        assert handler is not None
        await handler(call=done)
        assert [line for line in told if line != "new started"] == [
            "old up",
            "old down",
            "new up",
            "new answers",
            "new has answered",
        ]


async def test_a_host_that_does_not_run_replaces_nothing() -> None:
    _, (old, new) = generations("old", "new")
    with pytest.raises(NotAllowed):
        await PluginHost([old], hook_timeout=1).replace([new])


async def test_other_limits_hold_from_now_on(autojump_clock: Any) -> None:
    _, (plugin,) = generations("slow", slow=3.0)
    async with running(plugin) as host:
        host.hold_to(1.0, 2, 60.0)
        await publish(host, "a", "b")
        await trio.sleep(3)
        assert host.states()[0].reason == "2 errors within 60 s"


def test_code_that_was_changed_within_the_same_second_is_new_code(tmp_path: Path) -> None:
    write(tmp_path / "plugins", "one.py", CONFIGURED + "X = 1\n")
    write(tmp_path / "plugins", "two.py", SOURCE)
    settings = config(tmp_path, TOML.format("a"))
    for number in "2345":
        before, _ = load_plugins(settings)
        stat = (tmp_path / "plugins" / "one.py").stat()
        path = write(tmp_path / "plugins", "one.py", CONFIGURED + f"X = {number}\n")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        after, _ = load_plugins(settings, keep=before)
        assert str(after[0].namespace.X) == number
        for plugin in {id(p): p for p in (*before, *after)}.values():
            unload(plugin)


# --- one that ignores its cancellation ----------------------------------------------------------------------


class DeafHooks:
    @hookimpl
    async def bot_started(self) -> None:
        return


class DeafPlugin:
    """Its background work catches whatever comes, until it is let go."""

    def __init__(self) -> None:
        self.let_go = False

    async def background(self) -> None:
        while not self.let_go:
            try:
                await trio.sleep(1)
            except trio.Cancelled:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)


async def test_a_plugin_that_ignores_its_cancellation_is_named_and_no_reload_waits_for_it(autojump_clock: Any) -> None:
    told, (new,) = generations("new")
    deaf = DeafPlugin()
    with logged() as lines:
        async with running(as_plugin(DeafHooks(), name="p"), hook_timeout=5) as host:
            host.spawn("p", deaf.background)
            with trio.fail_after(20):
                await host.replace([new])
            assert told == ["new up", "new started"]
            (line,) = lines("error")
            assert (line["plugin"], line["event"]) == ("p", "a plugin does not end: it ignores that it is cancelled")
            assert "test_replace.py" in line["where"][0]
            assert line["where"][0].endswith(" background")
            deaf.let_go = True
            await trio.sleep(2)
            assert not host._former
    assert len(lines("error")) == 1


async def test_a_hook_that_ignores_its_time_limit_is_a_quarantine(autojump_clock: Any) -> None:
    """Calls go to the fallback then, and status and metrics show it: it hears nothing as it is."""

    class DeafHook(DeafPlugin):
        @hookimpl
        async def call_ended(self, event: events.CallEnded) -> None:
            await self.background()

    deaf, told = DeafHook(), []
    good = as_plugin(Generation("good", told), name="good")
    with logged() as lines:
        async with running(as_plugin(deaf, name="deaf"), good, hook_timeout=5) as host:
            await publish(host, "1")
            await trio.sleep(11)
            await publish(host, "2")
            state = host.states()[0]
            assert (state.state, state.reason) == ("quarantined", "a hook ignores that it is cancelled")
            await trio.sleep(15)
            assert [line["where"][0].split()[-1] for line in lines("error") if "where" in line] == ["background"]
            deaf.let_go = True
            await trio.sleep(60)
            assert host.states()[0].state == "running"
    assert told == ["good up", "good heard 1", "good heard 2", "good down"]


async def test_one_that_stays_for_its_calls_is_not_taken_for_one(autojump_clock: Any) -> None:
    told, (old, new) = generations("old", "new")
    hang_up = trio.Event()
    with logged() as lines:
        async with running(old) as host, trio.open_nursery() as nursery:
            handler = host.handler("p")
            assert handler is not None
            nursery.start_soon(lambda: handler(call=hang_up))
            await trio.sleep(1)
            await host.replace([new])
            await trio.sleep(600)
            hang_up.set()
            await trio.sleep(600)
    assert told[-2:] == ["old down", "new down"]
    assert not lines("error")


# --- what has changed --------------------------------------------------------------------------------------

SOURCE = "from vodiabot import hookimpl\n@hookimpl\nasync def bot_started(): pass\n"
CONFIGURED = SOURCE + "from dataclasses import dataclass\n@dataclass\nclass Config:\n    text: str = ''\n"
TOML = '[plugins]\npath = ["plugins"]\nenabled = ["one", "two"]\n[plugin.one]\ntext = "{}"\n'


def test_only_what_has_changed_is_loaded_again(tmp_path: Path) -> None:
    write(tmp_path / "plugins", "one.py", CONFIGURED)
    write(tmp_path / "plugins", "two/__init__.py", SOURCE)
    write(tmp_path / "plugins", "two/inner.py", "x = 1\n")
    settings = config(tmp_path, TOML.format("a"))
    (one, two), problems = load_plugins(settings)
    assert not problems
    try:
        assert load_plugins(settings, keep=[one, two])[0] == [one, two], "the very objects"
        changed, _ = load_plugins(config(tmp_path, TOML.format("b")), keep=[one, two])
        assert [p is q for p, q in zip(changed, (one, two), strict=True)] == [False, True]
        assert changed[0].config.text == "b"
        write(tmp_path / "plugins", "two/inner.py", "x = 2\n")
        again, _ = load_plugins(settings, keep=[one, two])
        assert [p is q for p, q in zip(again, (one, two), strict=True)] == [True, False]
        assert again[1].modules != two.modules, "the old one's modules stay as they are"
        assert outdated(settings, again) == []
        for plugin in (changed[0], again[1]):
            unload(plugin)
    finally:
        unload(one)
        unload(two)
    assert not [name for name in sys.modules if name.startswith(("vodiabot_plugin_one", "vodiabot_plugin_two"))]


SECRETIVE = SOURCE + (
    "from dataclasses import dataclass\nfrom vodiabot import Secret\n"
    "@dataclass\nclass Config:\n    key: Secret\n    other: list[Secret]\n"
)
NAMED = (
    '[plugins]\npath = ["plugins"]\nenabled = ["one"]\n'
    '[plugin.one]\nkey = { file = "key" }\nother = [{ env = "OTHER_KEY" }]\n'
)


def test_a_secret_that_changes_where_the_section_says_it_is_is_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plugins", "one.py", SECRETIVE)
    key = write(tmp_path, "key", "first-key")
    monkeypatch.setenv("OTHER_KEY", "first-other")
    settings = config(tmp_path, NAMED)
    (one,), problems = load_plugins(settings)
    assert not problems
    try:
        assert load_plugins(settings, keep=[one])[0] == [one]
        key.write_text("second-key")
        (second,), problems = load_plugins(settings, keep=[one])
        assert not problems
        assert second is not one
        assert second.config.key.reveal() == "second-key"
        monkeypatch.setenv("OTHER_KEY", "second-other")
        (third,), _ = load_plugins(settings, keep=[second])
        assert third.config.other[0].reveal() == "second-other"
        assert "second" not in repr(third)
        for plugin in (second, third):
            unload(plugin)
        key.unlink()
        _, problems = load_plugins(settings, keep=[third])
        assert ["key" in str(problem) for problem in problems] == [True], "the old one stays, and the user hears why"
    finally:
        unload(one)
