"""`vodiabot reload`: the running bot takes over a changed bot.toml."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import trio

from ..config import state_dir_of
from ..control import ask
from ..errors import NotRunning
from ..reloading import Outcome
from .common import DEFAULT_FILE, DONE, USAGE, say, say_error

PATIENCE = 120.0
"""Seconds that a reload may take: plugins that hang are given up at their own time limits, long before that."""


async def reload(file: Path | None, *, as_json: bool) -> int:
    """Ask, wait, and print what became of it. Exit code 0 if the new configuration is in force, 2 if it is wrong.

    Raises NotRunning; ConfigError if the file can't be read, or is no TOML: then nobody was asked.
    """
    state_dir = state_dir_of(file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None))
    with trio.move_on_after(PATIENCE):
        outcome = msgspec.convert(await ask(state_dir, "reload"), Outcome)
        _print(outcome, as_json)
        return DONE if outcome.ok else USAGE
    raise NotRunning(f"the bot has not answered for {PATIENCE:g} s")


def _print(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"ok": outcome.ok, **msgspec.to_builtins(outcome)}))
        return
    for line in outcome.lines():
        (say if outcome.ok else say_error)(line)
