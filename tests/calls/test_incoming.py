"""Incoming calls in virtual time: who is told what, and how each of them ends."""

from __future__ import annotations

import wave
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs
from trio.testing import MockClock

from vodiabot.calls import Call
from vodiabot.errors import CallEnded, IllegalMove
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.sources import Tone

from .kit import Bench, running


async def test_a_handler_answers_talks_and_hangs_up(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.sleep(3)

    async with running() as bench:
        bench.on_call(handler)
        end = bench.invite()
        await bench.connect(end)
        bye = await bench.port.wait_for(c.HangUp)
        assert bye == c.HangUp(call_id="in-1", caller=False)
        assert bench.hooks == ["call_ringing", "call_answered", "call_ended"]
        assert bench.ended()[0].reason == "hangup"
        assert bench.ended()[0].duration == pytest.approx(3, abs=0.1)
        assert bench.calls[0].remote.name == "Anna"
        assert [type(x) for x in bench.port.sent if not isinstance(x, c.SendCandidate)] == [
            c.TellRinging,
            c.AcceptCall,
            c.HangUp,
        ]


async def test_the_caller_hangs_up_and_the_handler_is_let_go(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async def handler(call: Call) -> None:
        await call.answer()
        try:
            await call.sleep(1000)
        except CallEnded as exc:
            seen.append(exc.reason)
            raise

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await trio.sleep(5)
        bench.switchboard.deliver(m.Bye(call_id="in-1", cseq=7))
        await bench.port.wait_for(c.AnswerBye)
        await trio.lowlevel.checkpoint()
        assert seen == ["remote_hangup"]
        assert bench.port.of(c.AnswerBye) == [c.AnswerBye(call_id="in-1", cseq=7)]
        assert not bench.port.of(c.HangUp)


async def test_cancel_crosses_the_answer(autojump_clock: MockClock) -> None:
    outcome: list[object] = []

    async def handler(call: Call) -> None:
        try:
            await call.answer()
        except CallEnded as exc:
            outcome.append(exc)
            raise

    async with running() as bench:
        bench.on_call(handler)
        bench.invite()
        await bench.port.wait_for(c.AcceptCall)
        bench.switchboard.deliver(m.Cancel(call_id="in-1"))
        await bench.port.wait_for(c.AnswerCancel)
        await trio.sleep(1)
        assert len(outcome) == 1
        assert "call_answered" not in bench.hooks
        assert [e.reason for e in bench.ended()] == ["cancelled"]
        assert not bench.ended()[0].answered


@pytest.mark.parametrize("listed", ["before the cancel", "after it"])
@pytest.mark.parametrize(
    ("by", "connect", "reason"), [("46", 5.0, "answered_elsewhere"), ("46", None, "cancelled"), ("", None, "cancelled")]
)
async def test_who_was_faster_in_a_group(
    by: str, connect: float | None, reason: str, listed: str, autojump_clock: MockClock
) -> None:
    """The entry names all that ring, and then only who picked up: no missed call, where nobody else did it is one."""
    seen: list[object] = []
    async with running() as bench:

        async def ring(call: Call) -> None:
            async with call.scope():
                await trio.sleep_forever()
            seen.append((trio.current_time(), call.state))
            await call.wait_ended()
            seen.append(call.reason)

        bench.on_call(ring)
        bench.invite(to_user="700")
        await trio.sleep(1)

        def lists(*extensions: str, connect: float | None = None) -> None:
            known: dict[str, Any] = {"from_number": "500", "to_number": "700", "start": bench.calls[0].started}
            entry = m.CallEntry(id="pbx-7", extensions=extensions, connect=connect, **known)
            bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))

        def cancelled() -> None:
            bench.switchboard.deliver(m.Cancel(call_id="in-1"))

        def picked_up() -> None:
            if by:
                lists(by, connect=connect)

        lists("45", "46")
        ended_at = 0.0
        for news in (picked_up, cancelled) if listed == "before the cancel" else (cancelled, picked_up):
            await trio.sleep(0.2)
            news()
            ended_at = trio.current_time() if news is cancelled else ended_at
        await trio.sleep(0.1)
        assert bool(bench.ended()) is (reason == "answered_elsewhere")
        await trio.sleep(0.5)
        assert [(event.reason, event.at) for event in bench.ended()] == [(reason, ended_at)]
        assert seen == [(ended_at, "ended"), reason], "what the handler does for the caller stops at once"


@pytest.mark.parametrize("how", ["the bot stops", "the bot drains", "the socket dies", "time"])
async def test_that_it_is_open_who_was_faster_holds_nothing_up(how: str, autojump_clock: MockClock) -> None:
    async with running() as bench:
        bench.invite()
        await trio.sleep(1)
        bench.switchboard.deliver(m.Cancel(call_id="in-1"))
        await trio.sleep(0.1)
        assert bench.switchboard.calls == []
        assert not bench.ended()
        began = trio.current_time()
        if how == "the bot drains":
            await bench.switchboard.drain(60)
            assert trio.current_time() - began <= 0.5
        elif how == "the socket dies":
            bench.switchboard.socket_lost()
            await trio.sleep(0.1)
        elif how == "time":
            await trio.sleep(0.5)
        assert [event.reason for event in bench.ended()] == ([] if how == "the bot stops" else ["cancelled"])
    assert [event.reason for event in bench.ended()] == ["cancelled"]
    assert bench.hooks.count("call_ended") == 1


