"""A changed bot.toml under a bot that runs, in virtual time, with calls up."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from vodiabot import Bot, Busy, NoAnswer, NotAllowed
from vodiabot.config import Config, load
from vodiabot.plugins import LoadedPlugin, load_plugins, unload
from vodiabot.reloading import Loaded, Outcome, Reloader, changes, in_a_thread, merged
from vodiabot.session import Session
from vodiabot.testing.media import VirtualMedia

from .testing.kit import World, world

SETTINGS = """
[pbx]
url = "ws://pbx.example.com"
domain = "localhost"
[[extension]]
user = "45"
password = "bot"
[bot]
state_dir = "state"
{bot}
[limits]
dial_allow = ["*"]
{limits}
[plugins]
path = ["plugins"]
enabled = [{enabled}]
{more}
"""

HOLDER = """
    from contextlib import asynccontextmanager
    from dataclasses import dataclass
    from vodiabot import hookimpl

    @dataclass
    class Config:
        told: str = "told"

    @asynccontextmanager
    async def lifespan(bot, config, log):
        log.info("up", told=config.told)
        yield
        log.info("down", told=config.told)

    @hookimpl
    async def answer_call(call, config, log):
        await call.answer()
        log.info("answered", told=config.told)
        await call.wait_ended()
"""

FAILING = """
    from vodiabot import hookimpl

    @hookimpl
    async def answer_call(call):
        raise ValueError("oops")
"""


class Lab:
    """bot.toml, its plugins, and the bot that runs with them."""

    def __init__(self, folder: Path, made: World) -> None:
        self.folder = folder
        self._world = made
        self.plugin("holder", HOLDER)
        self.plugin("failing", FAILING)
        self.write()
        self._made: list[LoadedPlugin] = []

    def plugin(self, name: str, source: str) -> None:
        (self.folder / "plugins").mkdir(exist_ok=True)
        (self.folder / "plugins" / f"{name}.py").write_text(textwrap.dedent(source))

    def write(self, enabled: str = '"holder"', *, bot: str = "", limits: str = "", more: str = "") -> None:
        more = more or '[[route]]\nplugin = "holder"\n'
        text = SETTINGS.format(enabled=enabled, bot=bot, limits=limits, more=more)
        (self.folder / "bot.toml").write_text(text)

    def load(self, keep: list[LoadedPlugin]) -> Loaded:
        config = load(self.folder / "bot.toml")
        plugins, problems = load_plugins(config, keep=keep)
        self._made += [plugin for plugin in plugins if plugin not in self._made]
        return Loaded(config, plugins, problems)

    def start(self) -> Bot:
        config, plugins, problems, _ = self.load([])
        assert not problems
        return Bot(
            config,
            plugins=plugins,
            media=VirtualMedia(self._world.wire).opened,
            make_session=partial(Session, connect=self._world.pbx.connect),
            wall=trio.current_time,
        )

    def close(self) -> None:
        for plugin in self._made:
            unload(plugin)


async def at_once(work: Callable[..., Any], *args: Any) -> Any:
    """Threads and virtual time don't mix."""
    return work(*args)


@asynccontextmanager
async def laboratory(tmp_path: Path) -> AsyncIterator[tuple[Lab, Bot, Bot, Callable[[], Any]]]:
    """The lab, its bot on 45, a caller on 46, and a reload."""
    async with world("modern", tmp_path, ("46", "demo", None)) as (made, (caller,)):
        lab = Lab(tmp_path, made)
        bot = lab.start()
        async with trio.open_nursery() as nursery:
            await nursery.start(bot.run)
            await bot.wait_up(20)
            try:
                yield lab, bot, caller, Reloader(bot, lab.load, in_thread=at_once).reload
            finally:
                lab.close()
            bot.drain()
            bot.drain()


def told(out: str, what: str) -> list[str]:
    """What the holder's log lines say, in order."""
    return [line.rsplit("told=", 1)[1].strip() for line in out.splitlines() if f"] {what} " in line]


