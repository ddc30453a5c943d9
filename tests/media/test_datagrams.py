"""Sockets that are read in batches: real ones on the loopback, and some that misbehave."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aioice
import aioice.ice
import pytest

from vodiabot.media.datagrams import MAX_BATCH, MediaLoop, PolledTransport

AUDIO = bytes([0x80]) + bytes(40)
OTHER = bytes([0x16]) + bytes(40)
"""As DTLS begins."""


class Listener(asyncio.DatagramProtocol):
    """What a protocol is told, in order."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.errors: list[Exception] = []
        self.addresses: list[Any] = []
        self.made = self.lost = 0
        self.then: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)
        self.addresses.append(addr)
        self.then()

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)


def on_the_loop(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(body(), 20)

    with asyncio.Runner(loop_factory=MediaLoop) as runner:
        runner.run(main())


async def opened(address: str = "127.0.0.1") -> tuple[PolledTransport, Listener]:
    loop = asyncio.get_running_loop()
    transport, listener = await loop.create_datagram_endpoint(Listener, local_addr=(address, 0))
    assert isinstance(transport, PolledTransport)
    return transport, listener


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(0.002)


def name_of(transport: PolledTransport) -> Any:
    return transport.get_extra_info("sockname")


class Socket:
    """A socket whose every move is scripted; it has a real one's number, so that a loop can watch it."""

    def __init__(self, received: list[Any] = [], sending: Any = None) -> None:  # noqa: B006 - it is not kept
        self._real = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.received, self.sending = list(received), sending
        self.sent: list[tuple[bytes, Any]] = []
        self.closed = 0

    def fileno(self) -> int:
        return self._real.fileno()

    def setsockopt(self, *_: Any) -> None:
        return

    def recvmsg(self, *_: Any) -> Any:
        if not self.received:
            raise BlockingIOError
        item = self.received.pop(0)
        if isinstance(item, Exception):
            raise item
        return item, [], 0, ("192.0.2.1", 9)

    def sendto(self, data: bytes, address: Any) -> None:
        if self.sending is not None:
            raise self.sending
        self.sent.append((data, address))

    def close(self) -> None:
        self.closed += 1
        self._real.close()


def scripted(sock: Socket) -> tuple[PolledTransport, Listener]:
    listener = Listener()
    return PolledTransport(asyncio.get_running_loop(), sock, listener), listener  # type: ignore[arg-type]


# --- there and back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_it_reads_by_itself_until_it_is_polled_and_again_after(address: str) -> None:
    async def body() -> None:
        try:
            a, _ = await opened(address)
        except OSError:
            pytest.skip("no such addresses here")
        b, heard = await opened(address)
        a.sendto(OTHER, name_of(b))
        await until(lambda: len(heard.got) == 1)
        assert heard.addresses[0][:2] == name_of(a)[:2]
        b.poll_only()
        b.poll_only()
        a.sendto(OTHER, name_of(b))
        await asyncio.sleep(0.02)
        assert len(heard.got) == 1, "nobody polled"
        b.poll()
        assert len(heard.got) == 2
        a.sendto(OTHER, name_of(b))
        b.read_again()
        b.read_again()
        await until(lambda: len(heard.got) == 3)
        a.close()
        b.close()

    on_the_loop(body)


def test_audio_goes_its_own_way_with_the_time_at_which_it_came() -> None:
    async def body() -> None:
        a, _ = await opened()
        b, heard = await opened()
        media: list[tuple[bytes, float]] = []
        b.on_media = lambda data, arrival: media.append((data, arrival))
        b.poll_only()
        before = time.monotonic()
        a.sendto(AUDIO, name_of(b))
        sent = time.monotonic()
        a.sendto(OTHER, name_of(b))
        await asyncio.sleep(0.05)
        b.poll()
        assert heard.got == [OTHER]
        assert [data for data, _ in media] == [AUDIO]
        # The kernel's stamp, and not the time of the poll; the two clocks are read one after the other.
        assert before - 0.02 < media[0][1] < sent + 0.02
        a.close()
        b.close()

    on_the_loop(body)


def test_a_flood_is_read_in_turns() -> None:
    async def body() -> None:
        sock = Socket([OTHER] * (MAX_BATCH + 5))
        transport, heard = scripted(sock)
        transport.poll_only()
        transport.poll()
        assert len(heard.got) == MAX_BATCH
        transport.poll()
        assert len(heard.got) == MAX_BATCH + 5
        transport.close()

    on_the_loop(body)


# --- what goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exc", [BlockingIOError(), InterruptedError()])
def test_what_a_full_socket_can_not_take_is_lost(exc: OSError) -> None:
    async def body() -> None:
        sock = Socket(sending=exc)
        transport, heard = scripted(sock)
        transport.sendto(AUDIO, ("192.0.2.1", 9))
        assert heard.errors == []
        sock.sending = None
        transport.sendto(OTHER, ("192.0.2.1", 9))
        assert sock.sent == [(OTHER, ("192.0.2.1", 9))]
        transport.close()

    on_the_loop(body)


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENETUNREACH, errno.EPERM, errno.EMSGSIZE])
def test_an_error_is_told_and_nothing_ends(number: int) -> None:
    async def body() -> None:
        exc = OSError(number, os.strerror(number))
        sock = Socket([exc, OTHER], sending=exc)
        transport, heard = scripted(sock)
        transport.sendto(AUDIO, ("192.0.2.1", 9))
        transport.poll()
        assert heard.errors == [exc, exc]
        assert not transport.is_closing()
        transport.poll()
        assert heard.got == [OTHER]
        transport.close()

    on_the_loop(body)


