"""The sections of plugins as JSON Schema (draft 2020-12), from their own models."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..capabilities import ALLOW, CAPABILITIES
from ..config.json_schema import SECRET
from ..config.model import Secret
from ..config.option_types import Mark
from .declared import CRITICAL
from .describe import docs_of
from .model import LoadedPlugin
from .settings import NO_DEFAULT, fields_of, is_model

Json = dict[str, Any]
Defs = dict[str, Json]

ENGINES: Json = {
    ALLOW: {
        "type": "array",
        "items": {"enum": sorted(CAPABILITIES)},
        "description": "Which capabilities it may use at most.",
    },
    CRITICAL: {"type": "boolean", "default": False, "description": "The bot does not start without it."},
}
"""The engine's own keys of each plugin's section."""


def plugins_schema(plugins: Iterable[LoadedPlugin]) -> tuple[Json, Defs]:
    """Of `[plugin]`, and the models that it refers to by `$ref`. Sections of plugins that are not enabled may hold
    anything, as nothing is known of them."""
    defs: Defs = {}
    sections = {plugin.name: _section(plugin, defs) for plugin in plugins}
    return {"type": "object", "properties": sections, "additionalProperties": {"type": "object"}}, defs


def _section(plugin: LoadedPlugin, defs: Defs) -> Json:
    if plugin.config is None:
        return {"type": "object", "properties": ENGINES, "additionalProperties": False}
    made = _model(type(plugin.config), plugin.name, defs)
    return {**made, "properties": {**made["properties"], **ENGINES}}


def _model(model: type, plugin: str, defs: Defs) -> Json:
    """A closed table: the reader knows no other keys."""
    docs = docs_of(model)
    properties: Json = {}
    required: list[str] = []
    for field in fields_of(model):
        doc = docs.get(field.attribute)
        found = {**_type(field.type, plugin, defs), **({"description": doc} if doc else {})}
        plain = isinstance(field.default, str | bool | int | float)
        properties[field.name] = {**found, "default": field.default} if plain else found
        if field.default is NO_DEFAULT:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type(annotation: Any, plugin: str, defs: Defs) -> Json:
    """Models become closed definitions; the rest is as msgspec has it."""
    while hasattr(annotation, "__supertype__"):
        annotation = annotation.__supertype__
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated and any(isinstance(mark, Mark) for mark in args[1:]):
        return _type(args[0], plugin, defs)
    if is_model(annotation):
        name = f"{plugin}.{annotation.__qualname__}"
        if name not in defs:
            defs[name] = {}  # models may contain themselves
            defs[name] = _model(annotation, plugin, defs)
        return {"$ref": f"#/$defs/{name}"}
    if annotation is Secret:
        return SECRET
    if isinstance(annotation, type) and issubclass(annotation, Path):
        return {"type": "string", "minLength": 1}
    if origin in (typing.Union, types.UnionType):
        kinds = [_type(one, plugin, defs) for one in args if one is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if origin in (list, set, frozenset) or (origin is tuple and args[1:] == (...,)):
        return {"type": "array", "items": _type(args[0], plugin, defs)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(args[1], plugin, defs)}
    return _by_msgspec(annotation)


def _by_msgspec(annotation: Any) -> Json:
    (made,), definitions = msgspec.json.schema_components([annotation], schema_hook=lambda kind: {})
    return made if not definitions else {}
