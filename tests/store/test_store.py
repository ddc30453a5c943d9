"""The store: what is kept, what is atomic, what is told when the file is bad."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from vodiabot.errors import StoreError, UsageError
from vodiabot.store import Store, StoreView
from vodiabot.store.file import Outcome, StoreFile
from vodiabot.store.values import end_of

TIMEOUT = 30


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Store]:
    """A store; afterwards its thread is gone."""
    store = Store(path, **options)
    try:
        with trio.fail_after(TIMEOUT):
            yield store
    finally:
        await store.aclose()
        thread = store._worker._thread if store._worker is not None else None
        assert thread is None or not thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "plugin.sqlite3"


# --- one key ---------------------------------------------------------------------------------------------------------


async def test_what_is_set_is_there_and_stays_after_closing(path: Path) -> None:
    async with opened(path) as store:
        assert await store.get("a") is None
        assert await store.get("a", 5) == 5
        await store.set("a", {"list": [1, 2.5, None, True, "ü"]})
        assert await store.get("a") == {"list": [1, 2.5, None, True, "ü"]}
    assert path.parent.stat().st_mode & 0o777 == 0o700, "others on the machine must not read it"
    async with opened(path) as store:
        assert await store.get("a") == {"list": [1, 2.5, None, True, "ü"]}
        assert await store.delete("a") is True
        assert await store.delete("a") is False
        assert await store.get("a", "gone") == "gone"


async def test_a_value_that_was_stored_is_not_the_one_that_is_changed_later(path: Path) -> None:
    async with opened(path) as store:
        value = [1]
        await store.set("a", value)
        value.append(2)
        assert await store.get("a") == [1]


@dataclass
class Wake:
    room: str
    at: float


async def test_a_type_comes_back_as_such(path: Path) -> None:
    async with opened(path) as store:
        await store.set("wake", Wake("101", 7.5))
        assert await store.get("wake", type=Wake) == Wake("101", 7.5)
        await store.set("wake", {"room": 5})
        with pytest.raises(StoreError, match="'wake'"):
            await store.get("wake", type=Wake)


async def test_expiry(path: Path) -> None:
    now = [1000.0]
    async with opened(path, wall=lambda: now[0]) as store:
        await store.set("short", 1, ttl=10)
        await store.set("long", 1)
        now[0] = 1009.9
        await store.update("short", lambda n: n + 1)
        assert await store.items() == [("long", 1), ("short", 2)]
        now[0] = 1010.0
        assert await store.get("short") is None
        assert await store.keys() == ["long"]
        assert await store.delete("short") is False
        assert await store.update("short", lambda n: n + 1, 0) == 1
        now[0] = 9e9
        assert await store.get("short") == 1, "it is a new value, without an end"


async def test_what_has_expired_leaves_the_file(path: Path) -> None:
    now = [0.0]
    async with opened(path, wall=lambda: now[0]) as store:
        await store.set("old", 1, ttl=1)
        now[0] = 5.0
    async with opened(path, wall=lambda: now[0]) as store:
        await store.get("old")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM kv").fetchone() == (0,)
    db.close()


@pytest.mark.parametrize("key", ["", "x" * 1001, "a\0b", "\ud800", 5])
async def test_a_key_that_can_t_be(path: Path, key: Any) -> None:
    async with opened(path) as store:
        for act in (store.get(key), store.set(key, 1), store.delete(key), store.update(key, lambda n: n)):
            with pytest.raises(UsageError):
                await act


async def test_a_value_that_can_t_be_is_told_with_its_key(path: Path) -> None:
    async with opened(path) as store:
        with pytest.raises(UsageError, match="'a'"):
            await store.set("a", object())
        with pytest.raises(UsageError, match="'a'"):
            await store.update("a", lambda _: object())
        assert await store.get("a") is None


async def test_updates_of_many_tasks_lose_nothing(path: Path) -> None:
    async with opened(path) as store:
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(store.update, "n", lambda n: n + 1, 0)
        assert await store.get("n") == 200


async def test_an_update_that_raises_changes_nothing_and_harms_no_other(path: Path) -> None:
    async with opened(path) as store:
        raised: list[str] = []

        async def fail(number: int) -> None:
            with pytest.raises(ZeroDivisionError):
                await store.update("a", lambda n: n / 0, number)
            raised.append("yes")

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(fail, number)
                nursery.start_soon(store.set, f"other{number}", number)
        assert len(raised) == 10
        assert len(await store.keys("other")) == 10
        assert await store.get("a") is None


async def test_changes_of_many_tasks_share_commits(path: Path) -> None:
    async with opened(path) as store:
        await store.open()
        gate = threading.Event()
        commits: list[int] = []
        run = StoreFile.run

        def counted(self: StoreFile, outcomes: list[Outcome[Any]]) -> None:
            gate.wait()
            commits.append(len(outcomes))
            run(self, outcomes)

        StoreFile.run = counted  # type: ignore[method-assign]
        try:
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(store.set, f"k{number}", number)
                await trio.testing.wait_all_tasks_blocked()
                gate.set()
        finally:
            StoreFile.run = run  # type: ignore[method-assign]
        assert sum(commits) == 100
        assert len(commits) <= 2


# --- prefixes --------------------------------------------------------------------------------------------------------


@given(prefix=st.text(max_size=4), rest=st.text(max_size=3), other=st.text(max_size=6))
def test_the_end_of_a_prefix_is_after_all_that_begin_with_it(prefix: str, rest: str, other: str) -> None:
    end = end_of(prefix)
    for text in (prefix + rest, other):
        try:
            inside = prefix.encode() <= text.encode() and (not end or text.encode() < end.encode())
        except UnicodeEncodeError:
            continue
        assert inside == text.startswith(prefix)


async def test_keys_and_items_by_prefix(path: Path) -> None:
    async with opened(path) as store:
        for key in ("wake/2", "wake/1", "wak", "waki", "wake0", "other"):
            await store.set(key, key.upper())
        assert await store.keys("wake/") == ["wake/1", "wake/2"]
        assert await store.items("wake/") == [("wake/1", "WAKE/1"), ("wake/2", "WAKE/2")]
        assert len(await store.keys()) == 6
        assert await store.keys("%") == []


# --- transactions ----------------------------------------------------------------------------------------------------


async def test_a_transaction_is_seen_whole_or_not_at_all(path: Path) -> None:
    async with opened(path) as store:
        await store.set("from", 10)
        async with store.transaction() as t:
            await t.set("from", await t.get("from") - 3)
            await t.set("to", await t.get("to", 0) + 3, ttl=1e6)
            assert await t.items() == [("from", 7), ("to", 3)]
            assert await store.items() == [("from", 10)], "outside nothing is seen yet"
            assert await t.delete("from")
            assert await t.keys() == ["to"]
            assert await t.get("from") is None
        assert await store.items() == [("to", 3)]


async def test_a_transaction_that_is_left_by_an_exception_or_a_cancellation_changes_nothing(path: Path) -> None:
    async with opened(path) as store:
        with suppress(ZeroDivisionError):
            async with store.transaction() as t:
                await t.set("a", 1)
                raise ZeroDivisionError
        with trio.move_on_after(0) as scope:
            async with store.transaction() as t:
                await t.set("a", 1)
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert await store.get("a") is None
        with pytest.raises(UsageError):
            await t.set("a", 1)


async def test_others_changes_wait_for_the_end_of_a_transaction(path: Path) -> None:
    async with opened(path) as store, trio.open_nursery() as nursery:
        async with store.transaction() as t:
            seen = await t.get("n", 0)
            for _ in range(5):
                nursery.start_soon(store.update, "n", lambda n: n + 1, 0)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await t.set("n", seen + 100)
        await store.set("end", 1)
        assert await store.get("n") == 105


async def test_the_store_itself_is_refused_inside_a_transaction(path: Path) -> None:
    async with opened(path) as store:
        async with store.transaction() as t:
            for act in (store.set("a", 1), store.delete("a"), store.update("a", lambda n: n)):
                with pytest.raises(UsageError, match="transaction"):
                    await act
            with pytest.raises(UsageError, match="transaction"):
                async with store.transaction():
                    pass
            await t.set("a", 2)
        await store.set("b", 1)
        assert await store.items() == [("a", 2), ("b", 1)]


async def test_another_process_that_changes_what_a_transaction_has_read_is_noticed(path: Path) -> None:
    async with opened(path) as store, opened(path) as other:
        async def count() -> None:
            async with store.transaction() as t:
                n = await t.get("n")
                await other.set("n", 50)
                await t.set("n", n + 1)

        await store.set("n", 1)
        with pytest.raises(StoreError, match="another process"):
            await count()
        assert await store.get("n") == 50


# --- versions --------------------------------------------------------------------------------------------------------


def lists(view: StoreView, version: int) -> None:
    assert version == 1
    for key, value in view.items("n/"):
        view.set(key, [value])
    view.delete("old")
    assert view.get("n/1") == [1]
    assert view.keys() == ["n/1", "n/2"]


async def old(path: Path) -> None:
    async with opened(path) as store:
        await store.set("n/1", 1)
        await store.set("n/2", 2)
        await store.set("old", 3)


async def test_a_migration_runs_once(path: Path) -> None:
    await old(path)
    for _ in range(2):
        async with opened(path, version=2, migrate=lists) as store:
            assert await store.items() == [("n/1", [1]), ("n/2", [2])]


async def test_a_new_file_needs_no_migration(path: Path) -> None:
    async with opened(path, version=7) as store:
        await store.set("a", 1)
    async with opened(path, version=7) as store:
        assert await store.get("a") == 1


def fails(view: StoreView, version: int) -> None:
    view.delete("old")
    view.set("n/1", "half")
    raise ZeroDivisionError("a slip")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"version": 2, "migrate": fails}, ZeroDivisionError, "a slip"),
        ({"version": 2}, StoreError, "migrate_store"),
        ({"version": 0}, StoreError, "newer plugin"),
    ],
)
async def test_what_can_t_be_migrated_is_left_as_it_was(path: Path, options: Any, error: Any, says: str) -> None:
    await old(path)
    async with opened(path, **options) as store:
        with pytest.raises(error, match=says):
            await store.open()
        with pytest.raises(error, match=says):
            await store.get("old")
    async with opened(path) as store:
        assert await store.items() == [("n/1", 1), ("n/2", 2), ("old", 3)]


def put(path: Path, content: bytes | bytearray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def taken(path: Path) -> bytes:
    return path.read_bytes()


# --- bad files -------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_no_database(path: Path) -> None:
    letter = b"this is no database, it is a letter" * 100
    put(path, letter)
    async with opened(path) as store:
        with pytest.raises(StoreError, match=r"plugin\.sqlite3"):
            await store.get("a")
    assert taken(path) == letter


async def test_another_program_s_database_is_not_touched(path: Path) -> None:
    put(path, b"")
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE kv (a)")
    db.close()
    before = taken(path)
    async with opened(path) as store:
        with pytest.raises(StoreError, match="not a store"):
            await store.set("a", 1)
    assert taken(path) == before


async def test_a_damaged_file_is_told_and_kept(path: Path) -> None:
    async with opened(path) as store, store.transaction() as t:
        for number in range(500):
            await t.set(f"key{number}", "x" * 100)
    whole = bytearray(taken(path))
    whole[4096 * 3 : 4096 * 8] = os.urandom(4096 * 5)
    put(path, whole)
    async with opened(path) as store:
        with pytest.raises(StoreError, match=r"plugin\.sqlite3"):
            await store.get("key1")
    assert taken(path) == whole


async def test_a_folder_that_can_t_be_made(tmp_path: Path) -> None:
    put(tmp_path / "state", b"a file")
    async with opened(tmp_path / "state" / "plugin.sqlite3") as store:
        with pytest.raises(StoreError, match="state"):
            await store.set("a", 1)


async def sql(store: Store, statement: str) -> list[Any]:
    """In the store's thread."""
    worker = await store._opened()
    return await worker.outcome(worker.submit(lambda view: view._db.execute(statement).fetchall(), writes=False))


