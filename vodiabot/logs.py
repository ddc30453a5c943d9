"""Where log lines go: human on a terminal, JSON otherwise (one object a line); always to stderr, so that stdout stays
for results. What libraries log by `logging` goes the same way as our own lines: one form, one redaction, one count.

A log that nobody takes does not stop the bot (`log_writer`).
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog

from .log_writer import LineWriter
from .tracebacks import from_the_plugin_on

Format = Literal["auto", "human", "json"]
"""`auto`: human on a terminal, JSON otherwise."""

LEVELS = ("debug", "info", "warning", "error")

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
        once = _escaped(secret)
        twice = {form for text in once for form in _escaped(text)}
        self._forms[secret] = tuple({quote(secret, safe=""), *once, *twice})
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


def _escaped(text: str) -> set[str]:
    """As it stands in JSON and in `repr`; one in the other, where a library's line has a `repr` in it."""
    return {text, json.dumps(text)[1:-1], repr(text)[1:-1]}


class Output:
    """What `set_up` has set up."""

    def __init__(self, stream: TextIO, human: bool, context: Callable[[], Mapping[str, str]]) -> None:
        self.redactor = Redactor()
        self.counts: Counter[str] = Counter()
        """Lines by level."""
        self._stream = stream
        self._human = human
        self._context = context
        self._writer = _writer(stream, self._lost_line)

    @property
    def lost(self) -> int:
        """Lines that nobody took in time."""
        return 0 if self._writer is None else self._writer.lost

    def flush(self) -> None:
        """Wait a moment for what was not written yet."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, line: str) -> None:
        if self._writer is not None:
            self._writer.put(line)
        else:  # a stream in memory: it takes all, and at once
            self._stream.write(line + "\n")

    def processors(self) -> list[structlog.typing.Processor]:
        """From a line's fields to its text."""
        return [
            structlog.contextvars.merge_contextvars,
            self._add_context,
            structlog.processors.add_log_level,
            self._count,
            from_the_plugin_on,
            # people know what their clock shows; a machine must not have to guess the time zone, or which 2:30 it was
            _clock if self._human else structlog.processors.TimeStamper(fmt="iso", utc=True),
            *self._rendering(),
            self.redactor.last,
        ]

    def _rendering(self) -> list[structlog.typing.Processor]:
        if not self._human:
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        # plain: the rich form would print local variables, and with them what must not be printed
        plain = structlog.dev.plain_traceback
        return [_visible, structlog.dev.ConsoleRenderer(colors=self._stream.isatty(), exception_formatter=plain)]

    def _add_context(self, logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """On whose behalf the present task runs; what the line itself says counts more."""
        for key, value in self._context().items():
            line.setdefault(key, value)
        return line

    def _count(self, logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        self.counts[line["level"]] += 1
        return line

    def _lost_line(self, count: int) -> str:
        text = f"{count} lines of the log were lost: nobody took them"
        return text if self._human else json.dumps({"event": text, "level": "warning", "lost": count})


class _Logger:
    """What structlog hands its finished lines to."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def msg(self, line: str) -> None:
        self._output.write(line)

    debug = info = warning = error = critical = exception = fatal = log = warn = msg


class _Handler(logging.Handler):
    """The lines of libraries, tracebacks included."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def emit(self, record: logging.LogRecord) -> None:
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)  # structlog knows no others
        try:
            text = record.getMessage()
        except Exception as exc:  # noqa: BLE001 - a library's mistake in its own format must not end what it was doing
            text = f"{record.msg} ({type(exc).__name__} in its format)"
        more = {} if record.exc_info is None else {"exc_info": record.exc_info}
        structlog.get_logger().log(level, text, logger=record.name, **more)


def _current() -> Output | None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            return handler.output
    return None


def hiding() -> Callable[[str], None]:
    """The `hide` of what `set_up` has set up, to be told every secret; without a `set_up` it does nothing."""
    output = _current()
    return (lambda secret: None) if output is None else output.redactor.hide


def cleaning() -> Callable[[str], str]:
    """What takes out of a text each secret that the log hides; without a `set_up` it leaves it as it is."""
    output = _current()
    return str if output is None else output.redactor.clean


def lines_written() -> dict[str, int]:
    """How many lines of each level were written since `set_up`."""
    output = _current()
    return {} if output is None else dict(output.counts)


def lines_lost() -> int:
    """How many were not, as nobody took them."""
    output = _current()
    return 0 if output is None else output.lost


def flush() -> None:
    """Wait a moment for what was not written yet, before something else is written beside it, or the end."""
    if (output := _current()) is not None:
        output.flush()


def set_up(
    *,
    debug: bool = False,
    silent: bool = False,
    stream: TextIO | None = None,
    form: Format = "auto",
    level: str = "info",
    context: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Configure structlog and the standard library's logging. Called once, by the command line.

    `silent`: nothing is written unless `debug`, for verbs whose own lines say it all. `level`: of our own lines, one
    of `LEVELS`; libraries tell warnings and what is worse. `debug`: all of it. `context`: fields of whatever runs
    now, such as its plugin.
    """
    out = sys.stderr if stream is None else stream
    least = logging.DEBUG if debug else NOTHING if silent else logging.getLevelName(level.upper())
    previous = _current()
    output = Output(out, out.isatty() if form == "auto" else form == "human", context)
    structlog.configure(
        processors=output.processors(),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *args: _Logger(output),
        cache_logger_on_first_use=False,
    )
    _take_over_logging(output, least, logging.INFO if debug else max(least, logging.WARNING))
    if previous is not None:
        previous.close()


def _take_over_logging(output: Output, ours: int, libraries: int) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(_Handler(output))
    root.setLevel(libraries)
    logging.getLogger("vodiabot").setLevel(ours)  # the media room logs from a thread that knows no structlog context


def _writer(stream: TextIO, on_lost: Callable[[int], str]) -> LineWriter | None:
    try:
        fd = stream.fileno()
    except (OSError, ValueError):
        return None
    stream.flush()
    return LineWriter(fd, on_lost=on_lost, encoding=stream.encoding or "utf-8")


def _clock(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What people's clocks show, to the millisecond: a frame of audio takes 20."""
    line["timestamp"] = datetime.now().isoformat(" ", "milliseconds")
    return line


def _visible(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A caller's name is whatever the caller likes: escape sequences in it must not reach the terminal."""
    for key, value in line.items():
        if isinstance(value, str) and key not in ("stack", "exception") and not value.isprintable():
            line[key] = repr(value)
    return line
