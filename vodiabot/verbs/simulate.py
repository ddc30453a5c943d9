"""`vodiabot sim`: the simulated PBX alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from ..sim.config import SimConfig
from ..sim.config import default as default_sim
from ..sim.config import load as load_sim
from ..sim.server import RunningSim, describe, serve
from .common import DONE, on_signals, say

DEFAULT_FILE = Path("sim.toml")


def sim_configuration(file: Path | None) -> SimConfig:
    """The file, `./sim.toml` if there is one, or the simulator's own default. Raises ConfigError."""
    if file is None and not DEFAULT_FILE.exists():
        return default_sim()
    return load_sim(file or DEFAULT_FILE)


async def simulate(config: SimConfig, listen: str) -> int:
    """Until SIGTERM or Ctrl-C."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_signals, nursery.cancel_scope.cancel)
        running: RunningSim = await nursery.start(partial(serve, config, listen=listen))
        for line in describe(running):
            say(line)
    return DONE
