"""A small JSON object in `state_dir`, for what the next start has to know."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class StateFile:
    """Read and replaced whole, in one step: a kill leaves the old one or the new one. One that can't be used costs a
    log line, no more."""

    def __init__(self, path: Path, what: str) -> None:
        """`what`: is in it, in words for the log."""
        self.path = path
        self._what = what
        self._complained = False

    def load(self) -> dict[str, Any]:
        """Empty where there is none, or none that can be read."""
        try:
            known = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            log.warning(f"{self._what} can't be read", file=str(self.path), why=str(exc))
            return {}
        return known if isinstance(known, dict) else {}

    def save(self, known: dict[str, Any]) -> None:
        """A failure is told once."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(known, indent=1))
            os.replace(fresh, self.path)
        except OSError as exc:
            if not self._complained:
                log.warning(f"{self._what} can't be kept", file=str(self.path), why=str(exc))
            self._complained = True
