"""Whether a plugin's code is still what it was when it was imported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .discovery import Found


def fingerprint(found: Found) -> str:
    """Of all Python files of a plugin in a folder; of an installed one, its distribution and version.

    Raises OSError.
    """
    if found.path is None:
        return found.origin
    package = found.path.name == "__init__.py"
    files = sorted(found.path.parent.rglob("*.py")) if package else [found.path]
    return f"{found.path} {_digest(files)}"


def _digest(files: Iterable[Path]) -> str:
    sha = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        sha.update(f"{file} {len(content)} ".encode())
        sha.update(content)
    return sha.hexdigest()
