"""The command as a service manager and an operator use it: signals, health, status, log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio

from tests.e2e.support import simulator, until, vodiabot

TOML = """
[pbx]
url = "{url}"
domain = "localhost"
[[extension]]
user = "45"
password = {{ env = "PASSWORD_45" }}
[bot]
state_dir = "state"
[ops]
listen = "127.0.0.1:0"
"""


@pytest.mark.audio
async def test_a_service_from_start_to_end(tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    telling = trio.socket.from_stdlib_socket(manager)
    env = {**os.environ, "PASSWORD_45": "bot", "NOTIFY_SOCKET": str(tmp_path / "notify")}
    async with simulator() as sim:
        (tmp_path / "bot.toml").write_text(TOML.format(url=sim.url))
        with (tmp_path / "log").open("wb") as log:
            command = [sys.executable, "-m", "vodiabot", "run"]
            process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=log)  # noqa: ASYNC220 - it outlives this
        try:
            with trio.fail_after(30):
                assert (await telling.recv(4096)).startswith(b"READY=1\n")
            await until(lambda: any(line["event"] == "the session is up" for line in logged(tmp_path)))
            [served] = [line for line in logged(tmp_path) if line["event"] == "health and metrics are served"]
            async with httpx.AsyncClient(base_url=served["url"], trust_env=False) as client:
                for path in ("/healthz", "/readyz", "/metrics"):
                    assert (await client.get(path)).status_code == 200
                assert "vodiabot_log_lines_total" in (await client.get("/metrics")).text
            code, out, _ = await vodiabot("status", "--json", cwd=tmp_path)
            assert code == 0
            assert json.loads(out)["pid"] == process.pid
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(30):
                assert await trio.to_thread.run_sync(process.wait) == 0
        finally:
            process.kill()
            process.wait()
            telling.close()
        assert all({"event", "level", "timestamp"} <= line.keys() for line in logged(tmp_path))
    code, out, err = await vodiabot("status", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith("vodiabot: no bot runs with state_dir ")
    assert err.count("\n") == 1


def logged(folder: Path) -> list[dict[str, str]]:
    """Every line that is whole, as an object."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines(keepends=True) if line.endswith("\n")]


async def test_the_doctor_of_a_pbx_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "bot.toml").write_text(TOML.format(url=f"ws://127.0.0.1:{port}"))
    code, out, err = await vodiabot("doctor", cwd=tmp_path)
    assert code == 1
    assert "FAILED   TCP" in out
    assert "ok       audio PCMU" in out
    assert err == ""


async def test_the_form_and_the_level_of_the_log_are_options_and_variables(tmp_path: Path) -> None:
    async with simulator() as sim:
        taken = f"127.0.0.1:{sim.port}"  # so that it ends at once
        (tmp_path / "bot.toml").write_text(TOML.format(url=sim.url).replace("127.0.0.1:0", taken))
        code, _, human = await vodiabot("run", "--log-format", "human", cwd=tmp_path)
        assert code == 1, "the one who has it may be leaving: systemd tries again"
        assert f"vodiabot: [ops] can't listen on {taken}: the port is in use\n" in human
        code, _, wrong = await vodiabot("run", cwd=tmp_path, VODIABOT_LOG_LEVEL="loud")
        assert code == 2
        assert "loud" in wrong
