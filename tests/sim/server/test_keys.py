"""Keys of real clients, packet by packet: as telephone-events and in-band, both ways."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from tests.sim.client_media import RATE, Audio
from tests.sim.client_packets import Event
from tests.sim.server.scene import PATIENCE, Scene, eventually, play
from tests.sim.server.test_dtmf import press
from tests.sim.server.wire import QUIET, frames, losses, wire
from vodiabot.sim.core import effects
from vodiabot.sim.server.codecs import ulaw_table
from vodiabot.sim.server.dtmf import DigitDetector

pytestmark = pytest.mark.audio


async def in_band(client: Audio, count: int) -> str:
    """So many keys, heard in what comes from now on; a press that counts twice shows."""
    found, detector = "", DigitDetector()
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += detector.feed(await client.take(), RATE)
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.15)
    return found + detector.feed(await client.take(), RATE)


# --- keys that the client presses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pbx_offers", [False, True], ids=["client offers", "pbx offers"])
@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_each_press_is_heard_once(codec: str, pbx_offers: bool) -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", codec, pbx_offers=pbx_offers)
        await client.speak(frames(codec, 3))
        for key in "155#":
            await client.press(key)
            await client.speak(frames(codec, 1))
        await eventually(lambda: len(stage.digits("a")) >= 4)
        await client.speak(frames(codec, 5))
        assert stage.digits("a") == "155#"

    play(scene)


def test_a_press_counts_however_many_of_its_packets_are_lost() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a")
        await client.press("1", lost=frozenset(range(4)))  # the beginning
        await client.press("1", lost=frozenset(range(4, 7)))  # the end
        await client.press("1", lost=frozenset(range(7)) - {2})  # all but one in the middle
        await client.press("1", lost=frozenset(range(6)))  # all but the last
        await client.press("2")
        await eventually(lambda: stage.digits("a").endswith("2"))
        assert stage.digits("a") == "11112"

    play(scene)


def test_what_follows_a_key_is_heard_at_once() -> None:
    """aiortc's jitter buffer would wait for the packets that the events took the place of until sixteen have come."""

    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a")
        listener = await stage.call("b", "PCMU", effects.FromLeg("a"))
        await client.speak([QUIET] * 10)
        await client.press("5")
        await client.speak([b"\x00" * 160] * 8)
        loud = 0.0
        async with asyncio.timeout(PATIENCE):
            while loud < 160:
                loud += float(np.count_nonzero(np.abs((await listener.take()).astype(int)) > 8000))
                await asyncio.sleep(0.02)

    play(scene)


def test_a_client_that_says_keys_in_both_ways_is_counted_once() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a")
        table = ulaw_table()
        for key in "12":
            sound = table[press(key, RATE).astype(np.int16).view(np.uint16)]
            await client.press(key)
            await client.speak([sound[i : i + 160].tobytes() for i in range(0, len(sound) - 159, 160)], 0.01)
        await client.speak([QUIET] * 20, 0.01)
        await eventually(lambda: len(stage.digits("a")) >= 2)
        assert stage.digits("a") == "12"

    play(scene)


# --- keys that the client hears --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pbx_offers", [False, True], ids=["client offers", "pbx offers"])
@pytest.mark.parametrize("codec", ["PCMA", "opus"])
def test_keys_are_pressed_as_the_rfc_has_it(codec: str, pbx_offers: bool) -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", codec, effects.Tone(440), pbx_offers)
        await eventually(lambda: client.received)
        stage.legs.do(effects.PressDigits("a", "15#"))
        await eventually(lambda: len(client.presses()) == 3 and len(client.presses()[2]) == 7)
        await asyncio.sleep(0.2)
        assert client.keys == "15#"
        frame = client.clock // 50
        for packets in client.presses():
            said = [Event.read(p) for p in packets]
            assert [e.duration for e in said] == [frame * n for n in (1, 2, 3, 4, 5, 5, 5)]
            assert [e.end for e in said] == [False] * 4 + [True] * 3
            assert [p.marker for p in packets] == [True] + [False] * 6
            assert {p.payload_type for p in packets} == {client.event_type}
        starts = [packets[0].timestamp for packets in client.presses()]
        assert [(b - a) % 2**32 for a, b in pairwise(starts)] == [8 * frame] * 2
        assert losses(client.received) == 0
        assert len({p.ssrc for p in client.received}) == 1

    play(scene)


def test_audio_stops_for_a_key_and_goes_on_in_time() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Tone(440))
        await eventually(lambda: len(client.received) > 5)
        stage.legs.do(effects.PressDigits("a", "7"))
        await eventually(lambda: client.presses() and client.received[-1].payload_type == 0)
        events = client.presses()[0]
        first, last = (client.received.index(events[i]) for i in (0, -1))
        assert last - first == 6, "nothing between the packets of an event"
        before, after = client.received[first - 1], client.received[last + 1]
        assert (events[0].timestamp - before.timestamp) % 2**32 == 160
        assert (after.timestamp - events[0].timestamp) % 2**32 == 7 * 160

    play(scene)


def test_keys_are_in_band_for_a_client_that_knows_no_events() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "PCMU", effects.Silence())
        stage.legs.do(effects.PressDigits("a", "90*D"))
        assert await in_band(client, 4) == "90*D"

    play(scene)


def test_keys_that_come_before_the_audio_are_pressed_when_it_is_up() -> None:
    async def scene(stage: Scene) -> None:
        stage.legs.do(effects.PressDigits("a", "3"))
        client = await wire(stage, "a")
        await eventually(lambda: client.keys)
        assert client.keys == "3"

    play(scene)


def test_a_leg_that_hears_another_one_gets_its_keys_by_the_model_alone() -> None:
    """Not from its audio: the shell would press them twice."""

    async def scene(stage: Scene) -> None:
        a = await wire(stage, "a", "PCMU", effects.FromLeg("b"))
        b = await wire(stage, "b", "PCMU", effects.FromLeg("a"))
        await a.press("4")
        await eventually(lambda: stage.digits("a") == "4")
        await a.speak([QUIET] * 10)
        assert b.keys == ""
        stage.legs.do(effects.PressDigits("b", "4"))
        await eventually(lambda: b.keys == "4")
        assert stage.digits("b") == ""

    play(scene)


@pytest.mark.parametrize("in_band", [False, True])
def test_the_model_is_told_how_a_key_was_said(in_band: bool) -> None:
    async def scene(stage: Scene) -> None:
        if in_band:
            await (await stage.call("a", "PCMU", effects.Silence())).say(press("4", RATE))
        else:
            await (await wire(stage, "a")).press("4")
        await eventually(lambda: stage.digits("a"))
        assert effects.DigitHeard("a", "4", apart=not in_band) in stage.news

    play(scene)
