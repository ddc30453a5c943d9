"""What leaves of a leg, packet by packet, in virtual time: play, mute, hold, another codec or connection, the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vodiabot.errors import CallEnded, MediaError, SourceError
from vodiabot.media import rtp
from vodiabot.media.audio import Samples
from vodiabot.media.door import Door
from vodiabot.media.player import MAX_PLAYERS
from vodiabot.media.sources import Feed, Louder, playlist, silence_for, tone
from vodiabot.ports import MediaLost, MediaUp

from .helpers import sine, write_wav
from .sending import EVENT_TYPE, LINEAR_TYPE, WIDE, WIDE_TYPE, Line, Talk, negotiated, stopped, talk, worst_step
from .virtual import the_loop, virtually

RATE, BLOCK = 8000, 160
HZ = 400.0


def own_step(hz: float = HZ, level: float = 0.5, rate: int = RATE) -> float:
    """The second difference of the tone itself; what fades over 5 ms adds a little."""
    return 32767 * level * (2 * np.pi * hz / rate) ** 2


def with_talk(body: Callable[[Talk], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        with talk(**options) as one:
            one.up(one.line)
            try:
                await one.frames(5)
                await body(one)
            finally:
                await one.leg.aclose()
            assert {t for t in asyncio.all_tasks() if t is not asyncio.current_task()} == set()

    virtually(main())


def keeps_time(line: Line) -> None:
    """Sequence numbers without a gap, and timestamps that go with the clock."""
    for a, b in pairwise(line.packets):
        assert (b.sequence - a.sequence) % rtp.SEQUENCES == 1
    for a, b in pairwise(line.audio):
        passed = (b.timestamp - a.timestamp) % rtp.TIMESTAMPS
        assert passed / RATE == pytest.approx(b.arrival - a.arrival, abs=1e-6)


def sounding(line: Line) -> list[rtp.Packet]:
    return [p for p in line.audio if np.frombuffer(p.payload, np.int16).any()]


# --- playing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.1, 0.105, 0.001, 0.02, 1.0])
def test_play_returns_when_the_time_of_the_last_sample_is_over(seconds: float) -> None:
    async def body(t: Talk) -> None:
        await t.leg.play(tone(HZ, seconds), 0, 0, 0)
        heard = sounding(t.line)
        assert the_loop().time() == pytest.approx(heard[-1].arrival + 0.02)
        assert len(t.line.heard()) / RATE >= seconds
        assert len(heard) == np.ceil(round(seconds / 0.02, 6))
        keeps_time(t.line)

    with_talk(body)


@pytest.mark.parametrize("kind", ["inline", "file"])
def test_one_play_after_the_other_has_a_pause_and_a_list_has_none(kind: str, tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [sine(HZ, 0.1, RATE)], RATE)
    part = tone(HZ, 0.1) if kind == "inline" else tmp_path / "x.wav"

    async def body(t: Talk) -> None:
        await t.leg.play([part] * 5, 0, 0, 0)
        heard = t.line.heard()
        loud = np.flatnonzero(np.abs(heard.astype(int)) > 50)
        whole = heard[loud[0] : loud[-1] + 1]
        assert len(whole) == pytest.approx(4000, abs=10)
        assert worst_step(whole) < 1.1 * own_step(), "40 periods each: one tone without a seam"

    with_talk(body)


def test_a_list_with_something_missing_says_so_after_what_came_before(tmp_path: Path) -> None:
    async def body(t: Talk) -> None:
        with pytest.raises(SourceError, match=r"missing\.wav"):
            await t.leg.play([tone(HZ, 0.2), tmp_path / "missing.wav", tone(HZ, 0.2)], 0, 0, 0)
        assert len(sounding(t.line)) == 10

    with_talk(body)


class Odd:
    """A plugin's source: blocks, None, or what it raises; after them the end."""

    def __init__(self, *items: Any, inline: bool = False, opening: Exception | None = None) -> None:
        self.inline, self.items, self.opening, self.closed = inline, list(items), opening, 0

    def open(self, rate: int) -> Odd:
        if self.opening is not None:
            raise self.opening
        self.rate = rate
        return self

    def read(self) -> Samples | None:
        item = self.items.pop(0) if self.items else None
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("inline", [True, False])
def test_a_source_that_fails_on_the_way_is_heard_until_then(inline: bool) -> None:
    async def body(t: Talk) -> None:
        source = Odd(np.full(1000, 9, np.int16), ZeroDivisionError("plugin"), inline=inline)
        with pytest.raises(SourceError, match="plugin") as caught:
            await t.leg.play(source, 0, 0, 0)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert np.count_nonzero(t.line.heard() == 9) == 1000
        assert source.closed == 1

    with_talk(body)


