"""sim.toml, and `[sim]` inside bot.toml with the same keys (DESIGN.md section 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError, Problem
from .config_lines import line_of, lines_of
from .config_model import CODECS, DIALECTS, SERVICE_OPTIONS, Admin, Extension, Group, Orbit, Service, SimConfig
from .config_reader import Reader

__all__ = [
    "CODECS",
    "DIALECTS",
    "SERVICE_OPTIONS",
    "Admin",
    "Extension",
    "Group",
    "Orbit",
    "Service",
    "SimConfig",
    "default",
    "load",
    "parse",
]

CHIME = Path(__file__).parent / "sounds" / "chime.wav"
"""What the service kind `play` plays in the default configuration."""


def default() -> SimConfig:
    """A small company, and a number for each kind of service: 600 a tone, 601 an echo, and so on."""
    late = ("play", "dtmf", "silent")  # each keeps the number that it once had
    kinds = [k for k in SERVICE_OPTIONS if k not in late]
    services = [_standard_service(str(600 + i), kind) for i, kind in enumerate([*kinds, *late])]
    return SimConfig(
        extensions=(
            Extension("45", "bot", "Bot"),
            Extension("46", "demo", "Anna"),
            Extension("47", "demo", "Bruno"),
            Extension("48", "demo", "Clara"),
        ),
        services=tuple(services),
        groups=(Group("700", ("45", "46")),),
        orbits=(Orbit("701", "Park 1"), Orbit("702", "Park 2")),
    )


def _standard_service(number: str, kind: str) -> Service:
    options = {**SERVICE_OPTIONS[kind], **({"file": str(CHIME)} if kind == "play" else {})}
    return Service(number, kind, **options)


def load(path: Path) -> SimConfig:
    """Read a sim.toml. Raises ConfigError with all that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomli.loads(text)
    except OSError as exc:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {exc.strerror}")]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(str(path), None, "", "is not UTF-8")]) from exc
    except tomli.TOMLDecodeError as exc:
        raise ConfigError([Problem(str(path), getattr(exc, "lineno", None), "", str(exc))]) from exc
    return parse(table, file=str(path), base=path.resolve().parent, text=text)


def parse(table: dict[str, Any], *, file: str, base: Path, text: str = "", within: str = "") -> SimConfig:
    """Check a table. `base`: what relative paths are relative to. `text`: the file's, for the lines of what is wrong.
    `within`: the name of the table in that file, "sim" in a bot.toml. Raises ConfigError with all that is wrong."""
    reader = Reader(base)
    config = reader.config(table)
    if reader.wrong:
        lines = lines_of(text)
        prefix = f"{within}." if within else ""
        keys = [(f"{prefix}{key}" if key else within, message) for key, message in reader.wrong]
        raise ConfigError([Problem(file, line_of(lines, key), key, message) for key, message in keys])
    return config
