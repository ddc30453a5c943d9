"""`vodiabot check` tells all mistakes in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from vodiabot.verbs.check import check
from vodiabot.verbs.common import USAGE, Connection

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
