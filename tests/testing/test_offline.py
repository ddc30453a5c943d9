"""What is kept in while a tape or a test is played."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trio

from vodiabot.testing.offline import OfflineError, offline
from vodiabot.testing.scenario import load
from vodiabot.testing.scenario.virtual import run_virtual

pytest_plugins = ["pytester"]


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def by_socket(host: str, port: int) -> None:
    socket.create_connection((host, port)).close()


def by_datagram(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", (host, port))


def by_asyncio(host: str, port: int) -> None:
    async def work() -> None:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await writer.wait_closed()

    asyncio.run(work())


def by_trio(host: str, port: int) -> None:
    async def work() -> None:
        await (await trio.open_tcp_stream(host, port)).aclose()

    try:
        trio.run(work)
    except OSError as exc:
        if isinstance(exc.__cause__, BaseExceptionGroup):  # trio's own only says that it failed
            raise exc.__cause__.exceptions[0] from None
        raise


def by_trios_datagram(host: str, port: int) -> None:
    async def work() -> None:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.sendto(b"", (host, port))

    trio.run(work)


def by_thread(host: str, port: int) -> None:
    raised: list[OSError] = []

    def work() -> None:
        try:
            by_socket(host, port)
        except OSError as exc:
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


WAYS = (by_socket, by_datagram, by_asyncio, by_trio, by_trios_datagram, by_thread)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_gets_out_in_the_body_and_all_does_after_it(
    way: Callable[[str, int], None], listening: tuple[str, int]
) -> None:
    told: list[str] = []
    with offline("say please", allowed=False, told=told.append):
        for _ in range(2):
            with pytest.raises(OfflineError, match="nothing leaves the machine here"):
                way(*listening)
    wanted = f"something wanted to reach 127.0.0.1:{listening[1]}"
    assert told == [f"{wanted}, but nothing leaves the machine here (say please)"]
    with offline("", allowed=True, told=told.append):
        way(*listening)
    way(*listening)
    assert len(told) == 1


def test_no_name_is_looked_up_and_httpx_tells_why() -> None:
    with offline("", allowed=False, told=lambda text: None):
        with pytest.raises(httpx.ConnectError, match=r"reach hooks\.example\.com:443"):
            httpx.get("https://hooks.example.com/x")
        with pytest.raises(OfflineError, match=r"hooks\.example\.com"):
            socket.gethostbyname("hooks.example.com")
        assert socket.getaddrinfo("192.0.2.1", 80)  # no look-up


def test_unix_sockets_and_what_is_connected_go_on(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening) as known, offline("", allowed=False, told=lambda text: None):
        known.sendall(b"x")
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        other.close()


def test_the_world_of_a_test_is_offline_and_says_how_to_change_it(
    pytester: pytest.Pytester, listening: tuple[str, int]
) -> None:
    pytester.makepyfile(
        caller=f"""
        import socket
        from vodiabot import hookimpl

        @hookimpl
        async def answer_call(call):
            await call.answer()
            try:
                socket.create_connection({listening!r}).close()
            except OSError as exc:
                await call.say(exc.strerror)
            await call.hangup()
        """,
        test_caller="""
        import pytest

        async def test_kept_in(pbx, bot):
            caller = await pbx.call()
            await caller.hears("caller wanted to reach 127.0.0.1:")
            assert "network=True of the marker `vodiabot` allows it" in bot.warnings[0]["event"]

        @pytest.mark.vodiabot(network=True)
        async def test_allowed(pbx, bot):
            caller = await pbx.call()
            await caller.is_hung_up()
            assert len(bot.did) == 2, bot.did
        """,
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_scenario_tells_in_a_note_what_was_refused(tmp_path: Path) -> None:
    plugins = 'enabled = ["greeter", "notify"]'
    (tmp_path / "bot.toml").write_text(
        f'[plugins]\n{plugins}\n[plugin.notify]\nwebhook = "https://hooks.example.com/x"\nevents = ["answered"]\n'
    )
    (tmp_path / "scenario.toml").write_text('settings = "bot.toml"\n[[step]]\ncalls = "45"\n')
    outcome = run_virtual(load(tmp_path / "scenario.toml"))
    assert outcome.passed, outcome.as_text()
    assert outcome.notes == [
        "notify wanted to reach hooks.example.com:443, but nothing leaves the machine here (--network allows it)"
    ]
