"""The PBX's audio with real clients on the same loop, without signalling."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import psutil
import pytest

from tests.sim.client_media import RATE, Audio, level, loudest_hz, tone
from tests.sim.server.scene import Scene, eventually, hear, overhear, play
from tests.sim.server.test_dtmf import press
from tests.sim.server.test_sdp import CHROMIUM, VIDEO
from vodiabot.sim.core import effects
from vodiabot.sim.server import peer as peer_module
from vodiabot.sim.server.sdp import CODECS
from vodiabot.sim.server.tones import MUSIC_HZ

pytestmark = pytest.mark.audio


@pytest.mark.parametrize("pbx_offers", [False, True])
@pytest.mark.parametrize("codec", CODECS)
def test_a_tone_is_heard_in_each_codec_whoever_offers(codec: str, pbx_offers: bool) -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", codec, effects.Tone(1000), pbx_offers)
        heard = await hear(client, 0.6)
        assert abs(loudest_hz(heard, client.rate) - 1000) < 2

    play(scene)


def test_the_pbx_can_be_kept_to_one_codec() -> None:
    async def scene(stage: Scene) -> None:
        client = Audio(("opus", "PCMA"), lambda c: None)
        stage.legs.do(effects.MakeAnswer("a", 1, await client.offer()))
        answer = (await stage.until(effects.AnswerReady, "a")).sdp
        assert "PCMA" in answer
        assert "opus" not in answer
        other = stage.clients["b"] = Audio(("opus",), lambda c: None)
        stage.legs.do(effects.MakeAnswer("b", 1, await other.offer()))
        await eventually(lambda: stage.failure("b"))
        assert "codec" in stage.failure("b")
        await client.close()

    play(scene, ("PCMA",))


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_an_echo_is_whole(codec: str) -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", codec, effects.Echo())
        time = np.arange(RATE) / RATE
        sweep = (8000 * np.sin(2 * np.pi * (300 * time + 600 * time**2))).astype(np.int16)
        await client.say(sweep)
        heard = await hear(client, 1.3)
        heard = heard[:: client.rate // RATE].astype(float)
        sent = sweep[2000:7000].astype(float)
        at = int(np.argmax(np.correlate(heard, sent, "valid")))
        assert np.corrcoef(heard[at : at + 5000], sent)[0, 1] > 0.95

    play(scene)


@pytest.mark.parametrize(("one", "other"), [("PCMU", "PCMA"), ("PCMU", "opus"), ("G722", "opus")])
def test_two_legs_that_are_joined_hear_each_other(one: str, other: str) -> None:
    async def scene(stage: Scene) -> None:
        a = await stage.call("a", one, effects.FromLeg("b"))
        b = await stage.call("b", other, effects.FromLeg("a"), pbx_offers=True)
        await a.say(tone(700, 3))
        await b.say(tone(900, 3))
        at_a, at_b = await asyncio.gather(hear(a, 0.6), hear(b, 0.6))
        assert abs(loudest_hz(at_a, a.rate) - 900) < 2
        assert abs(loudest_hz(at_b, b.rate) - 700) < 2

    play(scene)


def test_a_feed_is_changed_while_it_runs() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "PCMU", effects.Tone(600))
        assert abs(loudest_hz(await hear(client, 0.4), RATE) - 600) < 2
        stage.legs.do(effects.SetFeed("a", effects.Music()))
        heard = await hear(client, 0.8)
        assert level(heard, RATE, MUSIC_HZ) > 500
        assert level(heard, RATE, 600) < 100
        stage.legs.do(effects.SetFeed("a", effects.Nothing()))
        assert len(await overhear(client, 0.4)) == 0
        stage.legs.do(effects.SetFeed("a", effects.Tone(800)))
        assert abs(loudest_hz(await hear(client, 0.4), RATE) - 800) < 2

    play(scene)


def test_digits_are_heard_once_a_press() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "PCMU", effects.Silence())
        await client.say(np.concatenate([press(key, RATE) for key in "17#"]))
        await eventually(lambda: len(stage.digits("a")) >= 3)
        await asyncio.sleep(0.2)
        assert stage.digits("a") == "17#"

    play(scene)


def test_a_new_peer_takes_the_place_of_the_old_and_the_feed_goes_on() -> None:
    async def scene(stage: Scene) -> None:
        first = await stage.call("a", "PCMU", effects.Tone(600))
        await first.close()
        second = await stage.call("a", "opus", effects.Tone(600), peer=2)
        assert abs(loudest_hz(await hear(second, 0.4), second.rate) - 600) < 2

    play(scene)


def test_a_client_that_closes_is_told_once_as_lost() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "PCMU", effects.Tone(600))
        await client.close()
        await stage.until(effects.MediaLost, "a")
        stage.legs.do(effects.CloseMedia("a"))
        await eventually(lambda: stage.legs.count == 0)
        assert len([n for n in stage.news if isinstance(n, effects.MediaLost)]) == 1

    play(scene)


def test_a_hold_by_direction_stops_the_packets_to_the_holder() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "PCMU", effects.Tone(600))
        stage.news.clear()
        stage.legs.do(effects.MakeAnswer("a", 1, await client.offer("sendonly")))
        answer = (await stage.until(effects.AnswerReady, "a")).sdp
        assert "a=recvonly" in answer
        await client.accept(answer)
        assert len(await overhear(client, 0.3)) == 0
        stage.news.clear()
        stage.legs.do(effects.MakeAnswer("a", 1, await client.offer("sendrecv")))
        await client.accept((await stage.until(effects.AnswerReady, "a")).sdp)
        assert abs(loudest_hz(await hear(client, 0.4), RATE) - 600) < 2

    play(scene)


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "nonsense", "v=0\r\nm=audio 9 RTP/AVP 0\r\n"])
def test_nonsense_fails_the_leg_and_nothing_else(sdp: str) -> None:
    async def scene(stage: Scene) -> None:
        stage.legs.do(effects.MakeAnswer("a", 1, sdp))
        await eventually(lambda: stage.failure("a"))
        stage.legs.do(effects.MakeOffer("b", 1))
        await stage.until(effects.OfferReady, "b")
        stage.legs.do(effects.ApplyAnswer("b", 1, sdp))
        await eventually(lambda: stage.failure("b"))
        stage.legs.do(effects.AddCandidate("b", "candidate:rubbish"))
        stage.legs.do(effects.AddCandidate("c", "candidate:1 1 udp 1 192.0.2.1 1 typ host"))
        await stage.call("d", "PCMU", effects.Silence())

    play(scene)


def test_a_client_that_never_connects_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "UP_TIMEOUT", 0.1)

    async def scene(stage: Scene) -> None:
        stage.legs.do(effects.MakeAnswer("a", 1, CHROMIUM))  # to an address where nobody is
        await stage.until(effects.MediaLost, "a")

    play(scene)


def test_candidates_that_come_before_the_description_are_kept() -> None:
    async def scene(stage: Scene) -> None:
        early: list[Any] = []
        client = stage.clients["a"] = Audio(("PCMU",), early.append)
        offer = await client.offer()
        for candidate in early:
            stage.candidate("a", candidate)
        stage.legs.do(effects.MakeAnswer("a", 1, offer))
        # The client never learns of the PBX's candidates: only what it told first can bring them together.
        await client.accept((await stage.until(effects.AnswerReady, "a")).sdp)
        await stage.until(effects.MediaUp, "a")

    play(scene)


def test_an_answer_that_says_actpass_is_refused() -> None:
    async def scene(stage: Scene) -> None:
        client = Audio(("PCMU",), lambda c: None)
        stage.legs.do(effects.MakeOffer("a", 1))
        answer = await client.answer((await stage.until(effects.OfferReady, "a")).sdp)
        stage.legs.do(effects.ApplyAnswer("a", 1, answer.replace("a=setup:active", "a=setup:actpass")))
        await eventually(lambda: stage.failure("a"))
        assert "active" in stage.failure("a")
        await client.close()

    play(scene)


def test_a_new_offer_keeps_to_what_was_agreed_first() -> None:
    """aiortc would offer its own payload types and extension ids, and go on to send the old ones."""

    async def scene(stage: Scene) -> None:
        stage.legs.do(effects.MakeAnswer("a", 1, CHROMIUM + VIDEO))
        first = (await stage.until(effects.AnswerReady, "a")).sdp
        stage.legs.do(effects.MakeOffer("a", 1))
        second = (await stage.until(effects.OfferReady, "a")).sdp
        assert "a=rtpmap:111 opus/48000/2" in second
        for kind in ("m=", "a=rtpmap", "a=extmap", "a=mid", "a=group", "a=ice-ufrag", "a=fingerprint:sha-256"):
            assert lines(second, kind) == lines(first, kind)
        assert lines(first, "o=")[0].split()[1] == lines(second, "o=")[0].split()[1]
        assert lines(first, "o=") != lines(second, "o=")

    play(scene)


def lines(sdp: str, start: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith(start)]


def test_a_tone_goes_on_through_a_new_offer() -> None:
    async def scene(stage: Scene) -> None:
        client = await stage.call("a", "opus", effects.Tone(1000))
        stage.legs.do(effects.MakeOffer("a", 1))
        answer = await client.answer((await stage.until(effects.OfferReady, "a")).sdp)
        stage.legs.do(effects.ApplyAnswer("a", 1, answer))
        assert abs(loudest_hz(await hear(client, 0.5), client.rate) - 1000) < 2

    play(scene)


def test_nothing_is_left_after_the_legs_are_closed() -> None:
    process = psutil.Process()

    def sockets() -> int:
        return len(process.net_connections("udp"))

    async def scene(stage: Scene) -> None:
        tasks, threads, before = len(asyncio.all_tasks()), threading.active_count(), sockets()
        for number in range(3):
            await stage.call(f"a{number}", "PCMU", effects.FromLeg(f"a{(number + 1) % 3}"))
        stage.legs.do(effects.MakeOffer("never answered", 1))
        for client in stage.clients.values():
            await client.close()
        for leg in (*stage.clients, "never answered"):
            stage.legs.do(effects.CloseMedia(leg))
            stage.legs.do(effects.CloseMedia(leg))
            stage.legs.do(effects.SetFeed(leg, effects.Silence()))  # late: must not bring it back
        await eventually(lambda: stage.legs.count == 0)
        await asyncio.get_running_loop().shutdown_default_executor()  # the clients' own encoders
        await eventually(lambda: len(asyncio.all_tasks()) == tasks)
        assert threading.active_count() == threads
        assert sockets() == before

    play(scene)