@pytest.mark.parametrize("inline", [True, False])
def test_a_source_that_does_not_open_is_an_error_at_once(inline: bool) -> None:
    async def body(t: Talk) -> None:
        before = the_loop().time()
        with pytest.raises(SourceError, match="RuntimeError"):
            await t.leg.play(Odd(inline=inline, opening=RuntimeError()), 0, 0, 0)
        with pytest.raises(SourceError, match="gone"):
            await t.leg.play(Odd(SourceError("gone"), inline=inline), 0, 0, 0)
        assert the_loop().time() == before

    with_talk(body)


def test_a_source_that_has_nothing_yet_is_not_asked_all_the_time() -> None:
    """Read in a thread, since a file is in the list too: it must not spin there until the feed is fed."""

    async def body(t: Talk) -> None:
        waiting = Odd(*[np.zeros(0, np.int16)] * 20, np.full(160, 7, np.int16))
        task = t.begin(waiting)
        await t.frames(6)
        assert 10 < len(waiting.items) < 20
        await asyncio.wait_for(task, 5)
        assert np.count_nonzero(t.line.heard() == 7) == 160

    with_talk(body)


def test_stopped_within_a_frame() -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ))
        await t.frames(10)
        n = len(t.line.packets)
        await stopped(task)
        await t.frames(3)
        rest = t.line.heard(n)
        assert np.flatnonzero(rest)[-1] < 0.005 * RATE + 1
        assert worst_step(t.line.heard()[6 * BLOCK :]) < 1.3 * own_step()
        keeps_time(t.line)

    with_talk(body)


@pytest.mark.parametrize(
    ("gain", "fade_in", "fade_out"),
    [(0, 0.005, 0.005), (-12, 0.3, 0.1), (6, 0.02, 0.05), (-40, 0.005, 0.3), (3, 0.007, 0.011)],
)
@pytest.mark.parametrize("kind", ["inline", "file"])
def test_gain_and_fades_have_no_step_of_their_own(
    gain: float, fade_in: float, fade_out: float, kind: str, tmp_path: Path
) -> None:
    write_wav(tmp_path / "x.wav", [sine(HZ, 5, RATE, 0.25)], RATE)
    level = 0.25 * 10 ** (gain / 20)

    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ, level=0.25) if kind == "inline" else tmp_path / "x.wav", gain, fade_in, fade_out)
        await t.frames(30)
        await stopped(task)
        await t.frames(30)
        heard = t.line.heard()
        assert np.abs(heard.astype(int)).max() == pytest.approx(level * 32767, rel=0.01, abs=2)
        assert worst_step(heard) < 1.35 * own_step(level=level) + 4
        assert not heard[-5 * BLOCK :].any()

    with_talk(body)


def test_many_at_once_are_clipped_and_never_wrap() -> None:
    async def body(t: Talk) -> None:
        tasks = [t.begin(tone(100, level=1.0)) for _ in range(5)]
        door = Door(RATE, 50, lambda: None)
        t.leg.sound.add_door(door)
        door.send((sine(100, 0.4, RATE, 1.0) * 32767).astype(np.int16).tobytes())
        loud = t.begin(Louder(tone(100, level=1.0), 20))
        await t.frames(15)
        heard = t.line.heard()
        heard = heard[np.flatnonzero(heard)[0] - 1 :][: 8 * BLOCK].astype(int)
        assert (heard.max(), heard.min()) == (32767, -32768)
        own = sine(100, 8 * BLOCK / RATE, RATE)
        clear = np.abs(own) > 0.2
        assert (np.sign(heard[clear]) == np.sign(own[clear])).all(), "what wraps has the other sign"
        await stopped(*tasks, loud)

    with_talk(body)


