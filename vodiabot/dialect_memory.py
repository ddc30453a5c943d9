"""Which dialect a PBX was found to speak, kept in `state_dir` (PROTOCOL.md section 5, `dialect = "auto"`)."""

from __future__ import annotations

from pathlib import Path

from .protocol.dialects import Dialect
from .state_file import StateFile

FILE = "dialects.json"


class DialectMemory:
    """The PBX's address → dialect."""

    def __init__(self, state_dir: Path, pbx: str) -> None:
        self._file = StateFile(state_dir / FILE, "the PBX's dialect")
        self._pbx = pbx

    def recall(self) -> Dialect | None:
        """What was remembered for this PBX."""
        word = self._file.load().get(self._pbx)
        return next((d for d in Dialect if d.value == word), None)

    def remember(self, dialect: Dialect) -> None:
        """Keep it for the next start."""
        self._file.save({**self._file.load(), self._pbx: dialect.value})
