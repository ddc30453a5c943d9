"""Writes to a store until it is killed. A server that forks: what takes time to import is imported once.

A line with a path on stdin starts a writer; each line on stdout is one of `pid N`, `ack KIND NUMBER`, `dead`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import trio

from vodiabot.store import Store

KEYS = 60
"""In one batch."""
WRITERS = 3


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def singles(store: Store, name: str) -> None:
    """One key after the other, and one that is overwritten."""
    number = (await store.get(f"{name}/last", 0)) + 1
    while True:
        await store.set(f"{name}/{number % 50}", number)
        await store.update(f"{name}/last", lambda last, number=number: number)
        say("ack", name, number)
        number += 1


async def batches(store: Store) -> None:
    """All keys of a batch have the same number; every third batch deletes them and writes others."""
    number = (await store.get("batch/last", 0)) + 1
    while True:
        async with store.transaction() as t:
            for key in await t.keys("batch/"):
                await t.delete(key)
            for key in range(KEYS):
                await t.set(f"batch/{number % 3}/{key}", [number, "x" * 500])
            await t.set("batch/last", number)
        say("ack", "batch", number)
        number += 1


async def write(path: Path) -> None:
    store = Store(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(batches, store)
        for writer in range(WRITERS):
            nursery.start_soon(singles, store, f"single{writer}")


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say("pid", os.getpid())
            trio.run(partial(write, Path(line.strip())))
            os._exit(1)
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
