"""The two loops: cancelling, closing, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot.errors import MediaError, SourceError, UsageError
from vodiabot.media.bridge import FILE_THREADS, MediaEngine, open_media
from vodiabot.media.bridged import MAX_WAITING_DIGITS, BridgedLeg
from vodiabot.media.ice import ice_servers_of
from vodiabot.media.sources import Louder, tone
from vodiabot.ports import DtmfReceived, MediaEvent, MediaLeg, MediaPort, MediaUp

from .helpers import PATIENCE, Heard, call, end


def media_threads() -> list[str]:
    return [
        t.name for t in threading.enumerate() if t.name.startswith(("vodiabot", "audio-decoder", "asyncio"))
    ]


def promises(engine: MediaEngine, leg: BridgedLeg) -> tuple[MediaPort, MediaLeg]:
    """For mypy: they are what the ports promise."""
    return engine, leg


async def test_a_result_and_an_error_come_over() -> None:
    async def right() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    async def wrong() -> None:
        raise ValueError("there")

    async with open_media() as engine:
        assert await engine._loop.run(right) == "vodiabot-media"
        with pytest.raises(ValueError, match="there"):
            await engine._loop.run(wrong)
    assert media_threads() == []


async def test_cancelling_cancels_over_there_and_waits() -> None:
    steps: list[str] = []
    began = trio.Event()

    async def work() -> None:
        engine._loop.to_trio(began.set)
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.2)
            steps.append("tidied")

    async with open_media() as engine, trio.open_nursery() as nursery:
        nursery.start_soon(engine._loop.run, work)
        await began.wait()
        nursery.cancel_scope.cancel()
    assert steps == ["tidied"]


async def test_work_that_ignores_the_cancel_is_waited_for_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vodiabot.media.bridge.GRACE_SECONDS", 0.3)
    go_on = threading.Event()
    over: list[bool] = []

    async def stubborn() -> None:
        while not go_on.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        over.append(True)

    async with open_media() as engine:
        with trio.fail_after(PATIENCE), trio.move_on_after(0.1):
            await engine._loop.run(stubborn)
        assert over == []
        go_on.set()
    assert over == [True]


async def test_a_closed_engine_refuses_everything() -> None:
    async with open_media() as engine:
        leg = engine.open("x", Heard())
    await engine.aclose()
    await leg.aclose()
    with pytest.raises(MediaError):
        engine.open("y", Heard())
    with pytest.raises(MediaError):
        await leg.make_offer(1)
    leg.set_sending(True)
    assert not engine._loop.post(print)


async def test_what_runs_when_the_engine_closes_ends() -> None:
    ended: list[BaseException] = []

    async def play(leg: BridgedLeg) -> None:
        try:
            await leg.play(tone(1000))
        except MediaError as exc:
            ended.append(exc)
        except Exception as exc:  # noqa: BLE001 (which one it is, is the question)
            ended.append(exc)

    async with trio.open_nursery() as nursery, open_media() as engine:
        a = end(engine, "a")
        nursery.start_soon(play, a.leg)
        await trio.sleep(0.1)
    assert len(ended) == 1
    assert type(ended[0]).__name__ in ("CallEnded", "MediaError")
    assert media_threads() == []


async def test_a_cancelled_body_leaves_nothing() -> None:
    with trio.move_on_after(0.6) as scope:
        async with open_media() as engine, call(engine) as (a, b), trio.open_nursery() as nursery:
            nursery.start_soon(a.leg.play, tone(1000))
            nursery.start_soon(b.leg.play, tone(1000))
    assert scope.cancelled_caught
    assert media_threads() == []


async def test_a_body_that_raises_leaves_nothing() -> None:
    async def body() -> None:
        async with open_media() as engine:
            end(engine, "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert media_threads() == []


async def test_a_cancelled_negotiation_leaves_the_leg_good() -> None:
    async with open_media() as engine:
        a, b = end(engine, "a"), end(engine, "b")
        for generation in range(1, 6):
            with trio.move_on_after(0.0005 * generation):
                await a.leg.make_offer(generation)
        offer = await a.leg.make_offer(9)
        await a.leg.apply_answer(9, await b.leg.make_answer(1, offer))
        await a.heard.up(9)
        await b.heard.up(1)


async def test_the_bound_on_legs() -> None:
    async with open_media(max_legs=2) as engine:
        first = engine.open("1", Heard())
        engine.open("2", Heard())
        with pytest.raises(MediaError, match="2"):
            engine.open("3", Heard())
        await first.aclose()
        engine.open("3", Heard())


async def test_a_leg_narrows_the_codecs_and_cannot_add_any() -> None:
    async with open_media(codecs=["opus", "PCMU", "PCMA"]) as engine:
        offer = await engine.open("x", Heard(), codecs=["pcma", "opus", "G722"]).make_offer(1)
        assert "SAVPF 8 96 101 110\r\n" in offer
        with pytest.raises(UsageError):
            engine.open("y", Heard(), codecs=["G722"])


async def test_the_switch_interval_is_the_callers_and_given_back() -> None:
    before = sys.getswitchinterval()
    async with open_media(switch_interval=0.0005):
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert sys.getswitchinterval() == before
    async with open_media():
        assert sys.getswitchinterval() == before


async def test_what_is_kept_out_of_the_collections_is_given_back() -> None:
    async with open_media():
        assert gc.get_freeze_count() == 0
    async with open_media(short_collections=True):
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


async def test_opening_in_a_cancelled_scope_leaves_nothing() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with open_media():
            await trio.lowlevel.checkpoint()
    assert media_threads() == []


async def test_work_posted_as_the_loop_ends_is_told() -> None:
    """The race: it was posted, and the loop ended before it began."""
    async with open_media() as engine:
        loop = engine._loop
        loop.post(loop._stop.set)
        with trio.fail_after(PATIENCE):
            for _ in range(200):
                with suppress(MediaError):
                    await loop.run(lambda: asyncio.sleep(0))


@pytest.mark.parametrize("codecs", [[], ["speex"]])
async def test_wrong_codecs(codecs: list[str]) -> None:
    media = open_media(codecs=codecs)
    with pytest.raises(UsageError):
        await media.__aenter__()
    assert media_threads() == []


def test_ice_servers() -> None:
    (server,) = ice_servers_of(["turn:me:s3cret@turn.example.com:3478?transport=udp"])
    assert (server.urls, server.username, server.credential) == (
        "turn:turn.example.com:3478?transport=udp",
        "me",
        "s3cret",
    )
    assert ice_servers_of(["stun:stun.example.com"])[0].urls == "stun:stun.example.com"


@pytest.mark.parametrize("url", ["", "http://x", "stun:me:s3cret@x", "turn:me:s3cret@x?y"])
def test_wrong_ice_servers_are_named_without_their_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ice_servers_of([url])
    assert "s3cret" not in str(caught.value)


# --- events -------------------------------------------------------------------------------------------------


async def test_events_come_in_order_on_the_trio_thread() -> None:
    seen: list[Any] = []
    all_of_them = trio.Event()

    def on_event(event: MediaEvent) -> None:
        seen.append((event, threading.current_thread()))
        if len(seen) == 20:
            all_of_them.set()

    async with open_media() as engine:
        leg = engine.open("x", on_event)
        for i in range(20):
            engine._loop.post(leg._tell, MediaUp(i))
        with trio.fail_after(PATIENCE):
            await all_of_them.wait()
    assert seen == [(MediaUp(i), threading.main_thread()) for i in range(20)]


async def test_a_handler_that_raises_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    called = trio.Event()

    def on_event(event: MediaEvent) -> None:
        called.set()
        raise RuntimeError("plugin")

    async with open_media() as engine:
        leg = engine.open("the leg", on_event)
        engine._loop.post(leg._tell, MediaUp(1))
        with trio.fail_after(PATIENCE):
            await called.wait()
    assert "the leg" in caplog.text


async def test_digits_are_bounded_while_trio_is_busy(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    async with open_media() as engine:
        leg = engine.open("x", heard)
        told = threading.Event()

        def many() -> None:
            for _ in range(MAX_WAITING_DIGITS + 50):
                leg._tell(DtmfReceived("5"))
            leg._tell(MediaUp(1))
            told.set()

        engine._loop.post(many)
        assert told.wait(PATIENCE)  # blocks the trio thread on purpose
        await heard.up(1)
    assert len(heard.digits) == MAX_WAITING_DIGITS


async def test_events_after_trio_has_ended_are_dropped() -> None:
    async with open_media() as engine:
        loop = engine._loop

    class EndedTrio:
        def run_sync_soon(self, *_: Any) -> None:
            raise trio.RunFinishedError

    loop._token = EndedTrio()  # type: ignore[assignment]
    loop.to_trio(print, "never")


class DeadServer:
    """A source that waits for somebody who never answers."""

    def __init__(self) -> None:
        self.opening = threading.Semaphore(0)
        self.over = threading.Event()

    def open(self, rate: int) -> Any:
        self.opening.release()
        assert self.over.wait(PATIENCE)
        raise SourceError("nobody has answered")


async def test_those_who_wait_for_dead_servers_keep_no_file_from_being_played(tmp_path: Path) -> None:
    dead = DeadServer()

    async def play_it(source: Any) -> None:
        with pytest.raises(SourceError, match="nobody"):
            await leg.play(source)

    async with open_media() as engine, trio.open_nursery() as nursery:
        leg = engine.open("a", Heard())
        for source in [dead, Louder(dead, -6), [dead, tmp_path / "later.wav"]] * FILE_THREADS:
            nursery.start_soon(play_it, source)
        try:
            for _ in range(FILE_THREADS):
                assert await trio.to_thread.run_sync(dead.opening.acquire, True, PATIENCE)
            with trio.fail_after(PATIENCE), pytest.raises(SourceError, match=r"gone\.wav"):
                await leg.play(tmp_path / "gone.wav")
        finally:
            dead.over.set()
    assert media_threads() == []
