"""Child processes: one that speaks one text, and what a program says of itself."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import trio

from ..errors import SpeechFailed

TIME_LIMIT = 30.0
"""Seconds for one piece of a text: a hundred times what it takes."""

ANSWER_LIMIT = 5.0
"""Seconds for a program to say what it has."""

PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR")
"""Of our environment; passwords may be in the rest."""


@dataclass(frozen=True)
class Command:
    """A child process that reads the text from stdin and writes a WAV to the path that comes in place of `OUT`."""

    arguments: tuple[str, ...]
    no_such_voice: int | None = None
    """The exit code that says that it has no such voice."""

    def to(self, out: Path) -> list[str]:
        """All arguments, the program first."""
        return [str(out) if argument is OUT else argument for argument in self.arguments]


OUT = "<out>"


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
                env=_environment(),
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


def told_by(*arguments: str) -> str:
    """What a program says of itself; "" if it does not. Blocks: it belongs into a thread."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_LIMIT,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key in PASSED_ON}
