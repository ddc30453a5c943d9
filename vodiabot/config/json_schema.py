"""The engine's part of bot.toml as JSON Schema (draft 2020-12), for editors. It is made from the very tables that read
the file, so that both know the same keys; what a pattern can't say (that a file is there) is left to `check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from . import kinds
from .countries import country
from .durations import UNITS
from .ice import _TABLE as ICE_TABLE
from .ice import _ice_url, _ice_urls, _user_name, ice_server
from .key_docs import KEY_DOCS
from .model import BotConfig, ConsoleConfig, HttpConfig, LimitsConfig, MediaConfig, OpsConfig, PbxConfig
from .reading import Kind, ListOf, Table
from .secrets import secret
from .sections import BOT_TOML, plugin_sections, raw_table

Json = dict[str, Any]

NUMBER = r"[0-9]+(\.[0-9]+)?"
DURATION: Json = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*(?=[0-9])" + "".join(f"({NUMBER}{unit})?" for unit in UNITS) + r"\s*$"},
        {"type": "number", "minimum": 0},
    ]
}
TEXT: Json = {"type": "string", "pattern": r"\S"}
SECRET: Json = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        *(
            {"type": "object", "properties": {key: TEXT}, "required": [key], "additionalProperties": False}
            for key in ("env", "file")
        ),
    ]
}

_SIMPLE: Mapping[Any, Json] = {
    kinds.text: TEXT,
    kinds.maybe_text: {"type": "string"},
    kinds.word: {"type": "string", "pattern": r"^\S+$"},
    kinds.address: {"type": "string", "pattern": r"^(\S+:[0-9]{1,5})?$"},
    kinds.flag: {"type": "boolean"},
    kinds.codec: {"enum": list(kinds.CODECS)},
    kinds.path: TEXT,
    kinds.folder: TEXT,
    kinds.readable_file: TEXT,
    kinds.voice_model: TEXT,
    kinds.plugin_name: {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$"},
    kinds.dial_pattern: {"type": "string", "pattern": r"^(@domain|\+?[A-Za-z0-9*?#._-]+)$"},
    kinds.pbx_url: {"type": "string", "pattern": r"^\s*([wW][sS]|[hH][tT][tT][pP])[sS]?://\S+\s*$"},
    country: {"type": "string", "pattern": r"^[A-Za-z]{2}$"},
    secret: SECRET,
    _ice_url: TEXT,
    _user_name: TEXT,
}


def engine_schema(plugins: Json, sim: Json) -> Json:
    """`plugins`, `sim`: the schemas of `[plugin]` and of `[sim]`."""
    parts = {id(plugin_sections): plugins, id(raw_table): sim}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bot.toml",
        **_schema_of(BOT_TOML, "", parts),
    }


def _schema_of(kind: Kind, key: str, parts: Mapping[int, Json]) -> Json:
    found: Json
    if isinstance(kind, Table):
        found = _table(kind, key, parts)
    elif isinstance(kind, ListOf):
        found = {"type": "array", "items": _schema_of(kind.kind, key, parts)}
    elif id(kind) in parts:
        found = parts[id(kind)]
    elif kind is ice_server:
        found = {"anyOf": [TEXT, _table(ICE_TABLE, f"{key}[]", parts)]}
    elif kind is _ice_urls:
        found = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
    else:
        found = _SIMPLE[kind] if kind in _SIMPLE else _of_closure(kind)
    return found


def _table(table: Table, key: str, parts: Mapping[int, Json]) -> Json:
    properties = {name: _documented(kind, name, key, parts) for name, kind in table.fields.items()}
    required = {"required": list(table.required)} if table.required else {}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def _documented(kind: Kind, name: str, key: str, parts: Mapping[int, Json]) -> Json:
    full = f"{key}.{name}" if key else name
    doc = KEY_DOCS.get(full)
    found = {**_schema_of(kind, full, parts), **({"description": doc} if doc else {})}
    default = _default(full)
    return found if default is None else {**found, "default": default}


_MODELS = {
    "pbx": PbxConfig,
    "bot": BotConfig,
    "media": MediaConfig,
    "limits": LimitsConfig,
    "console": ConsoleConfig,
    "ops": OpsConfig,
    "http": HttpConfig,
}


def _default(key: str) -> Any:
    """What an absent key means, where that is a plain value."""
    table, _, name = key.partition(".")
    for field in _MODELS[table].__struct_fields__ if table in _MODELS else ():
        if field == name:
            return _plain(_defaults(_MODELS[table]).get(name))
    return None


def _defaults(model: type) -> dict[str, Any]:
    fields, defaults = model.__struct_fields__, model.__struct_defaults__  # type: ignore[attr-defined]
    return dict(zip(fields[len(fields) - len(defaults) :], defaults, strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str | bool | int | float) else None


def _of_closure(kind: Kind) -> Json:
    """Of a kind that a function of `kinds` has made."""
    maker = _MAKERS.get(kind.__qualname__.partition(".")[0]) if inspect.isfunction(kind) else None
    if maker is not None:
        return maker(inspect.getclosurevars(kind).nonlocals)
    found = {"voice": TEXT, "language": TEXT}.get(getattr(kind, "__name__", ""))
    if found is None:
        raise TypeError(f"there is no schema for {kind!r}")
    return found


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Json]] = {
    "whole": lambda told: {"type": "integer", "minimum": told["least"]},
    "number": lambda told: {"type": "number", "minimum": told["least"], "maximum": told["most"]},
    "one_of": lambda told: {"enum": list(told["words"])},
    "duration": lambda told: DURATION,
}
