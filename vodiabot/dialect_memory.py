"""Which dialect a PBX was found to speak, kept in `state_dir` (PROTOCOL.md section 5, `dialect = "auto"`)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import structlog

from .protocol.dialects import Dialect

FILE = "dialects.json"

log = structlog.get_logger(__name__)


class DialectMemory:
    """A small JSON file: the PBX's address → dialect. A file that can't be used costs a log line, no more."""

    def __init__(self, state_dir: Path, pbx: str) -> None:
        self._path = state_dir / FILE
        self._pbx = pbx

    def recall(self) -> Dialect | None:
        """What was remembered for this PBX."""
        word = self._load().get(self._pbx)
        return next((d for d in Dialect if d.value == word), None)

    def remember(self, dialect: Dialect) -> None:
        """Keep it for the next start; the file is replaced in one step."""
        known = {**self._load(), self._pbx: dialect.value}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(known, indent=1))
            os.replace(fresh, self._path)
        except OSError as exc:
            log.warning("the dialect could not be remembered", file=str(self._path), why=str(exc))

    def _load(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            log.warning("the remembered dialects can't be read", file=str(self._path), why=str(exc))
            return {}
        return known if isinstance(known, dict) else {}
