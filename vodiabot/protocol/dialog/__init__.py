"""The dialog of one call leg: a pure state machine."""

from __future__ import annotations

from .dialog import Dialog
from .state import INTENTS, MOVES, State, Timers

__all__ = ["INTENTS", "MOVES", "Dialog", "State", "Timers"]