def test_too_many_at_once_are_refused_and_none_is_forgotten() -> None:
    async def body(t: Talk) -> None:
        tasks = [t.begin(tone(100, 0.1, 0.001)) for _ in range(MAX_PLAYERS)]
        await asyncio.sleep(0)
        with pytest.raises(MediaError, match="100 sounds"):
            await t.leg.play(tone(100, 0.1), 0, 0, 0)
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        await t.leg.play(tone(100, 0.1), 0, 0, 0)

    with_talk(body)


@pytest.mark.parametrize("held", [False, True])
def test_a_door_that_is_left_while_it_is_heard_fades(held: bool) -> None:
    async def body(t: Talk) -> None:
        door = Door(RATE, 50, lambda: None)
        t.leg.sound.add_door(door)
        door.send(np.rint(32767 * sine(HZ, 1, RATE)).astype(np.int16).tobytes())
        await t.frames(10)
        if held:
            t.leg.set_sending(False)
        n = len(t.line.packets)
        door.leave()
        t.leg.sound.remove_door(door)
        t.leg.sound.remove_door(door)
        t.leg.set_sending(True)
        await t.frames(10)
        if held:
            assert not t.line.heard(n).any()
        else:
            assert worst_step(t.line.heard()[6 * BLOCK :]) < 1.3 * own_step()
            assert not t.line.heard(n)[41:].any()

    with_talk(body)


# --- mute -------------------------------------------------------------------------------------------------------


def test_mute_fades_both_ways_and_what_plays_goes_on() -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ))
        await t.frames(10)
        t.leg.sound.set_muted(True)
        muted = len(t.line.packets)
        await t.frames(10)
        t.leg.sound.set_muted(False)
        await t.frames(10)
        heard = t.line.heard()
        assert not t.line.heard(muted)[BLOCK : 10 * BLOCK].any()
        assert worst_step(heard[6 * BLOCK :]) < 1.35 * own_step()
        at = len(heard) - 5 * BLOCK
        phase = np.flatnonzero(np.abs(heard[: 10 * BLOCK].astype(int)) > 100)[0] - 1
        assert heard[at] == pytest.approx(32767 * 0.5 * np.sin(2 * np.pi * HZ * (at - phase) / RATE), abs=300)
        keeps_time(t.line)
        await stopped(task)

    with_talk(body)


def test_what_begins_while_it_is_muted_is_not_heard_at_all() -> None:
    async def body(t: Talk) -> None:
        t.leg.sound.set_muted(True)
        await t.leg.play(tone(HZ, 0.1), 0, 0, 0)
        t.leg.sound.add_door(door := Door(RATE, 50, lambda: None))
        door.send(np.full(800, 999, np.int16).tobytes())
        await t.frames(10)
        assert door.empty()
        assert not t.line.heard().any()

    with_talk(body)


# --- hold -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ours", "theirs"])
def test_on_hold_nothing_leaves_what_plays_waits_and_goes_on_softly(how: str) -> None:
    def hold(t: Talk, on: bool) -> None:
        if how == "ours":
            t.leg.set_sending(not on)
        else:
            t.line.may_send = not on
            t.renegotiated()

    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ, 0.4))
        await t.frames(10)
        hold(t, True)
        n = len(t.line.packets)
        await asyncio.sleep(60.0)
        assert len(t.line.packets) == n
        assert not task.done()
        hold(t, False)
        await task
        after = t.line.packets[n]
        assert after.marker
        assert not any(p.marker for p in t.line.packets[1:n] + t.line.packets[n + 1 :])
        assert len(sounding(t.line)) == 20, "all of it was heard"
        assert np.abs(np.diff(t.line.heard(n)[:8].astype(int), prepend=0)).max() < 3500, "no step out of silence"
        assert worst_step(t.line.heard(n)[: 10 * BLOCK]) < 1.35 * own_step(), "it has its own end only"
        keeps_time(t.line)

    with_talk(body)