def test_a_refused_datagram_of_a_real_socket() -> None:
    async def body() -> None:
        a, _ = await opened()
        gone, _ = await opened()
        address = name_of(gone)
        gone.close()
        for _ in range(5):
            a.sendto(AUDIO, address)
            a.poll()
        b, other = await opened()
        a.sendto(OTHER, name_of(b))
        await until(lambda: bool(other.got))
        a.close()
        b.close()

    on_the_loop(body)


class Choking(Listener):
    """A protocol that raises at what it does not understand."""

    def datagram_received(self, data: bytes, addr: Any) -> None:
        super().datagram_received(data, addr)
        raise struct.error("unpack requires a buffer of 4 bytes")


def test_a_datagram_that_the_protocol_chokes_on_ends_nothing() -> None:
    async def body() -> None:
        listener = Choking()
        sock = Socket([OTHER, OTHER])
        transport = PolledTransport(asyncio.get_running_loop(), sock, listener)  # type: ignore[arg-type]
        transport.poll()
        assert len(listener.got) == 2
        transport.close()

    on_the_loop(body)


def test_aioice_chokes_on_a_short_attribute_and_the_poll_does_not() -> None:
    """The PRIORITY of this STUN request has two bytes instead of four: anybody can send it to a port of ours."""
    attribute = struct.pack("!HH", 0x0024, 2) + bytes(4)
    request = struct.pack("!HHI12s", 1, len(attribute), 0x2112A442, bytes(12)) + attribute

    async def body() -> None:
        connection = aioice.Connection(ice_controlling=True)
        await connection.gather_candidates()
        protocol = connection._protocols[0]
        with pytest.raises(struct.error):
            protocol.datagram_received(request, ("192.0.2.1", 9))
        transport = protocol.transport
        assert isinstance(transport, PolledTransport)
        sender, _ = await opened(transport.get_extra_info("sockname")[0])
        transport.poll_only()
        sender.sendto(request, name_of(transport))
        await asyncio.sleep(0.02)
        transport.poll()
        sender.close()
        await connection.close()

    on_the_loop(body)


# --- the end ----------------------------------------------------------------------------------------------------


def test_closing_twice_is_told_once() -> None:
    async def body() -> None:
        sock = Socket([OTHER])
        transport, heard = scripted(sock)
        transport.close()
        transport.close()
        transport.abort()
        await asyncio.sleep(0)
        assert (heard.made, heard.lost, sock.closed) == (1, 1, 1)
        assert transport.is_closing()
        transport.sendto(AUDIO, ("192.0.2.1", 9))
        transport.poll()
        transport.read_again()
        assert (sock.sent, heard.got, heard.errors) == ([], [], [])
        assert transport.get_extra_info("sockname") is None

    on_the_loop(body)


def test_closing_in_the_midst_of_a_poll() -> None:
    async def body() -> None:
        transport, heard = scripted(Socket([OTHER, OTHER, OTHER]))
        heard.then = transport.close
        transport.poll()
        assert heard.got == [OTHER]

    on_the_loop(body)


def test_no_descriptor_is_left() -> None:
    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def body() -> None:
        before = files()
        for n in range(30):
            opening = asyncio.ensure_future(opened())
            for _ in range(n % 4):
                await asyncio.sleep(0)
            opening.cancel()
            with suppress(asyncio.CancelledError):
                (await opening)[0].close()
        await asyncio.sleep(0)
        assert files() == before
        with pytest.raises(OSError, match="assign"):
            await opened("192.0.2.1")
        assert files() == before

    on_the_loop(body)
