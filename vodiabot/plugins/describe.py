"""What a plugin can be told, for `vodiabot plugins info`: its options with types, defaults and docs."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from .model import LoadedPlugin, Option, PluginInfo
from .settings import NO_DEFAULT, ModelField, fields_of


def describe(plugin: LoadedPlugin) -> PluginInfo:
    """Everything that is known of a loaded plugin."""
    fields = [] if plugin.config is None else fields_of(type(plugin.config))
    return PluginInfo(
        name=plugin.name,
        version=plugin.version,
        origin=plugin.origin,
        doc=inspect.getdoc(plugin.namespace) or "",
        hooks=plugin.hooks,
        options=tuple(_options(fields, type(plugin.config))),
        values={f.name: getattr(plugin.config, f.attribute) for f in fields},
    )


def _options(fields: list[ModelField], model: type) -> Iterator[Option]:
    docs, written = _docstrings(model), _annotations(model)
    for field in fields:
        required = field.default is NO_DEFAULT
        yield Option(
            name=field.name,
            type=written.get(field.attribute, _type_name(field.type)),
            required=required,
            default="" if required else repr(field.default),
            doc=_meta_description(field.type) or docs.get(field.attribute, ""),
        )


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


def _docstrings(model: type) -> dict[str, str]:
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
