"""`vodiabot plugins info`: what a plugin is, what its options are, and what is in force."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..config import Config, dotted, parse
from ..plugins.describe import look_up
from ..plugins.discovery import NotFound
from ..plugins.model import PluginInfo
from .common import DEFAULT_FILE, DONE, USAGE, Connection, configuration, say, say_error, shipped_plugins

NO_FILE = '[pbx]\nurl = "wss://pbx.example.com"\n[[extension]]\nuser = "45"\npassword = "none"\n'
"""Where there is no bot.toml: a plugin has options all the same."""

SECRET_NAME = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
"""Options that are called so are not shown, of whatever type they are."""

HIDDEN = "***"


def info(connection: Connection, name: str, *, as_json: bool) -> int:
    """Exit code 2 if there is no such plugin, or if it or its section is wrong."""
    config = _configuration(connection)
    try:
        found, problems = look_up(name, config, shipped_plugins())
    except NotFound as exc:
        say_error(str(exc))
        return USAGE
    if found is not None:
        about = as_data(found, config)
        say(json.dumps(about, indent=2, ensure_ascii=False) if as_json else "\n".join(lines(about)))
    for problem in problems:
        say_error(str(problem))
    return USAGE if problems or found is None else DONE


def _configuration(connection: Connection) -> Config:
    if connection.file is None and not DEFAULT_FILE.exists():
        return parse(NO_FILE)
    return configuration(connection, pbx_optional=True)


def as_data(found: PluginInfo, config: Config) -> dict[str, Any]:
    """As JSON has it; secrets are hidden."""
    about = dataclasses.asdict(dataclasses.replace(found, values={}))
    about["values"] = {name: _shown(name, value) for name, value in found.values.items()}
    about["enabled"] = found.name in config.plugins.enabled
    about["routes"] = [
        {"to": route.to, "from": route.from_, "fallback": route.fallback}
        for route in config.routes
        if route.plugin == found.name
    ]
    return about


def _shown(name: str, value: Any) -> Any:
    if SECRET_NAME.search(name) and value not in (None, "", [], {}):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown("", one) for one in value]
    if dataclasses.is_dataclass(value):
        return {f.name: _shown(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, msgspec.Struct):
        return {name: _shown(name, getattr(value, name)) for name in value.__struct_fields__}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value) if isinstance(value, Path) else repr(value)  # a Secret shows itself as ***


def lines(about: Mapping[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{about['name']} {about['version']}".rstrip() + ("" if about["enabled"] else "  (not enabled)")
    yield f"  from          {about['origin']}"
    if about["doc"]:
        yield "  " + " ".join(about["doc"].split("\n\n")[0].split())
    yield f"  hooks         {', '.join(about['hooks']) or 'none'}"
    declared, allowed = about["declared"], about["allowed"]
    yield f"  declares      {'nothing, so all' if declared is None else ', '.join(declared) or 'no capability'}"
    yield f"  allowed       {'all of it' if allowed is None else ', '.join(allowed) or 'none'}"
    yield f"  so it may     {', '.join(about['capabilities']) or 'only listen, and act on calls that it has'}"
    for route in about["routes"]:
        fallback = f", else to {route['fallback']}" if route["fallback"] else ""
        yield f"  route         from {route['from']} to {route['to']}{fallback}"
    yield f"  options of [plugin.{about['name']}]" if about["options"] else "  no options"
    for option in about["options"]:
        yield from _option(option, about["values"])
    for model in about["models"]:
        yield f"  {model['name']}, in {' and '.join(model['tables'])}"
        if model["doc"]:
            yield f"      {' '.join(model['doc'].split())}"
        for option in model["options"]:
            yield from _option(option, {})


def _option(option: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    default = "required" if option["required"] else f"default {_default(option)}"
    yield f"    {option['name']}: {option['type']}  ({default})"
    if option["doc"]:
        yield f"        {' '.join(option['doc'].split())}"
    if option["name"] in values:
        first, *others = _now(values[option["name"]])
        yield f"        now: {first}"
        yield from (f"             {line}" for line in others)


def _now(value: Any) -> list[str]:
    """What is in force; of tables a line for each entry that is not empty, as bot.toml could say it."""
    tables = value if isinstance(value, list) else [value]
    if not any(isinstance(one, dict) and one for one in tables):
        return [json.dumps(value, ensure_ascii=False)]
    return list(_entries("", value)) or ["empty"]


def _entries(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _entries(f"{key}.{dotted((name,))}".removeprefix("."), one)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for i, one in enumerate(value):
            yield from _entries(f"{key}[{i}]", one)
    elif value not in (None, "", []):
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _default(option: Mapping[str, Any]) -> str:
    return (
        HIDDEN if SECRET_NAME.search(option["name"]) and option["default"] not in ("''", "None") else option["default"]
    )
