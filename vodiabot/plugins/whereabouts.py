"""Where in a plugin's code its tasks are, for one that does not end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import trio

from .importing import file_of
from .model import LoadedPlugin


def whereabouts(plugin: LoadedPlugin, task: trio.lowlevel.Task | None) -> list[str]:
    """The innermost lines of the plugin's code that a task and those below it wait in."""
    folder = str(Path(file_of(plugin.namespace)).parent)
    return sorted({line for one in _below(task) if (line := _innermost(one, folder))})


def _below(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    """A task and all that it has begun."""
    if task is not None:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _below(child)


def _innermost(task: trio.lowlevel.Task, folder: str) -> str:
    """The line of the code in a folder that a task waits in; "" if it is in none."""
    lines = [f"{f.f_code.co_filename}:{n} {f.f_code.co_name}" for f, n in task.iter_await_frames()]
    own = [line for line in lines if line.startswith(folder)]
    return own[-1] if own else ""
