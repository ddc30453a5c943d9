"""Two legs joined over real sockets: sound in, sound out."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import aioice.ice
import numpy as np
import psutil
import pytest
import trio
from aiortc import RTCPeerConnection

from vodiabot.errors import CallEnded, MediaError, SdpError, SourceError, UsageError
from vodiabot.media.bridge import FILE_THREADS, BridgedLeg, open_media
from vodiabot.media.peer import Peer
from vodiabot.media.sources import Tone, silence_for, tone
from vodiabot.ports import IceCandidate, LocalCandidate, MediaLost, MediaUp

from .helpers import (
    PATIENCE,
    End,
    call,
    connect,
    end,
    level,
    loudest_hz,
    read_wav,
    seconds_of_sound,
    sine,
    sounding,
    strength,
    write_wav,
)

pytestmark = pytest.mark.audio
CODECS = ["opus", "PCMU", "PCMA", "G722"]


async def recorded_while(far: End, path: Path, work, *args, seconds: float) -> None:  # type: ignore[no-untyped-def]
    """Record `seconds` at the far side, and do the work meanwhile."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, *args)
        await far.leg.record(path, max_seconds=seconds)
        nursery.cancel_scope.cancel()


# --- codecs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
async def test_a_tone_both_ways(codec: str, tmp_path: Path) -> None:
    async with (
        open_media(codecs=CODECS) as engine,
        call(engine, codec) as (a, b),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(a.leg.play, tone(1000, 1.6))
        nursery.start_soon(b.leg.play, tone(700, 1.6))
        nursery.start_soon(lambda: a.leg.record(tmp_path / "a.wav", max_seconds=1.2))
        nursery.start_soon(lambda: b.leg.record(tmp_path / "b.wav", max_seconds=1.2))
    for name, hz in (("b", 1000), ("a", 700)):
        samples, rate = read_wav(tmp_path / f"{name}.wav")
        assert rate == (8000 if codec.startswith("PCM") else 16000)
        assert len(samples) == round(1.2 * rate)
        assert loudest_hz(samples, rate) == pytest.approx(hz, abs=2)
        assert level(samples[-rate // 2 :]) == pytest.approx(0.5 / 2**0.5, rel=0.15)
    assert a.leg.stats().codec == b.leg.stats().codec == codec


async def test_a_stereo_file_of_another_rate(tmp_path: Path) -> None:
    left, right = sine(900, 1.5, 44100), sine(1300, 1.5, 44100)
    write_wav(tmp_path / "in.wav", [left, right], 44100)
    async with open_media() as engine, call(engine, "opus") as (a, b):
        await recorded_while(b, tmp_path / "out.wav", a.leg.play, tmp_path / "in.wav", seconds=2.2)
    samples, rate = read_wav(tmp_path / "out.wav")
    assert seconds_of_sound(samples, rate) == pytest.approx(1.5, abs=0.06)
    at = np.flatnonzero(sounding(samples, rate))[0] * rate // 100
    heard = samples[at + rate // 4 : at + rate]
    assert strength(heard, rate, 900) == pytest.approx(0.25, rel=0.15)
    assert strength(heard, rate, 1300) == pytest.approx(0.25, rel=0.15)


async def test_preference_decides(tmp_path: Path) -> None:
    async with open_media(codecs=["PCMA", "opus"]) as engine:
        a, b = end(engine, "a", ["opus", "PCMA"]), end(engine, "b")
        await connect(a, b)
        await trio.sleep(1.2)
        assert b.leg.stats().codec == "PCMA"


async def test_no_common_codec() -> None:
    async with open_media(codecs=CODECS) as engine:
        a, b = end(engine, "a", ["opus"]), end(engine, "b", ["PCMA"])
        offer = await a.leg.make_offer(1)
        with pytest.raises(SdpError):
            await b.leg.make_answer(1, offer)


# --- playing ------------------------------------------------------------------------------------------------


async def test_play_returns_when_the_last_sample_has_left(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):

        async def play_then_mark() -> None:
            await a.leg.play(tone(1000, 0.6))
            await a.leg.play(tone(2000, 0.4))

        await recorded_while(b, tmp_path / "x.wav", play_then_mark, seconds=1.8)
    samples, rate = read_wav(tmp_path / "x.wav")
    assert seconds_of_sound(samples, rate) == pytest.approx(1.0, abs=0.05)


async def test_two_at_once_are_mixed(tmp_path: Path) -> None:
    async def both(leg) -> None:  # type: ignore[no-untyped-def]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leg.play, tone(600, 1.5, 0.3))
            nursery.start_soon(leg.play, tone(1500, 1.5, 0.3))

    async with open_media() as engine, call(engine) as (a, b):
        await recorded_while(b, tmp_path / "x.wav", both, a.leg, seconds=1.5)
    samples, rate = read_wav(tmp_path / "x.wav")
    heard = samples[rate // 2 : rate]
    assert strength(heard, rate, 600) == pytest.approx(0.3, rel=0.1)
    assert strength(heard, rate, 1500) == pytest.approx(0.3, rel=0.1)


async def test_cancelling_stops_with_a_fade(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine, "PCMU") as (a, b):

        async def some_of_it() -> None:
            with trio.move_on_after(0.5):
                await a.leg.play(tone(400))
            await trio.sleep_forever()

        await recorded_while(b, tmp_path / "x.wav", some_of_it, seconds=1.4)
    samples, rate = read_wav(tmp_path / "x.wav")
    assert 0.3 < seconds_of_sound(samples, rate) < 0.9
    last = np.flatnonzero(np.abs(samples) > 600)[-1]
    # A cut would jump from anywhere to zero; a fade ends small, with steps no larger than the sine's own.
    steps = np.abs(np.diff(samples[last - 40 : last + 40].astype(int)))
    assert steps.max() <= 1.2 * 0.5 * 32768 * 2 * np.pi * 400 / rate
    assert np.abs(samples[last - 4 : last]).max() < 4000


async def test_muted_is_silence_and_goes_on(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):
        a.leg.set_muted(True)
        before = time.monotonic()
        await recorded_while(b, tmp_path / "x.wav", a.leg.play, tone(1000, 5), seconds=0.8)
        assert time.monotonic() - before < PATIENCE
        await trio.sleep(1.1)
        assert level(read_wav(tmp_path / "x.wav")[0]) < 0.002
        assert a.leg.stats().packets_sent > 30


async def test_not_sending_sends_no_packets_and_what_plays_waits(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):
        a.leg.set_sending(False)
        await trio.sleep(1.3)
        sent = a.leg.stats().packets_sent
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.leg.play, tone(1000, 0.5))
            await trio.sleep(1.3)
            assert a.leg.stats().packets_sent == sent
            nursery.start_soon(lambda: b.leg.record(tmp_path / "x.wav", max_seconds=1.0))
            await trio.sleep(0.1)
            a.leg.set_sending(True)
    samples, rate = read_wav(tmp_path / "x.wav")
    assert seconds_of_sound(samples, rate) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("what", ["/no/such/file.wav", __file__, "/", 5])
async def test_what_cannot_be_played_is_named(what: object) -> None:
    async with open_media() as engine, call(engine) as (a, _):
        with pytest.raises(SourceError, match=str(what)):
            await a.leg.play(what)


async def test_a_blocked_trio_thread_loses_no_audio(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):

        async def block() -> None:
            await trio.sleep(0.5)
            time.sleep(0.5)  # noqa: ASYNC251 (on purpose: this is what a bad plugin does)
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(block)
            await recorded_while(b, tmp_path / "x.wav", a.leg.play, tone(1000, 1.6), seconds=2.2)
            nursery.cancel_scope.cancel()
    samples, rate = read_wav(tmp_path / "x.wav")
    on = np.flatnonzero(sounding(samples, rate))
    assert 156 <= len(on) <= 180  # nothing is missing; on a busy machine the jitter buffer may become deeper meanwhile
    assert on[-1] - on[0] + 1 == pytest.approx(len(on), abs=1)  # no hole
    phases = samples[on[0] * rate // 100 + 160 : on[-1] * rate // 100 - 160].astype(float)
    assert loudest_hz(phases, rate) == pytest.approx(1000, abs=0.5)


# --- recording ----------------------------------------------------------------------------------------------


async def test_what_was_not_sent_is_silence_of_the_same_length(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine, "PCMU") as (a, b):

        async def with_a_gap() -> None:
            await a.leg.play(tone(1000, 0.5))
            a.leg.set_sending(False)
            await trio.sleep(1.5)
            a.leg.set_sending(True)
            await a.leg.play(tone(1000, 0.5))

        await recorded_while(b, tmp_path / "x.wav", with_a_gap, seconds=3.2)
    samples, rate = read_wav(tmp_path / "x.wav")
    on = np.flatnonzero(sounding(samples, rate))
    gaps = np.diff(on)
    assert len(on) == pytest.approx(100, abs=6)
    assert gaps.max() / 100 == pytest.approx(1.5, abs=0.25)


async def test_a_recording_ends_with_silence(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b), trio.open_nursery() as nursery:
        nursery.start_soon(a.leg.play, tone(1000, 0.7))
        with trio.fail_after(PATIENCE):
            recording = await b.leg.record(tmp_path / "x.wav", silence=0.8)
    assert recording.stopped_by == "silence"
    assert 1.2 < recording.duration < 2.5
    assert len(read_wav(tmp_path / "x.wav")[0]) / 8000 > 1.2


async def test_a_recording_of_nothing_ends_as_well(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):
        a.leg.set_sending(False)
        with trio.fail_after(PATIENCE):
            recording = await b.leg.record(tmp_path / "x.wav", max_seconds=1.5)
    assert recording.duration == pytest.approx(1.5)
    assert recording.stopped_by == "max_seconds"


async def test_a_recording_ends_with_a_digit_or_the_call_or_a_cancel(tmp_path: Path) -> None:
    results = {}

    async def record(leg, name: str, **options) -> None:  # type: ignore[no-untyped-def]
        results[name] = await leg.record(tmp_path / f"{name}.wav", **options)

    async with open_media() as engine, call(engine) as (a, b):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: record(b.leg, "digit", stop_on="#"))
            await trio.sleep(0.2)
            await a.leg.send_dtmf("5#")
        with trio.move_on_after(0.7):
            await record(b.leg, "cancelled")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: record(b.leg, "ended"))
            await trio.sleep(0.7)
            await b.leg.aclose()
    assert results["digit"].stopped_by == "digit"
    assert results["ended"].stopped_by == "ended"
    assert "cancelled" not in results
    for name in ("cancelled", "ended"):
        samples, rate = read_wav(tmp_path / f"{name}.wav")
        assert len(samples) / rate > 0.3


async def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (_, b):
        with pytest.raises(SourceError, match="nowhere"):
            await b.leg.record(tmp_path / "nowhere" / "x.wav")


# --- digits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
async def test_digits_arrive_once_each(codec: str) -> None:
    async with open_media(codecs=CODECS) as engine, call(engine, codec) as (a, b):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.leg.play, tone(300, 3))  # silent while digits are sent
            await a.leg.send_dtmf("1599*0#D")
            await b.heard.until(lambda h: len(h.digits) >= 8)
            nursery.cancel_scope.cancel()
        assert b.heard.digits == "1599*0#D"
        assert a.heard.digits == ""


async def test_a_wrong_digit_sends_nothing() -> None:
    async with open_media() as engine, call(engine) as (a, _):
        with pytest.raises(UsageError, match="'x'"):
            await a.leg.send_dtmf("12x")


# --- signalling ---------------------------------------------------------------------------------------------


async def test_candidates_are_in_the_offer_and_told_after_it() -> None:
    async with open_media() as engine:
        a = end(engine, "a")
        offer = await a.leg.make_offer(4)
        assert a.heard.events == []
        await a.heard.until(lambda h: h.candidates and h.candidates[-1].candidate is None)
        told = [e.candidate.candidate for e in a.heard.candidates[:-1] if e.candidate]
        assert told
        assert all(f"a={line}\r\n" in offer for line in told)
        assert {e.generation for e in a.heard.candidates} == {4}


async def test_candidates_that_come_early_are_kept() -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        offer = await a.leg.make_offer(1)
        lines = [line for line in offer.split("\r\n") if line.startswith("a=candidate")]
        for line in lines:
            await b.leg.add_candidate(7, IceCandidate(line[2:], "elsewhere", 3))
        for nonsense in (
            None,
            IceCandidate(""),
            IceCandidate("candidate:x"),
            IceCandidate("candidate:1 1 udp 1 a.local 5 typ host"),
        ):
            await b.leg.add_candidate(7, nonsense)
        bare = "\r\n".join(line for line in offer.split("\r\n") if line not in lines)
        answer = await b.leg.make_answer(7, bare)
        bare = "\r\n".join(line for line in answer.split("\r\n") if not line.startswith("a=candidate"))
        await a.leg.apply_answer(1, bare)
        await a.heard.up(1)
        await b.heard.up(7)


async def test_a_machine_without_network_calls_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        await connect(a, b)
        assert all("127.0.0.1" in e.candidate.candidate for e in a.heard.candidates if e.candidate)


async def test_an_answer_marked_actpass_by_a_classic_pbx() -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        offer = (await a.leg.make_offer(1)).replace("a=setup:actpass", "a=setup:active")
        answer = await b.leg.make_answer(1, offer)
        assert "a=setup:passive" in answer
        await a.leg.apply_answer(1, answer.replace("a=setup:passive", "a=setup:actpass"))
        await a.heard.up(1)
        await b.heard.up(1)


async def test_the_same_answer_twice_is_nothing_new_and_another_is_wrong() -> None:
    async with open_media() as engine:
        a, b, c = end(engine, "a"), end(engine, "b"), end(engine, "c")
        offer = await a.leg.make_offer(1)
        answer = await b.leg.make_answer(1, offer)
        await a.leg.apply_answer(1, answer)
        await a.leg.apply_answer(1, answer)
        with pytest.raises(SdpError):
            await a.leg.apply_answer(1, await c.leg.make_answer(1, offer))
        await a.heard.up(1)


@pytest.mark.parametrize(
    ("direction", "ours", "flows"),
    [("sendonly", "recvonly", False), ("inactive", "inactive", False), ("recvonly", "sendonly", True)],
)
async def test_hold_by_a_new_offer_on_the_same_connection(
    direction: str, ours: str, flows: bool, tmp_path: Path
) -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        offer = await a.leg.make_offer(1)
        first = await b.leg.make_answer(1, offer)
        await a.leg.apply_answer(1, first)
        await b.heard.up(1)
        await a.heard.up(1)
        held = await b.leg.make_answer(1, offer.replace("a=sendrecv", f"a={direction}"))
        assert f"a={ours}\r\n" in held
        o_lines = [text.split("\r\n")[1].split() for text in (first, held)]
        assert o_lines[0][1] == o_lines[1][1]
        assert int(o_lines[1][2]) > int(o_lines[0][2])
        await recorded_while(a, tmp_path / "held.wav", b.leg.play, tone(1000, 1), seconds=0.8)
        assert (level(read_wav(tmp_path / "held.wav")[0]) > 0.1) == flows
        assert "a=sendrecv" in await b.leg.make_answer(1, offer)
        await recorded_while(a, tmp_path / "back.wav", b.leg.play, tone(1000, 1), seconds=0.8)
        assert level(read_wav(tmp_path / "back.wav")[0]) > 0.1
        assert b.heard.ups == [1]


async def test_a_new_generation_goes_on_with_what_plays_and_records(tmp_path: Path) -> None:
    async with open_media(codecs=CODECS) as engine:
        a, b = end(engine, "a"), end(engine, "b")
        await connect(a, b)

        async def change() -> None:
            await trio.sleep(0.7)
            offer = await a.leg.make_offer(2)
            pcmu = offer.replace("SAVPF 96 0", "SAVPF 0").replace("a=rtpmap:96 opus/48000/2\r\n", "")
            assert pcmu != offer
            await a.leg.apply_answer(2, await b.leg.make_answer(2, pcmu))
            await b.heard.up(2)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(change)
            await recorded_while(b, tmp_path / "x.wav", a.leg.play, tone(1000, 1.8), seconds=2.8)
        assert a.heard.ups == b.heard.ups == [1, 2]
        assert a.heard.losses == b.heard.losses == []
        await trio.sleep(1.1)
        assert a.leg.stats().codec == "PCMU"
        assert a.leg.stats().packets_sent > 100  # counted over both
    samples, rate = read_wav(tmp_path / "x.wav")
    assert rate == 16000
    assert seconds_of_sound(samples, rate) == pytest.approx(1.8, abs=0.25)
    on = np.flatnonzero(sounding(samples, rate)) * rate // 100
    for part in (samples[on[10] : on[50]], samples[on[-50] : on[-10]]):
        assert loudest_hz(part, rate) == pytest.approx(1000, abs=3)


async def test_a_new_offer_changes_the_codec_on_the_same_connection(tmp_path: Path) -> None:
    async with open_media(codecs=CODECS) as engine:
        a, b = end(engine, "a"), end(engine, "b", ["PCMU", "PCMA"])
        offer = await a.leg.make_offer(1)
        await a.leg.apply_answer(1, await b.leg.make_answer(1, offer))
        await b.heard.up(1)
        await a.heard.up(1)
        assert b.leg.stats().codec == "PCMU"
        head = next(line for line in offer.split("\r\n") if line.startswith("m=audio"))
        assert {"0", "8"} <= set(head.split()[3:])
        answer = await b.leg.make_answer(1, offer.replace(head, " ".join([*head.split()[:3], "8"])))
        assert "SAVPF 8 " in answer
        await recorded_while(a, tmp_path / "x.wav", b.leg.play, tone(1000, 1), seconds=0.8)
        assert loudest_hz(*read_wav(tmp_path / "x.wav")) == pytest.approx(1000, abs=2)
        assert b.leg.stats().codec == "PCMA"
        assert b.heard.ups == [1]


async def test_an_unanswered_offer_is_replaced_by_the_other_sides() -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        await a.leg.make_offer(1)
        offer = await b.leg.make_offer(1)
        await b.leg.apply_answer(1, await a.leg.make_answer(2, offer))
        await a.heard.up(2)
        await b.heard.up(1)
        assert a.heard.losses == []


async def test_a_failed_renewal_leaves_the_call_as_it_was(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, b):
        with pytest.raises(SdpError):
            await b.leg.make_answer(2, "v=0\r\nm=audio 0 RTP/AVP 0\r\n")
        with pytest.raises(SdpError):
            await b.leg.make_answer(1, "nonsense")
        await recorded_while(b, tmp_path / "x.wav", a.leg.play, tone(1000, 1), seconds=0.8)
        assert level(read_wav(tmp_path / "x.wav")[0]) > 0.1


async def test_a_wrong_fingerprint_is_media_lost() -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        offer = await a.leg.make_offer(1)
        answer = await b.leg.make_answer(1, offer)
        lines = [
            "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) if line.startswith("a=fingerprint") else line
            for line in answer.split("\r\n")
        ]
        await a.leg.apply_answer(1, "\r\n".join(lines))
        await a.heard.until(lambda h: h.losses)
        assert a.heard.of(MediaUp) == []
        assert "DTLS" in a.heard.of(MediaLost)[0].reason


# --- the other side goes ------------------------------------------------------------------------------------


async def test_a_closed_connection_is_noticed_at_once() -> None:
    async with open_media() as engine, call(engine) as (a, b):
        await a.leg.aclose()
        await b.heard.until(lambda h: h.losses)
        assert b.heard.of(MediaLost)[0].reason == "closed by the other side"
        await trio.sleep(0.3)
        assert b.heard.losses == [1]
        assert a.heard.losses == []


async def test_a_far_side_that_vanishes_is_noticed_by_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    async with open_media() as engine, call(engine) as (a, b):
        ice = a.leg._leg._active._ice._connection

        def cut() -> None:
            for protocol in ice._protocols:
                protocol.transport.close()

        engine._loop.post(cut)
        await b.heard.until(lambda h: h.losses)
        assert b.heard.of(MediaLost)[0].reason == "consent expired"


async def test_after_a_loss_a_new_generation_brings_the_audio_back(tmp_path: Path) -> None:
    async with open_media() as engine:
        a, b, c = end(engine, "a"), end(engine, "b"), end(engine, "c")
        await connect(a, b)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.leg.play, tone(1000, 2.5))
            await trio.sleep(0.3)
            await b.leg.aclose()
            await a.heard.until(lambda h: h.losses)
            offer = await a.leg.make_offer(2)
            await a.leg.apply_answer(2, await c.leg.make_answer(1, offer))
            await c.heard.up(1)
            await c.leg.record(tmp_path / "x.wav", max_seconds=0.8)
        assert level(read_wav(tmp_path / "x.wav")[0]) > 0.2


# --- the end ------------------------------------------------------------------------------------------------


async def test_close_ends_everything_and_may_come_twice(tmp_path: Path) -> None:
    async with open_media() as engine, call(engine) as (a, _):
        ended = []

        async def play() -> None:
            with pytest.raises(CallEnded):
                await a.leg.play(tone(1000))
            ended.append("play")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            await trio.sleep(0.2)
            nursery.start_soon(a.leg.aclose)
            nursery.start_soon(a.leg.aclose)
        assert ended == ["play"]
        await a.leg.aclose()
        with pytest.raises(CallEnded):
            await a.leg.play(tone(1000))
        with pytest.raises(CallEnded):
            await a.leg.record(tmp_path / "x.wav")
        with pytest.raises(MediaError):
            await a.leg.make_offer(2)
        await a.leg.add_candidate(1, None)
        a.leg.set_sending(True)
        a.leg.set_muted(True)
        assert a.leg.stats().packets_sent > 0


async def test_nothing_is_told_after_close() -> None:
    async with open_media() as engine, call(engine) as (a, b):
        told = len(a.heard.events)
        with trio.CancelScope() as scope:
            scope.cancel()
            await a.leg.aclose()
        await b.heard.until(lambda h: h.losses)
        assert len(a.heard.events) == told


async def test_twenty_calls_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    process = psutil.Process()

    async def some_calls(engine, n: int) -> None:  # type: ignore[no-untyped-def]
        async with trio.open_nursery() as nursery:
            for i in range(n):
                nursery.start_soon(one_call, engine, i)

    async def one_call(engine, i: int) -> None:  # type: ignore[no-untyped-def]
        a, b = end(engine, f"a{i}"), end(engine, f"b{i}")
        await connect(a, b)
        await a.leg.play(Tone((1000.0,), 0.1))
        await a.leg.aclose()
        await b.leg.aclose()

    threads, files = process.num_threads(), process.num_fds()
    pools = 1 + FILE_THREADS + min(32, (os.cpu_count() or 1) + 4)  # the loop, our files, asyncio's own
    async with open_media(codecs=["PCMU"]) as engine:
        await some_calls(engine, 2)
        within = (process.num_fds(), await tasks_of(engine))
        for _ in range(4):
            await some_calls(engine, 5)
        assert (process.num_fds(), await tasks_of(engine)) == within
        await settled(lambda: process.num_threads() <= threads + pools)
        assert engine.legs == 0
    await settled(lambda: process.num_threads() <= threads)
    assert process.num_fds() <= files
    gc.collect()
    assert [o for o in gc.get_objects() if isinstance(o, RTCPeerConnection | Peer | BridgedLeg)] == []
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def settled(condition: Callable[[], bool]) -> None:
    """The system counts a thread for a moment after it was joined."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 (there is no event for it)
            await trio.sleep(0.01)


async def tasks_of(engine) -> int:  # type: ignore[no-untyped-def]
    import asyncio

    async def count() -> int:
        await asyncio.sleep(0.05)
        return len(asyncio.all_tasks())

    return await engine._loop.run(count)


async def test_the_events_of_a_call_in_order() -> None:
    async with open_media() as engine, call(engine) as (a, _):
        kinds = [type(e) for e in a.heard.events]
        assert kinds.index(MediaUp) > kinds.index(LocalCandidate)
        assert kinds.count(MediaUp) == 1


async def test_silence_is_a_source() -> None:
    async with open_media() as engine, call(engine) as (a, _):
        with trio.fail_after(PATIENCE):
            await a.leg.play(silence_for(0.1))
