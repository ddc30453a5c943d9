"""A port that another process has is no mistake of the configuration: it may be free again later (exit code 1)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from vodiabot.sim.config import default
from vodiabot.verbs.common import FAILED, Connection, execute
from vodiabot.verbs.demo import demo, demo_configuration
from vodiabot.verbs.simulate import simulate


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_the_simulator(taken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(lambda: simulate(default(), taken), debug=False) == FAILED
    assert capsys.readouterr().err == f"vodiabot: can't listen on {taken}: the port is in use\n"


def test_the_demo(
    taken: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    config, sim = demo_configuration(Connection())
    assert execute(lambda: demo(config, sim, taken), debug=False) == FAILED
    assert capsys.readouterr().err == f"vodiabot: can't listen on {taken}: the port is in use\n"
