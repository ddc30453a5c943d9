"""Calls that the bot places, in virtual time: every outcome is a distinct one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls import Call
from vodiabot.errors import Busy, CallEnded, ConnectionLost, DialError, NoAnswer, NotAllowed, Rejected, TransferFailed
from vodiabot.ports import IceCandidate
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.protocol.dialects import Dialect

from .kit import Bench, running


async def answering(bench: Bench) -> None:
    await bench.pick_up()


async def test_a_call_is_answered_and_hung_up_on_leaving(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            assert call.state == "up"
            await call.sleep(2)
        assert call.state == "ended"
        assert call.reason == "hangup"
        placed = bench.port.of(c.PlaceCall)[0]
        assert await bench.port.wait_for(c.HangUp) == c.HangUp(call_id=placed.call_id, caller=True)
        assert len(bench.port.of(c.Acknowledge)) == 1


@pytest.mark.parametrize(
    ("code", "error"), [(486, Busy), (600, Busy), (480, NoAnswer), (408, NoAnswer), (403, Rejected), (603, Rejected)]
)
async def test_refusals_are_told_apart(autojump_clock: MockClock, code: int, error: type[DialError]) -> None:
    async def refuse(bench: Bench) -> None:
        placed = await bench.port.wait_for(c.PlaceCall)
        bench.switchboard.deliver(m.Sdp(call_id=placed.call_id, sdp="", code=code, reason="no"))

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(refuse, bench)
        with pytest.raises(error) as raised:
            async with bench.switchboard.dial("500"):
                pytest.fail("it was not answered")
        assert raised.value.code == code
        assert getattr(raised.value, "reason", "no") == "no"
        assert getattr(raised.value, "timed_out", False) is False
        assert not bench.port.of(c.HangUp)


async def test_nobody_answers_in_time(autojump_clock: MockClock) -> None:
    async with running() as bench:
        began = trio.current_time()
        with pytest.raises(NoAnswer) as raised:
            async with bench.switchboard.dial("500", timeout=20):
                pytest.fail("it was not answered")
        assert (raised.value.code, raised.value.timed_out) == (480, True)
        assert trio.current_time() - began == pytest.approx(20, abs=0.5)
        assert bench.port.of(c.HangUp)[0].caller is True


async def test_giving_up_while_it_rings_sends_the_bye(autojump_clock: MockClock) -> None:
    async with running() as bench:
        with trio.move_on_after(5):
            async with bench.switchboard.dial("500"):
                pytest.fail("it was not answered")
        assert (await bench.port.wait_for(c.HangUp)).caller is True
        assert [e.reason for e in bench.ended()] == ["hangup"]


async def test_the_socket_dies_while_it_rings(autojump_clock: MockClock) -> None:
    async def die(bench: Bench) -> None:
        await bench.port.wait_for(c.PlaceCall)
        bench.port.alive = False
        bench.switchboard.socket_lost()

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(die, bench)
        with pytest.raises(ConnectionLost):
            async with bench.switchboard.dial("500"):
                pytest.fail("it was not answered")


async def test_no_audio_after_the_answer_fails(autojump_clock: MockClock) -> None:
    async def answer_badly(bench: Bench) -> None:
        placed = await bench.port.wait_for(c.PlaceCall)
        answer = bench.wire.describe(bench.far_end(), setup="active")
        bench.switchboard.deliver(m.Sdp(call_id=placed.call_id, sdp=answer, sdp_type="answer", code=200))

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answer_badly, bench)
        async with bench.switchboard.dial("500") as call:
            with pytest.raises(CallEnded):
                await call.sleep(30)
        assert call.reason == "media_failed"


async def test_a_dial_that_is_not_allowed_sends_nothing(autojump_clock: MockClock) -> None:
    async with running() as bench:
        bench.switchboard._guard.__init__(["5??"], 1, set)  # type: ignore[misc]
        with pytest.raises(NotAllowed):
            async with bench.switchboard.dial("900"):
                pytest.fail("it must not be placed")
        assert bench.port.sent == []


@pytest.mark.parametrize("listed_before", [False, True])
async def test_frames_under_a_new_call_id_are_ours(listed_before: bool, autojump_clock: MockClock) -> None:
    async def rename(bench: Bench) -> None:
        if listed_before:  # call-state tells the pick-up first
            placed = await bench.port.wait_for(c.PlaceCall)
            entry = m.CallEntry(id=placed.call_id, state="connected")
            bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))
            await trio.sleep(0.1)
        await bench.pick_up(call_id="pbx-9")
        line = "candidate:1 1 UDP 1 192.0.2.9 9 typ host"
        bench.switchboard.deliver(m.Candidate(call_id="pbx-9", candidates=(line,)))
        await trio.sleep(2)
        bench.switchboard.deliver(m.Bye(call_id="pbx-9", cseq=5))

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(rename, bench)
        async with bench.switchboard.dial("500") as call:
            await call.wait_ended()
        assert call.reason == "remote_hangup"
        assert bench.port.of(c.AnswerBye) == [c.AnswerBye(call_id="pbx-9", cseq=5)]


async def test_a_candidate_under_a_new_call_id_may_come_before_the_sdp(autojump_clock: MockClock) -> None:
    line = "candidate:1 1 UDP 1 192.0.2.9 9 typ host"
    added: list[str] = []

    async def rename(bench: Bench) -> None:
        await bench.port.wait_for(c.PlaceCall)
        leg = bench.switchboard.calls[0]._leg

        async def add(generation: int, candidate: IceCandidate | None) -> None:
            added.append(candidate.candidate if candidate else "")

        leg.media.add_candidate = add  # type: ignore[method-assign]
        bench.switchboard.deliver(m.Candidate(call_id="pbx-9", candidates=(line,)))
        await trio.sleep(0.1)
        await bench.pick_up(call_id="pbx-9")

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(rename, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
        assert added == [line]


@pytest.mark.parametrize("numbers", [("501", "502"), ("501", "501")])
async def test_two_calls_at_once_are_told_apart_under_new_call_ids(
    numbers: tuple[str, str], autojump_clock: MockClock
) -> None:
    """The frames come in one burst, before either leg has acted on one."""
    async with running() as bench, trio.open_nursery() as nursery:
        up: list[Call] = []

        async def dial(to: str) -> None:
            async with bench.switchboard.dial(to) as call:
                up.append(call)
                await call.wait_ended()

        for to in numbers:
            nursery.start_soon(dial, to)
            await trio.sleep(0.1)
        for n, placed in enumerate(bench.port.of(c.PlaceCall)):
            end = bench.far_end()
            answer = bench.wire.describe(end, setup="active")
            bench.wire.connect(end, placed.sdp)
            frame = {"sdp": answer, "sdp_type": "answer", "to_user": placed.to, "code": 200, "cseq": 2}
            bench.switchboard.deliver(m.Sdp(call_id=f"pbx-{n}", **frame))
        await trio.sleep(20)
        assert [call.state for call in up] == ["up", "up"], "each has the audio of its own answer"
        for n in range(2):
            bench.switchboard.deliver(m.Bye(call_id=f"pbx-{n}"))
        await trio.sleep(1)
        assert [call.reason for call in up] == ["remote_hangup", "remote_hangup"]


@pytest.mark.parametrize(("call_id", "after"), [("", 0.5), ("pbx-9", 0.5), ("", 60)])
async def test_who_picks_up_after_we_gave_up_is_hung_up(
    autojump_clock: MockClock, call_id: str, after: float
) -> None:
    async with running() as bench:
        with pytest.raises(NoAnswer):
            async with bench.switchboard.dial("500", timeout=5):
                pytest.fail("it was not answered")
        call_id = call_id or bench.port.of(c.PlaceCall)[0].call_id
        await trio.sleep(after)
        answer = bench.wire.describe(bench.far_end(), setup="active")
        bench.switchboard.deliver(m.Sdp(call_id=call_id, sdp=answer, sdp_type="answer", code=200))
        assert await bench.port.wait_for(c.HangUp, 2) == c.HangUp(call_id=call_id, caller=True)
        assert len(bench.ended()) == 1


@pytest.mark.parametrize("code", [180, 200, 404])
async def test_a_late_frame_of_the_call_before_is_not_taken_for_one_of_this_call(
    autojump_clock: MockClock, code: int
) -> None:
    async with running() as bench:
        with trio.move_on_after(5):
            async with bench.switchboard.dial("500"):
                pytest.fail("it was not answered")
        first = bench.port.of(c.PlaceCall)[0].call_id
        await trio.sleep(60)

        async with trio.open_nursery() as nursery:

            async def late() -> None:
                await bench.port.wait_for(c.PlaceCall, 2)
                answer = bench.wire.describe(bench.far_end(), setup="active") if code == 200 else ""
                bench.switchboard.deliver(m.Sdp(call_id=first, sdp=answer, sdp_type="answer", code=code))

            nursery.start_soon(late)
            with pytest.raises(NoAnswer):
                async with bench.switchboard.dial("501", timeout=20):
                    pytest.fail("it was not answered")
        assert [e.call_id for e in bench.ended()] == [placed.call_id for placed in bench.port.of(c.PlaceCall)]
        assert not bench.port.of(c.Acknowledge)


@pytest.mark.parametrize("reason", ["remote_hangup", "transferred"])
async def test_an_error_that_ends_the_call_during_a_transfer_is_no_refusal(
    reason: str, autojump_clock: MockClock
) -> None:
    """TransferFailed promises that the caller is still there."""
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            sides = {"from_number": "500", "to_number": "45", "start": call.started}
            bench.switchboard.deliver(m.CallState(calls=(m.CallEntry(id="pbx-7", connect=1.0, **sides),), whole=True))

            async def end() -> None:
                await bench.port.wait_for(c.BlindTransfer)
                bench.switchboard.deliver(m.Bye(call_id=call.id, code=480))
                await trio.sleep(0.2)
                if reason == "transferred":
                    others = m.CallEntry(id="pbx-7", connect=1.0, **{**sides, "to_number": "501"})
                    bench.switchboard.deliver(m.CallState(calls=(others,), whole=True))

            nursery.start_soon(end)
            await call.transfer("501")
            assert call.reason == reason
            assert [(event.reason, event.code) for event in bench.ended()] == [(reason, 480)]


async def test_a_transfer_is_taken_or_refused(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            with pytest.raises(TransferFailed):
                await call.transfer("900")  # nobody says anything for 10 s: refused
            assert call.state == "up"

            async def take() -> None:
                await bench.port.wait_for(c.BlindTransfer, 2)
                bench.switchboard.deliver(m.Bye(call_id=call.id))

            nursery.start_soon(take)
            await call.transfer("501")
        assert call.reason == "transferred"


@pytest.mark.parametrize("named", ["by its extensions", "as older PBXs do"])
@pytest.mark.parametrize("entry_id", ["ours", "of the PBX"])
async def test_a_transfer_that_only_call_state_shows(entry_id: str, named: str, autojump_clock: MockClock) -> None:
    """Taken as refused, the bye that follows would end the call of those who were joined."""
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            id_ = call.id if entry_id == "ours" else "pbx-7"

            def list_with(other: str, us: str) -> None:
                known: dict[str, Any] = {"from_number": us, "to_number": other, "start": call.started, "connect": 1.0}
                extensions = (us,) if named == "by its extensions" else ()
                entry = m.CallEntry(id=id_, extensions=extensions, **known)
                bench.switchboard.owns(entry)  # the domain asks, perhaps before
                bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))

            async def take() -> None:
                await bench.port.wait_for(c.BlindTransfer)
                list_with("500", "45")
                await trio.sleep(1)
                list_with("500", "501")

            list_with("500", "45")
            nursery.start_soon(take)
            await call.transfer("501")
        assert call.reason == "transferred"
        assert not bench.port.of(c.HangUp)


async def test_hold_and_resume_without_sdp_in_the_modern_dialect(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        bench.dialect = Dialect.MODERN
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.hold()
            await call.sleep(0.1)
            assert call.state == "held"
            assert bench.media.legs[0].sending is False
            with pytest.raises(Exception, match="hold"):
                await call.hold()
            assert call.state == "held"
            await call.resume()
            await call.sleep(0.1)
            assert call.state == "up"
            assert bench.media.legs[0].sending is True
        assert len(bench.port.of(c.Hold)) == 1
        assert [resume.sdp for resume in bench.port.of(c.Resume)] == [""]


async def test_an_answered_call_outlives_the_socket_while_its_audio_does(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.port.alive = False
            bench.switchboard.socket_lost()
            await call.sleep(20)
            bench.port.alive = True
            bench.switchboard.socket_back()
            entry = m.CallEntry(id=call.id, state="connected")
            bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))
            bench.switchboard.deliver(m.CallState(calls=(), whole=True))
            bench.switchboard.deliver(m.CallState(calls=(), whole=True))
            await call.sleep(20)
        assert call.reason == "hangup"


@pytest.mark.parametrize("act", [Call.hold, Call.mute, Call.record_on_pbx])
async def test_what_is_asked_while_the_socket_is_away_fails(act: Callable[..., Any], autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.port.alive = False
            with pytest.raises(ConnectionLost):
                await act(call)
            assert call.state != "ended"


async def test_a_hold_while_the_socket_is_known_to_be_away_leaves_the_audio_on(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.port.alive = False
            bench.switchboard.socket_lost()
            with pytest.raises(ConnectionLost):
                await call.hold()
            assert call.state == "up"
            assert bench.media.legs[0].sending is True


async def test_what_is_over_with_the_call_returns_normally_after_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.hangup()
            for _ in range(2):  # at once, and when its audio is closed, too
                await call.hangup()
                await call.transfer("600")
                recording = await call.record(tmp_path / "x.wav")
                assert (recording.duration, recording.stopped_by) == (0.0, "ended")
                await trio.sleep(20)


async def test_what_is_on_its_way_when_the_bot_is_cancelled_is_let_go(autojump_clock: MockClock) -> None:
    outcome: list[type[Exception]] = []

    async def hold(call: Call) -> None:
        try:
            await call.hold()
        except CallEnded as exc:
            outcome.append(type(exc))

    async with trio.open_nursery() as outer, running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.port.stuck = True
            outer.start_soon(hold, call)
            await trio.sleep(1)
    assert outcome == [CallEnded]


async def test_the_first_lists_after_a_reconnect_find_a_call_again_and_end_none(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.switchboard.socket_lost()
            for entries in ((), (), (m.CallEntry(id=call.id, state="connected"),), ()):
                bench.switchboard.deliver(m.CallState(calls=entries, whole=True))
            bench.switchboard.socket_back()
            for _ in range(2):
                bench.switchboard.deliver(m.CallState(calls=(), whole=True))
            await call.sleep(20)
        assert call.reason == "hangup"


async def test_a_call_that_the_pbx_no_longer_knows_ends_after_the_reconnect(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.switchboard.socket_lost()
            bench.switchboard.socket_back()
            bench.switchboard.deliver(m.CallState(calls=(), whole=True))
            await call.sleep(1)
            bench.switchboard.deliver(m.CallState(calls=(), whole=True))
            await call.wait_ended()
        assert call.reason == "connection_lost"


