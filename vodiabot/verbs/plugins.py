"""`vodiabot plugins list`: what is loaded."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .common import DONE, USAGE, Connection, configuration, plugins_of, say_error


def list_plugins(connection: Connection) -> int:
    """A table of the enabled plugins; problems on stderr and exit code 2."""
    loaded, problems = plugins_of(configuration(connection, pbx_optional=True))
    table = Table("plugin", "version", "from", "hooks")
    for plugin in loaded:
        table.add_row(plugin.name, plugin.version, plugin.origin, ", ".join(plugin.hooks))
    Console().print(table if loaded else "no plugins are enabled ([plugins] enabled)")
    for problem in problems:
        say_error(str(problem))
    return USAGE if problems else DONE
