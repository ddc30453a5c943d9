"""Small pieces of the bot's tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import trio

log = structlog.get_logger(__name__)


async def first(work: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    """The one that is over first cancels the others."""
    await work()
    scope.cancel()


async def within(scope: trio.CancelScope, work: Callable[[], Awaitable[None]]) -> None:
    """In a scope that somebody else cancels."""
    with scope:
        await work()


async def guarded(work: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
    """What it raises is logged, and harms nobody."""
    try:
        await work(*args)
    except Exception:
        log.exception("background work of a plugin failed", work=getattr(work, "__qualname__", repr(work)))
