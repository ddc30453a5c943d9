"""The log of a virtual world, and what plugins did wrong in it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
import trio

from .blame import from_the_author_on


@dataclass(frozen=True)
class Failure:
    """A plugin raised, or took too long."""

    plugin: str
    what: str
    """`a hook failed`, `the handler of a call failed`, …"""
    at: float
    """Seconds since the beginning."""
    exception: BaseException | None = None
    """None for what took too long."""

    def __str__(self) -> str:
        head = f"plugin {self.plugin}, at {self.at:.2f} s: {self.what}"
        if self.exception is None:
            return head
        told = traceback.format_exception(
            type(self.exception), self.exception, from_the_author_on(self.exception)
        )
        return head + "\n" + "".join(told).rstrip()


class Log:
    """Lines as structlog has them, each with `at`, instead of wherever they would go."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lines: list[dict[str, Any]] = []
        self._clock = clock
        self._now = 0.0

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """In the body, lines come here; loggers that were made before notice it, too."""
        processors = structlog.get_config()["processors"]
        before = processors.copy()
        processors[:] = [structlog.contextvars.merge_contextvars, self._keep]
        structlog.configure(processors=processors)
        try:
            yield
        finally:
            processors[:] = before
            structlog.configure(processors=processors)

    def _keep(self, logger: object, method: str, line: Any) -> Any:
        if trio.lowlevel.in_trio_run():  # not so in the thread of the audio
            self._now = self._clock()
        self.lines.append({**line, "level": method, "at": self._now})
        raise structlog.DropEvent

    @property
    def failures(self) -> list[Failure]:
        """Of plugins, in order; the end of a call is none."""
        return [_failure(line) for line in self.lines if _is_failure(line)]

    def untold(self, expected: int, told: str = "") -> str:
        """As text: failures after those that were `expected`, but for what was `told` already."""
        return "\n\n".join(text for one in self.failures[expected:] if (text := str(one)) not in told)

    def ran_on(self) -> list[str]:
        """Plugins whose handler had to be cancelled because it ran on after its call."""
        return [line["plugin"] for line in self.lines if "wrap_up" in line and "plugin" in line]

    def __str__(self) -> str:
        return "\n".join(f"{line['at']:9.2f}  {_in_words(line)}" for line in self.lines if line["level"] != "debug")


def _is_failure(line: dict[str, Any]) -> bool:
    return "plugin" in line and line["level"] == "error" and ("exc_info" in line or "hook_timeout" in line)


def _failure(line: dict[str, Any]) -> Failure:
    found = line.get("exc_info")
    exception = found if isinstance(found, BaseException) else None
    return Failure(line["plugin"], line["event"], line["at"], exception)


def _in_words(line: dict[str, Any]) -> str:
    rest = {k: v for k, v in line.items() if k not in ("event", "level", "at", "exc_info")}
    return " ".join([line["level"], str(line["event"]), *(f"{key}={value}" for key, value in rest.items())])
