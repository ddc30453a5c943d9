"""Ctrl-C while the demo starts."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def test_ctrl_c_before_the_bot_is_up_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vodiabot", "demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "simulator is up" in line:
                demo.send_signal(signal.SIGINT)
                break
        out, err = demo.communicate()
    assert (demo.returncode, out.strip()) == (0, "bye"), err
    assert "did not answer" not in err
