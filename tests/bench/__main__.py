"""`python -m tests.bench`: what the bot costs, as ratios to a measure taken in the same run. Not a test: it prints."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

from tests.bench import frames


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring, for each side")
    parser.add_argument("--rounds", type=int, default=2, help="each side is measured so often, in turns")
    options = parser.parse_args()
    say(f"{options.calls} PCMU calls, tone out and audio consumed, {options.seconds:g} s, {options.rounds} rounds")
    stock, ours = _calls(options)
    say(f"  stock aiortc, plain asyncio, no trio   {stock:7.1f} ms of CPU per call-second")
    say(f"  the bot                                {ours:7.1f} ms of CPU per call-second")
    say(f"  ratio                                  {ours / stock:7.2f}")
    speed = trio.run(frames.measure)
    say("frames of 600 bytes, server and client in one process")
    say(f"  bare trio-websocket + msgspec          {speed['bare']:7.0f} a second")
    say(f"  codec, domain and one plugin           {speed['ours']:7.0f} a second")
    say(f"  ratio                                  {speed['ratio']:7.2f}")


def _calls(options: argparse.Namespace) -> tuple[float, float]:
    stock, ours = [], []
    with _simulator() as url:
        for _ in range(options.rounds):
            stock.append(_child("tests.bench.stock", options.calls, options.seconds))
            ours.append(_child("tests.bench.bot", url, options.calls, options.seconds))
    return min(stock), min(ours)


def _child(module: str, *arguments: Any) -> float:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout.splitlines()[-1])["ms_per_call_second"])


@contextmanager
def _simulator() -> Iterator[str]:
    """A simulator in a process of its own, so that its work is not counted."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vodiabot", "sim", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield next(word for line in process.stdout for word in line.split() if word.startswith("http"))
    finally:
        process.terminate()
        process.wait(20)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