@pytest.mark.parametrize("fade_out", [0.0, 2.0])
def test_what_is_stopped_on_hold_is_not_heard_after_it(fade_out: float) -> None:
    async def body(t: Talk) -> None:
        tasks = [t.begin(tone(HZ), fade_out=fade_out) for _ in range(2)]
        feed = Feed(RATE)
        feed.put(np.full(4000, 999, np.int16).tobytes())
        door = Door(RATE, 50, lambda: None)
        t.leg.sound.add_door(door)
        door.send(np.full(4000, 999, np.int16).tobytes())
        tasks.append(t.begin(feed))
        await t.frames(5)
        await stopped(tasks[0])  # it fades when the hold begins
        t.leg.set_sending(False)
        await t.frames(1)
        await stopped(*tasks)
        door.clear()
        n = len(t.line.packets)
        t.leg.set_sending(True)
        await t.frames(10)
        assert not t.line.heard(n).any()

    with_talk(body)


def test_what_began_before_there_is_a_connection_waits_for_it() -> None:
    async def body() -> None:
        with talk() as t:
            early = t.begin(tone(HZ, 0.1))
            never = t.begin(tone(HZ))
            await asyncio.sleep(10)
            await stopped(never)
            t.up(t.line)
            await early
            assert len(sounding(t.line)) == 5
            await t.leg.aclose()

    virtually(body())


# --- another codec, another connection --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["inline", "file"])
def test_another_codec_on_the_way(kind: str, tmp_path: Path) -> None:
    """Numbers and time go on, nothing is lost, and there is no seam."""
    write_wav(tmp_path / "x.wav", [sine(HZ, 5, 44100)], 44100)

    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ) if kind == "inline" else tmp_path / "x.wav")
        await t.frames(20)
        n = len(t.line.packets)
        t.renegotiated(codec=WIDE, payload_type=WIDE_TYPE)
        await t.frames(20)
        wide = t.line.packets[n:]
        assert {p.payload_type for p in wide} == {WIDE_TYPE}
        assert [p.sequence for p in wide] == [(wide[0].sequence + i) % rtp.SEQUENCES for i in range(len(wide))]
        assert (wide[0].timestamp - t.line.packets[n - 1].timestamp) % rtp.TIMESTAMPS == BLOCK
        assert all((b.timestamp - a.timestamp) % rtp.TIMESTAMPS == 2 * BLOCK for a, b in pairwise(wide))
        assert not any(p.marker for p in wide)
        before = t.line.heard()[: n * BLOCK][6 * BLOCK :]
        after = t.line.heard(n)
        joined = np.concatenate((before[-800:], after[::2][:800]))
        assert worst_step(joined) < 1.1 * own_step()
        assert worst_step(after) < 1.1 * own_step(rate=16000)
        await stopped(task)

    with_talk(body)


def test_another_connection_goes_on_with_what_plays() -> None:
    async def body(t: Talk) -> None:
        old = t.line
        task = t.begin(tone(HZ, 0.4))
        await t.frames(10)
        new = Line(2)
        t.up(new)
        gone = len(old.packets)
        await task
        assert len(old.packets) == gone
        assert old.reports, "a goodbye"
        assert len(sounding(old)) + len(sounding(new)) == 20
        keeps_time(new)
        assert worst_step(np.concatenate((old.heard()[6 * BLOCK :], new.heard()[: 5 * BLOCK]))) < 1.1 * own_step()
        assert t.leg.stats().packets_sent == len(old.packets) + len(new.packets)
        assert old.closed == 1

    with_talk(body)


