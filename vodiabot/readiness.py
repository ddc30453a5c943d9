"""Whether calls may be sent to a bot, and what is not as it should be though they may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .bot import Bot
    from .line import Line

PATIENCE = 60.0
"""Seconds that one extension of several may be away: twice the longest pause between two tries. A socket that is lost
and comes back must not take a whole bot out of service."""


def why_not_ready(bot: Bot) -> list[str]:
    """Why no calls should be sent here; nothing if they may."""
    reasons = ["the bot leaves"] if bot.draining else []
    wanted = registering(bot)
    if not any(line.up for line in wanted):
        reasons += ["no session is up", *map(_told, wanted)]
    else:
        reasons += [_told(line) for line in bot.lines if _is_lasting(line)]
    return [*reasons, *_critical_plugins(bot)]


def warnings(bot: Bot) -> list[str]:
    """What is likely to mend itself, while the other extensions take calls."""
    wanted = registering(bot)
    if not any(line.up for line in wanted):
        return []  # these are reasons
    return [_told(line) for line in bot.lines if not line.up and not _is_lasting(line)]


def registering(bot: Bot) -> list[Line]:
    """The lines that take calls; all, where none does."""
    users = {extension.user for extension in bot.config.extensions if extension.register}
    return [line for line in bot.lines if line.user in users] or bot.lines


def _is_lasting(line: Line) -> bool:
    """A refused login waits for a person. What is lost comes back by itself, or else has been away for too long."""
    return not line.up and (line.refused or trio.current_time() - line.down_since > PATIENCE)


def _told(line: Line) -> str:
    return f"extension {line.user}: {line.session.trouble or 'not connected yet'}"


def _critical_plugins(bot: Bot) -> Iterator[str]:
    critical = {name for name, section in bot.config.plugin.items() if section.get("critical") is True}
    states = {state.name: state for state in bot.host.states()}
    for name in sorted(critical & set(bot.config.plugins.enabled)):
        state = states.get(name)
        if state is None or state.state != "running":
            yield f"plugin {name}, which is critical, is {'not loaded' if state is None else state.state}"
