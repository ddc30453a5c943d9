"""How often a task wakes up: each time costs, on an operator's machine as in a simulated hour."""

from __future__ import annotations

import trio


class Turns(trio.abc.Instrument):
    """Counts those of tasks whose name ends so; for `trio.lowlevel.add_instrument`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += task.name.endswith(self._name)
