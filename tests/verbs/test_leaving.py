"""A thread that a plugin has left does not keep the process."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading, time
from vodiabot.verbs.leaving import leave
threading.Thread(target=time.sleep, args=(600,), name="never", daemon={daemon}).start()
leave(3, patience={patience})
"""


def left(*, daemon: bool, patience: float) -> tuple[int, str]:
    script = SCRIPT.format(daemon=daemon, patience=patience)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_it_is_named_and_left_behind() -> None:
    message = "the process ends without threads that do not end, as a plugin has left them: never"
    assert left(daemon=False, patience=0.1) == (3, f"vodiabot: {message}\n")


def test_without_one_nobody_waits() -> None:
    assert left(daemon=True, patience=50) == (3, "")
