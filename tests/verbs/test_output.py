"""Where what a verb says can't be written: one line, exit code 1, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("verb", [["check", "--schema"], ["--version"]])
def test_a_full_disk(verb: list[str], tmp_path: Path) -> None:
    toml = '[pbx]\nurl = "ws://127.0.0.1:9"\ndomain = "x"\n[[extension]]\nuser = "45"\npassword = "bot"\n'
    (tmp_path / "bot.toml").write_text(toml)
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "vodiabot", *verb]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    why = "No space left on device"
    assert (done.returncode, done.stderr) == (1, f"vodiabot: what was found can't be written to the output: {why}\n")
