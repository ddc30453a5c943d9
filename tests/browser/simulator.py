"""`vodiabot sim` in a process of its own, as a person starts it."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

SECONDS_TO_START = 30
SECONDS_TO_STOP = 10

SERVICES = """
[[service]]
number = "600"
kind = "tone"
hz = 1000

[[service]]
number = "601"
kind = "echo"

[[service]]
number = "602"
kind = "busy"

[[service]]
number = "603"
kind = "reject"
code = 603

[[service]]
number = "604"
kind = "bye"
seconds = 1.5

[[service]]
number = "605"
kind = "early"
seconds = 2

[[service]]
number = "606"
kind = "refuse-transfer"

[[service]]
number = "607"
kind = "reoffer"
seconds = 1.5

[[service]]
number = "608"
kind = "dtmf"
digits = "11111"
seconds = 1.5

[[group]]
number = "700"
members = ["46", "47"]
"""


class Simulator:
    """Runs while it is entered; `kill` and `start` are for those who want to see it fall and rise."""

    COMMAND = (sys.executable, "-m", "vodiabot", "sim")

    def __init__(self, folder: Path, passwords: dict[str, str], dialect: str = "classic") -> None:
        self._file = folder / "sim.toml"
        extensions = "".join(
            f'[[extension]]\nuser = "{user}"\npassword = "{password}"\nname = "Person {user}"\n'
            for user, password in passwords.items()
        )
        self._file.write_text(f'domain = "localhost"\ndialect = "{dialect}"\n{extensions}{SERVICES}')
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.lines: list[str] = []
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGTERM)

    def start(self) -> None:
        """Until it says where it listens. The port stays the same from the second time on."""
        command = [*self.COMMAND, "-c", str(self._file), "--listen", self._listen]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process, lines))
        self._reader.start()
        self.url = self._wait_for_url(lines)
        self._listen = self.url.removeprefix("http://")

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def _read(self, process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            lines.put(line)
        lines.put("")

    def _wait_for_url(self, lines: queue.Queue[str]) -> str:
        try:
            while line := lines.get(timeout=SECONDS_TO_START):
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    return found[0]
        except queue.Empty:
            pass
        self._end(signal.SIGKILL)
        raise AssertionError("the simulator did not start:\n" + "\n".join(self.lines))

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader:
            self._reader.join()
        if process.stdout:
            process.stdout.close()
