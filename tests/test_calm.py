"""How tests that keep time are repeated, or not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import calm

pytest_plugins = ["pytester"]

FAILS_ONCE = """
import pytest
tries = []

@pytest.fixture
def fresh():
    tries.append("set up")
    yield
    tries.append("torn down")

@pytest.mark.{mark}
def test_it(fresh):
    assert tries.count("set up") == tries.count("torn down") + 1
    assert len(tries) == 3
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mark: str, stall: float) -> pytest.HookRecorder:
    monkeypatch.setattr(calm, "STALL", stall)
    pytester.makepyfile(FAILS_ONCE.replace("{mark}", mark))
    pytester.makeini("[pytest]\nmarkers = audio\n    other\n")
    return pytester.inline_run("-p", "no:cacheprovider", plugins=[calm.Repeats()])


@pytest.mark.parametrize(
    ("mark", "stall", "passed"), [("audio", 0.0, True), ("audio", float("inf"), False), ("other", 0.0, False)]
)
def test_only_what_keeps_time_and_had_no_chance_to_is_repeated(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mark: str,
    stall: float,
    passed: bool,
) -> None:
    ran = run(pytester, monkeypatch, mark, stall)
    ran.assertoutcome(passed=int(passed), failed=int(not passed))
    printed = capsys.readouterr().out
    assert bool(re.search(r"repeated.*\n.*test_it: \d+ ms\n", printed)) == passed
    assert ("The longest time without a processor" in printed) == (mark == "audio" and not passed)


def test_a_stall_is_seen() -> None:
    with calm.Witness() as witness:
        while witness.longest < calm.STALL:
            sum(range(10**7))  # holds the interpreter for as long as it takes


def test_every_repeat_has_an_end(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calm, "STALL", 0.0)
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.audio
        def test_it():
            with open({str(tmp_path / "tries")!r}, "a") as file:
                file.write("x")
            assert 0
    """)
    pytester.makeini("[pytest]\nmarkers = audio\n")
    pytester.inline_run("-p", "no:cacheprovider", plugins=[calm.Repeats()])
    assert (tmp_path / "tries").read_text() == "x" * calm.TRIES
