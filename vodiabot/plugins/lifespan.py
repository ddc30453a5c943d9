"""`lifespan` of a plugin: its setup and teardown, as an async context."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from .model import Implementation
from .settings import suggestion
from .validation import Fault

LIFESPAN = "lifespan"
ARGUMENTS = ("bot", "config", "log")
"""It takes those that it names."""


def lifespan_of(namespace: Any, *, has_config: bool) -> tuple[Implementation | None, list[Fault]]:
    """What a plugin's module has under this name, and what is wrong with it."""
    function = getattr(namespace, LIFESPAN, None)
    if function is None:
        return None, []
    faults = [Fault(_line(function), LIFESPAN, message) for message in _wrong(function, has_config)]
    names = () if faults else tuple(inspect.signature(function).parameters)
    return Implementation(LIFESPAN, function, names), faults


def _wrong(function: Any, has_config: bool) -> Iterator[str]:
    if not callable(function):
        yield "must be a function: @asynccontextmanager async def lifespan(bot)"
        return
    if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function):
        yield "mark it with @asynccontextmanager (of contextlib), and let it yield once"
    elif inspect.isgeneratorfunction(inspect.unwrap(function)):
        yield "must be async: @asynccontextmanager async def lifespan(bot)"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            yield f"names its arguments: no {parameter}"
        elif parameter.name not in ARGUMENTS:
            yield f'has no argument "{parameter.name}"{suggestion(parameter.name, ARGUMENTS)}'
        elif parameter.name == "config" and not has_config:
            yield "it asks for config, but the plugin has no Config model"


def _line(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code is not None else None
