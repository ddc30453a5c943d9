"""Calls a plugin's function so that whatever it does harms only itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio

from ..errors import CallEnded, ConnectionLost
from .model import Implementation, LoadedPlugin

current_plugin: ContextVar[str | None] = ContextVar("vodiabot_current_plugin", default=None)
"""The plugin on whose behalf this task runs; what it spawns inherits it. For whoever wants to name the one to
blame."""


current_call: ContextVar[str | None] = ContextVar("vodiabot_current_call", default=None)
"""The id of the call that a hook or handler is about; what it spawns inherits it. For log lines."""


@contextmanager
def about(call: Any) -> Iterator[None]:
    """Mark what runs in the body as being about a call, if there is one."""
    token = current_call.set(None if call is None else getattr(call, "id", None))
    try:
        yield
    finally:
        current_call.reset(token)


@contextmanager
def on_behalf_of(plugin: LoadedPlugin) -> Iterator[None]:
    """Mark what runs in the body as the plugin's."""
    token = current_plugin.set(plugin.name)
    try:
        yield
    finally:
        current_plugin.reset(token)


def chosen(implementation: Implementation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that the function names."""
    return {name: arguments[name] for name in implementation.names}


def is_only_call_ended(exc: BaseException) -> bool:
    """Whether nothing but the end of a call let the function end: a normal end."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(CallEnded)[1] is None
    return isinstance(exc, CallEnded)


def nobodys_fault(exc: BaseException) -> bool:
    """Whether only what befalls every plugin has happened: calls end, and the PBX goes away for all at once."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split((CallEnded, ConnectionLost))[1] is None
    return isinstance(exc, CallEnded | ConnectionLost)


def is_plugins_own(exc: BaseException) -> bool:
    """Whether a plugin raised it, `sys.exit()` included; not a cancellation from outside and not Ctrl-C."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split((KeyboardInterrupt, trio.Cancelled, GeneratorExit))[0] is None
    return isinstance(exc, Exception | SystemExit)
