"""`vodiabot doctor`: what is wrong, and what to do. Each check stands alone, has a time limit of its own, and tells
what it found in a line; one that fails hides no other."""

from .findings import Check, Finding, examine
from .machine import machine_checks
from .media import media_checks
from .pbx import pbx_checks

__all__ = ["Check", "Finding", "examine", "machine_checks", "media_checks", "pbx_checks"]