async def test_a_full_disk_fails_those_that_need_room_and_loses_nothing(path: Path) -> None:
    async with opened(path) as store:
        await store.set("kept", 1)
        await sql(store, "PRAGMA max_page_count = 8")
        failed: list[str] = []

        async def big() -> None:
            with pytest.raises(StoreError, match=r"plugin\.sqlite3: .*full"):
                await store.set("big", "x" * 100_000)
            failed.append("big")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(big)
            for number in range(20):
                nursery.start_soon(store.set, f"small{number}", number)
        assert failed == ["big"]
        assert len(await store.keys("small")) == 20
        await sql(store, "PRAGMA max_page_count = 1000")
        await store.set("big", "x" * 100_000)
    async with opened(path) as store:
        assert await store.get("kept") == 1


async def test_a_disk_that_has_become_read_only(path: Path) -> None:
    async with opened(path) as store:
        await store.set("a", 1)
        await sql(store, "PRAGMA query_only = 1")
        with pytest.raises(StoreError, match="readonly"):
            await store.set("a", 2)
        assert await store.get("a") == 1


async def test_a_commit_waits_for_the_disk(path: Path) -> None:
    async with opened(path) as store:
        assert await sql(store, "PRAGMA synchronous") == [(2,)], "FULL"
        assert await sql(store, "PRAGMA journal_mode") == [("wal",)]


