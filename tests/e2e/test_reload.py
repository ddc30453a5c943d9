"""SIGHUP and `vodiabot reload` against a bot that runs, while a call of it goes on and is heard."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from vodiabot.sim.server import RunningSim

from .support import a_bot, loudest_hz, read_wav, running, simulator, until, vodiabot

pytestmark = pytest.mark.audio

PLUGIN = """
from contextlib import asynccontextmanager
from dataclasses import dataclass
from vodiabot import Call, hookimpl
from vodiabot.sources import tone

@dataclass
class Config:
    hz: int
    "Of the tone that a caller hears."

@asynccontextmanager
async def lifespan(config, log):
    log.info("set up", hz=config.hz)
    yield
    log.info("torn down", hz=config.hz)

@hookimpl
async def answer_call(call: Call, config: Config) -> None:
    await call.answer()
    await call.play(tone(config.hz))
    await call.wait_ended()
"""

BYSTANDER = """
from vodiabot import hookimpl

@hookimpl
async def bot_started(log) -> None:
    log.info("the bystander was started")
"""

SETTINGS = """
[pbx]
url = "{url}"
domain = "localhost"
[[extension]]
user = "45"
password = {{ env = "PASSWORD_45" }}
[bot]
state_dir = "state"
[plugins]
path = ["."]
enabled = ["tone", "bystander"]
[plugin.tone]
hz = {hz}
[[route]]
plugin = "tone"
"""


class Process:
    """A `vodiabot run`, and what it has logged."""

    def __init__(self, folder: Path, process: trio.Process, url: str) -> None:
        self.folder = folder
        self.process = process
        self.url = url

    def settings(self, hz: object, more: str = "") -> None:
        (self.folder / "bot.toml").write_text(SETTINGS.format(url=self.url, hz=hz) + more)

    def logged(self, text: str) -> int:
        return (self.folder / "log").read_text().count(text)


@asynccontextmanager
async def a_process(sim: RunningSim, folder: Path) -> AsyncIterator[Process]:
    (folder / "tone.py").write_text(PLUGIN)
    (folder / "bystander.py").write_text(BYSTANDER)
    (folder / "bot.toml").write_text(SETTINGS.format(url=sim.url, hz=440))
    env = {**os.environ, "PASSWORD_45": "bot"}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "vodiabot", "run"]
        process = await trio.lowlevel.open_process(command, cwd=folder, env=env, stderr=log, stdout=log)
    try:
        await until(lambda: sim.snapshot()["registered"].get("45") == 1)
        yield Process(folder, process, sim.url)
    finally:
        process.kill()
        await process.wait()


async def heard(sim: RunningSim, folder: Path, name: str, seconds: float = 1.5) -> float:
    """What a new call hears, in Hz."""
    caller = a_bot(sim.url, folder, user="46")
    async with running(caller), caller.dial("45") as call:
        await call.record(folder / name, max_seconds=seconds)
    samples, rate = read_wav(folder / name)
    return loudest_hz(samples[rate // 2 :], rate)


async def test_a_plugin_is_changed_under_a_living_call(tmp_path: Path) -> None:
    async with simulator() as sim, a_process(sim, tmp_path) as bot:
        caller = a_bot(sim.url, tmp_path, user="46")
        async with running(caller), caller.dial("45") as call:
            await call.record(tmp_path / "before.wav", max_seconds=1.5)
            bot.settings(880)
            code, out, err = await vodiabot("reload", cwd=tmp_path)
            assert (code, err) == (0, ""), err
            assert "plugins started again: tone" in out
            assert "changed: [plugin.tone]" in out
            await call.record(tmp_path / "after.wav", max_seconds=1.5)
            assert call.state == "up"
            for name in ("before.wav", "after.wav"):
                samples, rate = read_wav(tmp_path / name)
                assert loudest_hz(samples[rate // 2 :], rate) == pytest.approx(440, abs=5), name
            assert bot.logged("torn down") == 0, "it stays set up for the call"
        assert await heard(sim, tmp_path, "new.wav") == pytest.approx(880, abs=5)
        await until(lambda: bot.logged("torn down") == 1)
        assert bot.logged("the bystander was started") == 1, "its section and code have not changed"


async def test_a_bad_file_leaves_the_old_one_in_force_and_says_all_that_is_wrong(tmp_path: Path) -> None:
    async with simulator() as sim, a_process(sim, tmp_path) as bot:
        bot.settings('"loud"', "\n[limits]\nhook_timeout = 0\n")
        code, out, err = await vodiabot("reload", cwd=tmp_path)
        assert (code, out) == (2, "")
        assert "bot.toml:19: limits.hook_timeout: must be longer than nothing" in err
        bot.settings('"loud"')
        code, _, err = await vodiabot("reload", cwd=tmp_path)
        assert (code, "bot.toml:14: plugin.tone.hz" in err, "stays in force" in err) == (2, True, True), err
        (tmp_path / "bot.toml").write_text("[pbx\n")
        code, _, err = await vodiabot("reload", cwd=tmp_path)
        assert (code, "bot.toml:1" in err) == (2, True), err
        assert await heard(sim, tmp_path, "still.wav") == pytest.approx(440, abs=5)
        bot.settings(440)
        code, out, _ = await vodiabot("reload", "--json", cwd=tmp_path)
        assert (code, json.loads(out)["ok"], json.loads(out)["restarted"]) == (0, True, [])


async def test_sighup_does_the_same(tmp_path: Path) -> None:
    async with simulator() as sim, a_process(sim, tmp_path) as bot:
        bot.settings(880)
        bot.process.send_signal(signal.SIGHUP)
        await until(lambda: bot.logged("the configuration was loaded again") == 1)
        assert await heard(sim, tmp_path, "new.wav") == pytest.approx(880, abs=5)
        bot.settings('"loud"')
        bot.process.send_signal(signal.SIGHUP)
        await until(lambda: bot.logged("the old one stays in force") == 1)
        assert bot.process.poll() is None


async def test_plugins_list_tells_how_they_fare(tmp_path: Path) -> None:
    async with simulator() as sim, a_process(sim, tmp_path) as bot:
        (tmp_path / "tone.py").write_text(PLUGIN.replace("yield", "raise OSError('no disk')\n    yield"))
        code, out, _ = await vodiabot("reload", cwd=tmp_path)
        assert (code, "a plugin failed: tone: its setup failed: OSError: no disk" in out) == (0, True), out
        bot.settings(440)
        code, out, _ = await vodiabot("plugins", "list", cwd=tmp_path, COLUMNS="200")
        assert code == 0
        (line,) = [line for line in out.splitlines() if "tone.py" in line]
        assert "quarantined for" in line
        assert "OSError: no disk" in line
        (line,) = [line for line in out.splitlines() if "bystander.py" in line]
        assert "running" in line


async def test_without_a_running_bot_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(SETTINGS.format(url="ws://127.0.0.1:1", hz=1))
    code, _, err = await vodiabot("reload", cwd=tmp_path)
    assert code == 1
    assert err == f"vodiabot: no bot runs with state_dir {tmp_path / 'state'}\n"


async def test_a_bot_does_not_start_without_a_critical_plugin(tmp_path: Path) -> None:
    (tmp_path / "tone.py").write_text("import no_such_module")
    (tmp_path / "bystander.py").write_text(BYSTANDER)
    settings = SETTINGS.format(url="ws://127.0.0.1:1", hz=1)
    (tmp_path / "bot.toml").write_text(settings.replace("hz = 1", "critical = true"))
    code, _, err = await vodiabot("run", cwd=tmp_path)
    assert code == 2
    assert "it can't be imported: ModuleNotFoundError" in err
    assert "the bot does not start without its critical plugins" in err
