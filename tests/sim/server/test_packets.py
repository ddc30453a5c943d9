"""Single RTP packets of real clients: the echo, faults on purpose, a side that is silent."""

from __future__ import annotations

import asyncio
import struct
from itertools import pairwise

import pytest

from tests.sim.server.scene import Scene, eventually, play
from tests.sim.server.wire import QUIET, frames, losses, wire
from vodiabot.sim.core import effects

pytestmark = pytest.mark.audio

# --- the echo --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_a_packet_comes_back_before_the_next_one_is_sent(codec: str) -> None:
    """So nothing waits anywhere: a jitter buffer gives out nothing of a single packet."""

    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", codec, effects.Echo())
        for count, payload in enumerate(frames(codec, 20), 1):
            await client.speak([payload], 0)
            await eventually(lambda count=count: len(client.received) == count)  # type: ignore[misc]
            assert client.received[-1].payload == payload
        stamps = [p.timestamp for p in client.received]
        assert {(b - a) % 2**32 for a, b in pairwise(stamps)} == {client.clock // 50}
        assert losses(client.received) == 0

    play(scene)


def test_what_was_lost_or_out_of_order_comes_back_so() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        order = [0, 1, 3, 2, 4, 7, 8]  # 5 and 6 are lost
        for number in order:
            await client.send_as(100 + number, client.types["PCMU"], bytes([number]) * 160, number * 160)
        await eventually(lambda: len(client.received) == len(order))
        assert [p.payload[0] for p in client.received] == order
        base = client.received[0]
        assert [(p.sequence - base.sequence) & 0xFFFF for p in client.received] == order
        assert [(p.timestamp - base.timestamp) % 2**32 for p in client.received] == [n * 160 for n in order]

    play(scene)


def test_keys_come_back_too_and_one_that_is_pressed_meanwhile_breaks_nothing() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        await client.speak([QUIET] * 3, 0)
        await client.press("5")
        await eventually(lambda: client.keys == "5" and len(client.presses()[0]) == 7)
        stage.legs.do(effects.PressDigits("a", "9"))
        await asyncio.sleep(0.3)
        await client.speak([b"\x55" * 160] * 3, 0)
        await eventually(lambda: [p.payload[0] for p in client.received[-3:]] == [0x55] * 3)
        assert client.keys == "59"
        assert stage.digits("a") == "5"
        assert losses(client.received) == 0

    play(scene)


def test_an_echo_follows_a_tone_in_one_stream() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Tone(600))
        await eventually(lambda: len(client.received) > 3)
        stage.legs.do(effects.SetFeed("a", effects.Echo()))
        await asyncio.sleep(0.1)
        client.ssrc += 1  # a sender that begins anew
        for _ in range(2):
            client.ssrc, client.sequence, client.timestamp = client.ssrc + 1, 7, 70
            await client.speak([b"\x55" * 160] * 3, 0)
        await eventually(lambda: len([p for p in client.received if p.payload[0] == 0x55]) == 6)
        stage.legs.do(effects.SetFeed("a", effects.Tone(600)))
        count = len(client.received)
        await eventually(lambda: len(client.received) > count + 3)
        assert losses(client.received) == 0
        assert len({p.ssrc for p in client.received}) == 1
        stamps = [p.timestamp for p in client.received]
        assert all((b - a + 2**31) % 2**32 - 2**31 < 8000 for a, b in pairwise(stamps)), "no leap in time"

    play(scene)


def test_sender_reports_know_what_was_sent() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        await client.speak([QUIET] * 10, 0.001)
        await eventually(lambda: any(data[1] == 200 for data in client.reports))
        data = next(data for data in client.reports if data[1] == 200)
        ssrc, seconds, _, timestamp, packets, octets = struct.unpack_from("!LLLLLL", data, 4)
        assert ssrc == client.received[-1].ssrc
        assert seconds > 3_900_000_000  # of this century
        assert (packets, octets) == (10, 1600)
        late = (timestamp - client.received[-1].timestamp) % 2**32
        assert late < 60 * 8000, "what its packets' timestamps would be now"

    play(scene)


def test_a_hold_by_direction_stops_the_echo_too() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        for direction, count in (("sendonly", 0), ("sendrecv", 3)):
            stage.news.clear()
            stage.legs.do(effects.MakeAnswer("a", 1, await client.offer(direction)))
            await client.accept((await stage.until(effects.AnswerReady, "a")).sdp)
            client.received.clear()
            await client.speak([QUIET] * 3)
            await eventually(lambda count=count: len(client.received) == count)  # type: ignore[misc]

    play(scene)


