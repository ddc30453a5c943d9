"""CAPABILITIES, STORE_VERSION and migrate_store of a plugin, and `allow` of its section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vodiabot.capabilities import CAPABILITIES, DEFAULT, Grant, grant_of

from .kit import ANSWERS, load_one

FINE = ANSWERS + "CAPABILITIES = {'answer', 'dial'}\nSTORE_VERSION = 3\ndef migrate_store(store, version): ...\n"


def test_what_is_right_is_loaded_and_allow_is_no_option_of_the_plugin_s(tmp_path: Path) -> None:
    model = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    text: str\n"
    loaded, problems = load_one(tmp_path, "a", FINE + model, '[plugin.a]\ntext = "x"\nallow = ["answer"]\n')
    assert not problems
    assert vars(loaded[0].config) == {"text": "x"}


def test_a_plugin_without_options_may_have_a_section_with_allow(tmp_path: Path) -> None:
    loaded, problems = load_one(tmp_path, "a", FINE, "[plugin.a]\nallow = []\n")
    assert (len(loaded), problems) == (1, [])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("CAPABILITIES = {'dail'}", 'CAPABILITIES: there is no capability "dail"; did you mean "dial"?'),
        ("CAPABILITIES = 'dial'", "CAPABILITIES: must be a collection of texts"),
        ("CAPABILITIES = 5", "CAPABILITIES: must be a collection of texts"),
        ("STORE_VERSION = 0", "STORE_VERSION: must be a whole number"),
        ("STORE_VERSION = '2'", "STORE_VERSION: must be a whole number"),
        ("STORE_VERSION = True", "STORE_VERSION: must be a whole number"),
        ("async def migrate_store(store, version): ...", "migrate_store: must be a plain function"),
        ("def migrate_store(store): ...", "migrate_store: must take two arguments"),
        ("migrate_store = 5", "migrate_store: must be a function"),
    ],
)
def test_what_is_wrong_is_told_and_the_plugin_left_out(tmp_path: Path, source: str, says: str) -> None:
    loaded, problems = load_one(tmp_path, "a", ANSWERS + source + "\n")
    assert not loaded
    assert len(problems) == 1
    assert "plugins/a.py" in problems[0]
    assert says in problems[0]


@pytest.mark.parametrize("allow", ['["dail"]', '"dial"', "true"])
def test_a_wrong_allow_is_told_with_its_line(tmp_path: Path, allow: str) -> None:
    loaded, problems = load_one(tmp_path, "a", ANSWERS, f"[plugin.a]\nallow = {allow}\n")
    assert not loaded
    assert "bot.toml:11: plugin.a.allow: " in problems[0]


@pytest.mark.parametrize(
    ("declared", "allowed", "has"),
    [
        (None, None, DEFAULT),
        (None, ["dial"], {"dial"}),
        ({"dial", "answer"}, None, {"dial", "answer"}),
        ({"dial", "answer"}, ["dial", "record"], {"dial"}),
        ({"dial"}, [], set()),
        (set(), None, set()),
    ],
)
def test_the_operator_narrows_and_never_widens(declared: Any, allowed: Any, has: set[str]) -> None:
    class Namespace:
        CAPABILITIES = declared

    assert grant_of(Namespace, {} if allowed is None else {"allow": allowed}).capabilities == has


def test_a_refusal_names_plugin_capability_and_where() -> None:
    grant = Grant(frozenset({"dial", "answer"}), frozenset({"dial"}))
    assert grant.refusal("a", "dial") is None
    assert grant.refusal("a", "answer") == (
        'plugin "a" may not ring, answer and reject incoming calls: "answer" is not in [plugin.a] allow'
    )
    assert str(grant.refusal("a", "record")).endswith('"record" is not in its CAPABILITIES')
    assert set(CAPABILITIES) == {"answer", "dial", "transfer", "record", "audio", "chat", "others"}
