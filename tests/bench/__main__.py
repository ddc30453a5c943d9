"""`python -m tests.bench`: what the bot costs and how it sounds, beside aiortc alone, measured in one run. It prints a
table with the targets; it is no test. `--only cpu,capacity,...` for a part of it; `--quick` for a first impression."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

from tests.bench import frames, quality


@dataclass(frozen=True)
class Options:
    """How long, how often."""

    seconds: float
    """Of measuring, each."""
    rounds: int
    """Each side is measured so often, in turns; the least counts, which other work on the machine disturbed least."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and once: a first impression")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    asked = parser.parse_args()
    options = Options(4.0, 1) if asked.quick else Options(10.0, 3)
    say(f"| {'what':62} | {'target':>14} | {'measured':>22} | with |")
    say(f"|{'-' * 64}|{'-' * 16}|{'-' * 24}|------|")
    for part in asked.only.split(","):
        PARTS[part](options)


def row(what: str, target: str, measured: str, beside: str = "") -> None:
    """One line of the table."""
    say(f"| {what:62} | {target:>14} | {measured:>22} | {beside} |")


# --- its parts ------------------------------------------------------------------------------------------------


def cpu(options: Options) -> None:
    """CPU per call-second, beside stock aiortc in plain asyncio."""
    for codec, calls, target in (("PCMU", 20, 0.30), ("opus", 10, 0.45)):
        stock, bot = [], []
        with simulator() as url:
            for _ in range(options.rounds):
                stock.append(subject("stock", codec, [calls], options.seconds)[0]["ms"])
                bot.append(child("tests.bench.bot", url, calls, options.seconds, codec)["ms_per_call_second"])
        measured, beside = f"{min(bot) / min(stock):.2f}", f"{min(bot):.1f} ms; stock {min(stock):.1f} ms"
        row(f"CPU per call-second, {calls} {codec} calls, the bot / stock aiortc", f"<= {target:.2f}", measured, beside)


def bridge(options: Options) -> None:
    """What the trio side costs: the path behind the bridge beside the path alone."""
    alone, behind = [], []
    for _ in range(options.rounds + 1):
        alone.append(subject("path", "PCMU", [20], options.seconds)[0]["ms"])
        behind.append(subject("engine", "PCMU", [20], options.seconds)[0]["ms"])
    beside = f"{min(behind):.2f} ms; alone {min(alone):.2f} ms"
    row("trio bridge, 20 calls: behind it / the path alone", "<= 1.05", f"{min(behind) / min(alone):.2f}", beside)


def capacity(options: Options) -> None:
    """Calls that one core carries; and what growth does to the cost of each."""
    for codec, target, start, step in (("PCMU", 150, 100, 25), ("opus", 40, 30, 5)):
        steps = [20, *range(start, 400, step)]
        rows = subject("engine", codec, steps, options.seconds, pinned=True)
        carried = max((r["calls"] for r in rows if r["on_time"] >= 0.99), default=0)
        last = rows[-1]
        stock = subject("stock", codec, list(range(10, 100, 5)), options.seconds / 2, pinned=True)
        beside = max((r["calls"] for r in stock if r["on_time"] >= 0.99), default=0)
        note = f"{last['calls']}: {100 * last['on_time']:.1f} % on time; stock {beside}"
        row(f"{codec} calls that one core carries, 99 % on time", f">= {target}", str(carried), note)
        if codec == "PCMU":
            at = {r["calls"]: r for r in rows}
            growth(at)
            memory(at)


def growth(at: dict[int, dict[str, Any]]) -> None:
    """From the rows of the capacity run."""
    few, many = at.get(20), at.get(100)
    if few and many:
        beside = f"{many['ms']:.2f} ms; at 20 {few['ms']:.2f} ms"
        row("CPU per call-second at 100 calls / at 20", "<= 0.6", f"{many['ms'] / few['ms']:.2f}", beside)