def test_a_connection_that_is_over_keeps_no_decoder_and_its_counters() -> None:
    async def body(t: Talk) -> None:
        stream = t.leg._counted[1]
        assert stream is not None
        receiver = stream._receiver
        t.line.comes(rtp.build(LINEAR_TYPE, True, 1, 160, 7, bytes(2 * BLOCK)))
        await t.frames(5)
        assert receiver._decoder is not None
        await t.leg.aclose()
        assert receiver._decoder is receiver._buffer is None
        assert t.leg.stats().packets_received == 1

    with_talk(body)


def test_a_lost_connection_is_told_once_and_what_plays_waits() -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ, 0.4))
        dropped = t.begin(tone(HZ), fade_out=1.0)
        await t.frames(10)
        t.leg.is_lost(t.line, "consent expired")  # type: ignore[arg-type]
        await asyncio.sleep(5)
        await stopped(dropped)
        assert not task.done()
        t.up(Line(2))
        await task
        assert [type(e) for e in t.told] == [MediaUp, MediaLost, MediaUp]
        assert t.line.heard(len(sounding(t.line)) + 1).size == 0 or not t.line.heard(12).any()

    with_talk(body)


# --- digits -----------------------------------------------------------------------------------------------------


def test_a_digit_beside_what_plays() -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ))
        await t.frames(3)
        before = the_loop().time()
        await t.leg.send_dtmf("12", 0.1, 0.06)
        assert the_loop().time() - before == pytest.approx(2 * 0.16, abs=0.021)
        assert [e.code for _, e in t.line.events] == [1] * 8 + [2] * 8
        keeps_time(t.line)
        await stopped(task)

    with_talk(body)


def test_a_digit_that_nobody_waits_for_any_more_is_not_sent_after_the_hold() -> None:
    async def body(t: Talk) -> None:
        t.leg.set_sending(False)
        dialling = asyncio.ensure_future(t.leg.send_dtmf("12", 0.1, 0.06))
        await asyncio.sleep(1)
        await stopped(dialling)
        t.leg.set_sending(True)
        await asyncio.sleep(1)
        assert t.line.events == []
        await t.leg.send_dtmf("3", 0.1, 0.06)
        assert {e.code for _, e in t.line.events} == {3}

    with_talk(body)


def test_a_digit_that_has_begun_gets_its_end() -> None:
    async def body(t: Talk) -> None:
        dialling = asyncio.ensure_future(t.leg.send_dtmf("12", 0.2, 0.06))
        await t.frames(3)
        await stopped(dialling)
        await asyncio.sleep(1)
        assert [e.code for _, e in t.line.events] == [1] * 8
        assert [e.end for _, e in t.line.events] == [False] * 5 + [True] * 3, "not for as long, but understood"

    with_talk(body)


