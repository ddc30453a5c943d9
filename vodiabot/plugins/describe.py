"""What a plugin can be told, for `vodiabot plugins info`: its options with types, defaults and docs."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from ..capabilities import grant_of
from ..config.model import Config
from .declared import engines_wrong
from .discovery import Found, Places
from .importing import ImportFailed, forget, import_plugin
from .loader import load_plugins, unload
from .model import LoadedPlugin, NestedModel, Option, PluginInfo, PluginProblem
from .settings import NO_DEFAULT, ModelError, ModelField, fields_of, is_model
from .validation import implementations_of


def describe(plugin: LoadedPlugin) -> PluginInfo:
    """Everything that is known of a loaded plugin."""
    model = None if plugin.config is None else type(plugin.config)
    values = {f.name: getattr(plugin.config, f.attribute) for f in fields_of(model)} if model else {}
    info = _described(plugin.name, plugin.namespace, model, plugin.hooks, plugin.section)
    return replace(info, version=plugin.version, origin=plugin.origin, values=values)


def look_up(name: str, config: Config, shipped: Path | None = None) -> tuple[PluginInfo | None, list[PluginProblem]]:
    """Of any plugin that is to be found, enabled or not, and what is wrong with it or its section; None if it can't
    be imported. Raises NotFound, with a suggestion."""
    places = Places(config.plugins.path, shipped)
    found = places.find(name)
    alone = structs.replace(config, plugins=structs.replace(config.plugins, enabled=(name,)), routes=())
    loaded, problems = load_plugins(alone, shipped=shipped)
    problems = [problem for problem in problems if problem.plugin == name]
    if loaded:
        info = describe(loaded[0])  # its module is still there: annotations and docs need it
        unload(loaded[0])
        return info, problems
    return _in_spite_of_its_section(found, config.plugin.get(name, {})), problems


def _in_spite_of_its_section(found: Found, section: Mapping[str, Any]) -> PluginInfo | None:
    try:
        imported = import_plugin(found)
    except ImportFailed:
        return None  # it is among the problems
    namespace = imported.namespace
    model = getattr(namespace, "Config", None)
    hooks, _ = implementations_of(namespace, has_config=model is not None)
    right = {} if list(engines_wrong(section)) else section
    try:
        info = _described(found.name, namespace, model if is_model(model) else None, tuple(hooks), right)
    except ModelError:
        return None  # it is among the problems, too
    finally:
        forget(imported.private_name)
    version = found.version or str(getattr(namespace, "__version__", ""))
    return replace(info, version=version, origin=found.origin)


def _described(
    name: str, namespace: Any, model: type | None, hooks: tuple[str, ...], section: Mapping[str, Any]
) -> PluginInfo:
    grant = grant_of(namespace, section)
    return PluginInfo(
        name=name,
        version="",
        origin="",
        doc=inspect.getdoc(namespace) or "",
        hooks=hooks,
        options=() if model is None else tuple(_options(fields_of(model), model)),
        models=() if model is None else tuple(_nested(model, f"plugin.{name}")),
        declared=_sorted(grant.declared),
        allowed=_sorted(grant.allowed),
        capabilities=tuple(sorted(grant.capabilities)),
    )


def _sorted(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))


def _options(fields: list[ModelField], model: type) -> Iterator[Option]:
    docs, written = docs_of(model), _annotations(model)
    for field in fields:
        required = field.default is NO_DEFAULT
        yield Option(
            name=field.name,
            type=written.get(field.attribute, _type_name(field.type)),
            required=required,
            default="" if required else repr(field.default),
            doc=_meta_description(field.type) or docs.get(field.attribute, ""),
        )


def _nested(model: type, table: str) -> Iterator[NestedModel]:
    """The models below a model, however deep."""
    tables: dict[type, list[str]] = {}
    _find_tables(model, table, (), tables)
    for found, where in tables.items():
        doc = found.__dict__.get("__doc__") or ""
        written = not doc.startswith(f"{found.__name__}(")  # else it is what `dataclass` makes of the fields
        yield NestedModel(
            name=found.__name__,
            doc=inspect.cleandoc(doc) if written else "",
            tables=tuple(where),
            options=tuple(_options(fields_of(found), found)),
        )


def _find_tables(model: type, table: str, above: tuple[type, ...], tables: dict[type, list[str]]) -> None:
    """`above`: models may contain themselves."""
    for field in fields_of(model):
        for found, path, many in _models_in(field.type, f"{table}.{field.name}"):
            tables.setdefault(found, []).append(f"[[{path}]]" if many else f"[{path}]")
            if found not in (*above, model):
                _find_tables(found, path, (*above, model), tables)


def _models_in(annotation: Any, path: str, many: bool = False) -> Iterator[tuple[type, str, bool]]:
    """Each model in a type, with the path of its table and whether that is one of a list."""
    while hasattr(annotation, "__supertype__"):
        annotation = annotation.__supertype__
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if is_model(annotation):
        yield annotation, path, many
    elif origin is typing.Annotated:
        yield from _models_in(args[0], path, many)
    elif origin is dict:
        yield from _models_in(args[1], f"{path}.NAME")
    elif origin in (list, set, frozenset, tuple):
        for one in args:
            yield from _models_in(one, path, True)
    elif origin in (typing.Union, types.UnionType):
        for one in args:
            yield from _models_in(one, path, many)


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _meta_description(annotation: Any) -> str:
    """Of `Annotated[int, msgspec.Meta(description="…")]`."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, msgspec.Meta) and extra.description:
            return extra.description
    return ""


def _body(model: type) -> list[ast.stmt]:
    """The statements of a class; none if its source is not to be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):
        return []
    return tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []


def _classes(model: type) -> list[type]:
    """The model and what it inherits from, the base first."""
    return [c for c in reversed(model.__mro__) if c not in (object, msgspec.Struct, typing.Generic)]


def docs_of(model: type) -> dict[str, str]:
    """Field → the text that stands below it."""
    docs: dict[str, str] = {}
    for statements in map(_body, _classes(model)):
        for field, below in itertools.pairwise(statements):
            text = _text(below)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and text:
                docs[field.target.id] = inspect.cleandoc(text)
    return docs


def _text(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else ""
    return ""


def _annotations(model: type) -> dict[str, str]:
    """Field → its type as its author wrote it."""
    return {
        s.target.id: ast.unparse(s.annotation)
        for cls in _classes(model)
        for s in _body(cls)
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
    }
