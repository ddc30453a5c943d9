from __future__ import annotations

from pathlib import Path

import pytest

from vodiabot.verbs.check import check
from vodiabot.verbs.common import USAGE, Connection

WRONG = """[[extension]]
user = "45"
password = "bot"

[sim]
dialect = "mdern"

[[sim.service]]
number = "600"
kind = "tome"
"""


def test_each_mistake_of_the_section_has_its_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(WRONG)
    assert check(Connection(file), online=False, as_json=False) == USAGE
    said = capsys.readouterr().err
    assert f"{file}:6: sim.dialect: " in said
    assert f"{file}:10: sim.service[0].kind: " in said


def test_a_mistake_elsewhere_does_not_hide_those_of_the_section(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(WRONG.replace('password = "bot"', 'pasword = "bot"'))
    assert check(Connection(file), online=False, as_json=False) == USAGE
    said = capsys.readouterr().err
    assert "extension[0].pasword: " in said
    assert f"{file}:6: sim.dialect: " in said
