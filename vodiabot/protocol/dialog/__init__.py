"""The dialog of one call leg: a pure state machine."""

from __future__ import annotations

from .dialog import Dialog
from .state import INTENTS, MOVES, ON_THE_WAY, UNDER_WAY, State, Timers

__all__ = ["INTENTS", "MOVES", "ON_THE_WAY", "UNDER_WAY", "Dialog", "State", "Timers"]
