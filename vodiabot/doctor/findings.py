"""What a check is, what it finds, and how many of them run side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import trio

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One line."""

    check: str
    """Of what: `login 45`."""
    state: State
    text: str
    advice: str = ""
    """What to do."""


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(check, "warning", text, advice)


def failed(check: str, text: str, advice: str) -> Finding:
    return Finding(check, "failed", text, advice)


def skipped(check: str, why: str) -> Finding:
    return Finding(check, "skipped", why)


Report = Callable[[Finding], None]


@dataclass(frozen=True)
class Check:
    """Something to look at; it may report several findings, and reports at least one."""

    name: str
    look: Callable[[Report], Awaitable[None]]
    time_limit: float = 15.0
    """Seconds."""


async def examine(checks: Sequence[Check]) -> list[Finding]:
    """All at once; findings in the order of the checks, and within one in the order they came."""
    found: list[list[Finding]] = [[] for _ in checks]
    async with trio.open_nursery() as nursery:
        for check, mine in zip(checks, found, strict=True):
            nursery.start_soon(_examine, check, mine.append)
    return [finding for mine in found for finding in mine]


async def _examine(check: Check, report: Report) -> None:
    with trio.move_on_after(check.time_limit) as scope:
        try:
            await check.look(report)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the other checks go on and it is told
            what = f"this check itself failed: {type(exc).__name__}: {exc}"
            report(failed(check.name, what, "please report it"))
    if scope.cancelled_caught:
        report(failed(check.name, f"it did not come to an end within {check.time_limit:g} s", "look at the network"))
