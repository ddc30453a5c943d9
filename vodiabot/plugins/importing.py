"""Imports a plugin, each under a private name, and says where it failed."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from .ctrl_c import ctrl_c_raises
from .discovery import Found

PREFIX = "vodiabot_plugin_"
"""Of the private module names; a plugin's own modules never hide, or are hidden by, others of the same
name."""


@dataclass(frozen=True)
class Imported:
    """The plugin's namespace: its module, or the object that its entry point names."""

    namespace: Any
    private_name: str = ""
    """Its name in `sys.modules`, if it was imported from a folder."""


class ImportFailed(Exception):
    """The plugin's code raised while it was imported."""

    def __init__(self, file: str, line: int | None, message: str) -> None:
        self.file = file
        self.line = line
        self.message = message
        super().__init__(message)


def import_plugin(found: Found) -> Imported:
    """Import it. Raises ImportFailed; then nothing of it is left in `sys.modules`."""
    if found.path is not None:
        return _from_file(found.name, found.path)
    assert found.entry_point is not None
    return Imported(_guarded(found.entry_point.load, found.origin, within=None))


def forget(private_name: str) -> None:
    """Take a plugin's modules out of `sys.modules`."""
    for name in [n for n in sys.modules if n == private_name or n.startswith(private_name + ".")]:
        del sys.modules[name]


def _from_file(name: str, path: Path) -> Imported:
    private = _free_name(name)
    package = path.name == "__init__.py"
    importlib.invalidate_caches()  # files that were added since the folder was last looked at
    spec = importlib.util.spec_from_file_location(
        private,
        path,
        loader=_FromSource(private, str(path)),
        submodule_search_locations=[str(path.parent)] if package else None,
    )
    assert spec is not None
    loader = spec.loader
    assert loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[private] = module  # where dataclasses and relative imports look while it is being executed
    try:
        _guarded(lambda: loader.exec_module(module), str(path), within=path.parent if package else path)
    except ImportFailed:
        forget(private)
        raise
    return Imported(module, private)


class _FromSource(SourceFileLoader):
    """Without a cache of bytecode, which takes a file for unchanged that was edited within the same second."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("not to be cached")


def _free_name(name: str) -> str:
    wanted = PREFIX + name.replace("-", "_")
    number = 1
    while (candidate := wanted if number == 1 else f"{wanted}_{number}") in sys.modules:
        number += 1
    return candidate


def _guarded(work: Callable[[], Any], file: str, within: Path | None) -> Any:
    try:
        return work()
    except BaseException as exc:  # the plugin's code may raise anything, and must not end the bot
        if isinstance(exc, KeyboardInterrupt) and ctrl_c_raises():
            raise
        raise _translated(exc, file, within) from exc


def _translated(exc: BaseException, file: str, within: Path | None) -> ImportFailed:
    if isinstance(exc, SyntaxError) and exc.filename:
        return ImportFailed(exc.filename, exc.lineno, f"syntax error: {exc.msg}")
    where, line = _last_own_frame(exc, file, within)
    if type(exc) is TypeError and "firstresult" in str(exc):
        return ImportFailed(where, line, "a hook can't be firstresult: hooks are async and return nothing")
    return ImportFailed(where, line, f"it can't be imported: {in_a_line(exc)}")


def in_a_line(exc: BaseException) -> str:
    """Its type and what it says, if it can say it, as text that can be written anywhere."""
    try:
        told = " ".join(str(exc).encode(errors="backslashreplace").decode().split())
    except Exception:  # noqa: BLE001 - the exception is the plugin's, and so is how it is written
        told = ""
    return f"{type(exc).__name__}: {told}" if told else type(exc).__name__


def _last_own_frame(exc: BaseException, file: str, within: Path | None) -> tuple[str, int | None]:
    """Where in the plugin's own code it happened: that is what its author can change."""
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        own = Path(frame.filename)
        if within is not None and (own == within or within in own.parents):
            return frame.filename, frame.lineno
    return file, None


def file_of(namespace: Any) -> str:
    """The file of a module or of an object's module."""
    module = namespace if isinstance(namespace, ModuleType) else sys.modules.get(type(namespace).__module__)
    return str(getattr(module, "__file__", "") or "")
