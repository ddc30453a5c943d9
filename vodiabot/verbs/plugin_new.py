"""`vodiabot plugins new`: a plugin package whose tests pass."""

from __future__ import annotations

from pathlib import Path

from ..plugins.discovery import Places
from ..plugins.scaffold import make
from .common import DONE, say, shipped_plugins


def new(name: str, into: Path) -> int:
    """Raises UsageError for a bad name, or a folder that is there; OSError where it can't be written."""
    folder = make(name, into, Places((), shipped_plugins()).names())
    say(f"{folder} is a plugin. Try it:")
    say(f'    cd {folder} && pip install -e ".[test]" && pytest')
    return DONE
