"""kill -9 at any moment: what was acknowledged is there, and nothing is torn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import trio

from vodiabot.store import Store

from .crash_child import KEYS, WRITERS

KILLS = 200
BATCHES = (0, 0, 1, 1, 2, 3)
"""How many batches a writer acknowledges before it is killed, ..."""
LONGEST = 0.006
"""... and how many seconds it lives at most from then on: a commit or three."""

Acknowledged = dict[str, int]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the writer is forked")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """The server that forks a writer for each line; gone afterwards."""
    command = [sys.executable, "-m", "tests.store.crash_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def live_and_die(child: subprocess.Popen[str], path: Path, batches: int, seconds: float) -> Acknowledged:
    """One writer's life; the last number of each kind that it has acknowledged."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{path}\n")
    pid = int(_words(child.stdout)[1])
    last: Acknowledged = {}
    while batches > 0:
        _, kind, number = _words(child.stdout)
        last[kind] = int(number)
        batches -= kind == "batch"
    time.sleep(seconds)  # at which moment it dies is what the test varies
    os.kill(pid, signal.SIGKILL)
    while (words := _words(child.stdout)) != ["dead"]:
        last[words[1]] = int(words[2])
    return last


def _words(out: IO[str]) -> list[str]:
    line = out.readline()
    assert line, "the writers' parent has died"
    return line.split()


async def look(path: Path, acknowledged: Acknowledged) -> None:
    """Reading it is what brings the file in order; it must not need more than that."""
    store = Store(path)
    try:
        await check_batch(store, acknowledged.get("batch", 0))
        for writer in range(WRITERS):
            await check_singles(store, f"single{writer}", acknowledged.get(f"single{writer}", 0))
    finally:
        await store.aclose()


async def check_batch(store: Store, acknowledged: int) -> None:
    there = dict(await store.items("batch/"))
    number = there.pop("batch/last", 0)
    assert number >= acknowledged, "a batch that was acknowledged is lost"
    expected = {f"batch/{number % 3}/{key}" for key in range(KEYS)} if number else set()
    assert set(there) == expected, "a batch is torn"
    assert all(value == [number, "x" * 500] for value in there.values()), "a batch is torn"


async def check_singles(store: Store, name: str, acknowledged: int) -> None:
    last = await store.get(f"{name}/last", 0)
    assert last >= acknowledged, "a value that was acknowledged is lost"
    for number in range(max(1, last - 49), last + 1):
        # one more may have been stored in its place before the counter went on
        assert await store.get(f"{name}/{number % 50}") in (number, number + 50), "an older value is lost"


def test_two_hundred_kills(child: subprocess.Popen[str], tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    path = tmp_path / "killed.sqlite3"
    everything: Acknowledged = {}
    for _ in range(KILLS):
        everything |= live_and_die(child, path, chance.choice(BATCHES), chance.uniform(0, LONGEST))
        trio.run(look, path, everything)
