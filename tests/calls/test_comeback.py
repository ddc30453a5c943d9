"""What a lost connection leaves to be done: byes that are owed, and calls that the PBX may have forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls import Call, Farewells
from vodiabot.calls.farewells import MOST
from vodiabot.errors import CallEnded, ConnectionLost
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.state_file import StateFile

from .kit import Bench, running


async def answering(bench: Bench) -> None:
    await bench.pick_up()


def gone(bench: Bench) -> None:
    bench.port.alive = False
    bench.switchboard.socket_lost()


def back(bench: Bench) -> None:
    bench.port.alive = True
    bench.switchboard.socket_back()


# --- byes ------------------------------------------------------------------------------------------------------------


async def test_a_bye_that_found_no_socket_is_said_once_when_there_is_one(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            gone(bench)
        assert call.reason == "hangup"
        await trio.sleep(60)
        assert bench.port.of(c.HangUp) == []
        for _ in range(2):
            back(bench)
            await trio.sleep(1)
            assert bench.port.of(c.HangUp) == [c.HangUp(call_id=call.id, caller=True)]
            gone(bench)


async def test_the_bye_of_a_caller_is_said_as_the_callee(autojump_clock: MockClock) -> None:
    async def leave(call: Call) -> None:
        await call.answer()
        gone(bench)
        await call.hangup()

    async with running() as bench:
        bench.on_call(leave)
        await bench.connect(bench.invite("in-1"))
        await trio.sleep(20)
        back(bench)
        await trio.sleep(1)
        assert bench.port.of(c.HangUp) == [c.HangUp(call_id="in-1", caller=False)]


async def test_what_rang_for_us_when_the_socket_died_rings_for_nobody_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    async def die() -> None:
        await bench.port.wait_for(c.PlaceCall)
        gone(bench)

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(die)
        with pytest.raises(ConnectionLost):
            async with bench.switchboard.dial("500"):
                pytest.fail("it was not answered")
        back(bench)
        placed = bench.port.of(c.PlaceCall)[0]
        assert await bench.port.wait_for(c.HangUp) == c.HangUp(call_id=placed.call_id, caller=True)


async def test_a_phone_that_the_pbx_may_ring_again_is_not_refused(autojump_clock: MockClock) -> None:
    async def wait(call: Call) -> None:
        await call.wait_ended()

    async with running() as bench:
        bench.on_call(wait)
        bench.invite("in-1")
        await trio.sleep(1)
        gone(bench)
        await trio.sleep(1)
        back(bench)
        bench.invite("in-2")
        await trio.sleep(1)
        assert [call.state for call in bench.switchboard.calls] == ["ringing"]
        assert not bench.port.of(c.HangUp) + bench.port.of(c.RefuseCall)


async def test_a_refusal_that_found_no_socket(autojump_clock: MockClock) -> None:
    async with running(max_calls=0) as bench:
        bench.port.alive = False
        bench.invite("in-1")
        await trio.sleep(1)
        bench.switchboard.socket_lost()
        back(bench)
        await trio.sleep(1)
        assert [one.call_id for one in bench.port.of(c.RefuseCall)] == ["in-1"]


async def test_what_is_owed_of_an_earlier_try_does_not_end_the_call_that_rings_anew(autojump_clock: MockClock) -> None:
    async def wait(call: Call) -> None:
        await call.wait_ended()

    async with running(max_calls=1) as bench:
        bench.on_call(wait)
        bench.invite("first")
        bench.port.alive = False
        bench.invite("second")
        await trio.sleep(1)
        gone(bench)
        await trio.sleep(1)
        bench.invite("second")  # the PBX rings us as soon as we are registered
        back(bench)
        await trio.sleep(1)
        assert [call.id for call in bench.switchboard.calls] == ["second"]
        assert not bench.port.of(c.RefuseCall)


async def test_a_caller_whose_transfer_met_with_a_lost_connection_comes_to_the_fallback(
    autojump_clock: MockClock,
) -> None:
    """He is still there, and so is his audio; only that there was nobody who could be told."""

    async def handler(call: Call) -> None:
        await call.answer()
        gone(bench)
        await call.transfer("600")

    async with running() as bench:
        bench.on_call(handler, fallback="500")
        await bench.connect(bench.invite())
        await trio.sleep(5)
        assert [call.state for call in bench.switchboard.calls] == ["up"]
        back(bench)
        assert (await bench.port.wait_for(c.BlindTransfer)).to == "500"
        bench.switchboard.deliver(m.Bye(call_id="in-1"))
        await trio.sleep(1)
        assert [e.reason for e in bench.ended()] == ["transferred"]


@pytest.mark.parametrize("fallback", ["", "900"])
@pytest.mark.parametrize("taken", [True, False])
async def test_who_was_taken_while_the_connection_was_lost_is_left_in_peace(
    taken: bool, fallback: str, autojump_clock: MockClock
) -> None:
    """A bye, or another transfer, might end the call that he has by now."""

    async def handler(call: Call) -> None:
        await call.answer()
        await call.transfer("600")

    async with running() as bench:
        bench.on_call(handler, fallback=fallback)
        await bench.connect(bench.invite())

        def listed(us: str) -> None:
            known: dict[str, Any] = {"start": bench.calls[0].started, "connect": 1.0, "extensions": (us,)}
            entry = m.CallEntry(id="pbx-7", from_number="500", to_number=us, **known)
            bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))

        listed("45")
        await bench.port.wait_for(c.BlindTransfer)
        gone(bench)
        await trio.sleep(3)
        assert not bench.ended(), "it is not known yet"
        listed("600" if taken else "45")
        back(bench)
        await trio.sleep(1)
        if not taken and fallback:
            assert bench.port.of(c.BlindTransfer)[1].to == fallback
            bench.switchboard.deliver(m.Bye(call_id="in-1"))
            await trio.sleep(1)
        assert [e.reason for e in bench.ended()] == ["transferred" if taken or fallback else "hangup"]
        assert len(bench.port.of(c.HangUp)) == (0 if taken or fallback else 1)


async def test_no_caller_waits_for_ever_for_a_connection(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        gone(bench)
        raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="500")
        await bench.connect(bench.invite())
        await trio.sleep(30)
        assert [e.reason for e in bench.ended()] == ["hangup"]


async def test_a_socket_that_took_nothing_for_a_while(autojump_clock: MockClock) -> None:
    """It never died, so nothing tells that it takes something again."""
    slow = trio.Event()

    async def send(command: c.Command) -> None:
        if isinstance(command, c.HangUp):
            await slow.wait()
        bench.port.sent.append(command)

    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            bench.port.send = send  # type: ignore[method-assign]
        await trio.sleep(30)
        slow.set()
        await trio.sleep(1)
        assert bench.port.of(c.HangUp) == [c.HangUp(call_id=call.id, caller=True)]


async def test_a_bye_that_fails_again_is_owed_still(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            gone(bench)
        bench.switchboard.socket_back()  # and dies at once
        await trio.sleep(1)
        back(bench)
        await trio.sleep(1)
        assert bench.port.of(c.HangUp) == [c.HangUp(call_id=call.id, caller=True)]


# --- over a crash ----------------------------------------------------------------------------------------------------


def test_what_lived_when_the_process_died_is_owed_by_the_next(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state" / "calls.json", "calls")
    one = Farewells(file)
    one.lives("a", placed_by_us=True)
    one.lives("b", placed_by_us=True)
    one.lives("b2", placed_by_us=True, before=["b"])
    one.lives("c", placed_by_us=False)
    one.lives("d", placed_by_us=False)
    one.over(["a"])
    one.over(["c"])
    one.owe(c.HangUp(call_id="c", caller=False))
    two = Farewells(file)
    assert len(two) == 3
    owed = {command.call_id: command for _ in range(3) if (command := two.take())}
    assert owed == {name: c.HangUp(call_id=name, caller=name == "b2") for name in ("b2", "c", "d")}
    assert len(Farewells(file)) == 3  # taken is not yet said
    two.said()
    assert len(Farewells(file)) == 0


@pytest.mark.parametrize("broken", ["", "[]", '{"a": 1, "b": "true"}', "\x00"])
def test_a_broken_file_owes_nothing_and_is_replaced(tmp_path: Path, broken: str) -> None:
    file = StateFile(tmp_path / "calls.json", "calls")
    file.path.write_text(broken)
    farewells = Farewells(file)
    assert len(farewells) == 0
    farewells.lives("a", placed_by_us=True)
    assert len(Farewells(file)) == 1


def test_what_is_owed_is_bounded_and_of_calls_only() -> None:
    farewells = Farewells()
    assert not farewells.owe(c.AnswerBye(call_id="x"))
    for number in range(MOST + 5):
        assert farewells.owe(c.HangUp(call_id=str(number), caller=True))
    assert len(farewells) == MOST
    assert farewells.take() == c.HangUp(call_id="5", caller=True)


# --- calls that the PBX may have forgotten ---------------------------------------------------------------------------


async def lists(bench: Bench, *entries: m.CallEntry) -> None:
    """A PBX that sends its list when it is asked for, and only then."""
    asked = 0
    while True:
        await bench.port.wait_for(c.Subscribe, asked + 1)
        asked += 1
        bench.switchboard.deliver(m.CallState(calls=entries, whole=True))


async def test_a_quiet_pbx_that_knows_the_call_no_more_is_asked(autojump_clock: MockClock) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        nursery.start_soon(lists, bench)
        async with bench.switchboard.dial("500") as call:
            await call.sleep(1)
            gone(bench)
            back(bench)
            began = trio.current_time()
            with pytest.raises(CallEnded):
                await call.sleep(60)
        assert call.reason == "connection_lost"
        assert trio.current_time() - began < 5
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("entries", "asked"),
    [
        ([{"call_id": "the call"}], 1),  # found by the first list
        # the PBX has one call of two such numbers: which of ours it is can't be told, so none of them ends
        ([{"from_number": "45", "to_number": "500", "start": "now"}], 3),
    ],
)
async def test_a_call_that_the_pbx_knows_or_may_know_goes_on(
    autojump_clock: MockClock, entries: list[dict[str, Any]], asked: int
) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(answering, bench)
        async with bench.switchboard.dial("500") as call:
            nursery.start_soon(again, bench)
            async with bench.switchboard.dial("500") as other:
                now = trio.current_time()
                words = {"the call": call.id, "now": now}
                calls = [{key: words.get(str(word), word) for key, word in one.items()} for one in entries]
                if asked == 1:
                    calls.append({"call_id": other.id})
                found = [m.CallEntry(id=str(i), state="connected", **one) for i, one in enumerate(calls)]
                nursery.start_soon(lists, bench, *found)
                gone(bench)
                back(bench)
                await trio.sleep(60)
                assert [one.state for one in (call, other)] == ["up", "up"]
                assert [one.what for one in bench.port.of(c.Subscribe)] == ["own-calls", "domain-calls"] * asked
        nursery.cancel_scope.cancel()


async def again(bench: Bench) -> None:
    placed = await bench.port.wait_for(c.PlaceCall, 2)
    end = bench.far_end()
    answer = bench.wire.describe(end, setup="active")
    bench.wire.connect(end, placed.sdp)
    bench.switchboard.deliver(m.Sdp(call_id=placed.call_id, code=200, cseq=2, sdp=answer, sdp_type="answer"))
