"""DNS that hangs, goes away, comes back, or gives another address: what becomes of the tries to connect."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from vodiabot.errors import ConnectionLost
from vodiabot.session import SessionTimers
from vodiabot.session.names import FRESH, HANGING, THREADS, names_of_the_run
from vodiabot.session.socket import connect

from .kit import extension_config, pbx_config
from .stub import StubPbx, serving

REAL = socket.getaddrinfo
TIMERS = SessionTimers(answer=5.0)


class Dns:
    """Knows one name, `pbx.test`: `port` is where it leads to, after those `before`. Answers while `answers` is set, by
    an error while it is `away`. `asked`: how often."""

    def __init__(self) -> None:
        self.port = 0
        self.before: list[Any] = []
        self.asked = 0
        self.away = False
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        if host not in ("pbx.test", b"pbx.test") or flags & socket.AI_NUMERICHOST:
            return REAL(host, port, family, type, proto, flags)
        self.asked += 1
        self.answers.wait(20)
        if self.away:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        where = [*self.before, ("127.0.0.1", self.port)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in where]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    dns = Dns()
    monkeypatch.setattr(socket, "getaddrinfo", dns)
    yield dns
    dns.answers.set()


async def connected(timers: SessionTimers = TIMERS) -> None:
    async with connect(pbx_config("http://pbx.test"), extension_config(), timers, lambda secret: None):
        pass


async def hung(dns: Dns, times: int) -> None:
    """Returns when so many look-ups hang."""
    with trio.fail_after(10):
        while dns.asked < times:  # noqa: ASYNC110 - threads tell it
            await trio.sleep(0.01)


async def test_each_connect_looks_the_name_up_anew_and_goes_to_one_place(dns: Dns) -> None:
    first, second = StubPbx(), StubPbx()
    async with serving(first) as one, serving(second) as two:
        for dns.port in (one, two):
            await connected()
    assert [len(pbx.upgrades) for pbx in (first, second)] == [1, 1]
    assert dns.asked == 2


async def test_dns_that_goes_away_and_comes_back(dns: Dns) -> None:
    async with serving(StubPbx()) as dns.port:
        dns.away = True
        with pytest.raises(ConnectionLost, match="name resolution"):
            await connected()
        dns.away = False
        await connected()


async def test_dns_that_takes_longer_than_a_try_serves_the_next_one(dns: Dns) -> None:
    """As behind a first name server that is dead."""
    dns.answers.clear()
    async with serving(StubPbx()) as dns.port:
        with pytest.raises(ConnectionLost, match="DNS does not answer"):
            await connected(SessionTimers(answer=0.1))
        dns.answers.set()
        await connected()
    assert dns.asked == 1


async def given_up(dns: Dns, times: int) -> None:
    """Ask, and give up when so many look-ups hang in all."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(names_of_the_run().getaddrinfo, b"pbx.test", 80)
        await hung(dns, times)
        nursery.cancel_scope.cancel()


async def test_dns_that_hangs_takes_few_threads_and_none_of_those_of_the_others(
    dns: Dns, mock_clock: trio.testing.MockClock
) -> None:
    dns.answers.clear()
    mock_clock.rate = 1
    for number in range(HANGING):
        await given_up(dns, number + 1)
        mock_clock.jump(FRESH)
    mock_clock.rate = 100
    for _ in range(10):
        with trio.move_on_after(FRESH):
            await names_of_the_run().getaddrinfo(b"pbx.test", 80)
    assert dns.asked == HANGING
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0


async def test_dns_is_asked_again_beside_a_look_up_that_hangs(dns: Dns, mock_clock: trio.testing.MockClock) -> None:
    dns.answers.clear()
    mock_clock.rate = 1
    await given_up(dns, 1)
    mock_clock.jump(FRESH)
    old, dns.answers = dns.answers, threading.Event()
    dns.answers.set()
    try:
        assert await names_of_the_run().getaddrinfo(b"pbx.test", 80)
    finally:
        old.set()


async def test_a_dead_address_beside_one_that_lives_costs_a_moment(dns: Dns) -> None:
    """As where IPv6 is announced and leads nowhere: nobody answers there, and nobody refuses."""
    async with serving(StubPbx()) as dns.port:
        with socket.socket() as dead, socket.socket() as only_one:
            dead.bind(("127.0.0.1", 0))
            dead.listen(0)
            only_one.connect(dead.getsockname())  # who comes after it is not answered, where nobody accepts
            dns.before = [dead.getsockname()]
            with trio.fail_after(SessionTimers().answer):
                await connected()


async def test_no_thread_to_be_had_is_a_failed_try_and_no_more(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processes that is hit for a while must not keep the bot from the PBX for good."""

    def none_left(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    async with serving(StubPbx()) as dns.port:
        with monkeypatch.context() as limited:
            limited.setattr(trio.lowlevel, "start_thread_soon", none_left)
            for _ in range(THREADS + HANGING):
                with pytest.raises(ConnectionLost, match="no thread"):
                    await connected()
        with trio.fail_after(5):
            await connected()
