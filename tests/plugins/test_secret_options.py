"""Secrets in a plugin's section: a text, from the environment, or from a file; they never show themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vodiabot import Secret
from vodiabot.plugins.settings import read


@dataclass
class Model:
    token: Secret
    more: list[Secret] | None = None
    perhaps: Secret | None = None


def test_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_TOKEN", "from env")
    (tmp_path / "token").write_text("from file\nsecond line\n")
    section = {"token": "as text", "more": [{"env": "PLUGIN_TOKEN"}], "perhaps": {"file": "token"}}
    model, flaws = read(section, Model, tmp_path)
    assert flaws == []
    assert [model.token.reveal(), model.more[0].reveal(), model.perhaps.reveal()] == [
        "as text",
        "from env",
        "from file",
    ]
    assert "from" not in repr(model)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, 'must be { env = "NAME" }'),
        ("", "the password is empty"),
        ({"env": "NOT_THERE"}, "the environment variable NOT_THERE is not set"),
        ({"file": "gone"}, "can't be read"),
        ({"env": "A", "file": "b"}, 'must be { env = "NAME" }'),
    ],
)
def test_what_is_wrong_is_told_at_its_key_without_the_value(
    value: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    model, (flaw,) = read({"token": value}, Model, tmp_path)
    assert model is None
    assert flaw.key == "token"
    assert message in flaw.message
