"""Reads a tape. What is wrong names file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import structlog

from ..errors import ConfigError, Problem
from .writing import VERSION

log = structlog.get_logger(__name__)

EVENTS = (
    "MediaUp",
    "MediaLost",
    "DtmfReceived",
    "FarSideSilent",
    "FarSideHeard",
    "FarSideDeaf",
    "FarSideHears",
)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    vodiabot_tape: int
    began: float = 0.0
    """Seconds since the epoch."""
    masked: bool = False
    version: str = ""
    """Of the vodiabot that wrote it."""
    domain: str = ""
    dialect: str = "auto"
    extensions: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename={"heard": "in", "said": "out"}):
    """One line: a frame in or out, a session that went up or down, or news of a leg's audio."""

    t: float
    """Seconds since the tape began."""
    extension: str = ""
    heard: Any = msgspec.UNSET
    said: Any = msgspec.UNSET
    failed: str = ""
    """Why the frame, which an earlier line has, did not leave."""
    up: str | None = None
    down: str | None = None
    server: str | None = None
    leg: str = ""
    media: dict[str, Any] | None = None
    number: int = 0
    """Of the line in the file."""


def read_tape(path: Path) -> tuple[Header, list[Entry]]:
    """The whole tape. Raises ConfigError with all lines that make no sense; a last one that was cut off is left out,
    with a warning: whoever wrote it was killed, or its disk was full."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as exc:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {exc.strerror or exc}")]) from exc
    header = _header(path, lines[0])
    last = max(number for number, line in enumerate(lines, start=1) if line or number == 1)
    problems: list[Problem] = []
    entries: list[Entry] = []
    for number, line in enumerate(lines[1:last], start=2):
        try:
            entries.append(_entry(line, number))
        except (msgspec.DecodeError, ValueError) as exc:
            if number == last and not _is_json(line):
                why = "the tape's last line is cut off: what comes before it is played"
                log.warning(why, path=str(path), line=number)
            else:
                problems.append(Problem(str(path), number, "", str(exc)))
    if problems:
        raise ConfigError(problems)
    return header, sorted(entries, key=lambda entry: entry.t)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError):
        return False
    return True


def _header(path: Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.DecodeError as exc:
        raise ConfigError([Problem(str(path), 1, "", f"this is no tape of vodiabot: {exc}")]) from exc
    if header.vodiabot_tape != VERSION:
        message = f"this tape is of version {header.vodiabot_tape}; {VERSION} is understood"
        raise ConfigError([Problem(str(path), 1, "vodiabot_tape", message)])
    return header


def _entry(line: bytes, number: int) -> Entry:
    entry = msgspec.structs.replace(msgspec.json.decode(line, type=Entry), number=number)
    if entry.media is not None and (not entry.leg or entry.media.get("event") not in EVENTS):
        raise ValueError(f"media: must be of a leg, and one of {', '.join(EVENTS)}")
    if entry.media is None and not entry.extension:
        raise ValueError("extension: is missing")
    return entry