def test_a_press_that_goes_on_across_a_new_offer_is_one() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a")
        await client.press("5", lost=frozenset(range(3, 7)))
        stage.legs.do(effects.MakeOffer("a", 1))
        offer = (await stage.until(effects.OfferReady, "a")).sdp
        assert f"a=rtpmap:{client.event_type} telephone-event/8000" in offer, "the number that was agreed first"
        stage.legs.do(effects.ApplyAnswer("a", 1, await client.answer(offer)))
        client.timestamp -= 8 * 160
        await client.press("5", lost=frozenset(range(3)))
        await client.press("6")
        await eventually(lambda: stage.digits("a").endswith("6"))
        assert stage.digits("a") == "56"

    play(scene)


def test_garbage_in_packets_harms_nothing() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        for body in (b"", b"\x05", b"\xff" * 4, b"\x05\x80\x00\x00", bytes(1000)):
            await client.send(client.event_type, body)
            await client.send(0, body)
            await client.send(77, body)  # a payload type that nobody agreed to
        # More padding than packet.
        head = struct.pack("!BBHLL", 0xBF, client.event_type, client.sequence, 0, client.ssrc)
        await client.transport._send_rtp(head + bytes(15 * 4) + b"\xbe\xde\x00\x00" + b"\x09")
        client.sequence += 1
        client.timestamp += 8000
        await client.press("7")
        await eventually(lambda: stage.digits("a").endswith("7"))
        assert 77 not in {p.payload_type for p in client.received}

    play(scene)


# --- faults on purpose -----------------------------------------------------------------------------------------------


def echoed(settings: effects.SetFaults, count: int = 200) -> list[int]:
    """Which of so many packets came back, in their order."""
    came: list[int] = []

    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Echo())
        await client.speak([b"\x00\x00"], 0)
        await eventually(lambda: client.received)  # all is up
        stage.legs.do(settings)
        for number in range(count):
            await client.speak([struct.pack("!H", number)], 0.001)
        stage.legs.do(effects.SetFaults("a", 0, 0))
        await client.speak([b"\xff\xff"], 0)
        await eventually(lambda: any(p.payload == b"\xff\xff" for p in client.received))
        await asyncio.sleep(settings.jitter_ms / 1000 + 0.05)
        numbers = [struct.unpack("!H", p.payload)[0] for p in client.received[1:]]
        came.extend(number for number in numbers if number != 0xFFFF)
        stamps = {p.payload: p.sequence for p in client.received[1:]}
        first = stamps[struct.pack("!H", came[0])] - came[0]
        assert all((stamps[struct.pack("!H", n)] - n - first) & 0xFFFF == 0 for n in came), "a loss is a gap"

    play(scene)
    return came


def test_the_same_packets_are_lost_again_with_the_same_seed() -> None:
    came = echoed(effects.SetFaults("a", 20, 0, seed=5))
    assert came == sorted(came)
    assert 120 < len(came) < 190
    assert echoed(effects.SetFaults("a", 20, 0, seed=5)) == came
    assert echoed(effects.SetFaults("a", 20, 0, seed=6)) != came


def test_packets_that_are_late_all_come_though_not_in_order() -> None:
    came = echoed(effects.SetFaults("a", 0, 80, seed=5))
    assert sorted(came) == list(range(200))
    assert came != sorted(came)


def test_all_of_it_may_be_lost_but_no_report() -> None:
    async def scene(stage: Scene) -> None:
        stage.legs.do(effects.SetFaults("a", 100, 0))
        client = await wire(stage, "a", "PCMU", effects.Tone(440))
        await eventually(lambda: client.reports)
        assert not client.received
        stage.legs.do(effects.SetFaults("a", 0, 0))
        await eventually(lambda: client.received)

    play(scene)


def test_late_packets_are_forgotten_when_the_leg_is_closed() -> None:
    async def scene(stage: Scene) -> None:
        tasks = len(asyncio.all_tasks())
        stage.legs.do(effects.SetFaults("a", 0, 1000))
        client = await wire(stage, "a", "PCMU", effects.Tone(440))
        await asyncio.sleep(0.2)
        await client.close()
        stage.legs.do(effects.CloseMedia("a"))
        await eventually(lambda: stage.legs.count == 0)
        await eventually(lambda: len(asyncio.all_tasks()) == tasks)

    play(scene)


def test_no_packet_at_all() -> None:
    async def scene(stage: Scene) -> None:
        client = await wire(stage, "a", "PCMU", effects.Nothing())
        await client.speak([QUIET] * 20)
        assert not client.received

    play(scene)
