"""The end of a process that has run plugins."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

from .common import say_error

PATIENCE = 5.0
"""Seconds for threads that are still at it when all else is over."""


def leave(code: int | str | None, *, patience: float = PATIENCE) -> NoReturn:
    """As `sys.exit`, but a thread that a plugin has left running keeps nobody from starting the bot anew: Python waits
    for such threads, for ever if need be."""
    number = code if isinstance(code, int) else int(code is not None)
    threading.Thread(target=_insist, args=(number, patience), name="vodiabot-leaving", daemon=True).start()
    sys.exit(code)


def _insist(code: int, patience: float) -> None:
    time.sleep(patience)
    names = ", ".join(t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread())
    say_error(f"the process ends without threads that do not end, as a plugin has left them: {names}")
    os._exit(code)
