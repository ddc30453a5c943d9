"""`vodiabot check` tells all mistakes in one go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vodiabot.verbs.check import check
from vodiabot.verbs.common import DONE, USAGE, Connection

BOTH = """[pbx]
url = "ws://127.0.0.1:9"
domian = "localhost"

[[extension]]
user = "45"
password = "bot"

[plugins]
enabled = ["greeter"]

[plugin.greeter]
txet = "Hello."
"""


def told(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    (tmp_path / "bot.toml").write_text(text)
    assert check(Connection(tmp_path / "bot.toml"), online=False, as_json=False) == USAGE
    return [line.replace(str(tmp_path), "") for line in capsys.readouterr().err.splitlines()]


def test_a_mistake_in_the_engines_keys_hides_none_in_a_plugins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(tmp_path, BOTH, capsys)
    assert len(lines) == 2
    assert lines[0].startswith("vodiabot: /bot.toml:3: pbx.domian: ")
    assert lines[1].startswith("vodiabot: /bot.toml:13: plugin.greeter.txet: ")


def test_where_the_plugins_can_t_be_told_nothing_is_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = BOTH.replace('enabled = ["greeter"]', 'enabled = "greeter"')
    lines = told(tmp_path, wrong, capsys)
    assert [line.split(": ")[2] for line in lines] == ["pbx.domian", "plugins.enabled"]


def test_a_wrong_name_among_the_enabled_hides_nothing_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(tmp_path, BOTH.replace('["greeter"]', '["greeter", "greeter", "a b"]'), capsys)
    keys = {"pbx.domian", "plugins.enabled[1]", "plugins.enabled[2]", "plugin.greeter.txet"}
    assert {line.split(": ")[2] for line in lines} == keys


RIGHT = """[pbx]
url = "ws://127.0.0.1:9"
domain = "localhost"

[[extension]]
user = "45"
password = "bot"

[bot]
state_dir = "a/b/state"
"""


def test_a_state_dir_that_can_not_be_written_to_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text("a file")  # where root is stopped, too
    nowhere = RIGHT.replace("a/b/state", "/proc/nope")
    [line] = told(tmp_path, nowhere, capsys)
    assert line.startswith("vodiabot: /bot.toml:10: bot.state_dir: /proc/nope can't be written to by this user (uid ")
    assert line.endswith("): No such file or directory")
    lines = told(tmp_path, RIGHT.replace("domain =", "domian ="), capsys)
    assert [line.split(": ")[2] for line in lines] == ["pbx.domian", "bot.state_dir"], "beside the others"


def test_a_plugin_that_no_route_leads_to_is_a_note_and_nothing_is_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(RIGHT + '[plugins]\nenabled = ["notify", "greeter"]\n')
    message = '"greeter" answers calls, but no [[route]] leads to it'
    assert check(Connection(file), online=False, as_json=False) == DONE
    out = capsys.readouterr().out
    assert out == f"note: {file}:12: plugins.enabled[1]: {message}\nthe configuration is right\n"
    assert check(Connection(file), online=False, as_json=True) == DONE
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "problems": [],
        "login": [],
        "notes": [{"file": str(file), "line": 12, "key": "plugins.enabled[1]", "message": message}],
    }
    file.write_text(file.read_text() + '[[route]]\nplugin = "greeter"\n')
    assert check(Connection(file), online=False, as_json=False) == DONE
    assert capsys.readouterr().out == "the configuration is right\n"
    assert list(tmp_path.iterdir()) == [file], "to look is not to make the folder, which may be another user's to make"
