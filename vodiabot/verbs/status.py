"""`vodiabot status`: how the running bot fares."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trio

from ..config import state_dir_of
from ..control import ask
from ..errors import NotRunning
from .common import DEFAULT_FILE, DONE, counted, say

PATIENCE = 10.0
"""Seconds. A bot that does not answer by then is blocked."""


async def status(file: Path | None, *, as_json: bool) -> int:
    """Ask and print. Raises NotRunning; ConfigError if the file can't be read, or is no TOML."""
    state_dir = state_dir_of(file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None))
    with trio.move_on_after(PATIENCE):
        found = await _asked(state_dir, file)
        for line in [json.dumps(found)] if as_json else lines(found):
            say(line)
        return DONE
    raise NotRunning(f"the bot has not answered for {PATIENCE:g} s")


async def _asked(state_dir: Path, file: Path | None) -> dict[str, Any]:
    """Raises NotRunning."""
    try:
        found: dict[str, Any] = await ask(state_dir, "status")
    except NotRunning as exc:
        if not isinstance(exc.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise
        elsewhere = file is None and not DEFAULT_FILE.exists()
        hint = "there is no bot.toml here, name the bot's with -c" if elsewhere else "`vodiabot run` starts one"
        raise NotRunning(f"{exc}: {hint}") from exc
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """For people."""
    config = found["config"]
    leaving = ", leaving" if found["draining"] else ""
    yield f"vodiabot {found['version']}, process {found['pid']}, up for {span(found['uptime'])}{leaving}"
    yield from (f"NOT READY: {printable(reason)}" for reason in found["not_ready"])
    yield f"configuration: {config['file']}, loaded {_moment(config['loaded'])}"
    yield from (f"{name}: {url}" for name, url in found["addresses"].items())
    memory, blocked = found["memory"], found["blocked"]
    yield f"memory: {_megabytes(memory['now'])} MB, at most {_megabytes(memory['peak'])} MB"
    if blocked["times"]:
        by = ", ".join(f"{name or 'the engine'} {count}" for name, count in blocked["by_plugin"].items())
        yield f"blocked: {counted(blocked['times'], 'time')}, {blocked['seconds']:.1f} s in all ({by})"
    yield from _section("sessions", [_session(session) for session in found["sessions"]])
    yield from _section("calls", [_call(call) for call in found["calls"]])
    yield from _section("plugins", [_plugin(plugin) for plugin in found["plugins"]])


def _section(title: str, rows: list[str]) -> Iterator[str]:
    yield f"{title}:" if rows else f"{title}: none"
    yield from (f"  {row}" for row in rows)


def _session(session: dict[str, Any]) -> str:
    trouble = f": {session['trouble']}" if session["trouble"] else ""
    state = "up" if session["up"] else "REFUSED" if session["refused"] else "down"
    return f"{session['extension']}  {state}{trouble}"


def _call(call: dict[str, Any]) -> str:
    arrow = "from" if call["direction"] == "incoming" else "to"
    who = " ".join(dict.fromkeys((call["number"], call["remote"])))
    words = [f"{call['extension']}  {call['state']} {span(call['seconds'])}  {arrow} {printable(who)}"]
    quality = call["quality"]
    if quality["codec"]:
        words.append(quality["codec"])
    if quality["mos"] is not None:
        words.append(f"MOS {quality['mos']:.1f}")
    if quality["packets_received"]:
        words.append(f"lost {quality['packets_lost']} of {quality['packets_lost'] + quality['packets_received']}")
    if quality["jitter"] is not None:
        words.append(f"jitter {quality['jitter'] * 1000:.0f} ms")
    return "  ".join(words)


def _plugin(plugin: dict[str, Any]) -> str:
    until = f" until {_moment(plugin['until'])}" if plugin["until"] else ""
    reason = f" ({printable(plugin['reason'])})" if plugin["reason"] else ""
    told = [
        counted(plugin[key], *words)
        for key, words in (
            ("calls", ("call",)),
            ("queued", ("event waiting", "events waiting")),
            ("failures", ("failure",)),
            ("timeouts", ("time-out",)),
            ("quarantines", ("quarantine",)),
            ("skipped", ("event missed", "events missed")),
        )
        if plugin[key]
    ]
    state = plugin["state"].replace("_", " ")
    return "  ".join([f"{plugin['name']}  {state}{until}{reason}", *told])


def span(seconds: float) -> str:
    """`3d 4h`, `2h 5m`, `3m 12s`, `12s`."""
    whole = int(seconds)
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    parts = [f"{whole // size % wrap}{unit}" for (unit, size), wrap in zip(units, (10**9, 24, 60, 60), strict=True)]
    first = next((i for i, (_, size) in enumerate(units) if whole >= size), len(units) - 1)
    return " ".join(parts[first : first + 2])


def printable(text: str) -> str:
    """What a caller or a plugin says, without what would move the terminal's cursor."""
    return text if text.isprintable() else repr(text)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"
