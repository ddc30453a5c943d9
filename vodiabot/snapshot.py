"""The bot as plain data, for those who look at it: the console, `vodiabot status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

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
        "plugins": [{"name": s.name, "state": s.state, "detail": s.reason} for s in bot.host.states()],
    }


def _session(line: Line) -> dict[str, Any]:
    return {"extension": line.user, "up": line.up, "trouble": str(line.session.trouble or "")}


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