async def test_a_caller_who_tries_again_at_once_is_told_from_the_call_that_he_gave_up(
    autojump_clock: MockClock,
) -> None:
    """While it is open how the first one ended, a list of the second says nothing about it."""
    async with running() as bench:

        async def answer(call: Call) -> None:
            await call.answer()
            await call.wait_ended()

        bench.invite(to_user="700")
        await trio.sleep(1)
        bench.switchboard.deliver(m.Cancel(call_id="in-1"))
        bench.on_call(answer)
        await bench.connect(bench.invite("in-2", to_user="700"))
        known: dict[str, Any] = {"from_number": "500", "to_number": "45", "start": bench.calls[1].started}
        entry = m.CallEntry(id="pbx-8", connect=trio.current_time(), **known)
        bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))
        await trio.sleep(1)
        assert [(event.call_id, event.reason) for event in bench.ended()] == [("in-1", "cancelled")]


async def test_a_failing_handler_sends_the_caller_to_the_fallback(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="50-0")  # as people write it; it is dialled as any other number
        await bench.connect(bench.invite())
        with capture_logs() as logs:
            transfer = await bench.port.wait_for(c.BlindTransfer)
        assert (transfer.id, transfer.to) == ("in-1", "500")
        [line] = [entry for entry in logs if entry["event"] == "a transfer begins"]
        assert (line["call"], line["to"], line["log_level"]) == ("in-1", "500", "info")
        bench.switchboard.deliver(m.Bye(call_id="in-1"))
        await trio.sleep(1)
        assert [e.reason for e in bench.ended()] == ["transferred"]


async def test_a_handler_that_fails_before_the_answer_refuses_with_480(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="500")
        bench.invite()
        refusal = await bench.port.wait_for(c.RefuseCall)
        assert refusal.code == 480
        await trio.sleep(0.1)
        assert bench.hooks.count("call_ended") == 1


async def test_a_refused_fallback_ends_the_call_rather_than_leaving_it(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="500")
        await bench.connect(bench.invite())
        await bench.port.wait_for(c.BlindTransfer)
        await bench.port.wait_for(c.HangUp)
        assert [e.reason for e in bench.ended()] == ["hangup"]


