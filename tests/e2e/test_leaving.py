"""`vodiabot run` with a call up, and SIGTERM, SIGINT (once, twice), SIGKILL: drained, or hung up, and nothing left."""

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

from vodiabot import Busy
from vodiabot.sim.server import RunningSim

from .support import a_bot, running, simulator, until

pytestmark = pytest.mark.audio

PLUGIN = """
from vodiabot import Call, hookimpl

@hookimpl
async def answer_call(call: Call) -> None:
    await call.answer()
    await call.sleep({seconds})
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
drain_timeout = "{drain}"
[plugins]
path = ["."]
enabled = ["holder"]
[[route]]
plugin = "holder"
"""


@asynccontextmanager
async def bot_process(sim: RunningSim, folder: Path, *, seconds: float, drain: str) -> AsyncIterator[trio.Process]:
    """`vodiabot run` with a plugin that holds each call for so many seconds."""
    (folder / "holder.py").write_text(PLUGIN.format(seconds=seconds))
    (folder / "bot.toml").write_text(SETTINGS.format(url=sim.url, drain=drain))
    command = [sys.executable, "-m", "vodiabot", "run"]
    env = {**os.environ, "PASSWORD_45": "bot"}
    async with trio.open_nursery() as nursery:
        with (folder / "log").open("wb") as log:
            process = await trio.lowlevel.open_process(command, cwd=folder, env=env, stderr=log, stdout=log)
        await until(lambda: sim.snapshot()["registered"].get("45") == 1)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            await process.wait()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_call_may_end_and_no_new_one_is_taken(how: signal.Signals, tmp_path: Path) -> None:
    async with simulator() as sim, bot_process(sim, tmp_path, seconds=3, drain="20s") as process:
        caller = a_bot(sim.url, tmp_path, user="46")
        async with running(caller), caller.dial("45") as call:
            process.send_signal(how)
            await trio.sleep(0.5)
            with pytest.raises(Busy):
                async with caller.dial("45"):
                    pytest.fail("it took a call while it was leaving")
            assert call.state == "up"
            await call.wait_ended()
            assert call.reason == "remote_hangup"
            assert call.duration > 2
            with trio.fail_after(20):
                assert await process.wait() == 0
            await until(lambda: sim.snapshot()["legs"] == [])


async def test_a_call_that_goes_on_is_hung_up_with_a_bye(tmp_path: Path) -> None:
    async with simulator() as sim, bot_process(sim, tmp_path, seconds=600, drain="1s") as process:
        caller = a_bot(sim.url, tmp_path, user="46")
        async with running(caller), caller.dial("45") as call:
            process.send_signal(signal.SIGTERM)
            await call.wait_ended()
            assert call.reason == "remote_hangup"
            with trio.fail_after(20):
                assert await process.wait() == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    [line] = [line for line in lines if line["event"] == "leaving"]
    assert (line["calls"], line["at_most_s"], line["sooner"]) == (1, 1.0, "by a second signal")


async def test_a_second_signal_hangs_up_at_once(tmp_path: Path) -> None:
    async with simulator() as sim, bot_process(sim, tmp_path, seconds=600, drain="300s") as process:
        caller = a_bot(sim.url, tmp_path, user="46")
        async with running(caller), caller.dial("45") as call:
            process.send_signal(signal.SIGINT)
            await trio.sleep(0.5)
            assert call.state == "up"
            process.send_signal(signal.SIGINT)
            with trio.fail_after(20):
                await call.wait_ended()
                assert await process.wait() == 0
            assert call.reason == "remote_hangup"


async def test_a_bot_that_was_killed_hangs_up_when_it_is_back(tmp_path: Path) -> None:
    async with simulator() as sim, bot_process(sim, tmp_path, seconds=600, drain="1s") as process:
        caller = a_bot(sim.url, tmp_path, user="46")
        async with running(caller), caller.dial("45") as call:
            process.kill()
            await process.wait()
            async with bot_process(sim, tmp_path, seconds=600, drain="1s"):
                with trio.fail_after(20):
                    await call.wait_ended()
                assert call.reason == "remote_hangup"
                told = "the PBX is told of the end of a call of before"
                assert told in (tmp_path / "log").read_text()


async def test_without_calls_it_leaves_and_its_log_keeps_the_password(tmp_path: Path) -> None:
    async with simulator() as sim:
        async with bot_process(sim, tmp_path, seconds=1, drain="300s") as process:
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                assert await process.wait() == 0
        await until(lambda: sim.snapshot()["sockets"] == {})
    assert "Traceback" not in (tmp_path / "log").read_text()
