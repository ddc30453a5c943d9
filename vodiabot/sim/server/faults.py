"""What goes wrong on the way of the packets that the simulator sends."""

from __future__ import annotations

import random

from ..core.effects import SetFaults


class Faults:
    """The fate of one packet after the other. The same settings give the same fates again."""

    def __init__(self, settings: SetFaults | None = None) -> None:
        self._loss = settings.loss / 100 if settings else 0.0
        self._jitter = settings.jitter_ms / 1000 if settings else 0.0
        self._random = random.Random(settings.seed if settings else 0)

    def fate(self) -> float | None:
        """Seconds by which the next packet is late; None: it is lost."""
        if self._loss and self._random.random() < self._loss:
            return None
        return self._random.uniform(0.0, self._jitter) if self._jitter else 0.0