def test_where_events_are_no_more_a_waiting_digit_goes_as_a_tone_without_a_click() -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ, level=0.25))
        t.leg.set_sending(False)
        dialling = asyncio.ensure_future(t.leg.send_dtmf("5", 0.1, 0.1))
        await asyncio.sleep(1)
        t.leg.set_sending(True)
        t.renegotiated(event_type=None)
        n = len(t.line.packets)
        await t.frames(4)
        await dialling
        await t.frames(10)
        assert t.line.events == []
        heard = t.line.heard(n)
        digit = own_step(770, 0.28) + own_step(1336, 0.28)
        assert worst_step(heard) < digit + 1.35 * own_step(level=0.25)
        quiet = np.abs(heard[: len(heard) // 80 * 80].reshape(-1, 80).astype(int)).max(axis=1) == 0
        assert quiet.any(), "the pause after the digit is silent"
        await stopped(task)

    with_talk(body)


def test_what_a_digit_replaces_is_not_in_a_recording_of_what_was_sent() -> None:
    async def body(t: Talk) -> None:
        class Sink:
            def __init__(self) -> None:
                self.sent: list[float] = []

            def push(self, samples: Samples, rate: int, at: float) -> None:
                return

            def push_sent(self, samples: Samples, rate: int, at: float) -> None:
                self.sent.append(at)

            def digit(self, digit: str) -> None:
                return

        sink = Sink()
        t.leg.sound._sinks.append(sink)
        task = t.begin(tone(HZ))
        await t.frames(3)
        await t.leg.send_dtmf("1", 0.1, 0.06)
        await t.frames(3)
        audio = sounding(t.line)
        assert len(sink.sent) == len(audio)
        await stopped(task)

    with_talk(body)


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "holes"), [(0.05, 0), (0.09, 0), (0.5, 1), (30.0, 1)])
def test_a_stall_is_caught_up_with_or_shown_in_the_timestamps(late: float, holes: int) -> None:
    async def body(t: Talk) -> None:
        task = t.begin(tone(HZ))
        await t.frames(10)
        n = len(t.line.packets)
        the_loop().late(late)
        await asyncio.sleep(0.4)
        gaps = [(b.timestamp - a.timestamp) % rtp.TIMESTAMPS for a, b in pairwise(t.line.packets)]
        assert sum(gap != BLOCK for gap in gaps) == holes
        assert {p.payload_type for p in t.line.packets} == {LINEAR_TYPE}
        last = t.line.packets[-1]
        passed = (last.timestamp - t.line.packets[n - 1].timestamp) % rtp.TIMESTAMPS / RATE
        assert passed == pytest.approx(last.arrival - t.line.packets[n - 1].arrival, abs=0.021), "it is on time again"
        for a, b in pairwise(t.line.packets):
            assert (b.sequence - a.sequence) % rtp.SEQUENCES == 1
        await stopped(task)

    with_talk(body)


# --- the end ----------------------------------------------------------------------------------------------------


def test_after_the_end_nothing_leaves() -> None:
    async def body(t: Talk) -> None:
        playing = t.begin(tone(HZ))
        dialling = asyncio.ensure_future(t.leg.send_dtmf("123", 0.1, 0.06))
        await t.frames(10)
        n = len(t.line.packets)
        await t.leg.aclose()
        await asyncio.sleep(5)
        assert len(t.line.packets) == n
        assert t.line.reports[-1][-8] & 0x1F == 1, "the last report ends with a goodbye"
        for task in (playing, dialling):
            with pytest.raises(CallEnded):
                await task
        with pytest.raises(CallEnded):
            await t.leg.play(tone(HZ), 0, 0, 0)
        t.leg.set_sending(True)
        t.leg.sound.set_muted(False)
        await asyncio.sleep(1)
        assert len(t.line.packets) == n

    with_talk(body)


def test_a_connection_that_fails_harms_no_other_call(caplog: pytest.LogCaptureFixture) -> None:
    """Its goodbye fails as well."""

    async def body(t: Talk) -> None:
        with talk(pacer=t.pacer) as other:
            other.up(Line(7))
            playing = other.begin(tone(HZ))
            await t.frames(5)
            t.line.fail = ValueError("no wire")
            await t.frames(5)
            assert [e for e in t.told if isinstance(e, MediaLost)] == [MediaLost(1, "the audio failed: no wire")]
            n = len(other.line.packets)
            await other.frames(10)
            assert len(other.line.packets) == n + 10
            assert other.told == [MediaUp(7)]
            await stopped(playing)
            await other.leg.aclose()

    with caplog.at_level(logging.CRITICAL):
        with_talk(body)


def test_a_pause_is_a_source_and_a_list_waits_for_what_is_fed() -> None:
    async def body(t: Talk) -> None:
        feed = Feed(RATE)
        task = t.begin(playlist(tone(HZ, 0.1), silence_for(0.1), feed))
        await t.frames(20)
        assert len(sounding(t.line)) == 5
        feed.put(np.full(BLOCK, 9, np.int16).tobytes())
        feed.end()
        await asyncio.wait_for(task, 5)
        assert len(sounding(t.line)) == 6
        assert {p.payload_type for p in t.line.packets} == {LINEAR_TYPE}
        assert EVENT_TYPE not in {p.payload_type for p in t.line.packets}
        assert negotiated().event_type == EVENT_TYPE

    with_talk(body)
