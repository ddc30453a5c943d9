"""What a plugin gets as `bot`: of the engine what all share, and its own things."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from tests.plugins.kit import as_plugin
from vodiabot import Bot, Call, NotAllowed, hookimpl
from vodiabot.config import parse
from vodiabot.plugin_bot import PASSED_ON, PluginBot, public
from vodiabot.plugins import LoadedPlugin
from vodiabot.session import Session
from vodiabot.sim.config import default
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.wire import Wire

TOML = """
[pbx]
url = "ws://pbx.example.com"
domain = "localhost"
login = "token"
admin = {{ user = "admin", password = "tell-nobody-1" }}

[[extension]]
user = "45"
password = "bot"

[bot]
state_dir = "{state}"
drain_timeout = "5s"

[media]
ice_servers = ["turn:me:tell-nobody-2@turn.example.com:3478"]

[limits]
dial_allow = ["*"]

[plugins]
enabled = ["author", "other"]

[[route]]
plugin = "author"

[plugin.author]
key = "tell-nobody-3"
"""


def engine(
    state: Path, *plugins: LoadedPlugin, more: str = "", replace: tuple[str, str] = ("", "")
) -> tuple[Bot, VirtualPbx]:
    wire = Wire()
    pbx = VirtualPbx(default(), wire)
    text = TOML.format(state=state.as_posix()).replace('login = "token"\n', "") + more
    text = text.replace('admin = { user = "admin", password = "tell-nobody-1" }\n', "").replace(*replace)

    def make_session(*args: Any, **options: Any) -> Session:
        return Session(*args, connect=pbx.connect, **options)

    bot = Bot(
        parse(text),
        plugins=plugins,
        media=VirtualMedia(wire).opened,
        make_session=make_session,
        wall=trio.current_time,
    )
    return bot, pbx


@asynccontextmanager
async def running(
    state: Path, *plugins: Any, more: str = "", replace: tuple[str, str] = ("", "")
) -> AsyncIterator[tuple[Bot, VirtualPbx]]:
    """The engine at work; afterwards no thread of ours is left."""
    loaded = [p if isinstance(p, LoadedPlugin) else as_plugin(p, name=p.NAME) for p in plugins]
    bot, pbx = engine(state, *loaded, more=more, replace=replace)
    async with trio.open_nursery() as nursery:
        await nursery.start(pbx.run)
        async with trio.open_nursery() as living:
            await living.start(bot.run)
            await bot.wait_up(20)
            yield bot, pbx
            bot.drain()
        nursery.cancel_scope.cancel()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("vodiabot-store", "vodiabot-asyncio"))]


class Author:
    """Keeps its `bot`, and does what a test tells it in its handler."""

    NAME = "author"

    def __init__(self, handler: Any = None) -> None:
        self.bot: Any = None
        self.handler = handler

    @hookimpl
    async def bot_started(self, bot: Bot) -> None:
        self.bot = bot

    @hookimpl
    async def answer_call(self, call: Call, bot: Bot, log: Any) -> None:
        if self.handler is not None:
            await self.handler(call, bot, log)


class Other(Author):
    NAME = "other"


# --- of the engine ---------------------------------------------------------------------------------------------------


async def test_each_plugin_has_a_bot_of_its_own_that_is_a_bot(tmp_path: Path, autojump_clock: MockClock) -> None:
    author, other = Author(), Other()
    async with running(tmp_path, author, other) as (bot, _):
        assert isinstance(author.bot, Bot)
        assert isinstance(author.bot, PluginBot)
        assert (author.bot.name, other.bot.name, bot.name) == ("author", "other", "")
        assert author.bot is not other.bot
        assert author.bot.domain is bot.domain
        async with author.bot.dial("600") as call:
            assert author.bot.calls == [call] == bot.calls
            assert author.bot.snapshot()["calls"]
        async with author.bot.events():
            await author.bot.chat("46", "hello")
        assert author.bot.phone.extension == author.bot.phone_of("45").extension == "45"
        assert author.bot.wall() == trio.current_time()


def test_what_the_engine_has_is_passed_on_or_own_or_withheld() -> None:
    """A method that is new in the engine is withheld until somebody decides."""
    own = {name for name in vars(PluginBot) if inspect.isfunction(inspect.getattr_static(PluginBot, name, None))}
    public_names = {name for name in dir(Bot) if not name.startswith("_")}
    withheld = {name for name in public_names if type(vars(PluginBot).get(name)).__name__ == "_Withheld"}
    assert withheld == {
        "dial_by_hand", "drain", "draining", "heard", "line_changed", "line_failed", "publish_call", "publish_frame",
            "route", "run", "status",
    }  # fmt: skip
    assert set(PASSED_ON) <= public_names | {"domain", "console_url", "wall"}
    assert public_names - withheld - set(PASSED_ON) - own <= {"http", "log", "name", "store"}


async def test_what_is_the_engine_s_own_does_not_get_through(tmp_path: Path, autojump_clock: MockClock) -> None:
    author = Author()
    async with running(tmp_path, author):
        for name in ("run", "drain", "lines", "host", "guard", "control", "dial_by_hand", "_line", "publish_call"):
            with pytest.raises(AttributeError, match=name):
                getattr(author.bot, name)
        with pytest.raises(AttributeError):
            author.bot.domain = None


def test_the_configuration_that_a_plugin_sees_has_no_secrets(tmp_path: Path) -> None:
    config = parse(TOML.format(state=tmp_path.as_posix()))
    seen = public(config)
    assert "tell-nobody" not in repr(seen)
    assert seen.pbx.admin is None
    assert seen.extensions[0].password.reveal() == ""
    assert seen.extensions[0].user == "45"
    assert seen.limits == config.limits
    assert seen.media.ice_servers == ()
    assert config.extensions[0].password.reveal() == "bot"


async def test_the_engine_itself_has_no_things_of_a_plugin(tmp_path: Path) -> None:
    bot, _ = engine(tmp_path)
    for act in (
        lambda: bot.store,
        lambda: bot.log,
        lambda: bot.http,
        lambda: bot.check_dial("46"),
        lambda: bot.counter("a", "b"),
        lambda: bot.gauge("a", "b"),
        lambda: bot.histogram("a", "b"),
        lambda: bot.every(1, trio.sleep_forever),
        lambda: bot.at(datetime.now(UTC), trio.sleep_forever),
        lambda: bot.cron("@daily", trio.sleep_forever),
        lambda: bot.asyncio(asyncio.sleep, 1).send(None),
    ):
        with pytest.raises(NotAllowed, match="plugin's hooks"):
            act()


# --- its own ---------------------------------------------------------------------------------------------------------


async def test_stores_are_apart_and_outlive_the_bot(tmp_path: Path, autojump_clock: MockClock) -> None:
    author, other = Author(), Other()
    async with running(tmp_path, author, other):
        await author.bot.store.set("a", 1)
        assert await other.bot.store.get("a") is None
    async with running(tmp_path, author, other):
        assert await author.bot.store.get("a") == 1
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == ["author.sqlite3", "other.sqlite3"]


async def test_the_version_of_a_store(tmp_path: Path, autojump_clock: MockClock) -> None:
    def migrate_store(store: Any, version: int) -> None:
        store.set("a", [store.get("a"), version])

    async with running(tmp_path, author := Author()):
        await author.bot.store.set("a", 1)
    newer = Author()
    newer.STORE_VERSION, newer.migrate_store = 2, migrate_store  # type: ignore[attr-defined]
    async with running(tmp_path, newer):
        assert await newer.bot.store.get("a") == [1, 1]
    async with running(tmp_path, author := Author(), other := Other()) as (bot, _):
        states = {state.name: state for state in bot.host.states()}
        assert (states["author"].state, states["other"].state) == ("quarantined", "running")
        assert "author.sqlite3: it has version 2, written by a newer plugin" in states["author"].reason
        assert author.bot is None, "none of its hooks is called"
        await other.bot.store.set("b", 1)
    async with running(tmp_path, newer):
        assert await newer.bot.store.get("a") == [1, 1]


async def test_spawned_work_and_schedules_end_with_the_bot(tmp_path: Path, autojump_clock: MockClock) -> None:
    author, ran, ended = Author(), [], []

    async def work(word: str) -> None:
        ran.append(word)
        try:
            await trio.sleep_forever()
        finally:
            ended.append(word)

    async with running(tmp_path, author):
        now = datetime.fromtimestamp(author.bot.wall(), UTC)
        author.bot.spawn(work, "spawned")
        author.bot.every(60, work, "every")
        author.bot.at(now + timedelta(seconds=90), work, "at")
        author.bot.cron("*/2 * * * *", work, "cron", tz="Europe/Berlin")
        with structlog.testing.capture_logs():
            await trio.sleep(200)
    assert sorted(ran) == sorted(ended) == ["at", "cron", "every", "spawned"]
    with pytest.raises(NotAllowed):
        author.bot.spawn(work, "late")


async def test_a_call_in_bot_started_is_refused_as_too_early(tmp_path: Path, autojump_clock: MockClock) -> None:
    class Early:
        NAME = "early"
        refused = ""

        @hookimpl
        async def bot_started(self, bot: Bot) -> None:
            with pytest.raises(NotAllowed) as refused:
                await bot.dial("600").__aenter__()
            self.refused = str(refused.value)

    early = Early()
    async with running(tmp_path, early):
        assert early.refused == "the bot takes no calls yet, or no more"


async def test_work_that_fails_harms_nobody_and_the_plugin_is_named(tmp_path: Path, autojump_clock: MockClock) -> None:
    author = Author()

    async def fail() -> None:
        raise ZeroDivisionError

    async def fail_with(secret: str) -> None:
        raise ZeroDivisionError

    async with running(tmp_path, author) as (bot, _):
        with structlog.testing.capture_logs() as lines:
            author.bot.every(10, fail)
            await trio.sleep(25)
            author.bot.spawn(partial(fail_with, "s3cret"))
            await trio.sleep(1)
        failed = [line for line in lines if line["log_level"] == "error"]
        job = f"{fail.__qualname__}, every 10 s"
        assert [line["task"] for line in failed] == [job, job, fail_with.__qualname__]
        assert {line["plugin"] for line in failed} == {"author"}
        assert [state.failures for state in bot.host.states()] == [3]


async def test_asyncio(tmp_path: Path) -> None:
    author = Author()
    left: list[str] = []

    async def leave_behind() -> str:
        async def hang() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                left.append("cancelled")

        asyncio.get_running_loop().kept = asyncio.create_task(hang())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return threading.current_thread().name

    async with running(tmp_path, author):
        assert await author.bot.asyncio(leave_behind) == "vodiabot-asyncio-author"
        await author.bot.left()
        assert left == ["cancelled"]
        await author.bot.asyncio(leave_behind)
    assert left == ["cancelled", "cancelled"]


async def test_log_lines_name_plugin_and_call_also_in_spawned_work(tmp_path: Path, autojump_clock: MockClock) -> None:
    ids: list[str] = []

    async def handler(call: Call, bot: Bot, log: Any) -> None:
        async def later() -> None:
            await trio.sleep(1)
            bot.log.info("spawned")

        ids.append(call.id)
        log.info("argument")
        bot.log.info("handler")
        bot.spawn(later)
        await call.answer()
        await call.sleep(2)

    author = Author(handler)
    async with running(tmp_path, author) as (_, pbx):
        with structlog.testing.capture_logs() as lines:
            author.bot.log.info("outside")
            phone = pbx.pbx.phone("46")
            pbx.lever(lambda now: phone.plug_in(now))
            pbx.lever(lambda now: phone.dial(now, "45"))
            await trio.sleep(10)
            pbx.lever(lambda now: phone.unplug(now))
            await trio.sleep(1)
    told = {line["event"]: (line["plugin"], line.get("call")) for line in lines if "plugin" in line}
    expected = dict.fromkeys(("argument", "handler", "spawned"), ("author", ids[0]))
    assert {word: told[word] for word in expected} == expected
    assert told["outside"] == ("author", None)




async def test_what_a_call_begins_after_a_reload_is_the_old_instance_s(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its store is open for it, it ends before the teardown, and the new instance answers for nothing of it."""
    told: list[str] = []
    reloaded, hang_up = trio.Event(), trio.Event()

    async def save(bot: Bot) -> None:
        await trio.sleep(3)
        await bot.store.set("saved", "by the old one")
        told.append("saved")

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            told.append("cancelled")

    async def fail() -> None:
        raise ValueError("oops")

    async def handler(call: Call, bot: Bot, log: Any) -> None:
        await call.answer()
        await reloaded.wait()
        bot.spawn(fail)
        bot.spawn(forever)
        bot.every(2, forever)
        await hang_up.wait()
        bot.spawn(save, bot)  # the last act of a handler: what is slow, beside

    old, new = Author(handler), Author()
    async with running(tmp_path, old, Other()) as (bot, _), trio.open_nursery() as nursery:
        route = bot.host.handler("author")
        assert route is not None
        async with bot.dial("600") as call:

            async def answered() -> None:
                async def nothing() -> None:
                    await trio.lowlevel.checkpoint()

                call.answer = nothing  # type: ignore[method-assign]
                await route(call=call)

            nursery.start_soon(answered)
            await trio.sleep(1)
            await bot.host.replace([as_plugin(new, name="author")])
            reloaded.set()
            await trio.sleep(10)
            assert told == []
            assert bot.host.states()[0].failures == 0, "that was not the new one"
            hang_up.set()
            await trio.sleep(5)
            assert told == ["saved"]
            await trio.sleep(20)
            assert told[1:] == ["cancelled", "cancelled"], "it has as long as a hook"
            assert not bot.host._former
            with pytest.raises(NotAllowed):
                old.bot.spawn(forever)
        assert await new.bot.store.get("saved") == "by the old one"