def memory(at: dict[int, dict[str, Any]]) -> None:
    """Likewise."""
    few, many = min(at), max(at)
    if few != many:
        each = (at[many]["mb"] - at[few]["mb"]) / (many - few)
        row("memory for each further call", "<= 1 MB", f"{each:.2f} MB", f"{few} to {many} calls")


def gaps(options: Options) -> None:
    """What stops the process, or its trio thread, for a while."""
    for disturbance, what, target in (
        ("sleep", "a plugin in time.sleep(0.5)", "<= 35 ms"),
        ("busy", "a plugin in a Python loop of 0.5 s", "<= 60 ms"),
        ("collect", "a full garbage collection", ""),
    ):
        rows = [subject("engine", "PCMU", [20], 4.0, disturbance=disturbance)[0] for _ in range(options.rounds)]
        gap = 1000 * max(r["longest_gap"] for r in rows)
        row(f"longest gap, 20 calls, {what}", target, f"{gap:.0f} ms", f"of {len(rows)} runs")


def loss(options: Options) -> None:
    """Packets that get lost."""
    stock = quality.one_lost_stock()
    for codec in ("PCMU", "opus"):
        ours = quality.one_lost(codec)
        measured = f"{ours['hole']:.0f} ms, {ours['added']:.0f} ms later"
        beside = f"stock {stock['hole']:.0f} ms, {stock['added']:.0f} ms later"
        row(f"one lost packet ({codec}): hole heard, delay added 5 s later", "0, 0 ms", measured, beside)
    if importlib.util.find_spec("pesq") is None:
        row("PESQ wide-band", "", "not measured", "pip install pesq")
        return
    for part, target in ((0.0, 4.3), (0.03, 4.0), (0.1, 3.5)):
        score = quality.pesq(part, 3 if options.rounds == 1 else 8)
        beside = f"stock {score['stock']:.2f}"
        row(f"PESQ wide-band at {part:.0%} random loss (opus)", f">= {target}", f"{score['ours']:.2f}", beside)


def delay(options: Options) -> None:
    """How long things take, on loopback."""
    with simulator() as url:
        found = {codec: child("tests.bench.delay", url, codec, 20) for codec in ("PCMU", "opus")}
    for what, key, target in (
        ("mouth to ear through echo 601, median", "echo", 100),
        ("from invite to the first audible packet, median", "answer", 150),
    ):
        worst = max(found[codec][key] for codec in found)
        beside = ", ".join(f"{codec} {found[codec][key]:.0f}" for codec in found)
        row(what, f"<= {target} ms", f"{worst:.0f} ms", beside)


def signalling(options: Options) -> None:
    """Frames a second."""
    speed = trio.run(frames.measure)
    beside = f"{speed['ours']:.0f}; bare trio-websocket + msgspec {speed['bare']:.0f} a second"
    row("frames of 600 bytes: codec, domain and a plugin / bare", "", f"{speed['ratio']:.2f}", beside)


PARTS: dict[str, Callable[[Options], None]] = {
    "cpu": cpu,
    "bridge": bridge,
    "capacity": capacity,
    "gaps": gaps,
    "loss": loss,
    "delay": delay,
    "signalling": signalling,
}


# --- other processes ------------------------------------------------------------------------------------------


def subject(
    kind: str, codec: str, steps: list[int], seconds: float, *, pinned: bool = False, disturbance: str = "none"
) -> list[dict[str, Any]]:
    """See `tests.bench.subject`."""
    where = "pinned" if pinned else "free"
    arguments = (kind, codec, json.dumps(steps), seconds, where, disturbance)
    found: list[dict[str, Any]] = child("tests.bench.subject", *arguments)
    return found or [{"ms": math.nan}]


def child(module: str, *arguments: Any) -> Any:
    """What a process of its own printed last."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return json.loads(next(line for line in reversed(done.stdout.splitlines()) if line[:1] in "[{" and '"' in line))


@contextmanager
def simulator() -> Iterator[str]:
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
