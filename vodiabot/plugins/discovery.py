"""Where plugins are: folders, then installed entry points, then the folder that comes with vodiabot.

The first place that has a name wins, so an operator's own `greeter.py` stands in for the shipped one. Nothing
is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path

from .settings import suggestion

GROUP = "vodiabot.plugins"
"""Of installed entry points."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OF_TESTS = re.compile(r"test_|conftest$")
"""They lie beside plugins, and hardly ever are any."""


@dataclass(frozen=True)
class Found:
    """Where a plugin is: in a file, or behind an entry point."""

    name: str
    path: Path | None = None
    """`NAME.py`, or `NAME/__init__.py`."""
    entry_point: EntryPoint | None = None
    shipped: bool = False
    """It comes with vodiabot."""

    @property
    def version(self) -> str:
        """Of the distribution; "" for a file of the operator's own."""
        if self.shipped:
            return _own_version()
        dist = self.entry_point.dist if self.entry_point else None
        return dist.version if dist else ""

    @property
    def origin(self) -> str:
        """For people."""
        if self.path is not None:
            return str(self.path)
        assert self.entry_point is not None
        dist = self.entry_point.dist
        return f"{dist.name} {dist.version} ({self.entry_point.value})" if dist else self.entry_point.value


class NotFound(Exception):
    """There is no such plugin, or it isn't clear which one is meant; the message is for people."""


class Places:
    """All places of one configuration. Entry points are listed once, when it is made."""

    def __init__(self, folders: Sequence[Path], shipped: Path | None = None) -> None:
        self._folders = tuple(folders)
        self._shipped = shipped
        self._installed = tuple(entry_points(group=GROUP))

    def find(self, name: str) -> Found:
        """The plugin of this name. Raises NotFound, with a suggestion."""
        if not _NAME.fullmatch(name):
            raise NotFound(f"\"{name}\" can't be a plugin's name: letters, digits, _ and - are allowed")
        for folder in self._folders:
            if (found := _in_folder(folder, name)) is not None:
                return found
        if (found := self._installed_as(name)) is not None:
            return found
        if self._shipped is not None and (found := _in_folder(self._shipped, name)) is not None:
            return replace(found, shipped=True)
        raise NotFound(f'there is no plugin "{name}"{self._where_it_was_sought()}{self.suggestion(name)}')

    def names(self) -> set[str]:
        """Of all plugins that could be enabled."""
        folders = (*self._folders, *([self._shipped] if self._shipped else []))
        return {n for folder in folders for n in _names_in(folder)} | {e.name for e in self._installed}

    def suggestion(self, name: str) -> str:
        """`; did you mean "greeter"?`, or what there is."""
        return suggestion(name, sorted(other for other in self.names() if not _OF_TESTS.match(other)))

    def _installed_as(self, name: str) -> Found | None:
        fitting = {(e.value, e.dist.name if e.dist else ""): e for e in self._installed if e.name == name}
        if len(fitting) > 1:
            owners = ", ".join(sorted(owner or value for value, owner in fitting))
            raise NotFound(f'several installed packages bring a plugin "{name}": {owners}')
        return Found(name, entry_point=next(iter(fitting.values()))) if fitting else None

    def _where_it_was_sought(self) -> str:
        folders = [f"{f}{'' if f.is_dir() else ' (which does not exist)'}" for f in self._folders]
        return f" in {', '.join(folders)} or" * bool(folders) + " among the installed packages"


def _own_version() -> str:
    try:
        return version("vodiabot")
    except PackageNotFoundError:  # run from a checkout that isn't installed
        return ""


def _in_folder(folder: Path, name: str) -> Found | None:
    candidates = [p for p in (folder / f"{name}.py", folder / name / "__init__.py") if p.is_file()]
    if len(candidates) > 1:
        raise NotFound(f"there are both {name}.py and {name}/ in {folder}; remove one")
    return Found(name, path=candidates[0]) if candidates else None


def _names_in(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    files = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    return {name for name in files if _NAME.fullmatch(name)}
