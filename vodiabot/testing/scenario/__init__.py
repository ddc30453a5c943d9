"""Scenarios as data: one TOML file that runs in virtual time, against the simulator and against a real PBX."""

from .model import VERBS, Cast, Scenario, Step
from .reader import load, parse
from .schema import schema

__all__ = ["VERBS", "Cast", "Scenario", "Step", "load", "parse", "schema"]
