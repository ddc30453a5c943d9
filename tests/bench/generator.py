"""The load: the other side of many calls, in a process of its own. It sends a packet each 20 ms a call, decodes
nothing, and notes when each packet came, by the kernel's clock. One JSON line in, one out.

`{"offer": SDP, "codec": NAME}` → `{"answer": SDP}`; `{"begin": true}` → `{}`: forget what came; `{"report": true}` →
what came since.
"""

from __future__ import annotations

import asyncio
import gc
import json
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from vodiabot.media import rtp
from vodiabot.media.codecs import codec_of
from vodiabot.media.datagrams import MediaLoop, PolledTransport
from vodiabot.media.peer import Origin, Peer, PeerOptions
from vodiabot.media.sdp import read_remote

FRAME = 0.02
SLOTS = 10
"""Calls begin at different times; each is served in one of so many parts of the 20 ms."""
ON_TIME = 0.010
"""Seconds by which a packet may be later than its time."""
OWN_TIME = 0.05
"""Part of a stream's packets that are taken to be on the dot: its time is theirs."""


def payloads(codec: str) -> list[bytes]:
    """A second of a tone."""
    kind = codec_of(codec)
    encoder, n = kind.make_encoder(), round(kind.rate * FRAME)
    tone = (8000 * np.sin(2 * np.pi * 600 * np.arange(kind.rate) / kind.rate)).astype(np.int16)
    return [encoder.encode(tone[at : at + n]) for at in range(0, len(tone), n)]


class FarEnd:
    """One call. Its peer's owner."""

    def __init__(self, slot: int, codec: str, options: PeerOptions) -> None:
        self.slot = slot
        self.came: list[tuple[int, float]] = []
        self._kind, self._payloads = codec_of(codec), payloads(codec)
        self._peer = Peer(1, options, Origin(1), self)
        self._transport: PolledTransport | None = None
        self._count = 0

    async def answer(self, offer: str) -> str:
        return await self._peer.answer(read_remote(offer, "offer"))

    def is_up(self, peer: Peer) -> None:
        self._ice = peer.dtls.transport._connection
        self._protect = peer.dtls._tx_srtp.protect
        for protocol in self._ice._protocols:
            protocol.transport.on_media = self._note
        self._use_nominated()

    def _use_nominated(self) -> None:
        """ICE may move to another pair, as from IPv4 to IPv6."""
        self._pair = self._ice._nominated[1]
        self._address, self._transport = self._pair.remote_addr, self._pair.protocol.transport
        assert self._transport is not None
        self._transport.poll_only()

    def is_lost(self, peer: Peer, reason: str) -> None:
        self._transport = None

    def is_renegotiated(self, peer: Peer) -> None:
        assert peer.negotiated is not None
        self._type = peer.negotiated.payload_type

    def tick(self) -> None:
        if self._transport is None:
            return
        if self._ice._nominated.get(1, self._pair) is not self._pair:
            self._use_nominated()
        payload = self._payloads[self._count % len(self._payloads)]
        at = self._count * round(self._kind.clock * FRAME) % rtp.TIMESTAMPS
        packet = rtp.build(self._type, False, self._count % rtp.SEQUENCES, at, self._peer.ssrc, payload)
        self._count += 1
        self._transport.sendto(self._protect(packet), self._address)
        self._transport.poll()

    def _note(self, data: bytes, arrival: float) -> None:
        if not rtp.is_rtcp(data):
            self.came.append((struct.unpack_from("!I", data, 4)[0], arrival))

    def lateness(self) -> tuple[np.ndarray[Any, Any], float]:
        """By how much each packet was later than its time, in seconds, and the longest gap between two."""
        stamps = np.array([stamp for stamp, _ in self.came], np.int64)
        times = np.array([at for _, at in self.came])
        offset = (stamps - stamps[0] + 2**31) % 2**32 - 2**31
        drift = times - offset / self._kind.clock
        return drift - np.quantile(drift, OWN_TIME), float(np.max(np.diff(times), initial=0.0))


class Generator:
    """All calls."""

    def __init__(self) -> None:
        self._calls: list[FarEnd] = []
        self._began = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as reader:
            pacer = asyncio.ensure_future(self._pace())
            while line := await loop.run_in_executor(reader, sys.stdin.readline):
                print(json.dumps(await self._do(json.loads(line))), flush=True)  # noqa: T201 - the protocol
            pacer.cancel()

    async def _do(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "offer" in asked:
            call = FarEnd(len(self._calls) % SLOTS, asked["codec"], PeerOptions((asked["codec"],)))
            self._calls.append(call)
            return {"answer": await call.answer(asked["offer"])}
        if "begin" in asked:
            self._began = asyncio.get_running_loop().time()
            for call in self._calls:
                call.came.clear()
            return {}
        return self._report()

    def _report(self) -> dict[str, Any]:
        expected = (asyncio.get_running_loop().time() - self._began) / FRAME * len(self._calls)
        heard = [call.lateness() for call in self._calls if len(call.came) > 1]
        late = np.concatenate([late for late, _ in heard]) if heard else np.zeros(0)
        on_time = int(np.sum(late <= ON_TIME))
        return {
            "calls": len(self._calls),
            "silent": len(self._calls) - len(heard),
            "on_time": min(1.0, on_time / max(1.0, expected - len(self._calls))),
            "longest_gap": max((gap for _, gap in heard), default=0.0),
            "p99": float(np.quantile(late, 0.99)) if len(late) else 0.0,
        }

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        due, slot = loop.time(), 0
        while True:
            for call in [c for c in self._calls if c.slot == slot]:
                call.tick()
            slot = (slot + 1) % SLOTS
            due += FRAME / SLOTS
            await asyncio.sleep(max(0.0, due - loop.time()))


def main() -> None:
    gc.disable()  # else it stalls all calls at once for 0.1 s, and what is measured is that
    with asyncio.Runner(loop_factory=MediaLoop) as runner:
        runner.run(Generator().run())


if __name__ == "__main__":
    main()