# --- in virtual time -------------------------------------------------------------------------------------------------


async def test_virtual_time_does_not_pass_while_the_store_works(path: Path, autojump_clock: MockClock) -> None:
    def grown(view: StoreView, version: int) -> None:
        view.set("a", view.get("a") + version)

    with trio.fail_after(1):
        async with opened(path, wall=trio.current_time) as store:
            await store.set("a", 1, ttl=10)
            await store.set("b", 1, ttl=0.5)
        async with opened(path, wall=trio.current_time, version=2, migrate=grown) as store:
            async with store.transaction() as t:
                await t.set("c", await t.get("a"))
            assert await store.items() == [("a", 2), ("b", 1), ("c", 2)]
            await trio.sleep(0.6)
            assert await store.keys() == ["a", "c"]
            with pytest.raises(ZeroDivisionError):
                await store.update("a", lambda n: n / 0)
            await store.aclose()
            with pytest.raises(UsageError):
                await store.get("a")
        async with opened(path, wall=trio.current_time) as store:
            with pytest.raises(StoreError, match="newer"):
                await store.open()


# --- its life --------------------------------------------------------------------------------------------------------


async def test_what_was_asked_before_closing_is_done_and_nothing_after(path: Path) -> None:
    store = Store(path)
    async with trio.open_nursery() as nursery:
        await store.open()
        for number in range(50):
            nursery.start_soon(store.set, f"k{number}", number)
        await trio.testing.wait_all_tasks_blocked()
        await store.aclose()
        await store.aclose()
    with pytest.raises(UsageError, match="closed"):
        await store.open()
    with pytest.raises(UsageError, match="closed"):
        await store.set("late", 1)
    async with opened(path) as store:
        assert len(await store.keys()) == 50


async def test_a_cancelled_change_that_had_not_begun_is_not_made(path: Path) -> None:
    async with opened(path) as store:
        await store.open()
        at_it, gate = threading.Event(), threading.Event()

        def stuck(value: Any) -> int:
            at_it.set()
            gate.wait(TIMEOUT)
            return 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.update, "slow", stuck)
            await trio.to_thread.run_sync(at_it.wait)
            with trio.move_on_after(0.01) as scope:
                await store.set("cancelled", 1)
            assert scope.cancelled_caught, "and the trio thread was free all the while"
            gate.set()
        assert await store.keys() == ["slow"]


async def test_a_store_that_nobody_uses_makes_no_file_and_no_thread(path: Path) -> None:
    async with opened(path):
        pass
    assert not path.parent.exists()
