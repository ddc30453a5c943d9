"""Where log lines go: human on a terminal, JSON otherwise; always to stderr, so that stdout stays for results."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def set_up(*, debug: bool = False, stream: TextIO | None = None) -> None:
    """Configure structlog and the standard library's logging. Called once, by the command line."""
    out = sys.stderr if stream is None else stream
    level = logging.DEBUG if debug else logging.INFO
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(out)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _quiet_libraries(out, debug)


def _rendering(out: TextIO) -> list[structlog.typing.Processor]:
    if out.isatty():
        # plain: the rich form would print local variables, and with them what must not be printed
        return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _quiet_libraries(out: TextIO, debug: bool) -> None:
    """Libraries log through `logging`: warnings only, or all of it with --debug, one form for both."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO if debug else logging.WARNING)
