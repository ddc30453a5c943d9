"""SRTP over the ICE pair and the DTLS keys of one peer connection of aiortc, without its senders and receivers.

Reads and sends at once, never waits. Only this file knows aiortc's and aioice's insides that this takes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pylibsrtp

from .datagrams import OnMedia, PolledTransport
from .srtp import crypt

COMPONENT = 1
"""RTP and RTCP are multiplexed: there is no other."""


class Wire:
    """The encrypted way to the other side; from `start` to `stop`."""

    def __init__(self, dtls: Any, on_rtp: OnMedia, on_rtcp: OnMedia) -> None:
        self._dtls = dtls
        self._ice = dtls.transport._connection
        self._on_rtp, self._on_rtcp = on_rtp, on_rtcp
        self._polled: PolledTransport | None = None
        self._pair: Any = None
        self._transport: Any = None
        self._address: Any = None
        self._started = False
        self._came: list[tuple[bytes, float]] = []
        self.undecipherable = 0
        """Datagrams that SRTP refused: of another key, replayed, or too long."""

    def start(self) -> None:
        """DTLS is up: take over what comes. Idempotent."""
        if self._started:
            return
        self._started = True
        comes, goes = self._dtls._rx_srtp, self._dtls._tx_srtp
        self._unprotect, self._unprotect_rtcp = crypt(comes, "unprotect"), crypt(comes, "unprotect_rtcp")
        self._protect, self._protect_rtcp = crypt(goes, "protect"), crypt(goes, "protect_rtcp")
        for transport in self._transports():
            transport.on_media = self._take
        self._rest, self._ice.data_received = self._ice.data_received, self._relayed

    def stop(self) -> None:
        """Leave everything to aiortc again. Idempotent."""
        if not self._started:
            return
        self._started = False
        self._ice.data_received = self._rest
        for transport in self._transports():
            transport.on_media = None
        if self._polled is not None:
            self._polled.read_again()
        self._polled = self._pair = self._transport = None

    def read(self) -> None:
        """Take what has come from the socket."""
        if self._ice._nominated.get(COMPONENT) is not self._pair:
            self._change()
        if self._polled is not None:
            self._polled.poll()

    def work(self) -> None:
        """Decrypt what was taken, and hand it on."""
        came, self._came = self._came, []
        for data, arrival in came:
            self._datagram(data, arrival)

    def protected(self, packet: bytes) -> bytes:
        """An RTP packet, encrypted."""
        return self._protect(packet)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send a compound RTCP packet."""
        self.send(self._protect_rtcp(packet))

    # --- the way --------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """An encrypted packet; lost if there is no way just now."""
        if self._ice._nominated.get(COMPONENT) is not self._pair:
            self._change()
        if self._pair is not None:
            self._transport.sendto(data, self._address)

    def _transports(self) -> list[PolledTransport]:
        found = [getattr(protocol, "transport", None) for protocol in self._ice._protocols]
        return [transport for transport in found if isinstance(transport, PolledTransport)]

    def _change(self) -> None:
        """Another pair is in use, the first one at the beginning. Only its socket is polled; what comes by a TURN
        server comes by itself."""
        if not self._started:
            return
        if self._polled is not None:
            self._polled.read_again()
        pair = self._pair = self._ice._nominated.get(COMPONENT)
        self._transport = pair.protocol.transport if pair is not None else None
        self._address = pair.remote_addr if pair is not None else None
        self._polled = self._transport if isinstance(self._transport, PolledTransport) else None
        if self._polled is not None:
            self._polled.poll_only()

    def _relayed(self, data: bytes, component: int) -> None:
        """What came by way of a TURN server, and what is not SRTP."""
        if self._started and data and 128 <= data[0] <= 191:
            self._take(data, self._now())
        elif data:
            self._rest(data, component)

    def _take(self, data: bytes, arrival: float) -> None:
        self._came.append((data, arrival))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _datagram(self, data: bytes, arrival: float) -> None:
        if len(data) < 12:
            return
        try:
            if 192 <= data[1] <= 223:  # as `rtp.is_rtcp`
                self._on_rtcp(self._unprotect_rtcp(data), arrival)
            else:
                self._on_rtp(self._unprotect(data), arrival)
        except pylibsrtp.Error:
            self.undecipherable += 1
