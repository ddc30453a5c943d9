"""UDP sockets that can be read in batches.

asyncio wakes for each datagram; with a packet each 20 ms a call, waking costs more than all the rest. So the media
loop makes its own datagram transports: until a call's audio is up they work as asyncio's, then the pacer reads them
once each 20 ms, for all calls. The kernel's time stamps say when each datagram really came.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from .lookups import LookUps

logger = logging.getLogger(__name__)

MAX_DATAGRAM = 2048
"""Bytes; WebRTC keeps its packets below 1500."""
MAX_BATCH = 64
"""Datagrams read of one socket in one go: a second of one call, so that a flood does not stall the others."""
SURELY_LAST = 0.008
"""Seconds: behind a packet of audio that is younger there is hardly another one yet, and if so, the next tick finds it.
Asking in vain costs as much as reading."""
SO_TIMESTAMPNS = 35
"""Linux: the kernel tells when a datagram came (asm-generic/socket.h)."""
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)

OnMedia = Callable[[bytes, float], None]
"""An SRTP or SRTCP datagram, and when it came (the media loop's clock)."""


class PolledTransport(asyncio.DatagramTransport):
    """A datagram transport on a bound socket. Until `poll_only` it reads by itself."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.DatagramProtocol
    ) -> None:
        super().__init__()
        self.on_media: OnMedia | None = None
        """Gets SRTP and SRTCP; None: the protocol gets all."""
        self._loop, self._sock, self._protocol = loop, sock, protocol
        self._closed = False
        self._reading = True
        self._receive = _stamped(sock)
        loop.call_soon(protocol.connection_made, self)
        loop.add_reader(sock, self.poll)

    def poll_only(self) -> None:
        """From now on only `poll` reads. Idempotent."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock)

    def read_again(self) -> None:
        """Read by itself again. Idempotent."""
        if not self._reading and not self._closed:
            self._reading = True
            self._loop.add_reader(self._sock, self.poll)

    def poll(self) -> None:
        """Hand on what has come. Does not block."""
        now, on_media = self._loop.time(), self.on_media
        for _ in range(MAX_BATCH):
            if self._closed:
                return
            try:
                data, stamp, address = self._receive(now)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:
                self._protocol.error_received(exc)
                return
            if not data:
                continue  # aiortc looks at its first byte, and would end the call for there being none
            if on_media is not None and 128 <= data[0] <= 191:
                on_media(data, stamp)
                if not self._reading and now - stamp < SURELY_LAST:
                    return
            else:
                self._other(data, address)

    def _other(self, data: bytes, address: Any) -> None:
        """No audio. Anybody may send it, and aioice chokes on some of it (a STUN attribute of a wrong length): that
        must not end a call."""
        try:
            self._protocol.datagram_received(data, address)
        except Exception:
            logger.debug("a datagram from %s makes no sense", address, exc_info=True)

    # --- asyncio.DatagramTransport --------------------------------------------------------------------------------

    def sendto(self, data: Any, addr: Any = None) -> None:
        """What the socket can't take is lost, as on any network."""
        if self._closed:
            return
        try:
            self._sock.sendto(data, addr)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._protocol.error_received(exc)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self._sock
        return self._sock.getsockname() if name == "sockname" and not self._closed else default

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._reading:
            self._loop.remove_reader(self._sock)
        self._sock.close()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


def _stamped(sock: socket.socket) -> Callable[[float], tuple[bytes, float, Any]]:
    """Reads a datagram, when it came on the monotonic clock, and from where."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:  # not Linux: when it was read has to do
        return lambda now: (*_swapped(sock.recvfrom(MAX_DATAGRAM), now),)

    def receive(now: float) -> tuple[bytes, float, Any]:
        data, extra, _, address = sock.recvmsg(MAX_DATAGRAM, _ANCILLARY)
        if extra and len(extra[0][2]) == _TIMESPEC.size:
            seconds, nanos = _TIMESPEC.unpack(extra[0][2])
            # Never later than it was read, and not earlier than a clock that was set can make believe.
            age = time.time() - seconds - nanos * 1e-9
            return data, now - age if 0 <= age < 1 else now, address
        return data, now, address

    return receive


def _swapped(received: tuple[bytes, Any], now: float) -> tuple[bytes, float, Any]:
    return received[0], now, received[1]


class MediaLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, which gives out `PolledTransport`s for the one way in which aioice asks for sockets, and
    looks up names of ICE servers so that nobody is kept when DNS is away.

    uvloop in its place was measured and gains nothing: little is left for a loop to do."""

    def __init__(self) -> None:
        super().__init__()
        self._look_ups = LookUps(self)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Without an executor of its own, only aioice and asyncio's `getaddrinfo` ask: for names."""
        return self._look_ups.ask(func, *args) if executor is None else super().run_in_executor(executor, func, *args)

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **options: Any
    ) -> Any:
        if remote_addr is not None or options or local_addr is None:
            return await super().create_datagram_endpoint(
                protocol_factory, local_addr=local_addr, remote_addr=remote_addr, **options
            )
        protocol = protocol_factory()
        transport = PolledTransport(self, _bound(local_addr), protocol)
        try:
            await asyncio.sleep(0)  # connection_made
        except BaseException:
            transport.close()
            raise
        return transport, protocol


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock

