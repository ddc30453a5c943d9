"""A running bot is asked for a tape of a call with real audio; the tape replays without a difference."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .support import a_bot, running, simulator, until, vodiabot
from .test_reload import SETTINGS, a_process

pytestmark = pytest.mark.audio

MENU = """
from vodiabot import Call, hookimpl
from vodiabot.sources import tone

@hookimpl
async def answer_call(call: Call) -> None:
    await call.answer()
    key = await call.gather(max_digits=1, timeout=10, prompt=tone(440, 5.0))
    await call.transfer("60" + key)
"""


async def test_a_call_is_recorded_and_played_again(tmp_path: Path) -> None:
    async with simulator() as sim, a_process(sim, tmp_path) as bot:
        await _take_over(bot.folder, sim.url)
        command = ["record", "tape.jsonl", "--seconds", "8", "--mask-numbers"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_recorded, command, tmp_path)
            await until(lambda: (tmp_path / "tape.jsonl").exists())
            caller = a_bot(sim.url, tmp_path / "caller", user="46")
            async with running(caller), caller.dial("45") as call:
                await call.send_dtmf("0")
                await until(lambda: any(leg["user"] == "46" and leg["hears"] for leg in sim.snapshot()["legs"]))
                await call.sleep(1)
    text = (tmp_path / "tape.jsonl").read_text()
    assert '"blind-transfer2"' in text
    assert '"DtmfReceived"' in text
    assert (tmp_path / "tape.jsonl").stat().st_mode & 0o777 == 0o600
    code, out, err = await vodiabot("replay", "tape.jsonl", cwd=tmp_path, PASSWORD_45="bot")
    assert (code, err) == (0, ""), out + err
    assert "blind-transfer2" in out
    assert "tone.answer_call is through" in out
    assert "0 failures of plugins, 0 differences" in out


async def test_there_must_be_a_bot(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(SETTINGS.format(url="ws://127.0.0.1:1", hz=1))
    code, out, err = await vodiabot("record", "tape.jsonl", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert "no bot runs" in err
    assert not (tmp_path / "tape.jsonl").exists()


async def _recorded(command: list[str], folder: Path) -> None:
    code, out, err = await vodiabot(*command, cwd=folder)
    assert (code, err) == (0, ""), err
    assert "line" in out


async def _take_over(folder: Path, url: str) -> None:
    """The bot runs the menu in place of the tone."""
    (folder / "tone.py").write_text(MENU)
    (folder / "bot.toml").write_text(SETTINGS.format(url=url, hz=1).replace("[plugin.tone]\nhz = 1\n", ""))
    code, _, err = await vodiabot("reload", cwd=folder, PASSWORD_45="bot")
    assert code == 0, err
