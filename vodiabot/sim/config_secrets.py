"""Passwords of a sim.toml: as they stand there, or out of a variable or a file. No message ever has one in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FORMS = 'a text, { env = "NAME" } or { file = "…" } is needed'


def elsewhere(form: dict[str, Any], base: Path) -> str:
    """What `{ env = … }` or `{ file = … }` stands for; a path is relative to `base`. Raises ValueError, which says
    why it can't be had."""
    match form:
        case {"env": str(name)} if len(form) == 1:
            found = os.environ.get(name, "")
            where = f"the environment variable {name}"
        case {"file": str(path)} if len(form) == 1:
            where = str(base / path)
            found = _first_line(base / path)
        case _:
            raise ValueError(FORMS)
    if not found:
        raise ValueError(f"{where} is not set, or empty" if "env" in form else f"{where} is empty")
    return found


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text") from None
    except (OSError, ValueError) as exc:
        raise ValueError(f"{file} can't be read: {getattr(exc, 'strerror', None) or 'it can be no path'}") from None
