"""One child process that speaks one text."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from ..errors import SpeechFailed
from .providers import Command

TIME_LIMIT = 30.0
"""Seconds for one piece of a text: a hundred times what it takes."""

PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR")
"""Of our environment; passwords may be in the rest."""


async def run(command: Command, text: bytes, out: Path, *, time_limit: float = TIME_LIMIT) -> bool:
    """Have a text spoken into the file `out`. False: there is no such voice. Cancelling kills the child and reaps it.

    Raises SpeechFailed.
    """
    arguments = command.to(out)
    name = Path(arguments[0]).name
    try:
        with trio.fail_after(time_limit):
            done = await trio.run_process(
                arguments,
                stdin=text,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                deliver_cancel=_kill,
                env={key: value for key, value in os.environ.items() if key in PASSED_ON},
            )
    except trio.TooSlowError:
        raise SpeechFailed(f"{name} has not spoken within {time_limit:g} s, and was stopped") from None
    except OSError as exc:
        raise SpeechFailed(f"{name} can't be started: {exc.strerror or exc}") from exc
    if done.returncode and done.returncode == command.no_such_voice:
        return False
    if done.returncode:
        raise SpeechFailed(f"{name} failed with exit code {done.returncode}{_first_line(done.stderr)}")
    return True


def _first_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return f": {lines[0][:200]}" if lines else ""


async def _kill(process: trio.Process) -> None:
    """At once; it has nothing to be saved."""
    process.kill()
