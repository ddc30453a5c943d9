"""`vodiabot plugins new`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from vodiabot.errors import UsageError
from vodiabot.verbs.plugin_new import new

ROOT = Path(__file__).parent.parent.parent


def test_the_tests_of_a_new_plugin_pass(tmp_path: Path) -> None:
    """With the present interpreter, in a process of its own, as an author runs them."""
    assert new("pizza_line", tmp_path) == 0
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "pizza_line",
        env=env,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_they_fail_when_the_plugin_is_broken(tmp_path: Path) -> None:
    new("pizza_line", tmp_path)
    plugin = tmp_path / "pizza_line" / "pizza_line" / "__init__.py"
    plugin.write_text(plugin.read_text().replace('allowed={"1"}', 'allowed={"2"}'))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        command, cwd=tmp_path / "pizza_line", env=env, capture_output=True, text=True, timeout=50, check=False
    )
    assert "2 failed, 1 passed" in ran.stdout


def test_what_is_in_it(tmp_path: Path) -> None:
    new("pizza_line", tmp_path)
    folder = tmp_path / "pizza_line"
    project = tomli.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "vodiabot-pizza-line"
    assert project["entry-points"] == {"vodiabot.plugins": {"pizza_line": "pizza_line"}}
    assert project["optional-dependencies"]["test"] == ["vodiabot[testing]"]
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert len(texts) == 6
    assert not [text for text in texts if re.search(r"@(name|dashed)@", text)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Pizza",
        "1pizza",
        "pizza-line",
        "../pizza",
        "a b",
        "class",
        "email",
        "vodiabot",
        "tests",
        "p" * 51,
        "greeter",
    ],
)
def test_names_that_can_not_be(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        new(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_there_is_left_alone(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "pizza"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="is there already"):
        new("pizza", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["pizza"]
