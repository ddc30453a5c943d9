"""The bot as plain data, for those who look at it: the console, `vodiabot status`."""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .readiness import why_not_ready

if TYPE_CHECKING:
    from .bot import Bot
    from .calls import Call
    from .events import DomainCallInfo
    from .line import Line


def snapshot_of(bot: Bot) -> dict[str, Any]:
    """Sessions, own calls, calls and accounts of the domain, plugins."""
    return {
        "sessions": [_session(line) for line in bot.lines],
        "calls": [_call(call) for call in bot.calls],
        "domain_calls": [_domain_call(seen) for seen in bot.domain.calls.values()],
        "accounts": [msgspec.structs.asdict(account) for account in bot.domain.accounts.values()],
        "plugins": [{"name": s.name, "state": s.state, "detail": s.reason} for s in bot.host.all_states()],
    }


def status_of(bot: Bot) -> dict[str, Any]:
    """Sessions, calls with their quality, plugins with what they did wrong, the process. Times are seconds, moments
    seconds since the epoch."""
    from . import __version__  # not known yet when this file is imported

    now = bot.wall()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "began": bot.began,
        "uptime": max(0.0, now - bot.began),
        "draining": bot.draining,
        "not_ready": why_not_ready(bot),
        "config": {"file": bot.config.where.file, "loaded": bot.config_loaded},
        "sessions": [_session(line) for line in bot.lines],
        "calls": [_call_with_quality(call, now) for call in bot.calls],
        "plugins": [dataclasses.asdict(state) for state in bot.host.all_states()],
        "memory": memory(),
        "blocked": {
            "times": bot.watchdog.blockages,
            "seconds": bot.watchdog.blocked_seconds,
            "by_plugin": dict(bot.watchdog.by_plugin),
        },
        "addresses": {
            name: url
            for name in ("console", "ops", "http")
            if (url := getattr(bot.servers, f"{name}_url")) is not None
        },
    }


def memory() -> dict[str, int]:
    """Bytes that the process holds now, and the most that it held. `now` is 0 where the system does not tell."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        pages = 0
    return {"now": pages * resource.getpagesize(), "peak": peak}


def _call_with_quality(call: Call, now: float) -> dict[str, Any]:
    stats = call.stats()
    return {
        **_call(call),
        "extension": call.extension,
        "number": call.remote.number,
        "held_by_remote": call.held_by_remote,
        "seconds": max(0.0, now - (call.answered or call.started)),
        "quality": msgspec.to_builtins(stats),
    }


def _session(line: Line) -> dict[str, Any]:
    trouble = str(line.session.trouble or "")
    return {"extension": line.user, "up": line.up, "refused": line.refused, "trouble": trouble}


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "remote": call.remote.name or call.remote.number,
        "direction": call.direction,
        "state": call.state,
        "started": call.started,
        "answered": call.answered,
    }


def _domain_call(seen: DomainCallInfo) -> dict[str, Any]:
    return {
        "from": seen.from_name or seen.from_number,
        "to": seen.to_name or seen.to_number,
        "state": seen.state,
        "start": seen.start,
    }
