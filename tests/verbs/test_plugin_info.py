"""`vodiabot plugins info`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vodiabot.verbs.common import Connection
from vodiabot.verbs.plugin_info import info

PLUGIN = '''"""Sells things.

More of it."""
from dataclasses import dataclass, field
from vodiabot import Secret, hookimpl

CAPABILITIES = {"answer", "dial"}

@dataclass
class Server:
    url: str = ""
    """Where it is."""
    api_key: str = ""
    spare: "Server | None" = None

@dataclass
class Config:
    token: Secret
    """What it logs in with."""
    servers: list[Server] = field(default_factory=list)
    pause: float = 1.5
    """Seconds."""

@hookimpl
async def answer_call(call, config): ...
'''

SETTINGS = """
[pbx]
url = "wss://pbx.example.com"
[[extension]]
user = "45"
password = "x"
[plugins]
path = ["."]
enabled = ["sales"]
[plugin.sales]
token = "s3cr3t-1"
allow = ["answer"]
servers = [{ url = "https://a.example", api_key = "s3cr3t-2" }]
[[route]]
to = "45"
plugin = "sales"
fallback = "500"
"""


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    (tmp_path / "sales.py").write_text(PLUGIN)
    (tmp_path / "bot.toml").write_text(SETTINGS)
    return Connection(file=tmp_path / "bot.toml")


def test_all_of_it_as_json(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert info(connection, "sales", as_json=True) == 0
    text = capsys.readouterr().out
    about = json.loads(text)
    assert "s3cr3t" not in text
    assert about["hooks"] == ["answer_call"]
    assert about["values"] == {
        "token": "***",
        "servers": [{"url": "https://a.example", "api_key": "***", "spare": None}],
        "pause": 1.5,
    }
    assert [(o["name"], o["type"], o["required"], o["default"], o["doc"]) for o in about["options"]] == [
        ("token", "Secret", True, "", "What it logs in with."),
        ("servers", "list[Server]", False, "[]", ""),
        ("pause", "float", False, "1.5", "Seconds."),
    ]
    (server,) = about["models"]  # though it contains itself
    assert (server["name"], server["doc"]) == ("Server", "")
    assert server["tables"] == ["[[plugin.sales.servers]]", "[plugin.sales.servers.spare]"]
    assert {o["name"]: o["doc"] for o in server["options"]} == {"url": "Where it is.", "api_key": "", "spare": ""}
    assert (about["declared"], about["allowed"], about["capabilities"]) == (["answer", "dial"], ["answer"], ["answer"])
    assert about["routes"] == [{"to": "45", "from": "*", "fallback": "500"}]
    assert about["enabled"] is True


def test_for_people(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert info(connection, "sales", as_json=False) == 0
    text = capsys.readouterr().out
    assert "Sells things." in text
    assert "More of it" not in text
    assert "    pause: float  (default 1.5)\n        Seconds.\n        now: 1.5" in text
    assert '        now: [0].url = "https://a.example"\n             [0].api_key = "***"\n    pause' in text
    assert "  Server, in [[plugin.sales.servers]] and [plugin.sales.servers.spare]\n    url: str" in text
    assert "        Where it is." in text
    assert "route         from * to 45, else to 500" in text
    assert "s3cr3t" not in text


def test_an_unknown_name_is_told_with_a_suggestion(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert info(connection, "salse", as_json=True) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert 'did you mean "sales"?' in told.err


def test_one_that_is_not_enabled_and_not_configured(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    """Its options are just what is looked for, then; what is missing is told."""
    assert info(connection, "click_to_call", as_json=True) == 2
    told = capsys.readouterr()
    about = json.loads(told.out)
    assert about["enabled"] is False
    assert about["options"][0]["name"] == "token"
    assert about["values"] == {}
    assert "plugin.click_to_call.token: is missing" in told.err


def test_one_that_can_not_be_imported(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert connection.file is not None
    (connection.file.parent / "sales.py").write_text("import nothing_like_that")
    assert info(connection, "sales", as_json=False) == 2
    assert "nothing_like_that" in capsys.readouterr().err


def test_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert info(Connection(), "wake_up", as_json=False) == 0
    assert "timezone: str  (default 'UTC')" in capsys.readouterr().out
