"""Made once, kept as long as there is room, and never half."""

from __future__ import annotations

import os
import threading
import wave
from functools import partial
from pathlib import Path

import pytest
import trio

from vodiabot.errors import SpeechFailed
from vodiabot.speech.cache import Cache, Lease

SIZE = 44 + 2 * 800
HERE = Path(__file__)


class Maker:
    """Makes files of a tenth of a second; each `make` waits for `go`."""

    def __init__(self) -> None:
        self.made = 0
        self.begun = 0
        self.go = trio.Event()
        self.go.set()

    async def __call__(self, out: Path) -> None:
        self.begun += 1
        await self.go.wait()
        self.made += 1
        with wave.open(str(out), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(1600))


async def get(cache: Cache, name: str, maker: Maker, age: float = 0.0) -> Path:
    """`age`: seconds that it was not used, from then on."""
    with cache.lease() as lease:
        path, seconds = await cache.get(name, lease, maker)
    assert seconds == 0.1
    if age:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    return path


def names(cache: Cache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()}


async def test_a_second_time_it_is_there(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path / "new" / "folder", 10 * SIZE), Maker()
    assert await get(cache, "a", maker) == await get(cache, "a", maker)
    assert await get(Cache(cache.folder, 10 * SIZE), "a", maker) == cache.folder / "a.wav"
    assert maker.made == 1
    assert (cache.folder / "a.wav").stat().st_mode & 0o077 == 0, "prompts may be private"
    assert cache.folder.stat().st_mode & 0o077 == 0


async def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 3 * SIZE), Maker()
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        await get(cache, name, maker, age)
    await get(cache, "a", maker)
    await get(cache, "d", maker)
    assert names(cache) == {"a.wav", "c.wav", "d.wav"}


async def test_what_is_being_played_stays(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 0), Maker()
    with cache.lease() as lease:
        await cache.get("a", lease, maker)
        await get(cache, "b", maker)
        assert names(cache) == {"a.wav", "b.wav"}
    await get(cache, "c", maker)
    assert names(cache) == {"c.wav"}


class Slow(Cache):
    """Has looked what there is, and removes what is too much only when it is told to."""

    def __init__(self, folder: Path, limit: int) -> None:
        super().__init__(folder, limit)
        self.looked, self.go = threading.Event(), threading.Event()
        self.slow = False

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        files = super()._files()
        if self.slow:
            self.looked.set()
            assert self.go.wait(20)
        return files


async def test_what_is_taken_while_others_are_removed_stays(tmp_path: Path) -> None:
    cache, maker = Slow(tmp_path, SIZE), Maker()
    await get(cache, "a", maker, age=30)
    cache.slow = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(get, cache, "b", maker)
        assert await trio.to_thread.run_sync(cache.looked.wait, 20)
        with cache.lease() as lease:
            path, _ = await cache.get("a", lease, maker)
            cache.go.set()
            while cache._turns:  # noqa: ASYNC110 - a thread comes before it
                await trio.sleep(0.001)
            assert path.name in names(cache), "it is about to be played"


async def test_two_that_want_the_same_have_it_made_once(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 10 * SIZE), Maker()
    maker.go = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(get, cache, "a", maker)
        while not maker.begun:  # noqa: ASYNC110 - a thread comes before it
            await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked()
        maker.go.set()
    assert maker.begun == maker.made == 1
    assert not cache._turns


async def test_if_who_makes_it_gives_up_the_next_one_does(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 10 * SIZE), Maker()
    maker.go = trio.Event()
    first = trio.CancelScope()

    async def impatient() -> None:
        with first:
            await get(cache, "a", maker)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(impatient)
        while not maker.begun:  # noqa: ASYNC110 - a thread comes before it
            await trio.sleep(0.001)
        nursery.start_soon(get, cache, "a", maker)
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()
        maker.go.set()
    assert (maker.begun, maker.made) == (2, 1)
    assert names(cache) == {"a.wav"}, "nothing unfinished is left"


async def test_what_fails_leaves_nothing_and_is_made_anew(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 10 * SIZE), Maker()

    async def broken(out: Path) -> None:
        out.write_bytes(b"RIFF")  # noqa: ASYNC240 - a test may

    with cache.lease() as lease, pytest.raises(SpeechFailed, match="can't be read"):
        await cache.get("a", lease, broken)
    assert names(cache) == set()
    await get(cache, "a", maker)
    (cache.folder / "a.wav").write_bytes(b"")  # a machine that lost its power
    await get(cache, "a", maker)
    assert maker.made == 2


async def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    cache = Cache(HERE, 0)
    with cache.lease() as lease, pytest.raises(SpeechFailed, match="can't be written"):
        await cache.get("a", lease, Maker())


async def test_unfinished_files_of_the_past_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10 * SIZE)
    _leave_behind(tmp_path)
    await get(cache, "a", Maker())
    assert names(cache) == {"a.wav", "new.part"}


def _leave_behind(tmp_path: Path) -> None:
    old, new = tmp_path / "old.part", tmp_path / "new.part"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))


async def test_a_lease_counts(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path, 0), Maker()
    with cache.lease() as one:
        with cache.lease() as other:
            assert isinstance(other, Lease)
            for lease in (one, other):
                await cache.get("a", lease, maker)
        await get(cache, "b", maker)
        assert names(cache) >= {"a.wav"}
        await partial(get, cache, "c", maker)()
        assert "a.wav" in names(cache)
    assert not cache._held
