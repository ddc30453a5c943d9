"""Writes a tape."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any

import structlog

from ..errors import UsageError
from .masking import Mask

VERSION = 1
LARGEST = 256 << 20
"""Bytes of a tape; then it ends by itself."""
LARGEST_PICTURE = 1 << 20
"""Characters of a domain-state that is kept, so that a tape which begins later begins with it."""

log = structlog.get_logger(__name__)


class Tape:
    """Where frames go. It costs next to nothing until `start`, and raises nothing into the engine: a full disk ends
    it."""

    def __init__(self, wall: Callable[[], float], *, clean: Callable[[str], str] = str) -> None:
        """`wall`: seconds since the epoch. `clean` takes known secrets out of a text."""
        self.path: Path | None = None
        self.lines = 0
        self._wall = wall
        self._clean = clean
        self._file: RawIOBase | None = None
        self._mask = Mask(numbers=False, key=b"", clean=clean)
        self._began = 0.0
        self._bytes = 0
        self._up: dict[str, str] = {}
        """Extensions that are up → why."""
        self._pictures: dict[str, str] = {}
        self._headers: dict[str, str] = {}

    @property
    def running(self) -> bool:
        return self._file is not None

    def start(self, path: Path, *, mask_numbers: bool = False, about: Mapping[str, Any] | None = None) -> None:
        """Begin a new file; `about` goes into its first line. Raises UsageError if one is being written already, if the
        file is there, or can't be made."""
        if self._file is not None:
            raise UsageError(f"a tape is being written already: {self.path}")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise UsageError(f"{path} can't be written: {exc.strerror or exc}") from exc
        self._file = os.fdopen(handle, "wb", buffering=0)
        own = (about or {}).get("extensions", ())
        self._mask = Mask(numbers=mask_numbers, key=secrets.token_bytes(16), clean=self._clean, kept=own)
        self.path, self.lines, self._bytes, self._began = path, 0, 0, self._wall()
        self._write({"vodiabot_tape": VERSION, "began": round(self._began, 3), "masked": mask_numbers, **(about or {})})
        for extension, reason in self._up.items():
            self.server(extension, self._headers.get(extension, ""))
            if extension in self._pictures:
                self._frame("in", extension, self._pictures[extension])
            self.up(extension, reason)

    def stop(self) -> None:
        """Close the file. Idempotent."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as exc:
                log.error("the tape is not whole", path=str(self.path), why=str(exc))
            self._file = None

    # --- what happens ------------------------------------------------------------------------------------------------

    def heard(self, extension: str, text: str) -> None:
        """A frame of the PBX."""
        if '"domain-state"' in text[:1000] and len(text) <= LARGEST_PICTURE:
            self._pictures[extension] = text
        self._frame("in", extension, text)

    def said(self, extension: str, text: str, failure: str = "") -> None:
        """A frame of ours that is handed to the socket; a second time, with why, if it did not leave."""
        self._frame("out", extension, text, **({"failed": self._mask.text(failure)} if failure else {}))

    def server(self, extension: str, header: str) -> None:
        """What the PBX calls itself."""
        self._headers[extension] = header
        self._line(extension=extension, server=self._mask.text(header))

    def up(self, extension: str, reason: str) -> None:
        self._up[extension] = reason
        self._line(extension=extension, up=self._mask.text(reason))

    def down(self, extension: str, reason: str) -> None:
        self._up.pop(extension, None)
        self._line(extension=extension, down=self._mask.text(reason))

    def media(self, leg: str, event: Mapping[str, Any]) -> None:
        """News of a leg's audio."""
        self._line(leg=leg, media={k: self._mask.text(v) if isinstance(v, str) else v for k, v in event.items()})

    # --- the file ----------------------------------------------------------------------------------------------------

    def _frame(self, way: str, extension: str, text: str, **more: Any) -> None:
        if self._file is None:
            return
        try:
            frame = self._mask.frame(json.loads(text))
        except (ValueError, RecursionError):
            frame = self._mask.broken(text)
        self._line(extension=extension, **{way: frame}, **more)

    def _line(self, **fields: Any) -> None:
        if self._file is not None:
            self._write({"t": round(self._wall() - self._began, 4), **fields})

    def _write(self, fields: Mapping[str, Any]) -> None:
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        self._bytes += len(line)
        if self._bytes > LARGEST:
            log.warning("the tape is full and ends", path=str(self.path), bytes=LARGEST)
            self.stop()
            return
        try:
            assert self._file is not None
            self._file.write(line)
        except OSError as exc:
            log.error("the tape ends: it can't be written to", path=str(self.path), why=str(exc))
            self.stop()
        else:
            self.lines += 1
