"""The socket by which the shell reaches a running bot."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot.control import LOCK, LONGEST_LINE, SOCKET, ask, serve_control, sole_bot
from vodiabot.errors import AlreadyRunning, NotRunning, UsageError


async def status() -> dict[str, Any]:
    return {"up": True}


async def broken() -> None:
    raise RuntimeError("oops")


async def unspeakable() -> str:
    return "half a \udcff"


ANSWERS = {"status": status, "broken": broken, "unspeakable": unspeakable}


@asynccontextmanager
async def serving(state_dir: Path) -> AsyncIterator[None]:
    with sole_bot(state_dir):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, state_dir, ANSWERS)
            yield
            nursery.cancel_scope.cancel()


async def test_a_request_is_answered_and_nothing_is_left_but_the_lock(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    async with serving(state):
        assert await ask(state, "status") == {"up": True}
        assert await ask(state, "status") == {"up": True}
        mode = (state / SOCKET).stat().st_mode & 0o777
    assert mode == 0o600, "others on the machine must not reload the bot"
    assert state.stat().st_mode & 0o777 == 0o700, "nor read what it keeps"
    assert os.listdir(state) == ["control.lock"]
    with pytest.raises(NotRunning, match="no bot runs"):
        await ask(state, "status")


async def test_what_can_not_be_done_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path):
        with pytest.raises(UsageError, match="there are status, broken"):
            await ask(tmp_path, "stautus")
        with pytest.raises(UsageError, match="RuntimeError: oops"):
            await ask(tmp_path, "broken")
        with pytest.raises(UsageError, match="UnicodeEncodeError"):
            await ask(tmp_path, "unspeakable")
        assert await ask(tmp_path, "status") == {"up": True}, "and it goes on"


@pytest.mark.parametrize(
    "nonsense", [b"what\n", b"[1]\n", b'{"request": ["a"]}\n', b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n"]
)
async def test_nonsense_is_refused(tmp_path: Path, nonsense: bytes) -> None:
    async with serving(tmp_path):
        stream = await trio.open_unix_socket(tmp_path / SOCKET)
        async with stream:
            await stream.send_all(nonsense)
            assert b'"ok":false' in await stream.receive_some()
        assert await ask(tmp_path, "status") == {"up": True}


async def test_a_line_without_end_ends_its_connection_only(tmp_path: Path) -> None:
    async with serving(tmp_path):
        stream = await trio.open_unix_socket(tmp_path / SOCKET)
        async with stream:
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x" * (LONGEST_LINE * 10))
        assert await ask(tmp_path, "status") == {"up": True}


async def test_the_socket_of_a_bot_that_was_killed_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / SOCKET))
    left.close()
    with pytest.raises(NotRunning, match="no bot runs"):
        await ask(tmp_path, "status")
    async with serving(tmp_path):
        assert await ask(tmp_path, "status") == {"up": True}


async def test_the_socket_of_a_living_bot_is_not(tmp_path: Path) -> None:
    async with serving(tmp_path):
        for _ in range(2):
            with pytest.raises(AlreadyRunning) as refused, sole_bot(tmp_path):
                pytest.fail("two bots in one state_dir")
            assert str(refused.value) == f"another bot runs with state_dir {tmp_path} (process {os.getpid()})"
        assert await ask(tmp_path, "status") == {"up": True}


async def test_who_holds_the_lock_need_not_have_said_who_it_is(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("123456789")  # of the one before, longer than any process's number
    with sole_bot(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
        (tmp_path / LOCK).write_text("")
        with pytest.raises(AlreadyRunning, match=rf"{tmp_path}$"), sole_bot(tmp_path):
            pytest.fail("two bots in one state_dir")


async def test_a_folder_with_a_long_path(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 20) / ("path" * 20)
    async with serving(state):
        assert await ask(state, "status") == {"up": True}


async def test_a_bot_that_ends_before_it_has_answered(tmp_path: Path) -> None:
    async def never() -> None:
        nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    with pytest.raises(NotRunning, match="has ended"):  # noqa: PT012 - the server has to end meanwhile
        async with trio.open_nursery() as outer:
            ready = trio.Event()

            async def serve() -> None:
                nonlocal nursery
                async with trio.open_nursery() as nursery:
                    await nursery.start(serve_control, tmp_path, {"never": never})
                    ready.set()

            nursery: trio.Nursery
            outer.start_soon(serve)
            await ready.wait()
            try:
                await ask(tmp_path, "never")
            except NotRunning as exc:
                caught = exc
            outer.cancel_scope.cancel()
        raise caught
