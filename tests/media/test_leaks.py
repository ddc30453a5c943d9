"""Calls that come and go, cancelled anywhere: nothing of them is left, in this process or in its media loop."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections import Counter
from pathlib import Path

import pytest
import trio
from aiortc import RTCPeerConnection

from vodiabot.media.bridge import MediaEngine, open_media
from vodiabot.media.bridged import BridgedAudio, BridgedLeg
from vodiabot.media.codecs.opus import OpusDecoder, OpusEncoder
from vodiabot.media.datagrams import PolledTransport
from vodiabot.media.door import Door
from vodiabot.media.leg import Leg
from vodiabot.media.peer import Peer
from vodiabot.media.player import Player
from vodiabot.media.receiver import Receiver
from vodiabot.media.sender import Sender
from vodiabot.media.sinks import Recorder
from vodiabot.media.sound import Sound
from vodiabot.media.sources import tone
from vodiabot.media.sources.files import AvReader
from vodiabot.media.stream import Stream
from vodiabot.media.wire import Wire

from .helpers import PATIENCE, connect, end, sine, write_wav

pytestmark = pytest.mark.audio
OURS = (
    BridgedAudio,
    BridgedLeg,
    Leg,
    Sound,
    Peer,
    Stream,
    Wire,
    Sender,
    Receiver,
    Player,
    Recorder,
    Door,
    AvReader,
    PolledTransport,
    OpusEncoder,
    OpusDecoder,
    RTCPeerConnection,
)
CALLS, AT_ONCE = 50, 5
LONGEST = 0.5
"""Seconds after which a call is cancelled at the latest; setting one up takes about a tenth of it."""


def counted() -> Counter[str]:
    gc.collect()
    return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, OURS))


def files() -> list[str]:
    """What is open, the directory itself left out."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(found)


async def tasks(engine: MediaEngine) -> int:
    async def count() -> int:
        return len(asyncio.all_tasks())

    return await engine._loop.run(count)


async def one_call(engine: MediaEngine, folder: Path, n: int, chance: random.Random) -> None:
    """All that a call can do at once, ended after a while: by its end, by a cancellation, or by an error."""
    a, b = end(engine, f"a{n}"), end(engine, f"b{n}")
    conference = engine.conference()

    async def echo() -> None:
        async with b.leg.audio() as audio:
            while True:
                await audio.send(await audio.receive())

    async def busy() -> None:
        await connect(a, b)
        conference.add(a.leg)
        conference.add(b.leg)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.leg.play, [folder / "in.wav", tone(500)])
            nursery.start_soon(b.leg.send_dtmf, "123456789")
            nursery.start_soon(lambda: b.leg.record(folder / f"{n}.wav", stereo=True))
            nursery.start_soon(lambda: a.leg.record(folder / f"{n}.ogg"))
            nursery.start_soon(echo)

    try:
        with trio.move_on_after(chance.uniform(0, LONGEST)):
            await busy()
    finally:
        if chance.random() < 0.5:
            conference.close()
        for leg in (a.leg, b.leg):
            with trio.CancelScope() as scope:
                if chance.random() < 0.3:
                    scope.cancel()
                await leg.aclose()


async def settled(engine: MediaEngine, wanted: int) -> None:
    with trio.fail_after(PATIENCE):
        while await tasks(engine) > wanted:  # noqa: ASYNC110 - aiortc's own take a moment, and tell nobody
            await trio.sleep(0.02)


@pytest.mark.parametrize("seed", [1, 2])
async def test_fifty_calls_cancelled_anywhere_leave_nothing(seed: int, tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", [sine(440, 0.3, 44100)], 44100)
    threads, chance = set(threading.enumerate()), random.Random(seed)
    before, open_before = counted(), files()
    async with open_media() as engine:
        await one_call(engine, tmp_path, -1, random.Random(0))  # what is made once stays
        limit = trio.CapacityLimiter(AT_ONCE)

        async def limited(n: int) -> None:
            async with limit:
                await one_call(engine, tmp_path, n, chance)

        tasks_before, within = await tasks(engine), files()
        async with trio.open_nursery() as nursery:
            for n in range(CALLS):
                nursery.start_soon(limited, n)
        await settled(engine, tasks_before)
        assert engine.legs == 0
        assert engine._pacer._streams == []
        assert engine._pacer._timer is None
        assert files() == within
        assert counted() == before
    assert counted() == before
    assert [f for f in files() if f not in open_before] == []
    assert {t for t in threading.enumerate() if t not in threads and not t.name.startswith("Trio")} == set()


async def test_consent_is_not_asked_for_when_the_call_was_given_up_as_it_came_up() -> None:
    """aioice begins with it at the end of `connect`, also when `close` is under way; and then it never ends."""
    async with open_media() as engine:
        a = end(engine, "a")
        await a.leg.make_offer(1)
        connection = a.leg._leg._newest._ice._connection  # type: ignore[union-attr]
        await a.leg.aclose()
        with trio.fail_after(PATIENCE):
            await engine._loop.run(connection.query_consent)