async def test_a_new_section_counts_for_new_calls_and_old_ones_go_on(
    tmp_path: Path, autojump_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with laboratory(tmp_path) as (lab, bot, caller, reload), caller.dial("45") as first:
        lab.write(more='[plugin.holder]\ntold = "new"\n[[route]]\nplugin = "holder"\n')
        outcome: Outcome = await reload()
        assert outcome == Outcome(changed=("[plugin.holder]",), restarted=("holder",))
        await trio.sleep(60)
        assert first.state == "up"
        async with caller.dial("45") as second:
            await trio.sleep(60)
            assert (first.state, second.state) == ("up", "up")
        await first.hangup()
        await trio.sleep(1)
        out = capsys.readouterr().out
        assert told(out, "answered") == ["told", "new"]
        assert told(out, "up") == ["told", "new"]
        assert told(out, "down") == ["told"], "when its last call was over"
        assert bot.host.states()[0].failures == 0


async def test_what_is_wrong_leaves_all_as_it_was_and_every_mistake_is_told(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with laboratory(tmp_path) as (lab, bot, caller, reload):
        before, plugins = bot.config, bot.host.plugins
        lab.write(limits="dials_per_minute = -1", more='[[route]]\nplugin = "holdr"\n')
        outcome = await reload()
        assert len(outcome.problems) == 2, outcome
        assert "limits.dials_per_minute: must be 0 or more" in outcome.problems[0]
        assert 'did you mean "holder"?' in outcome.problems[1]
        lab.plugin("other", "import no_such_module\n")
        lab.plugin("holder", HOLDER.replace("answer_call(call", "anser_call(call"))
        lab.write('"holder", "other"', limits="dials_per_minute = 1")
        outcome = await reload()
        assert len(outcome.problems) == 2, outcome
        assert 'plugin holder: there is no hook "anser_call"; did you mean "answer_call"?' in outcome.problems[0]
        assert "plugin other: it can't be imported" in outcome.problems[1]
        assert list(outcome.lines())[-1] == "the old configuration stays in force"
        assert (bot.config, bot.host.plugins) == (before, plugins)
        async with caller.dial("45") as call:
            assert call.state == "up"


async def test_plugins_come_and_go(tmp_path: Path, autojump_clock: Any) -> None:
    async with laboratory(tmp_path) as (lab, bot, caller, reload):
        lab.write('"failing", "holder"', more='[[route]]\nplugin = "failing"\nfallback = ""\n')
        (holder,) = bot.host.plugins
        bot.host.leave_out("failing", "it was wrong when the bot began")
        outcome = await reload()
        assert [state.state for state in bot.host.all_states()] == ["running", "running"], "nothing is left out now"
        assert (outcome.started, outcome.changed) == (("failing",), ("[plugins]", "[[route]]"))
        assert bot.host.plugins[1] is holder, "not touched"
        with pytest.raises(NoAnswer):
            async with caller.dial("45"):
                pytest.fail("answered")
        lab.write()
        assert (await reload()).stopped == ("failing",)
        async with caller.dial("45") as call:
            assert call.state == "up"
        assert (await reload()) == Outcome()
        assert list(Outcome().lines()) == ["nothing has changed"]


async def test_code_that_has_changed_is_loaded_again(
    tmp_path: Path, autojump_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with laboratory(tmp_path) as (lab, _bot, caller, reload):
        lab.plugin("holder", HOLDER.replace('= "told"', '= "coded"'))
        assert (await reload()) == Outcome(restarted=("holder",))
        async with caller.dial("45"):
            await trio.sleep(1)
        assert told(capsys.readouterr().out, "answered") == ["coded"]


async def test_limits_count_for_the_next_call(tmp_path: Path, autojump_clock: Any) -> None:
    async with laboratory(tmp_path) as (lab, bot, caller, reload):
        lab.write(
            bot='unrouted = "busy"\ndrain_timeout = "1s"',
            limits="dials_per_minute = 0\nchats_per_minute = 0\n"
            'wrap_up = "7s"\nblocked_after = "3s"\nhook_timeout = "4s"',
            more='[[route]]\nto = "99"\nplugin = "holder"\n',
        )
        outcome = await reload()
        assert outcome.changed == ("[limits]", "[[route]]", "[bot] drain_timeout", "[bot] unrouted")
        assert outcome.needs_restart == ()
        with pytest.raises(Busy):
            async with caller.dial("45"):
                pytest.fail("answered")
        with pytest.raises(NotAllowed, match="dials_per_minute = 0"):
            async with bot.dial("46"):
                pytest.fail("dialled")
        with pytest.raises(NotAllowed, match="chats_per_minute = 0"):
            await bot.chat("46", "hello")
        assert bot.watchdog.blocked_after == 3
        assert bot.lines[0].settings.wrap_up == 7
        assert bot.config.bot.drain_timeout == 1


async def test_what_needs_a_restart_is_said_and_stays_said(tmp_path: Path, autojump_clock: Any) -> None:
    async with laboratory(tmp_path) as (lab, bot, _caller, reload):
        lab.write(more='[media]\nmax_calls = 2\n[[route]]\nplugin = "holder"\n')
        text = (tmp_path / "bot.toml").read_text().replace('domain = "localhost"', 'domain = "example.com"')
        text = text.replace('password = "bot"', 'password = "other"').replace('"state"', '"elsewhere"')
        (tmp_path / "bot.toml").write_text(text)
        for _ in range(2):
            outcome = await reload()
            assert outcome.ok
            assert outcome.needs_restart == ("[pbx]", "[[extension]]", "[media]", "[bot] state_dir")
            assert outcome.changed == ()
        assert bot.config.pbx.domain == "localhost"
        assert "[media] has changed, which needs a restart" in list(outcome.lines())


async def test_a_plugin_that_fails_at_its_setup_is_told_and_tried_again(tmp_path: Path, autojump_clock: Any) -> None:
    async with laboratory(tmp_path) as (lab, bot, _caller, reload):
        lab.plugin("holder", HOLDER.replace("yield", "raise OSError('no disk')\n        yield"))
        outcome = await reload()
        assert outcome.ok
        assert outcome.failed == ("holder: its setup failed: OSError: no disk",)
        assert bot.host.states()[0].state == "quarantined"


async def test_several_who_ask_at_once_are_served_one_after_the_other(tmp_path: Path, autojump_clock: Any) -> None:
    outcomes: list[Outcome] = []
    async with laboratory(tmp_path) as (lab, bot, _caller, reload):

        async def ask() -> None:
            outcomes.append(await reload())

        lab.plugin("holder", HOLDER.replace('= "told"', '= "coded"'))
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert [o.restarted for o in outcomes] == [("holder",), (), ()]
        assert len(bot.host.states()) == 1


async def test_what_nobody_has_thought_of_leaves_all_as_it_was(tmp_path: Path, autojump_clock: Any) -> None:
    """Whoever asks by SIGHUP is the bot itself: it must live."""

    def odd(running: list[LoadedPlugin]) -> Loaded:
        raise PermissionError("the folder can't be read")

    async with laboratory(tmp_path) as (_, bot, _caller, _reload):
        outcome = await Reloader(bot, odd, in_thread=at_once).reload()
        assert outcome.problems == ("it can't be loaded: PermissionError: the folder can't be read",)
        assert [state.state for state in bot.host.states()] == ["running"]


async def test_a_bot_that_leaves_does_not_wait_for_an_import_that_hangs(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hangs() -> None:
        begun.set()
        go_on.wait(60)

    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(in_a_thread, hangs)
                await trio.to_thread.run_sync(begun.wait)
                nursery.cancel_scope.cancel()
    finally:
        go_on.set()


async def test_an_import_that_hangs_is_told_and_is_not_the_last_reload(tmp_path: Path, autojump_clock: Any) -> None:
    async def hangs_once(work: Any, *args: Any) -> Any:
        reloader._in_thread = at_once
        await trio.sleep_forever()

    async with laboratory(tmp_path) as (lab, bot, _caller, _reload):
        reloader = Reloader(bot, lab.load, in_thread=hangs_once)
        outcome = await reloader.reload()
        assert outcome.problems == ("it can't be loaded: it has taken 60 s, so the import of a plugin hangs",)
        assert await reloader.reload() == Outcome()


async def test_a_bot_that_does_not_run_says_so(tmp_path: Path, autojump_clock: Any) -> None:
    async with world("modern", tmp_path) as (made, _):
        lab = Lab(tmp_path, made)
        outcome = await Reloader(lab.start(), lab.load, in_thread=at_once).reload()
        assert outcome.problems == ("the bot is starting or leaving",)
        lab.close()


def test_a_setting_is_either_taken_over_or_needs_a_restart(tmp_path: Path) -> None:
    """Whatever section is added: it is never silently forgotten."""
    plain = tmp_path / "plain.toml"
    plain.write_text(SETTINGS.format(enabled="", bot="", limits="", more=""))
    old = load(plain)
    for name in set(old.__struct_fields__) - {"where", "sim", "bot"}:
        other = {"greeter": {"text": "other"}} if name == "plugin" else "other"
        new = msgspec.structs.replace(old, **{name: other})
        assert _changes_once(old, new), name
    for name in old.bot.__struct_fields__:
        new = msgspec.structs.replace(old, bot=msgspec.structs.replace(old.bot, **{name: "other"}))
        assert _changes_once(old, new), name


def _changes_once(old: Config, new: Config) -> bool:
    """Now, or with a restart."""
    taken = merged(old, new)
    return len([*changes(old, taken), *changes(taken, new)]) == 1
