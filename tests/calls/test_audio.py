"""What a call's audio can do, in virtual time: samples both ways, playlists, music beside, keys."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import SourceError, SpeechUnavailable, Text
from vodiabot.calls import CallAudio
from vodiabot.calls.keys import parts_of
from vodiabot.errors import CallEnded, UsageError
from vodiabot.testing.media import VirtualLeg

from .test_gathering import LONG, SHORT, Prompt, Talk, talking

FRAME = bytes(640)
"""20 ms at 16 kHz."""


def leg_of(talk: Talk) -> VirtualLeg:
    [leg] = talk.bench.media.legs
    return leg


def voice(seconds: float, value: int, rate: int = 16000) -> bytes:
    return struct.pack("h", value) * round(seconds * rate)


# --- samples ---------------------------------------------------------------------------------------------------------


async def test_a_frame_comes_each_20_ms_until_the_call_ends(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.hang_up(1.0)
        async with talk.call.audio() as audio:
            assert (audio.rate, audio.lost_in) == (16000, 0)
            leg_of(talk).doors[0].says.extend([b"\1" * 640, b"\2" * 640])
            frames = [frame async for frame in audio]
            assert frames == [b"\1" * 640, b"\2" * 640, *[FRAME] * 48]
            assert talk.now == 1.0
            for method in (audio.receive, audio.drain, lambda: audio.send(FRAME)):
                with pytest.raises(CallEnded) as caught:
                    await method()
                assert caught.value.reason == "remote_hangup"


async def test_who_is_late_loses_the_oldest_frames(autojump_clock: MockClock) -> None:
    async with talking() as talk, talk.call.audio(rate=8000, frames=10) as audio:
        leg_of(talk).doors[0].says.extend(bytes([n]) * 320 for n in range(50))
        await talk.call.sleep(1)
        assert audio.lost_in == 40
        assert [frame[0] async for frame in _first(audio, 11)] == [*range(40, 50), 0]
        assert talk.now == 1.02


async def _first(audio: CallAudio, n: int) -> AsyncIterator[bytes]:
    for _ in range(n):
        yield await audio.receive()


async def _send_for_ever(audio: CallAudio) -> None:
    while True:
        await audio.send(voice(0.1, 1))


async def _fail_beside(talk: Talk, source: object) -> None:
    async with talk.call.playing(source):
        await talk.call.sleep(1)
        raise ZeroDivisionError


async def test_what_is_sent_leaves_in_its_time(autojump_clock: MockClock) -> None:
    async with talking() as talk, talk.call.audio() as audio:
        [door] = leg_of(talk).doors
        await audio.send(voice(0.5, 1))
        await talk.call.sleep(0.2)
        assert door.sent == voice(0.2, 1)
        await audio.send(voice(0.5, 2))
        await audio.drain()
        assert (talk.now, door.sent) == (1.0, voice(0.5, 1) + voice(0.5, 2))
        await audio.drain()
        assert talk.now == 1.0


async def test_a_full_queue_makes_the_sender_wait_and_loses_nothing(autojump_clock: MockClock) -> None:
    async with talking() as talk, talk.call.audio(frames=10) as audio:
        for _ in range(100):
            await audio.send(FRAME)
        assert talk.now == pytest.approx(2.0 - 0.2, abs=0.021)
        await audio.drain()
        assert talk.now == pytest.approx(2.0)
        assert leg_of(talk).doors[0].sent == FRAME * 100


async def test_clear_drops_what_has_not_left(autojump_clock: MockClock) -> None:
    async with talking() as talk, talk.call.audio() as audio:
        await audio.send(voice(0.8, 1))
        await talk.call.sleep(0.3)
        audio.clear()
        await audio.send(voice(0.1, 2))
        await audio.drain()
        assert (talk.now, leg_of(talk).doors[0].sent) == (0.4, voice(0.3, 1) + voice(0.1, 2))


async def test_the_call_ends_while_it_is_sent(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.hang_up(3.0)
        async with talk.call.audio() as audio:
            with pytest.raises(CallEnded) as caught:
                await _send_for_ever(audio)
        assert (talk.now, caught.value.reason) == (3.0, "remote_hangup")
        with pytest.raises(CallEnded):
            talk.call.audio()


async def test_wrong_wishes_of_audio(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        for wrong in ({"rate": 7999}, {"rate": 96000}, {"frames": 0}):
            with pytest.raises(UsageError):
                async with talk.call.audio(**wrong):
                    pass
        async with talk.call.audio() as audio:
            with pytest.raises(UsageError, match="half a sample"):
                await audio.send(b"\0")


# --- playing ---------------------------------------------------------------------------------------------------------


async def test_a_list_is_a_playlist(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        await talk.call.play([LONG, SHORT], gain=-6, fade_in=1)
        assert talk.now == 12.0
        assert [(played.source, played.gain) for played in talk.end.heard] == [(LONG, -6), (SHORT, -6)]  # type: ignore[attr-defined]


async def test_only_the_beginning_is_faded_in(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    fades: list[tuple[float, float]] = []

    async def play(source: object, *, gain: float, fade_in: float, fade_out: float) -> None:
        fades.append((fade_in, fade_out))
        await trio.sleep(1)

    async with talking() as talk:
        monkeypatch.setattr(leg_of(talk), "play", play)
        with trio.move_on_after(3.5):
            await talk.call.play([LONG, SHORT], fade_in=0.3, fade_out=0.7, loop=True)
    assert fades == [(0.3, 0.7), (0.0, 0.7), (0.0, 0.7), (0.0, 0.7)]


async def test_a_loop_goes_on_until_it_is_cancelled(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with trio.move_on_after(5):
            await talk.call.play(SHORT, loop=True)
        assert talk.heard == [("short", 2.0), ("short", 2.0), ("short", 1.0)]
        with trio.move_on_after(5):
            await talk.call.play(Prompt("nothing", 0.0), loop=True)
        assert len(talk.heard) <= 3 + 251, "a loop of nothing must not go round at full speed"
        talk.hang_up(talk.now + 3)
        with pytest.raises(CallEnded):
            await talk.call.play([], loop=True)


async def test_a_text_among_sources_is_spoken(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(SpeechUnavailable, match="nothing to speak"):
            await talk.call.play([SHORT, Text("Welcome.")])
        assert talk.heard == [("short", 2.0)]


async def test_music_plays_beside_what_else_happens(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        async with talk.call.playing(LONG, gain=-12):
            await talk.call.play(SHORT)
            await talk.call.sleep(13)
        assert talk.heard == [("short", 2.0), ("long", 10.0), ("long", 5.0)]
        assert talk.now == 15.0
        async with talk.call.playing(SHORT, loop=False):
            await talk.call.sleep(5)
        assert talk.heard[3:] == [("short", 2.0)]


async def test_music_that_cannot_be_played_is_told_when_it_is_left(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(SourceError):
            async with talk.call.playing(tmp_path / "none.wav"):
                await talk.call.sleep(1)
        assert talk.now == 1.0
        with pytest.raises(ZeroDivisionError):
            await _fail_beside(talk, tmp_path / "none.wav")


class BrokenSource:
    """A plugin's own, with a mistake in it."""

    @property
    def duration(self) -> float:
        raise ZeroDivisionError


