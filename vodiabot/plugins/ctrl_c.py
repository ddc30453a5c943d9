"""Whose a KeyboardInterrupt is."""

from __future__ import annotations

import signal


def ctrl_c_raises() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt, wherever the program is just then. Not while trio hears the signal, as
    in `vodiabot run`: then a plugin has raised it itself, which must not end the bot."""
    return getattr(signal.getsignal(signal.SIGINT), "__module__", "") != "trio._signals"
