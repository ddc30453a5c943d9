"""What the command line says of itself."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from vodiabot import __version__
from vodiabot.cli import app


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("run", ["instead of [pbx] url", "instead of [pbx] domain", "instead of [[extension]]"]),
        ("call", ["instead of [media] codecs"]),
    ],
)
def test_names_of_tables_are_no_markup(verb: str, says: list[str]) -> None:
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(app, [verb, "--help"])
    assert shown.exit_code == 0
    for text in says:
        assert text in shown.output


@pytest.mark.parametrize("verb", [["check"], ["tail"], ["record"], ["replay"], ["plugins", "info"]])
def test_an_option_without_a_value_shows_none(verb: list[str]) -> None:
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(app, [*verb, "--help"])
    told = [line for line in shown.output.splitlines() if "<bool>" in line and "--help" not in line]
    assert (shown.exit_code, told) == (0, []), "--help itself is typer's own"


def test_the_version() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"vodiabot {__version__}\n")
