"""What is random, all of it from one seed, so that a run can be had again."""

from __future__ import annotations

import gc
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._run as trio_run


class Chance:
    """A source of chance for each actor, so that one who draws more does not change what befalls the others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, actor: str) -> random.Random:
        """The same for the same seed and name."""
        return random.Random(f"{self.seed} {actor}")


@contextmanager
def determined(seed: int) -> Iterator[None]:
    """In the body, trio schedules, and `uuid` makes ids, by the seed alone.

    trio shuffles the tasks of a batch on purpose; as its own hypothesis support does, this takes its dice away.
    """
    dice, before = trio_run._r, trio_run._r.getstate()
    ordered = getattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)
    ids, uuid4 = random.Random(f"{seed} ids"), uuid.uuid4

    def made_uuid() -> uuid.UUID:
        return uuid.UUID(int=ids.getrandbits(128), version=4)

    scheduling: Any = trio_run
    dice.seed(seed)
    scheduling._ALLOW_DETERMINISTIC_SCHEDULING = True
    uuid.uuid4 = made_uuid
    try:
        yield
    finally:
        uuid.uuid4 = uuid4
        scheduling._ALLOW_DETERMINISTIC_SCHEDULING = ordered
        dice.setstate(before)


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """In the body, Python looks for garbage cycles a tenth as often: a run is over before they could matter."""
    before = gc.get_threshold()
    gc.set_threshold(10_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