async def test_a_broken_source_harms_its_plugin_alone(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(ZeroDivisionError):
            async with talk.call.playing(BrokenSource()):
                await talk.call.sleep(1)
        assert talk.call.state == "up"


async def test_the_bodys_own_exception_stays_as_it_is_and_stops_the_music(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(ZeroDivisionError):
            await _fail_beside(talk, LONG)
        with trio.move_on_after(1):
            async with talk.call.playing(LONG):
                await trio.sleep_forever()
        assert talk.heard == [("long", 1.0), ("long", 1.0)]


@pytest.mark.parametrize("error", [CallEnded("in-1"), SourceError("the disk is full"), ZeroDivisionError()], ids=repr)
async def test_a_recording_that_fails_harms_neither_the_call_nor_what_the_body_raises(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def fail(*args: object, **options: object) -> None:
        raise error

    async with talking() as talk:
        monkeypatch.setattr(talk.call._leg.media, "record", fail)
        with pytest.raises(KeyError):
            await _record_and_fail(talk, tmp_path)
        with trio.move_on_after(1) as limit:
            async with talk.call.recording(tmp_path / "r.wav"):
                await trio.sleep_forever()
        assert limit.cancelled_caught
        told = nullcontext() if isinstance(error, CallEnded) else pytest.raises(type(error))
        with told:
            async with talk.call.recording(tmp_path / "r.wav") as recording:
                await talk.call.sleep(1)
        assert recording.result is None
        assert talk.call.state == "up"


async def _record_and_fail(talk: Talk, folder: Path) -> None:
    async with talk.call.recording(folder / "r.wav"):
        await talk.call.sleep(1)
        raise KeyError


async def test_music_ends_with_the_call(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.hang_up(4.0)
        with pytest.raises(CallEnded):
            async with talk.call.playing(LONG):
                await talk.call.sleep(30)
        async with talk.call.scope():
            await trio.sleep_forever()
        with pytest.raises(CallEnded):
            async with talk.call.playing(LONG):
                pass
        assert talk.now == 4.0


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("12#", ["12#"]),
        ("1a*", ["1A*"]),
        ("12,,3w", ["12", 1.0, "3", 0.5]),
        (",W5", [1.0, "5"]),
    ],
)
def test_keys_as_they_are_written(text: str, parts: list[str | float]) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize("text", ["12x", "1 2", "٣", "ß", "E", "+49"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(UsageError, match="DTMF"):
        parts_of(text)


async def test_keys_are_checked_before_anything_is_sent(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        pressed: list[tuple[str, float]] = []
        talk.end.on_digit = lambda digit: pressed.append((digit, talk.now))
        with pytest.raises(UsageError):
            await talk.call.send_dtmf("12x")
        assert pressed == []
        await talk.call.send_dtmf("1w,2")
        assert pressed == [("1", 0.0), ("2", 1.16)]
        talk.hang_up(2.0)
        with pytest.raises(CallEnded):
            await talk.call.send_dtmf("1wwwwwwwww2")
        assert [key for key, _ in pressed] == ["1", "2", "1"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"duration": 0.01}, "duration is 0.04 to 8 seconds, not 0.01"),
        ({"duration": True}, "duration is 0.04 to 8 seconds, not True"),
        ({"gap": float("nan")}, "gap is 0.04 to 8 seconds, not nan"),
        ({"volume": 10}, "volume is -36 to 0 dBm0, not 10"),
        ({"volume": "loud"}, "volume is -36 to 0 dBm0, not 'loud'"),
    ],
)
async def test_how_keys_can_not_be_pressed(how: dict[str, Any], told: str, autojump_clock: MockClock) -> None:
    async with talking() as talk:
        pressed: list[str] = []
        talk.end.on_digit = pressed.append
        with pytest.raises(UsageError, match=f"^send_dtmf: {told}$"):
            await talk.call.send_dtmf("12", **how)
        assert pressed == []


async def test_how_long_keys_are_pressed(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        began = talk.now
        await talk.call.send_dtmf("12", duration=0.5, gap=0.2, volume=-20)
        assert talk.now - began == pytest.approx(1.4)
