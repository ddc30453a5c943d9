"""Options that are marked by their type (`SoundFile` and the like), in the settings of a plugin."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from ..config import dotted
from ..config.option_types import Mark, marks_of
from .settings import fields_of, is_model

Marked = tuple[Mark, str, Any]
"""What it is, its key below the section, its value."""


def marked(settings: Any) -> Iterator[Marked]:
    """Of a plugin's settings, however deep; defaults count."""
    yield from _of_model(settings, "")


def _of_model(settings: Any, key: str) -> Iterator[Marked]:
    for field in fields_of(type(settings)):
        below = f"{key}.{dotted((field.name,))}" if key else dotted((field.name,))
        yield from _found(getattr(settings, field.attribute), field.type, below)


def _found(value: Any, expected: Any, key: str) -> Iterator[Marked]:
    if is_model(type(value)):
        yield from _of_model(value, key)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _found(item, _item_of(expected, dict), f"{key}.{dotted((str(name),))}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _found(item, _item_of(expected, list, tuple), f"{key}[{i}]")
    elif value is not None:
        yield from ((mark, key, value) for mark in marks_of(expected))


def _item_of(expected: Any, *kinds: type) -> Any:
    """What the items are to be, or Any."""
    origin, args = typing.get_origin(expected), typing.get_args(expected)
    if origin in kinds:
        return next((arg for arg in reversed(args) if arg is not ...), Any)
    if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
        found = (_item_of(arg, *kinds) for arg in (args[:1] if origin is typing.Annotated else args))
        return next((item for item in found if item is not Any), Any)
    return Any
