"""`vodiabot record`: the running bot writes down what it is told and says, for `vodiabot replay`."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import trio

from .. import __version__, logs
from ..config import Config, state_dir_of
from ..control import Answer, ask
from ..errors import UsageError
from ..tape import Tape
from .common import DEFAULT_FILE, DONE, counted, on_signals, say


async def record(file: Path | None, tape: Path, *, seconds: float | None, mask_numbers: bool) -> int:
    """Until Ctrl-C, or for so long. `tape`: absolute, as the bot may be at home elsewhere. Raises NotRunning, and
    UsageError if the bot refuses."""
    state_dir = state_dir_of(file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None))
    await ask(state_dir, "record", path=str(tape), mask_numbers=mask_numbers)
    say(f"recording to {tape}" + ("" if seconds is not None else "; Ctrl-C ends it"))
    try:
        with trio.move_on_after(math.inf if seconds is None else seconds) as patience:
            await on_signals(patience.cancel)
    finally:
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            done = await ask(state_dir, "record-stop")
            say(counted(done["lines"], "line"))
    return DONE


def new_tape() -> Tape:
    """A tape that writes no secret which the log hides."""
    return Tape(time.time, clean=logs.cleaning())


def tape_requests(tape: Tape, config: Config) -> dict[str, Answer]:
    """How a running bot is asked to record."""

    async def start(path: str, mask_numbers: bool = False) -> Any:
        begin(tape, Path(path), config, mask_numbers=mask_numbers)
        return {"path": path}

    async def stop() -> Any:
        tape.stop()
        return {"lines": tape.lines}

    return {"record": start, "record-stop": stop}


def begin(tape: Tape, path: Path, config: Config, *, mask_numbers: bool = False) -> None:
    """Raises UsageError if the file is there, or can't be made."""
    if not tape.running and os.path.lexists(path):
        raise UsageError(f"{path} is there already: a tape is a new file")
    tape.start(path, mask_numbers=mask_numbers, about=about(config))


def about(config: Config) -> dict[str, Any]:
    """What is worth knowing beside the frames."""
    return {
        "version": __version__,
        "domain": config.pbx.domain,
        "dialect": config.pbx.dialect,
        "extensions": [extension.user for extension in config.extensions],
    }
