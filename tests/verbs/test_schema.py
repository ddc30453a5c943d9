"""`vodiabot check --schema`: the schema and the reader say the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.config import parse
from vodiabot.config.durations import seconds
from vodiabot.config.ice import _TABLE as ICE_TABLE
from vodiabot.config.json_schema import DURATION, engine_schema
from vodiabot.config.key_docs import KEY_DOCS
from vodiabot.config.reading import ListOf, Table
from vodiabot.config.sections import BOT_TOML
from vodiabot.errors import ConfigError
from vodiabot.plugins import load_plugins, unload
from vodiabot.sim.config import parse as parse_sim
from vodiabot.sim.config_reader import KEYS
from vodiabot.sim.json_schema import sim_schema
from vodiabot.verbs.common import Connection, shipped_plugins
from vodiabot.verbs.schema import print_schema, schema_of

ROOT = Path(__file__).parent.parent.parent

WHOLE = """
[pbx]
url = "wss://pbx.example.com"
domain = "example.com"
country = "DE"
dialect = "auto"
login = "token"
admin = { user = "admin", password = "x" }
tls_verify = true
[[extension]]
user = "45"
password = "secret"
register = true
[bot]
state_dir = "state"
drain_timeout = "30s"
unrouted = "busy"
[media]
codecs = ["opus", "PCMU"]
max_calls = 3
ice_servers = ["stun:stun.example.com", { urls = "turn:turn.example.com", username = "u", credential = "c" }]
[speech]
provider = "auto"
speed = 1.5
[limits]
dial_allow = ["@domain", "+49*"]
dials_per_minute = 3
hook_timeout = 10
error_window = "1m30s"
[plugins]
path = []
enabled = ["ivr", "click_to_call", "wake_up", "notify", "greeter"]
[plugin.ivr]
operator = "500"
allow = ["answer", "transfer"]
critical = false
greeting = { say = "Welcome." }
[plugin.ivr.menus.main]
say = "Press 1."
[plugin.ivr.menus.main.keys]
1 = { to = "500" }
[plugin.click_to_call]
token = "t0ken"
[plugin.wake_up]
timezone = "Europe/Berlin"
[plugin.notify]
events = ["missed"]
webhook = "https://example.com"
apprise = []
[plugin.greeter]
pause = 1
[[route]]
to = "45"
from = "*"
plugin = "greeter"
fallback = "500"
[console]
listen = "127.0.0.1:8081"
[ops]
listen = ""
remote = false
[http]
listen = "127.0.0.1:0"
hosts = ["bot.example.com"]
[sim]
domain = "localhost"
admin = { user = "a", password = "b" }
tls = false
[[sim.extension]]
user = "46"
password = "x"
[[sim.service]]
number = "600"
kind = "ring"
seconds = 2
[[sim.group]]
number = "700"
members = ["46"]
[[sim.park]]
number = "701"
"""


def schema_for(text: str) -> dict[str, Any]:
    plugins, problems = load_plugins(parse(text, pbx_optional=True), shipped=shipped_plugins())
    assert problems == []
    made = schema_of(plugins)
    for plugin in plugins:
        unload(plugin)
    return made


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    made = schema_for(WHOLE)
    jsonschema.Draft202012Validator.check_schema(made)
    return made


def wrong(schema: dict[str, Any], doc: Any) -> list[str]:
    return [f"{list(e.path)}: {e.message}" for e in jsonschema.Draft202012Validator(schema).iter_errors(doc)]


def refused(doc: dict[str, Any]) -> bool:
    """By the reader, plugins and simulator included."""
    try:
        config = parse(_toml(doc), pbx_optional=True)
        parse_sim(config.sim or {}, file="bot.toml", base=Path())
    except ConfigError:
        return True
    plugins, problems = load_plugins(config, shipped=shipped_plugins())
    for plugin in plugins:
        unload(plugin)
    return bool(problems)


def _toml(doc: Any) -> str:
    """Inline, all of it."""
    return "\n".join(f"{json.dumps(key)} = {_value(value)}" for key, value in doc.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(_value, value)) + "]" if isinstance(value, list) else json.dumps(value)


def test_a_whole_file_is_right_for_both(schema: dict[str, Any]) -> None:
    doc = tomli.loads(WHOLE)
    assert wrong(schema, doc) == []
    assert not refused(doc)


def test_what_is_shipped_is_right() -> None:
    text = (ROOT / "vodiabot" / "demo.toml").read_text()
    assert wrong(schema_for(text), tomli.loads(text)) == []


def tables(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield at
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from tables(below, (*at, key))


@pytest.mark.parametrize("at", list(tables(tomli.loads(WHOLE))), ids=lambda at: ".".join(map(str, at)) or "top")
def test_an_unknown_key_is_wrong_for_both_in_every_table(at: tuple[Any, ...], schema: dict[str, Any]) -> None:
    doc = copy.deepcopy(tomli.loads(WHOLE))
    table = doc
    for step in at:
        table = table[step]
    table["bogus"] = 5
    assert wrong(schema, doc)
    assert refused(doc)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("pbx", "url"), "ftp://x"),
        (("pbx", "dialect"), "moddern"),
        (("extension", 0, "password"), {"envv": "X"}),
        (("extension", 0, "password"), {"env": "A", "file": "b"}),
        (("extension", 0, "register"), "yes"),
        (("bot", "drain_timeout"), "30 seconds"),
        (("limits", "hook_timeout"), "-1s"),
        (("limits", "dials_per_minute"), -1),
        (("media", "codecs"), ["opos"]),
        (("plugin", "ivr", "allow"), ["anser"]),
        (("plugin", "ivr", "timeout"), "5"),
        (("plugin", "ivr", "menus", "main", "keys", "1"), "500"),
        (("plugin", "notify", "events"), ["mised"]),
        (("plugin", "notify", "webhook"), 5),
        (("plugin", "click_to_call", "token"), {"env": 5}),
        (("route", 0, "plugin"), ""),
        (("sim", "service", 0, "kind"), "rings"),
    ],
)
def test_a_wrong_value_is_wrong_for_both(at: tuple[Any, ...], value: Any, schema: dict[str, Any]) -> None:
    doc = copy.deepcopy(tomli.loads(WHOLE))
    table: Any = doc
    for step in at[:-1]:
        table = table[step]
    table[at[-1]] = value
    assert wrong(schema, doc)
    assert refused(doc)


def test_what_is_required_is_required_by_both(schema: dict[str, Any]) -> None:
    for table, key in (
        (("extension", 0), "password"),
        (("route", 0), "plugin"),
        (("plugin", "click_to_call"), "token"),
    ):
        doc = copy.deepcopy(tomli.loads(WHOLE))
        place: Any = doc
        for step in table:
            place = place[step]
        del place[key]
        assert wrong(schema, doc), key
        assert refused(doc), key


def keys_of_reader(kind: Any, at: str = "") -> Iterator[str]:
    kind = kind.kind if isinstance(kind, ListOf) else kind
    for name, below in kind.fields.items() if isinstance(kind, Table) else ():
        key = f"{at}.{name}" if at else name
        yield key
        yield from keys_of_reader(below, key)


def keys_of_schema(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    for name, below in schema.get("items", schema).get("properties", {}).items():
        key = f"{at}.{name}" if at else name
        yield key
        yield from keys_of_schema(below, key)


def test_reader_and_schema_have_the_same_keys_and_each_is_documented() -> None:
    read = set(keys_of_reader(BOT_TOML))
    assert read == set(keys_of_schema(engine_schema({"type": "object"}, {"type": "object"})))
    assert read | {f"media.ice_servers[].{name}" for name in ICE_TABLE.fields} == set(KEY_DOCS)
    assert set(sim_schema()["properties"]) == set(KEYS)


@given(st.from_regex(r"\A *([0-9]{1,3}(\.[0-9])?(d|h|ms|m|s|x| )){0,4} *\Z"))
def test_durations_are_the_same_for_both(text: str) -> None:
    try:
        seconds(text)
    except ValueError:
        assert wrong(DURATION, text)
    else:
        assert not wrong(DURATION, text)


def test_docs_and_defaults_are_in_it(schema: dict[str, Any]) -> None:
    timeout = schema["properties"]["plugin"]["properties"]["ivr"]["properties"]["timeout"]
    assert timeout["default"] == 5.0
    assert timeout["description"].startswith("Seconds to press a key")
    assert schema["properties"]["media"]["properties"]["max_calls"]["default"] == 30


def test_the_verb_prints_it_and_tells_of_plugins_with_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(WHOLE)
    assert print_schema(Connection(file=file)) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    file.write_text(WHOLE.replace('token = "t0ken"', "token = 5"))
    assert print_schema(Connection(file=file)) == 2
    told = capsys.readouterr()
    assert "click_to_call" not in json.loads(told.out)["properties"]["plugin"]["properties"]
    assert "plugin.click_to_call.token" in told.err
