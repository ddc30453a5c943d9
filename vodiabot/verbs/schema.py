"""`vodiabot check --schema`: the JSON Schema of bot.toml, for editors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..config.json_schema import engine_schema
from ..plugins import LoadedPlugin
from ..plugins.schema import plugins_schema
from ..sim.json_schema import sim_schema
from .common import DEFAULT_FILE, DONE, USAGE, Connection, configuration, plugins_of, say, say_error


def print_schema(connection: Connection) -> int:
    """On stdout, with the sections of the plugins that the file enables; without a file, the engine's part. A plugin
    with mistakes is left out, which stderr and exit code 2 tell. Raises ConfigError if the file is wrong."""
    loaded: list[LoadedPlugin] = []
    wrong = False
    if connection.file is not None or DEFAULT_FILE.exists():
        loaded, complaints = plugins_of(configuration(connection, pbx_optional=True))
        wrong = bool(complaints)
        for complaint in complaints:
            say_error(str(complaint))
    say(json.dumps(schema_of(loaded), indent=2, ensure_ascii=False))
    return USAGE if wrong else DONE


def schema_of(plugins: Sequence[LoadedPlugin]) -> dict[str, Any]:
    """Of the whole bot.toml."""
    sections, models = plugins_schema(plugins)
    return {**engine_schema(sections, sim_schema()), **({"$defs": models} if models else {})}
