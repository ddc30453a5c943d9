"""`vodiabot plugins list`: what is loaded, and how it fares in the bot that runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio
from rich.console import Console
from rich.table import Table

from ..control import ask
from ..errors import NotRunning
from .common import DONE, USAGE, Connection, configuration, plugins_of, say_error

PATIENCE = 3.0
"""Seconds for the running bot to answer; one whose trio thread is blocked does not."""


def list_plugins(connection: Connection) -> int:
    """A table of the enabled plugins; problems on stderr and exit code 2."""
    config = configuration(connection, pbx_optional=True)
    loaded, problems = plugins_of(config)
    states = trio.run(_states, config.bot.state_dir)
    table = Table("plugin", "version", "from", "hooks", *(["state"] if states else []))
    for plugin in loaded:
        state = [in_words(states.get(plugin.name), time.time())] if states else []
        table.add_row(plugin.name, plugin.version, plugin.origin, ", ".join(plugin.hooks), *state)
    Console().print(table if loaded else "no plugins are enabled ([plugins] enabled)")
    for problem in problems:
        say_error(str(problem))
    return USAGE if problems else DONE


async def _states(state_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Plugin → its `PluginState`, of the bot that runs; nothing where none does, or does not answer."""
    with trio.move_on_after(PATIENCE):
        try:
            status = await ask(state_dir, "status")
        except NotRunning:
            return {}
        return {state["name"]: state for state in status["plugins"]}
    say_error(f"the running bot has not answered for {PATIENCE:g} s")
    return {}


def in_words(state: Mapping[str, Any] | None, now: float) -> str:
    """`running`, or `quarantined for 25 s: 10 errors within 60 s`."""
    if state is None:
        return "not in the running bot: vodiabot reload"
    if state["state"] == "left_out":
        return f"left out: {state['reason']}"
    if state["state"] != "quarantined":
        return str(state["state"])
    left = max(0, round((state["until"] or now) - now))
    return f"quarantined for {left} s: {state['reason']}"
