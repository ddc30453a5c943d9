"""The other side of the stock calls: a process of its own, plain asyncio, stock aiortc. One JSON line in, one out."""

from __future__ import annotations

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.bench.stock import ToneTrack, drain


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    peers: list[RTCPeerConnection] = []
    drains: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(peer)
        peer.addTrack(ToneTrack(600))
        peer.on("track", lambda track: drains.add(asyncio.ensure_future(drain(track))))
        offer = json.loads(line)
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        print(json.dumps({"sdp": peer.localDescription.sdp}), flush=True)  # noqa: T201 - the process's own protocol
    for task in drains:
        task.cancel()
    await asyncio.gather(*(peer.close() for peer in peers))


if __name__ == "__main__":
    asyncio.run(main())
