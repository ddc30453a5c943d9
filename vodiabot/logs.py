"""Where log lines go: human on a terminal, JSON otherwise; always to stderr, so that stdout stays for results."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO
from urllib.parse import quote

import structlog

SHORTEST_SECRET = 5
"""Characters; a shorter one would blank out half of the log, and so tell itself."""

NOTHING = logging.CRITICAL
"""A level that no line of ours has."""

SECRETS_KEPT = 500
"""A new session id comes with every connect; a password is told again each time, so it is always among the latest."""


class Redactor:
    """The second wall: whatever the code logs by mistake, no known secret is in a line that is written."""

    def __init__(self) -> None:
        self._forms: dict[str, tuple[str, ...]] = {}

    def hide(self, secret: str) -> None:
        """From now on `***` stands for it, in all forms that JSON and addresses give it."""
        if len(secret) < SHORTEST_SECRET:
            return
        self._forms.pop(secret, None)
        self._forms[secret] = tuple({secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")})
        while len(self._forms) > SECRETS_KEPT:
            del self._forms[next(iter(self._forms))]

    def clean(self, text: str) -> str:
        """A line without secrets."""
        for form in sorted((f for forms in self._forms.values() for f in forms if f in text), key=len, reverse=True):
            text = text.replace(form, "***")
        return text

    def last(self, logger: object, method: str, line: Any) -> str:
        """structlog's last processor: cleans the finished line, which is no longer the dictionary of its type."""
        return self.clean(str(line))


class _CleanFormatter(logging.Formatter):
    """For lines of libraries, tracebacks included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self.redactor.clean(super().format(record))


def hiding() -> Callable[[str], None]:
    """The `hide` of what `set_up` has set up, to be told every secret; without a `set_up` it does nothing."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _CleanFormatter):
            return handler.formatter.redactor.hide
    return lambda secret: None


def set_up(*, debug: bool = False, silent: bool = False, stream: TextIO | None = None) -> None:
    """Configure structlog and the standard library's logging. Called once, by the command line.

    `silent`: nothing is written unless `debug`, for verbs whose own lines say it all.
    """
    out = sys.stderr if stream is None else stream
    level = logging.DEBUG if debug else NOTHING if silent else logging.INFO
    redactor = Redactor()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(out), redactor.last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _quiet_libraries(out, logging.INFO if debug else max(level, logging.WARNING), redactor)


def _rendering(out: TextIO) -> list[structlog.typing.Processor]:
    if out.isatty():
        # plain: the rich form would print local variables, and with them what must not be printed
        return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _quiet_libraries(out: TextIO, level: int, redactor: Redactor) -> None:
    """Libraries log through `logging`: warnings only, or all of it with --debug, one form for both."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(_CleanFormatter(redactor))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def lines_written() -> dict[str, int]:
    """How many lines of each level were written since `set_up`."""
    return {}


def lines_lost() -> int:
    """How many were not, as nobody took them."""
    return 0
