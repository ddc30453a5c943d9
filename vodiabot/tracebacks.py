"""The traceback of a plugin's error, from the plugin's own code on: how the engine came to call it is of no use to its
author, who looks for his line."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

ENGINE = frozenset({"vodiabot", "trio", "outcome"})
"""Packages whose frames come before the plugin's first."""


def from_the_plugin_on(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor. The exception itself stays as it is, for whoever has it, too; so do its causes."""
    error = line.get("exc_info")
    if error is True:
        error = sys.exc_info()[1]
    if line.get("plugin") and isinstance(error, BaseException):
        line["exc_info"] = (type(error), error, _without_ours(error.__traceback__))
    return line


def _without_ours(whole: TracebackType | None) -> TracebackType | None:
    """All of it where no frame is of anybody else: then it is a mistake of ours."""
    rest = whole
    while rest is not None and _is_ours(rest):
        rest = rest.tb_next
    return rest or whole


def _is_ours(frame: TracebackType) -> bool:
    module = frame.tb_frame.f_globals.get("__name__")
    return isinstance(module, str) and module.partition(".")[0] in ENGINE
