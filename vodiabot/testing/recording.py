"""A recording in virtual time: it ends when a real one would, and leaves a file of its length without sound."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from ..errors import SourceError
from ..ports import Recording

RATE = 8000
"""Hz of the silent files that virtual recordings leave."""

Wait = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Stops:
    """What ends it."""

    gone: Wait
    """Returns when the leg is closed."""
    max_seconds: float | None
    silence: Wait | None
    """Returns when the other side has said nothing for long enough."""
    stop_on: str
    """Digits."""


async def record(
    path: Path,
    stops: Stops,
    listeners: set[trio.MemorySendChannel[str]],
    *,
    channels: int,
    passing: set[Path] | None = None,
) -> Recording:
    """`listeners`: whoever is told each digit. `passing`: see `VirtualMedia`. Raises SourceError if the file can't be
    written."""
    began = trio.current_time()
    put, take = trio.open_memory_channel[str](100)
    listeners.add(put)
    try:
        stopped_by = await _first(stops, take)
    finally:
        listeners.discard(put)
        duration = trio.current_time() - began
        _write(path, duration, channels, passing)
    return Recording(path=path, duration=duration, stopped_by=stopped_by)


async def _first(stops: Stops, digits: trio.MemoryReceiveChannel[str]) -> str:
    """Why it ends."""
    why = "ended"

    async def pressed() -> None:
        async for digit in digits:
            if digit in stops.stop_on:
                return
        await trio.sleep_forever()

    waits: dict[str, Wait] = {"ended": stops.gone, "digit": pressed}
    if stops.max_seconds is not None:
        waits["max_seconds"] = partial(trio.sleep, stops.max_seconds)
    if stops.silence is not None:
        waits["silence"] = stops.silence
    async with trio.open_nursery() as nursery:

        async def stop_after(name: str, wait: Wait) -> None:
            nonlocal why
            await wait()
            why = name
            nursery.cancel_scope.cancel()

        for name, wait in waits.items():
            nursery.start_soon(stop_after, name, wait)
    return why


def _write(path: Path, duration: float, channels: int, passing: set[Path] | None) -> None:
    if passing is None or path in passing or not path.exists():
        _write_silence(path, duration, channels=channels)
        if passing is not None:
            passing.add(path)


def _write_silence(path: Path, duration: float, *, channels: int) -> None:
    frame = 2 * channels
    size = frame * round(duration * RATE)
    about = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, RATE, frame * RATE, frame, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + about + struct.pack("<4sI", b"data", size)
    try:
        with path.open("wb") as file:  # an hour of zeros is not written: the file has a hole
            file.write(head)
            file.truncate(len(head) + size)
    except OSError as exc:
        raise SourceError(f"{path}: {exc}") from exc
