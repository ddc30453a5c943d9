"""`vodiabot status`, of a bot that runs and of none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from tests.test_plugin_bot import Author, running
from vodiabot.control import serve_control
from vodiabot.errors import NotRunning
from vodiabot.verbs.status import lines, printable, span, status


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    file = tmp_path / "bot.toml"
    file.write_text('[bot]\nstate_dir = "state"\n')
    return file


async def test_of_a_running_bot(toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    async with running(state, author := Author()) as (bot, _), author.bot.dial("600"):
        async def answer() -> object:
            return bot.status()

        async with trio.open_nursery() as nursery:
            state.mkdir(exist_ok=True)
            await nursery.start(serve_control, state, {"status": answer})
            assert await status(toml, as_json=True) == 0
            found = json.loads(capsys.readouterr().out.splitlines()[-1])
            assert await status(toml, as_json=False) == 0
            text = capsys.readouterr().out
            nursery.cancel_scope.cancel()
    assert found["sessions"] == [{"extension": "45", "up": True, "refused": False, "trouble": ""}]
    [call] = found["calls"]
    assert (call["number"], call["direction"], call["state"]) == ("600", "outgoing", "up")
    assert call["seconds"] >= 0
    assert "packets_lost" in call["quality"]
    [plugin] = found["plugins"]
    assert (plugin["name"], plugin["state"], plugin["failures"], plugin["queued"]) == ("author", "running", 0, 0)
    assert found["config"]["file"] == "bot.toml"
    assert found["memory"]["now"] > 1_000_000
    assert found["blocked"] == {"times": 0, "seconds": 0.0, "by_plugin": {}}
    assert "45  up" in text
    assert "to 600" in text
    assert "author  running" in text
    assert "bot.toml" in text


async def test_of_none(toml: Path) -> None:
    with pytest.raises(NotRunning, match=r"no bot runs .*: `vodiabot run` starts one$"):
        await status(toml, as_json=False)


async def test_of_none_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(NotRunning, match=r"no bot runs .*: there is no bot\.toml here, name the bot's with -c$"):
        await status(None, as_json=False)


def test_what_goes_badly_is_told() -> None:
    found = {
        "version": "1", "pid": 7, "uptime": 93784, "began": 0, "draining": True,
        "config": {"file": "bot.toml", "loaded": 0.0},
        "addresses": {"ops": "http://127.0.0.1:9090"},
        "memory": {"now": 1, "peak": 2},
        "blocked": {"times": 2, "seconds": 3.25, "by_plugin": {"slow": 1, "": 1}},
        "sessions": [{"extension": "45", "up": False, "refused": False, "trouble": "no answer in time"}],
        "not_ready": ["the bot leaves"],
        "calls": [{
            "extension": "45", "state": "up", "seconds": 75.0, "direction": "incoming",
            "number": "46", "remote": "Eve\x1b[2J",
            "quality": {"codec": "opus", "mos": 3.14, "packets_received": 90, "packets_lost": 10, "jitter": 0.0123},
        }],
        "plugins": [{
            "name": "slow", "state": "quarantined", "until": 1.0, "reason": "10 errors", "calls": 0, "queued": 3,
            "failures": 10, "timeouts": 1, "quarantines": 1, "skipped": 0,
        }],
    }  # fmt: skip
    text = "\n".join(lines(found))
    assert "up for 1d 2h, leaving" in text
    assert "ops: http://127.0.0.1:9090" in text
    assert "blocked: 2 times, 3.2 s in all (slow 1, the engine 1)" in text
    assert "45  down: no answer in time" in text
    assert "up 1m 15s  from '46 Eve\\x1b[2J'  opus  MOS 3.1  lost 10 of 100  jitter 12 ms" in text
    assert "(10 errors)  3 events waiting  10 failures  1 time-out  1 quarantine" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3725, "1h 2m"), (86400, "1d 0h"), (400 * 86400, "400d 0h")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_printable() -> None:
    assert printable("Jürgen 日本") == "Jürgen 日本"
    assert printable("a\x1bb") == "'a\\x1bb'"
