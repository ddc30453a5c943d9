"""Imports point one way only (DESIGN.md section 1)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vodiabot"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "events": set(),
    "ports": set(),
    "config": {"errors"},
    "protocol": {"errors"},
    "domain": {"protocol", "events"},
    "session": {"protocol", "config", "ports", "errors"},
    "media": {"errors", "ports"},
    "calls": {"protocol", "events", "ports", "errors"},
    "plugins": {"calls", "domain", "events", "errors", "config", "capabilities"},
    "capabilities": set(),
    "sim": {"errors"},
    "store": {"errors"},
    "speech": {"errors", "ports"},
    "tape": {"errors", "ports", "protocol"},
    "schedules": {"errors"},
    "logs": {"log_writer", "tracebacks"},
    "log_writer": set(),
    "tracebacks": set(),
    "dialect_memory": {"protocol", "state_file"},
    "state_file": set(),
}
"""The rooms with rules of their own. The others (bot, testing, console) may import all but what is above them: the
command line and its verbs."""

ABOVE = {"cli", "verbs", "__main__"}

PURE = {"protocol", "domain", "sim/core"}
IMPURE_LIBRARIES = {"trio", "asyncio", "anyio", "socket", "time", "threading", "httpx", "aiortc", "trio_websocket"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[tuple[str, ...]]:
    """Absolute dotted names of all that a module imports, `vodiabot` relative imports resolved."""
    package = ("vodiabot", *path.relative_to(PACKAGE).with_suffix("").parts)[:-1]
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found |= {(*module, alias.name) for alias in node.names} if len(module) <= 1 else {module}
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name[1] for name in imports(path) if name[0] == "vodiabot" and len(name) > 1}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = room_of(path)
    others = rooms_imported(path) - {room, "__version__"}
    if room in MAY_IMPORT:
        assert others <= MAY_IMPORT[room], f"{room} must not import {sorted(others - MAY_IMPORT[room])}"
    elif room not in ABOVE:
        assert not others & ABOVE


@pytest.mark.parametrize(
    "path",
    [p for p in modules() if any(str(p.relative_to(PACKAGE)).startswith(room + "/") for room in PURE)],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_a_pure_room_knows_no_clock_socket_or_loop(path: Path) -> None:
    assert not {name[0] for name in imports(path)} & IMPURE_LIBRARIES


def test_only_the_bridge_touches_both_loops() -> None:
    both = {
        str(path.relative_to(PACKAGE))
        for path in (PACKAGE / "media").rglob("*.py")
        if {"trio", "asyncio"} <= {name[0] for name in imports(path)}
    }
    assert both <= {"media/bridge.py"}


def test_shipped_plugins_import_only_the_package_itself() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                assert not node.module.startswith("vodiabot."), f"{path}: from {node.module}"
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("vodiabot.") for a in node.names), path
