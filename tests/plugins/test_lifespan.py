"""Setup and teardown of a plugin: when, for how long at most, and what becomes of one that fails at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot.plugins import PluginHost, current_plugin, hookimpl

from .kit import as_plugin, load_one, logged, running
from .test_supervision import FailingPlugin, GoodPlugin, fail, publish

HEAD = "from contextlib import asynccontextmanager\nfrom vodiabot import hookimpl\n"
HOOK = "@hookimpl\nasync def bot_started():\n    pass\n"


class LivingPlugin(FailingPlugin):
    """Notes what happens to it."""

    def __init__(self, setup: float = 0.0, teardown: float = 0.0) -> None:
        super().__init__()
        self.broken = False
        self.told: list[str] = []
        self.setup, self.teardown = setup, teardown

    @asynccontextmanager
    async def lifespan(self, bot: Any) -> AsyncIterator[None]:
        assert current_plugin.get() == type(self).__name__
        await trio.sleep(self.setup)
        self.told.append("up")
        async with trio.open_nursery() as nursery:  # what it opens is left where it was entered
            nursery.start_soon(self.work)
            yield
            self.told.append("leaves")
            nursery.cancel_scope.cancel()
        await trio.sleep(self.teardown)
        self.told.append("down")

    async def work(self) -> None:
        await trio.sleep_forever()

    @hookimpl
    async def bot_started(self) -> None:
        self.told.append("started")

    @hookimpl
    async def bot_stopping(self) -> None:
        self.told.append("stopping")


async def test_it_is_around_everything_else(autojump_clock: Any) -> None:
    living = LivingPlugin(setup=1, teardown=1)
    host = PluginHost([as_plugin(living)], hook_timeout=5, bot=None)
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        assert living.told == ["up"], "the bot waits for it"
        await host.call_and_wait("bot_started")
        await host.call_and_wait("bot_stopping")
        nursery.cancel_scope.cancel()
    assert living.told == ["up", "started", "stopping", "leaves", "down"], "the teardown has its time"
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_a_quarantine_is_a_teardown_and_a_new_setup(autojump_clock: Any) -> None:
    living = LivingPlugin()
    async with running(living, error_budget=1) as host:
        living.broken = True
        await fail(host, 1)
        living.broken = False
        await trio.sleep(31)
        assert living.told == ["up", "leaves", "down", "up", "started"]


async def test_background_work_ends_before_the_teardown_and_may_begin_in_the_setup(autojump_clock: Any) -> None:
    told: list[str] = []

    class SpawningPlugin:
        @asynccontextmanager
        async def lifespan(self, bot: Any) -> AsyncIterator[None]:
            hosts[0].spawn("SpawningPlugin", background)
            await trio.sleep(1)
            yield
            told.append("torn down")

    async def background() -> None:
        told.append("works")
        try:
            await trio.sleep_forever()
        finally:
            told.append("cancelled")

    hosts: list[PluginHost] = []
    host = PluginHost([as_plugin(SpawningPlugin())], hook_timeout=5)
    hosts.append(host)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        nursery.cancel_scope.cancel()
    assert told == ["works", "cancelled", "torn down"]


async def test_a_setup_that_takes_too_long_is_given_up_and_tried_again(autojump_clock: Any) -> None:
    slow = LivingPlugin(setup=6)
    start = trio.current_time()
    with logged() as lines:
        async with running(slow, GoodPlugin(), hook_timeout=5) as host:
            assert trio.current_time() - start == pytest.approx(5)
            assert [s.state for s in host.states()] == ["quarantined", "running"]
            slow.setup = 0
            await trio.sleep(31)
            assert host.states()[0].state == "running"
            await publish(host, "heard")
    assert slow.told[:2] == ["up", "started"]
    assert slow.heard == ["heard"]
    assert [line["event"] for line in lines("error")] == [
        "the setup of a plugin took too long and was cancelled",
        "a plugin is put into quarantine",
    ]


async def test_a_setup_that_fails_again_and_again(autojump_clock: Any) -> None:
    class NoDatabase:
        tries = 0

        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            NoDatabase.tries += 1
            raise ConnectionError("no database")
            yield

        @hookimpl
        async def answer_call(self, call: Any) -> None: ...

    with logged() as lines:
        async with running(NoDatabase()) as host:
            assert host.handler("NoDatabase") is None
            assert host.states()[0].reason == "its setup failed: ConnectionError: no database"
            await trio.sleep(30 + 60 + 120 + 1)
    assert NoDatabase.tries == 4
    failed = [line for line in lines("error") if line["event"] == "the setup of a plugin failed"]
    assert len(failed) == 4
    assert all(isinstance(line["exc_info"], ConnectionError) for line in failed)


async def test_a_teardown_that_hangs_or_fails_ends_all_the_same(autojump_clock: Any) -> None:
    class FailsAtTheEnd(FailingPlugin):
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            yield
            raise ValueError("oops")

    start = trio.current_time()
    with logged() as lines:
        async with running(LivingPlugin(teardown=1000), FailsAtTheEnd(), hook_timeout=5):
            pass
    assert trio.current_time() - start == pytest.approx(5)
    assert {line["event"] for line in lines("error")} == {
        "the teardown of a plugin took too long and was cancelled",
        "the teardown of a plugin failed",
    }


@pytest.mark.parametrize("how", ["its own task fails", "its own time-out"])
async def test_one_that_ends_by_itself_is_a_failure(how: str, autojump_clock: Any) -> None:
    class Collapsing(FailingPlugin):
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            if how == "its own time-out":
                with trio.move_on_after(1):
                    yield
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.collapse)
                yield

        async def collapse(self) -> None:
            await trio.sleep(1)
            raise ValueError("oops")

    collapsing = Collapsing()
    collapsing.broken = False
    async with running(collapsing) as host:
        await trio.sleep(2)
        state = host.states()[0]
        assert (state.state, state.reason.startswith("its lifespan failed")) == ("quarantined", True), state
        await trio.sleep(29.5)
        await publish(host, "heard")
    assert collapsing.heard == ["heard"]


async def test_what_comes_during_the_setup_waits(autojump_clock: Any) -> None:
    living = LivingPlugin(setup=3)
    host = PluginHost([as_plugin(living)], hook_timeout=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await trio.sleep(1)
        assert host.states()[0].state == "starting"
        await publish(host, "early")
        handler = host.handler("LivingPlugin")
        assert handler is not None
        await handler(call="one")
        assert trio.current_time() >= 3, "a handler waits, too"
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert living.heard == ["early"]


async def test_the_host_ends_in_the_middle_of_a_setup_at_once(autojump_clock: Any) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    living = LivingPlugin(setup=50)
    host = PluginHost([as_plugin(living)], hook_timeout=100)
    with trio.move_on_after(1) as scope:
        await host.run()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(scope.deadline)
    assert living.told == []
    assert trio.lowlevel.current_statistics().tasks_living == before


# --- at load ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("lifespan = 3\n", "plugins/p.py: lifespan: must be a function"),
        ("async def lifespan():\n    yield\n", "plugins/p.py:3: lifespan: mark it with @asynccontextmanager"),
        ("async def lifespan():\n    pass\n", "plugins/p.py:3: lifespan: mark it with @asynccontextmanager"),
        (
            "from contextlib import contextmanager\n@contextmanager\ndef lifespan():\n    yield\n",
            "plugins/p.py:4: lifespan: must be async",
        ),
        (
            "@asynccontextmanager\nasync def lifespan(bott):\n    yield\n",
            'plugins/p.py:3: lifespan: has no argument "bott"; did you mean "bot"?',
        ),
        ("@asynccontextmanager\nasync def lifespan(*all):\n    yield\n", "lifespan: names its arguments: no *all"),
        (
            "@asynccontextmanager\nasync def lifespan(config):\n    yield\n",
            "lifespan: it asks for config, but the plugin has no Config model",
        ),
    ],
)
def test_a_wrong_lifespan_is_told_when_it_is_loaded(source: str, message: str, tmp_path: Path) -> None:
    loaded, problems = load_one(tmp_path, "p", HEAD + source + HOOK)
    assert not loaded
    assert len(problems) == 1
    assert message in problems[0]


def test_a_plugin_may_be_nothing_but_a_lifespan(tmp_path: Path) -> None:
    (plugin,), problems = load_one(
        tmp_path, "p", HEAD + "@asynccontextmanager\nasync def lifespan(bot, log):\n    yield\n"
    )
    assert not problems
    assert plugin.lifespan is not None
    assert plugin.lifespan.names == ("bot", "log")


def test_critical_is_the_engines_key(tmp_path: Path) -> None:
    model = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    text: str = ''\n"
    section = '[plugin.p]\ncritical = true\ntext = "hello"\n'
    (plugin,), problems = load_one(tmp_path, "p", HEAD + model + HOOK, section)
    assert (plugin.critical, plugin.config.text, problems) == (True, "hello", [])
    _, problems = load_one(tmp_path, "p", HEAD + HOOK, '[plugin.p]\ncritical = "yes"\n')
    assert problems == ["plugin p: bot.toml:11: plugin.p.critical: must be true or false"]
    _, problems = load_one(tmp_path, "p", HEAD + model.replace("text", "critical") + HOOK)
    (problem,) = problems
    assert problem.endswith("""p.py: Config: an option can't have the name "critical": it is the engine's""")