async def test_the_next_call_beyond_max_calls_gets_486(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with running(max_calls=2) as bench:
        bench.on_call(handler)
        for call_id in ("in-1", "in-2", "in-3"):
            bench.invite(call_id)
        refusal = await bench.port.wait_for(c.RefuseCall)
        assert (refusal.call_id, refusal.code, refusal.cseq) == ("in-3", 486, 1)
        assert len(bench.switchboard.calls) == 2


async def test_without_a_route_others_may_ring_and_nothing_is_said(autojump_clock: MockClock) -> None:
    async with running() as bench:
        bench.invite()
        await trio.sleep(29)
        assert bench.hooks == ["call_ringing"]
        await trio.sleep(10)
        assert bench.hooks == ["call_ringing", "call_ended"]
        assert bench.port.sent == []


async def test_without_a_route_busy_if_so_configured(autojump_clock: MockClock) -> None:
    async with running(unrouted="busy") as bench:
        bench.invite()
        assert (await bench.port.wait_for(c.RefuseCall)).code == 486


async def test_a_handler_may_wrap_up_for_a_while_after_the_call(autojump_clock: MockClock) -> None:
    mailed: list[float] = []

    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()
        began = trio.current_time()
        try:
            await trio.sleep(100)
        finally:
            mailed.append(trio.current_time() - began)

    async with running(wrap_up=30.0) as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await trio.sleep(1)
        bench.switchboard.deliver(m.Bye(call_id="in-1"))
        await trio.sleep(60)
        assert mailed == [pytest.approx(30, abs=0.1)]


async def test_frames_of_unknown_calls_are_answered_and_harm_nobody(autojump_clock: MockClock) -> None:
    async with running() as bench:
        bench.switchboard.deliver(m.Bye(call_id="nobody", cseq=3))
        bench.switchboard.deliver(m.Cancel(call_id="nobody"))
        bench.switchboard.deliver(m.Sdp(call_id="nobody", sdp="", code=200))
        bench.switchboard.deliver(m.Candidate(candidates=("candidate:1",)))
        assert await bench.port.wait_for(c.AnswerBye) == c.AnswerBye(call_id="nobody", cseq=3)
        await bench.port.wait_for(c.AnswerCancel)
        assert len(bench.port.sent) == 2


async def test_drain_lets_a_call_end_and_takes_no_new_one(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.sleep(10)

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await trio.sleep(1)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.switchboard.drain, 30)
            await trio.sleep(1)
            bench.invite("in-2")
            assert (await bench.port.wait_for(c.RefuseCall)).call_id == "in-2"
        assert trio.current_time() - began == pytest.approx(9, abs=0.2)


async def test_drain_hangs_up_what_is_left(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await trio.sleep(1)
        await bench.switchboard.drain(30)
        assert [e.reason for e in bench.ended()] == ["shutdown"]
        await bench.port.wait_for(c.HangUp)


@pytest.mark.parametrize(("wrap_up", "mailed"), [(True, 1), (False, 0)])
async def test_drain_waits_for_what_a_handler_does_after_its_call(
    wrap_up: bool, mailed: int, autojump_clock: MockClock
) -> None:
    mails: list[float] = []

    async def handler(call: Call) -> None:
        await call.answer()
        with suppress(CallEnded):
            await call.sleep(1000)
        await trio.sleep(20)
        mails.append(trio.current_time())

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await bench.switchboard.drain(5, wrap_up=wrap_up)
        assert len(mails) == mailed


async def test_drain_waits_no_longer_than_the_wrap_up(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        with suppress(CallEnded):
            await call.wait_ended()
        await trio.sleep_forever()

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        began = trio.current_time()
        await bench.switchboard.drain(5)
        assert trio.current_time() - began == pytest.approx(35, abs=1)


async def test_cancelling_everything_still_says_goodbye(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    bench = Bench()
    bench.on_call(handler)
    async with bench.media.opened(), trio.open_nursery() as nursery:
        await nursery.start(bench.switchboard.run)
        await bench.connect(bench.invite())
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert bench.port.of(c.HangUp)
    assert [e.reason for e in bench.ended()] == ["shutdown"]
    assert all(leg.closed for leg in bench.media.legs)


async def test_gather_takes_digits_typed_ahead_and_stops_at_the_terminator(autojump_clock: MockClock) -> None:
    got: list[str] = []

    async def handler(call: Call) -> None:
        await call.answer()
        await call.sleep(1)
        got.append(await call.gather(max_digits=4, timeout=3))
        got.append(await call.gather(max_digits=4, timeout=3))
        got.append(await call.gather(max_digits=2, timeout=3))

    async with running() as bench:
        bench.on_call(handler)
        end = bench.invite()
        await bench.connect(end)
        for digit in "12#3":
            bench.wire.peer(end).on_digit(digit)  # type: ignore[union-attr]
        await bench.port.wait_for(c.HangUp)
        assert got == ["12", "3", ""]


async def test_a_recording_beside_the_call_is_complete(autojump_clock: MockClock, tmp_path: Path) -> None:
    file = tmp_path / "r.wav"

    async def handler(call: Call) -> None:
        await call.answer()
        async with call.recording(file):
            await call.sleep(4)

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await bench.port.wait_for(c.HangUp)
    with wave.open(str(file)) as written:
        assert written.getnframes() / written.getframerate() == pytest.approx(4, abs=0.1)


async def test_a_mistake_in_one_call_ends_it_and_no_other(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite("in-1"))
        await bench.connect(bench.invite("in-2"), 2)
        await trio.sleep(1)
        broken = bench.switchboard._legs["in-1"].dialog

        def fail(message: object, now: float) -> None:
            raise RuntimeError("a mistake of ours")

        monkeypatch.setattr(broken, "receive", fail)
        bench.switchboard.deliver(m.Candidate(call_id="in-1", candidates=("candidate:1",)))
        await trio.sleep(1)
        assert [event.call_id for event in bench.ended()] == ["in-1"]
        assert bench.port.of(c.HangUp) == [c.HangUp(call_id="in-1", caller=False)]
        assert [call.id for call in bench.switchboard.calls] == ["in-2"]


async def test_a_handler_that_ends_with_its_call_while_the_bot_leaves_harms_nobody(autojump_clock: MockClock) -> None:
    """As by the second Ctrl-C: what watches over it is cancelled at the same moment, and the two came in one group."""

    async def handler(call: Call) -> None:
        await call.answer()
        with trio.CancelScope(shield=True):
            await call.wait_ended()
        raise CallEnded(reason="shutdown")

    async with running() as bench:
        bench.on_call(handler)
        await bench.connect(bench.invite())
        await trio.sleep(1)
    assert [e.reason for e in bench.ended()] == ["shutdown"]


@pytest.mark.parametrize(
    "use",
    [
        lambda call: call.play(Tone(440, 1)),
        lambda call: call.send_dtmf("1"),
        lambda call: call.gather(max_digits=1),
    ],
    ids=["play", "send_dtmf", "gather"],
)
async def test_a_caller_who_was_not_answered_hears_nothing_and_the_plugin_is_told(
    autojump_clock: MockClock, use: Callable[[Call], Awaitable[Any]]
) -> None:
    """It would wait until the caller gives up."""
    told: list[Exception] = []

    async def handler(call: Call) -> None:
        try:
            await use(call)
        except IllegalMove as exc:
            told.append(exc)
        await call.hangup()

    async with running() as bench:
        bench.on_call(handler)
        bench.invite()
        await bench.port.wait_for(c.RefuseCall)
        assert trio.current_time() < 1
    assert "answer()" in str(told[0])
