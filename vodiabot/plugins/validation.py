"""Which hooks a plugin implements, and whether it may do so the way it does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pluggy

from . import hookspecs
from .hookspecs import HOOKS, PROJECT, arguments_of
from .model import Implementation
from .settings import suggestion


@dataclass(frozen=True)
class Fault:
    """One mistake in a plugin's code."""

    line: int | None
    key: str
    """The name of the function."""
    message: str


def implementations_of(namespace: Any, *, has_config: bool) -> tuple[dict[str, Implementation], list[Fault]]:
    """Hook → implementation, in the order of the hook table, and all that is wrong."""
    if inspect.isclass(namespace):
        return {}, [Fault(None, "", "its entry point names a class; let it name a module or an object")]
    marked = dict(_marked(namespace))
    faults = [*_unmarked(namespace, marked)]
    for name, (function, options) in marked.items():
        faults += _faults(name, function, options, has_config)
    faults += _twice(marked)
    found = {_hook(name, options): function for name, (function, options) in marked.items()}
    if not found and not faults and getattr(namespace, "lifespan", None) is None:
        faults.append(Fault(None, "", "it has no hooks, so it is never called; mark them with @hookimpl"))
    if not faults:
        faults += _pluggys_own(namespace)
    known = {hook: Implementation(hook, found[hook], _names(found[hook])) for hook in HOOKS if hook in found}
    return known, faults


def _marked(namespace: Any) -> Iterator[tuple[str, tuple[Any, pluggy.HookimplOpts]]]:
    manager = pluggy.PluginManager(PROJECT)
    for name in dir(namespace):
        options = manager.parse_hookimpl_opts(namespace, name)
        if options is not None:
            yield name, (getattr(namespace, name), options)


def _hook(name: str, options: pluggy.HookimplOpts) -> str:
    return options.get("specname") or name


def _unmarked(namespace: Any, marked: dict[str, Any]) -> Iterator[Fault]:
    """A function that bears a hook's name, is the plugin's own, and lacks the decorator."""
    for hook in HOOKS:
        function = getattr(namespace, hook, None)
        if hook in marked or not inspect.isroutine(function):
            continue
        if not isinstance(namespace, ModuleType) or getattr(function, "__module__", "") == namespace.__name__:
            yield Fault(_line(function), hook, "it has the name of a hook, but is not marked with @hookimpl")


def _faults(name: str, function: Any, options: pluggy.HookimplOpts, has_config: bool) -> Iterator[Fault]:
    hook, line = _hook(name, options), _line(function)
    if hook not in HOOKS:
        if not options.get("optionalhook"):
            yield Fault(line, name, f'there is no hook "{hook}"{suggestion(hook, HOOKS)}')
        return
    if options.get("wrapper") or options.get("hookwrapper"):
        yield Fault(line, name, "hook wrappers don't work: hooks are async, and plugins run side by side")
    elif inspect.isasyncgenfunction(inspect.unwrap(function)):
        yield Fault(line, name, "a hook must not yield")
    elif not inspect.iscoroutinefunction(function):
        yield Fault(line, name, f"hooks are async: write `async def {getattr(function, '__name__', name)}`")
    yield from _wrong_arguments(name, hook, function, has_config)


def _wrong_arguments(name: str, hook: str, function: Any, has_config: bool) -> Iterator[Fault]:
    offered = arguments_of(hook)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield Fault(_line(function), name, f"a hook names its arguments: no {parameter}")
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            yield Fault(_line(function), name, f'argument "{parameter.name}" must not be positional-only')
        elif parameter.name not in offered:
            hint = suggestion(parameter.name, offered)
            yield Fault(_line(function), name, f'{hook} has no argument "{parameter.name}"{hint}')
        elif parameter.name == "config" and not has_config:
            yield Fault(_line(function), name, "it asks for config, but the plugin has no Config model")


def _twice(marked: dict[str, tuple[Any, pluggy.HookimplOpts]]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for name, (function, options) in marked.items():
        hook = _hook(name, options)
        if hook in seen:
            yield Fault(_line(function), name, f"{seen[hook]} implements {hook} already")
        seen.setdefault(hook, name)


def _pluggys_own(namespace: Any) -> list[Fault]:
    """What pluggy itself finds wrong, in case it knows of more than we do."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(namespace)
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        return [Fault(None, "", " ".join(str(exc).split()))]
    return []


def _names(function: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _line(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code is not None else None
