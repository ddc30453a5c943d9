"""Which plugin a test is about, where its author does not say so: the one whose folder it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

GROUP = "vodiabot.plugins"


@dataclass(frozen=True)
class UnderTest:
    """Plugins, as `[plugins]` names them."""

    names: tuple[str, ...] = ()
    path: tuple[Path, ...] = ()
    """Folders; none for those that are installed."""


def plugin_of(test: Path, top: Path) -> UnderTest:
    """Upwards from a test's file to `top`, the first of these that is there:

    - a package in whose folder the test lies, and that is a plugin: `menu/` of `menu/tests/test_menu.py`
    - for `test_NAME.py`, a plugin `NAME.py` or `NAME/`, there or in `plugins/`
    - a `pyproject.toml` that says which plugins the project brings (entry points `vodiabot.plugins`)
    - the only plugin in `plugins/`
    """
    wanted = test.stem.removeprefix("test_")
    for folder in (f for f in test.resolve().parents if f.is_relative_to(top.resolve())):
        found = _package(folder) or _named(folder, wanted) or _project(folder) or _only_one(folder)
        if found is not None:
            return found
    return UnderTest()


def _package(folder: Path) -> UnderTest | None:
    return UnderTest((folder.name,), (folder.parent,)) if _is_plugin(folder / "__init__.py") else None


def _named(folder: Path, name: str) -> UnderTest | None:
    for place in (folder, folder / "plugins"):
        if _is_plugin(place / f"{name}.py") or _is_plugin(place / name / "__init__.py"):
            return UnderTest((name,), (place,))
    return None


def _project(folder: Path) -> UnderTest | None:
    try:
        doc = tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError):
        return None
    points: Any = doc.get("project", {}).get("entry-points", {}).get(GROUP, {})
    return UnderTest(tuple(points)) if isinstance(points, dict) and points else None


def _only_one(folder: Path) -> UnderTest | None:
    place = folder / "plugins"
    names = [path.stem for path in sorted(place.glob("*.py")) if _is_plugin(path)]
    names += [path.parent.name for path in sorted(place.glob("*/__init__.py")) if _is_plugin(path)]
    return UnderTest((names[0],), (place,)) if len(names) == 1 else None


def _is_plugin(file: Path) -> bool:
    """It has hooks."""
    try:
        return "hookimpl" in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
