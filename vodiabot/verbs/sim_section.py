"""`[sim]` of a bot.toml."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from ..sim.config import SimConfig, parse


def sim_of(config: Config) -> SimConfig | None:
    """What the section says; None without one. Raises ConfigError, each mistake with its line in the file."""
    if config.sim is None:
        return None
    file = Path(config.where.file)
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return parse(config.sim, file=config.where.file, base=file.resolve().parent, text=text, within="sim")
