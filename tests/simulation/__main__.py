"""`python -m tests.simulation [--seeds N] [--from N] [--seed N] [--jobs N]`: many runs, or one again."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from .life import HOUR, Outcome, live


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    arguments.add_argument("--seeds", type=int, default=200, help="so many runs")
    arguments.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    arguments.add_argument("--seed", type=int, help="this one alone")
    arguments.add_argument("--seconds", type=float, default=HOUR, help="virtual seconds a run")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = arguments.parse_args()
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    total: Counter[str] = Counter()
    for outcome in _all(seeds, options):
        _count(total, outcome)
        if outcome.wrong or options.seed is not None:
            _tell(outcome)
    sys.stdout.write(", ".join(f"{number} {what}" for what, number in total.items()) + "\n")
    return 1 if total["failed"] else 0


def _all(seeds: Sequence[int], options: argparse.Namespace) -> Iterator[Outcome]:
    work = partial(live, seconds=options.seconds)
    if len(seeds) == 1 or options.jobs == 1:
        yield from map(work, seeds)
        return
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(work, seed) for seed in seeds]
        yield from (done.result() for done in as_completed(running))


def _count(total: Counter[str], outcome: Outcome) -> None:
    total["runs"] += 1
    total["failed"] += bool(outcome.wrong)
    for what in ("calls", "events", "frames", "faults", "spoiled"):
        total[what] += getattr(outcome, what)


def _tell(outcome: Outcome) -> None:
    sys.stdout.write(
        f"seed {outcome.seed}: {outcome.wrong or 'all is well'}\n"
        f"  {outcome.calls} calls {dict(outcome.reasons)}, {outcome.faults} faults, print {outcome.print}, "
        f"{outcome.took:.2f} s\n"
        f"  again: {replay_command(outcome.seed)}\n"
    )


def replay_command(seed: int) -> str:
    """What to type to see it again."""
    return f"python -m tests.simulation --seed {seed}"


if __name__ == "__main__":
    sys.exit(main())
