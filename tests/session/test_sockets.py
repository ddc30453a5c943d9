"""Whole sessions over real sockets: what is asked of the PBX, large frames, and connections that end in every way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio

from vodiabot.errors import ConnectionLost, LoginRefused
from vodiabot.protocol import commands
from vodiabot.session import Session, SessionTimers

from .kit import admin_config, extension_config, pbx_config
from .stub import Answer, StubPbx, serving
from .test_login import third_party

QUICK = SessionTimers(first_retry=0.05, longest_retry=0.2, refused=0.2, answer=20)
MIB = 1024 * 1024


class Told:
    """What a session tells, to be waited for."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.frames: list[str] = []

    async def until(self, holds: Callable[[], bool]) -> None:
        with trio.fail_after(30):
            while not holds():  # noqa: ASYNC110 - the session and the stub both change what is waited for
                await trio.sleep(0.01)


@asynccontextmanager
async def session_at(
    pbx: StubPbx, *, timers: SessionTimers = QUICK, url: str = "", **changes: Any
) -> AsyncIterator[tuple[Session, Told]]:
    told = Told()
    session = Session(
        pbx_config(url or pbx.url, **changes),
        extension_config(),
        on_frame=lambda text, message: told.frames.append(text),
        on_up=lambda reason: told.turns.append("up"),
        on_down=lambda reason: told.turns.append("down"),
        timers=timers,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        yield session, told
        nursery.cancel_scope.cancel()
    assert told.turns == ["up", "down"] * (len(told.turns) // 2)


@pytest.mark.parametrize("way", ["password", "md5", "token"])
async def test_the_session_goes_to_the_socket_in_a_cookie(way: str) -> None:
    pbx = StubPbx()
    if way == "token":
        pbx.answer = third_party(pbx)
    async with serving(pbx), session_at(pbx, login=way, admin=admin_config()) as (session, told):
        await told.until(lambda: told.turns == ["up"])
        assert session.server_header == "Vodia-PBX/69.5.3"
        (upgrade,) = pbx.upgrades
        assert upgrade.path == "/websocket"
        assert upgrade.query == {"domain": "test.example", "user": "45"}
        assert upgrade.headers["cookie"] == "session=session-number-1-of-45"
        assert pbx.heard[0]["action"] == "avoid-disconnect"


async def test_the_session_goes_to_the_socket_in_the_address() -> None:
    pbx = StubPbx()
    async with serving(pbx), session_at(pbx, login="url") as (_, told):
        await told.until(lambda: told.turns == ["up"])
        (upgrade,) = pbx.upgrades
        assert upgrade.query == {"domain": "test.example", "user": "45", "session": "session-number-1-of-45"}
        assert "cookie" not in upgrade.headers


async def test_a_pbx_behind_a_path() -> None:
    pbx = StubPbx()
    async with serving(pbx) as port, session_at(pbx, url=f"ws://localhost:{port}/branch/one/") as (_, told):
        await told.until(lambda: told.turns == ["up"])
        assert pbx.requests[0].path == "/branch/one/rest/system/session"
        assert pbx.upgrades[0].path == "/branch/one/websocket"


@pytest.mark.parametrize("way", ["password", "token", "url"])
async def test_every_connect_logs_in_anew(way: str) -> None:
    pbx = StubPbx()
    if way == "token":
        pbx.answer = third_party(pbx)
    async with serving(pbx), session_at(pbx, login=way, admin=admin_config()) as (_, told):
        for number in range(1, 4):
            await told.until(lambda count=number: told.turns.count("up") == count)  # type: ignore[misc]
            asked = pbx.upgrades[-1]
            assert f"session-number-{number}-of-45" in (asked.headers.get("cookie", ""), asked.query.get("session"))[
                way == "url"
            ]
            pbx.cut()
    tokens = [request.body["value"] for request in pbx.requests if request.body["name"] == "session"]
    assert len(set(tokens)) == len(tokens) >= (3 if way == "token" else 0)


async def test_frames_up_to_8_mib_are_delivered_and_larger_ones_dropped() -> None:
    pbx = StubPbx()
    async with serving(pbx), session_at(pbx) as (_, told):
        await told.until(lambda: told.turns == ["up"])
        for size in (7 * MIB, 9 * MIB, 1):
            await pbx.open[0].send_message(json.dumps({"action": f"of {size}", "fill": "x" * size}))
        await told.until(lambda: any("of 1" in frame[:30] for frame in told.frames))
        assert [len(frame) // MIB for frame in told.frames[-2:]] == [7, 0]
        assert len(pbx.upgrades) == 1


@pytest.mark.parametrize("times", [3])
async def test_a_pbx_that_is_killed_and_started_again(times: int) -> None:
    pbx = StubPbx()
    async with serving(pbx) as port:
        pass  # to know a port
    async with session_at(pbx) as (session, told):
        for number in range(times):
            async with serving(pbx, port=port):
                await told.until(lambda: session.up)
                assert told.turns == ["up", "down"] * number + ["up"]
            await told.until(lambda: not session.up)
        assert told.turns == ["up", "down"] * times
        assert isinstance(session.trouble, ConnectionLost)


async def test_a_connection_that_is_cut_without_a_close() -> None:
    pbx = StubPbx()
    async with serving(pbx), session_at(pbx) as (_, told):
        for number in range(1, 4):
            await told.until(lambda count=number: told.turns == ["up", "down"] * (count - 1) + ["up"])  # type: ignore[misc]
            pbx.cut()
            await told.until(lambda count=number: told.turns.count("down") == count)  # type: ignore[misc]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_pbx_that_closes_politely(code: int) -> None:
    pbx = StubPbx()
    async with serving(pbx), session_at(pbx) as (_, told):
        await told.until(lambda: told.turns == ["up"])
        with trio.move_on_after(0.5):  # the stub's own reader has ended then, which aclose would wait for
            await pbx.open[0].aclose(code, "go away")
        await told.until(lambda: told.turns == ["up", "down", "up"])


@pytest.mark.parametrize(("status", "trouble"), [(403, LoginRefused), (401, LoginRefused), (500, ConnectionLost)])
async def test_a_refused_websocket(status: int, trouble: type[Exception]) -> None:
    pbx = StubPbx()
    pbx.refuse_upgrade = status
    async with serving(pbx), session_at(pbx) as (session, told):
        await told.until(lambda: len(pbx.upgrades) >= 3)
        assert type(session.trouble) is trouble
        assert str(status) in str(session.trouble)
        pbx.refuse_upgrade = None
        await told.until(lambda: told.turns == ["up"])


async def test_a_handshake_that_is_hung_up_on_is_noticed_before_its_time_is_over() -> None:
    pbx = StubPbx()
    pbx.hang_up_on_upgrade = True
    with trio.fail_after(QUICK.answer / 2):
        async with serving(pbx), session_at(pbx) as (session, told):
            await told.until(lambda: len(pbx.upgrades) >= 3)
            assert isinstance(session.trouble, ConnectionLost)
            assert "closed before the WebSocket was open" in str(session.trouble)
            pbx.hang_up_on_upgrade = False
            await told.until(lambda: told.turns == ["up"])


async def test_three_refused_logins_and_then_it_is_up() -> None:
    pbx = StubPbx()

    def answer(request: Any) -> Answer:
        return Answer(status=403) if len(pbx.requests) <= 3 else pbx.log_in(request)

    pbx.answer = answer
    async with serving(pbx), session_at(pbx) as (session, told):
        await told.until(lambda: isinstance(session.trouble, LoginRefused))
        await told.until(lambda: told.turns == ["up"])
        assert len(pbx.requests) == 4


async def test_a_pbx_that_does_not_read_harms_neither_reading_nor_leaving() -> None:
    pbx = StubPbx()
    async with serving(pbx), trio.open_nursery() as nursery:
        async with session_at(pbx) as (session, told):
            await told.until(lambda: told.turns == ["up"])
            pbx.deafen()
            nursery.start_soon(_send_until_lost, session)
            await trio.sleep(1)  # until all buffers are full; sooner or later makes no difference to what follows
            await pbx.open[0].send_message('{"action": "still heard"}')
            await told.until(lambda: '{"action": "still heard"}' in told.frames)
            started = trio.current_time()
        assert trio.current_time() - started < 10


async def _send_until_lost(session: Session) -> None:
    async def one() -> None:
        while session.up:
            with suppress(ConnectionLost):
                await session.send(commands.SendChat(src="45", dest="46", message="x" * 100_000))

    async with trio.open_nursery() as nursery:
        for _ in range(150):
            nursery.start_soon(one)


async def test_a_socket_that_falls_silent_half_open() -> None:
    """The stub's reader gets stuck behind what nobody takes, so that it does not even pong."""
    pbx = StubPbx()
    timers = SessionTimers(first_retry=0.05, keepalive=0.05, ping=0.2, dead=1.0)
    async with serving(pbx), session_at(pbx, timers=timers) as (session, told):
        await told.until(lambda: told.turns == ["up"])
        pbx.deafen()
        await told.until(lambda: told.turns == ["up", "down"])
        assert "nothing was heard" in str(session.trouble)
        pbx.hear_again()
        await told.until(lambda: told.turns[-1] == "up")
