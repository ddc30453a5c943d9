"""Calls a plugin's function so that whatever it does harms only itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio

from ..calls.limits import UsedUp
from ..errors import CallEnded, ConnectionLost, PbxError
from .ctrl_c import ctrl_c_raises
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


BEFALLS_ALL: tuple[type[Exception], ...] = (CallEnded, ConnectionLost)
"""Calls end, and the PBX goes away for all plugins at once."""

IN_A_CALL = (*BEFALLS_ALL, PbxError, UsedUp)
"""In the handler of a call also what others have decided: the PBX refuses a transfer, nobody answers, another plugin
has used up the dials of the minute. Ten callers who meet with that must not cost the eleventh his answer."""


def nobodys_fault(exc: BaseException, kinds: tuple[type[Exception], ...] = BEFALLS_ALL) -> bool:
    """Whether nothing has happened but what no plugin can be blamed for."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(kinds)[1] is None
    return isinstance(exc, kinds)


def parted(exc: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What of it a plugin raised, and what came from outside: a cancellation, Ctrl-C. A nursery of the plugin's may
    raise both in one group, where something fails while it is cancelled: each part goes its own way.

    Of a plugin's own making is whatever else there is, `sys.exit()` and asyncio's CancelledError included; a
    Cancelled where nothing is cancelled, which it has kept from earlier; and a KeyboardInterrupt that no Ctrl-C can
    have raised. Needs to be asked within the task.
    """
    outside: tuple[type[BaseException], ...] = (KeyboardInterrupt,) if ctrl_c_raises() else ()
    if trio.current_effective_deadline() == -math.inf:
        outside = (*outside, trio.Cancelled)
    if isinstance(exc, BaseExceptionGroup):
        theirs, own = exc.split(outside)
        return (exc if theirs is None else own), theirs
    return (None, exc) if isinstance(exc, outside) else (exc, None)
