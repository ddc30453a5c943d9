"""Spoken prompts on disk: bounded, the least recently used go first."""

from __future__ import annotations

import os
import tempfile
import threading
import wave
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio

from ..errors import SpeechFailed

UNFINISHED = ".part"
MEGABYTE = 1_000_000
OLD = 3600.0
"""Seconds after which an unfinished file is one that a process has left that is no more."""


class Lease:
    """Who plays files of the cache; they stay until it is over."""

    def __init__(self) -> None:
        self.names: list[str] = []


@dataclass
class _Turn:
    """Of those who want the same file: one makes it, the others wait."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    wanted_by: int = 0


class Cache:
    """The WAV files of one folder. A name is a hash, so that no text shows."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit`: bytes that are kept. What is being played stays, even beyond that."""
        self.folder = folder
        self.limit = limit
        self._turns: dict[str, _Turn] = {}
        self._held: Counter[str] = Counter()
        self._taking = threading.Lock()  # held while one file is looked at or removed, so that none goes in between

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """In the body, what was got with the lease is not removed."""
        lease = Lease()
        try:
            yield lease
        finally:
            self._held.subtract(lease.names)
            self._held = +self._held

    async def get(self, name: str, lease: Lease, make: Callable[[Path], Awaitable[None]]) -> tuple[Path, float]:
        """A file and its seconds, made by `make` if it is not there; once, however many want it at the same time. If
        who makes it gives up, the next one does. Raises SpeechFailed, and what `make` raises."""
        lease.names.append(name)
        self._held[name] += 1
        turn = self._turns.setdefault(name, _Turn())
        turn.wanted_by += 1
        try:
            async with turn.lock:
                found = await trio.to_thread.run_sync(self._look, name)
                return found or await self._made(name, make)
        finally:
            turn.wanted_by -= 1
            if not turn.wanted_by:
                del self._turns[name]

    async def _made(self, name: str, make: Callable[[Path], Awaitable[None]]) -> tuple[Path, float]:
        try:
            part = await trio.to_thread.run_sync(self._begin)
        except OSError as exc:
            raise SpeechFailed(f"{self.folder}: can't be written: {exc.strerror or exc}") from exc
        try:
            await make(part)
            return await trio.to_thread.run_sync(self._keep, part, name)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()  # it is there only if something went wrong

    # --- in a thread -------------------------------------------------------------------------------------------------

    def _look(self, name: str) -> tuple[Path, float] | None:
        path = self.folder / f"{name}.wav"
        try:
            with self._taking:
                seconds = _seconds(path)
                os.utime(path)
        except (OSError, EOFError, wave.Error):
            return None
        return path, seconds

    def _begin(self) -> Path:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(suffix=UNFINISHED, dir=self.folder)
        os.close(handle)
        return Path(part)

    def _keep(self, part: Path, name: str) -> tuple[Path, float]:
        path = self.folder / f"{name}.wav"
        try:
            seconds = _seconds(part)
            os.replace(part, path)
            self._trim()
        except (OSError, EOFError, wave.Error) as exc:
            raise SpeechFailed(f"what was spoken can't be read: {exc}") from exc
        return path, seconds

    def _trim(self) -> None:
        files = self._files()
        total = sum(stat.st_size for _, stat in files)
        now = max((stat.st_mtime for _, stat in files), default=0.0)
        for path, stat in files:
            left_behind = path.suffix == UNFINISHED and stat.st_mtime < now - OLD
            over = total > self.limit and path.suffix == ".wav"
            if (left_behind or over) and self._removed(path):
                total -= stat.st_size

    def _removed(self, path: Path) -> bool:
        """Unless somebody has it: who takes it from now on finds it gone, and makes it anew."""
        with self._taking:
            if path.stem in self._held:
                return False
            path.unlink(missing_ok=True)
            return True

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        """What was not used for longest comes first."""
        return sorted(((p, s) for p in self.folder.iterdir() if (s := _stat(p))), key=lambda f: f[1].st_mtime)


def _stat(path: Path) -> os.stat_result | None:
    """None: another process has removed it."""
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def _seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise wave.Error("it is not mono with 16 bits")
        frames: int = file.getnframes()
        rate: int = file.getframerate()
        return frames / rate
