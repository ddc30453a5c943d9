"""A call may end in any way at any step: it ends once, with a reason, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls import Call
from vodiabot.errors import CallEnded, ConnectionLost, DialError, TransferFailed
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.protocol.dialects import Dialect
from vodiabot.testing.media import VirtualLeg
from vodiabot.testing.speech import VirtualSpeech
from vodiabot.testing.wire import End

from .kit import Bench, running

LONG = SimpleNamespace(duration=1000.0)


@dataclass
class Stage:
    """One call, and what a plugin does with it."""

    bench: Bench
    folder: Path
    work: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around what the plugin does."""
    far: dict[str, End] = field(default_factory=dict)
    """By call-id: the other ends of the audio."""
    done: bool = False

    @property
    def calls(self) -> list[Call]:
        return self.bench.switchboard.calls

    def deliver(self, message: m.Message) -> None:
        self.bench.switchboard.deliver(message)

    async def picks_up(self, count: int = 1) -> None:
        """The far side of the bot's `count`-th own call answers."""
        placed = await self.bench.port.wait_for(c.PlaceCall, count)
        self.describe(placed, 200)

    def describe(self, placed: c.PlaceCall, code: int) -> None:
        end = self.far[placed.call_id] = self.bench.far_end()
        answer = self.bench.wire.describe(end, setup="active")
        self.bench.wire.connect(end, placed.sdp)
        self.deliver(m.Sdp(call_id=placed.call_id, sdp=answer, sdp_type="answer", code=code, cseq=2))

    def reoffer(self, call: Call, direction: str = "sendrecv") -> None:
        """The PBX offers anew, on the connection that there is."""
        offer = self.bench.wire.describe(self.far[call.id], setup="actpass", direction=direction)
        self.deliver(m.Sdp(call_id=call.id, sdp=offer, sdp_type="offer", cseq=50))


# --- the steps of a call that came in --------------------------------------------------------------------------------

Step = Callable[[Stage, Call], Awaitable[object]]


async def rings(stage: Stage, call: Call) -> None:
    await call.wait_ended()


async def answering(stage: Stage, call: Call) -> None:
    stage.far.clear()  # so that nobody brings the audio up
    await call.answer()


async def up(stage: Stage, call: Call) -> None:
    await call.sleep(1000)


async def held(stage: Stage, call: Call) -> None:
    await call.hold()
    await call.sleep(1000)


async def resuming(stage: Stage, call: Call) -> None:
    await call.hold()
    await call.resume()
    await call.sleep(1000)


async def held_by_remote(stage: Stage, call: Call) -> None:
    stage.reoffer(call, "sendonly")
    await call.sleep(1000)


async def reoffer_in_progress(stage: Stage, call: Call) -> None:
    leg = call._leg.media
    assert isinstance(leg, VirtualLeg)
    leg.make_answer = _never  # type: ignore[method-assign]
    stage.reoffer(call)
    await call.sleep(1000)


async def _never(generation: int, offer: str = "") -> str:
    await trio.sleep_forever()
    raise AssertionError


async def transferring(stage: Stage, call: Call) -> None:
    await call.transfer("500")


async def consult_rings(stage: Stage, call: Call) -> None:
    await call.consult("47")


async def consult_whispers(stage: Stage, call: Call) -> None:
    await _answered_consult(stage, call, whisper=LONG)


async def consult_asks(stage: Stage, call: Call) -> None:
    await _answered_consult(stage, call, accept="1", accept_timeout=1000)


async def consulted(stage: Stage, call: Call) -> None:
    second = await _answered_consult(stage, call)
    await second.sleep(1000)


async def consulted_within(stage: Stage, call: Call) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.picks_up)
        async with call.consult("47") as second:
            await second.sleep(1000)


async def joining(stage: Stage, call: Call) -> None:
    second = await _answered_consult(stage, call)
    await second.complete()


async def _answered_consult(stage: Stage, call: Call, **options: object) -> Call:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.picks_up)
        return await call.consult("47", **options)  # type: ignore[arg-type]
    raise AssertionError


async def taking_back(stage: Stage, call: Call) -> None:
    """The target has been let go, the PBX has not answered the resume."""
    second = await _answered_consult(stage, call)
    await second.cancel()
    await call.sleep(1000)


async def refused_transfer(stage: Stage, call: Call) -> None:
    """The caller is being taken back, whatever the PBX did with him meanwhile."""
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def refuse() -> None:
            await stage.bench.port.wait_for(c.BlindTransfer)
            stage.deliver(m.Sdp(call_id=call.id, sdp="", code=404, cseq=60))

        with pytest.raises(TransferFailed):
            await call.transfer("500")
    await call.sleep(1000)


async def parking(stage: Stage, call: Call) -> None:
    await call.park("5001")


async def bridged(stage: Stage, call: Call) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.picks_up)
        async with stage.bench.switchboard.dial("47") as other:
            await call.bridge(other)


async def in_conference(stage: Stage, call: Call) -> None:
    async with stage.bench.switchboard.desk.conference() as conference:
        conference.add(call)
        await call.sleep(1000)


async def playing(stage: Stage, call: Call) -> None:
    await call.play(LONG)


async def playing_beside(stage: Stage, call: Call) -> None:
    async with call.playing(LONG):
        await call.sleep(1000)


async def saying(stage: Stage, call: Call) -> None:
    call.speech = VirtualSpeech()
    await call.say("la " * 2000)


async def talking(stage: Stage, call: Call) -> None:
    async with call.audio() as audio:
        async for _frame in audio:
            await audio.send(bytes(640))


async def muted(stage: Stage, call: Call) -> None:
    await call.mute()
    await call.play(LONG)


async def gathering_with_a_prompt(stage: Stage, call: Call) -> None:
    await call.gather(4, prompt=LONG, retries=2)


async def recording(stage: Stage, call: Call) -> None:
    await call.record(stage.folder / "r.wav")


async def recording_beside(stage: Stage, call: Call) -> None:
    async with call.recording(stage.folder / "r.wav"):
        await call.sleep(1000)


async def gathering(stage: Stage, call: Call) -> None:
    await call.gather(4, timeout=1000)


async def sending_dtmf(stage: Stage, call: Call) -> None:
    await call.send_dtmf("0123456789" * 100)


async def socket_away(stage: Stage, call: Call) -> None:
    _lose_socket(stage)
    await call.sleep(1000)


async def held_and_socket_away(stage: Stage, call: Call) -> None:
    await call.hold()
    _lose_socket(stage)
    await call.sleep(1000)


# --- the steps of a call that we place -------------------------------------------------------------------------------


async def dialing(stage: Stage) -> None:
    def open_slowly(*args: object, **kw: object) -> VirtualLeg:
        leg = make(*args, **kw)  # type: ignore[arg-type]
        leg.make_offer = _never  # type: ignore[method-assign]
        return leg

    make = stage.bench.media.open
    stage.bench.media.open = open_slowly  # type: ignore[method-assign]


async def calling(stage: Stage) -> None:
    await stage.bench.port.wait_for(c.PlaceCall)


async def ringing_out(stage: Stage) -> None:
    placed = await stage.bench.port.wait_for(c.PlaceCall)
    stage.deliver(m.Sdp(call_id=placed.call_id, sdp="", code=180, cseq=2))


async def early_media(stage: Stage) -> None:
    placed = await stage.bench.port.wait_for(c.PlaceCall)
    stage.describe(placed, 183)


async def up_out(stage: Stage) -> None:
    await stage.picks_up()


INCOMING: dict[Step, str] = {
    rings: "offered",
    answering: "answering",
    up: "up",
    held: "held",
    resuming: "resuming",
    held_by_remote: "up",
    reoffer_in_progress: "up",
    transferring: "transferring",
    consult_rings: "held calling",
    consult_whispers: "held up",
    consult_asks: "held up",
    consulted: "held up",
    consulted_within: "held up",
    taking_back: "resuming",
    refused_transfer: "up",
    parking: "transferring",
    joining: "joining joining",
    bridged: "up up",
    in_conference: "up",
    playing: "up",
    playing_beside: "up",
    saying: "up",
    talking: "up",
    muted: "up",
    gathering_with_a_prompt: "up",
    recording: "up",
    recording_beside: "up",
    gathering: "up",
    sending_dtmf: "up",
    socket_away: "up",
    held_and_socket_away: "held",
}
"""The step, and the states of the dialogs then."""

TELL_THE_HANDLER = {
    resuming,
    taking_back,
    transferring,
    parking,
    consult_rings,
    consult_whispers,
    consult_asks,
    consulted,
    consulted_within,
    joining,
}
"""The handler learns what has failed while its call lives on, and as it does nothing about it the engine hangs up."""

OUTGOING: dict[Callable[[Stage], Awaitable[None]], str] = {
    dialing: "dialing",
    calling: "calling",
    ringing_out: "ringing",
    early_media: "early",
    up_out: "up",
}

# --- the ways to end -------------------------------------------------------------------------------------------------

Way = Callable[[Stage, Call], Awaitable[None]]


async def hang_up(stage: Stage, call: Call) -> None:
    await call.hangup()
    await call.hangup()


async def hang_up_into_a_stuck_socket(stage: Stage, call: Call) -> None:
    stage.bench.port.stuck = True
    await call.hangup()


async def bye(stage: Stage, call: Call) -> None:
    stage.deliver(m.Bye(call_id=call.id, cseq=90))
    stage.deliver(m.Bye(call_id=call.id, cseq=90))


async def cancel(stage: Stage, call: Call) -> None:
    stage.deliver(m.Cancel(call_id=call.id))


async def bye_and_hang_up_at_once(stage: Stage, call: Call) -> None:
    stage.deliver(m.Bye(call_id=call.id, cseq=90))
    await call.hangup()


async def work_cancelled(stage: Stage, call: Call) -> None:
    stage.work.cancel()


async def drain(stage: Stage, call: Call) -> None:
    await stage.bench.switchboard.drain(5)


async def drain_at_once(stage: Stage, call: Call) -> None:
    await stage.bench.switchboard.drain(0)


async def media_lost(stage: Stage, call: Call) -> None:
    for end in stage.far.values():
        stage.bench.wire.close(end)


async def socket_lost_for_good(stage: Stage, call: Call) -> None:
    """A call goes on while its audio does."""
    _lose_socket(stage)
    await trio.sleep(5)
    await media_lost(stage, call)


def _lose_socket(stage: Stage) -> None:
    stage.bench.port.alive = False
    stage.bench.switchboard.socket_lost()


WAYS: dict[Way, set[str]] = {
    hang_up: {"hangup"},
    hang_up_into_a_stuck_socket: {"hangup"},
    bye: {"remote_hangup"},
    cancel: {"remote_hangup"},
    bye_and_hang_up_at_once: {"remote_hangup"},
    work_cancelled: {"hangup"},
    drain: {"shutdown"},
    drain_at_once: {"shutdown"},
    media_lost: {"media_lost", "media_failed"},
    socket_lost_for_good: {"connection_lost"},
}
"""The way, and the reasons that may be told for an answered call."""

UNANSWERED = {"offered", "answering", "dialing", "calling", "ringing", "early"}


def reasons(way: Way, states: str, step: object, on: int) -> set[str]:
    """The reasons of the call that the way was meant for."""
    state = states.split()[on]
    if state in ("transferring", "joining") and way in (bye, bye_and_hang_up_at_once):
        return {"transferred"}
    if state in UNANSWERED and way in (bye, cancel, bye_and_hang_up_at_once):
        # the PBX can't know of a call of which it was not told
        return {"hangup", "no_answer", "media_failed"} if state == "dialing" else {"cancelled", "failed"}
    if step in (socket_away, held_and_socket_away) and way is media_lost:
        return {"connection_lost"}
    if state in UNANSWERED and way is media_lost:
        return {"no_answer", "media_failed", "hangup"}
    if step in TELL_THE_HANDLER and way in (media_lost, socket_lost_for_good):
        return {*WAYS[way], "hangup"}
    if on == 1 and way in (drain, drain_at_once):
        return {"shutdown", "hangup"}  # it ends with the first one
    if state == "dialing" and way is socket_lost_for_good:
        return {"connection_lost", "media_failed"}
    return WAYS[way]


# --- the table -------------------------------------------------------------------------------------------------------


async def play_incoming(stage: Stage, step: Step) -> None:
    async def handler(call: Call) -> None:
        try:
            with stage.work:
                if step not in (rings, answering):
                    await call.answer()
                await step(stage, call)
        finally:
            stage.done = True

    stage.bench.on_call(handler)
    end = stage.far["in-1"] = stage.bench.invite()
    if step is rings:
        return
    accept = await stage.bench.port.wait_for(c.AcceptCall)
    if step is not answering:
        stage.bench.wire.connect(end, accept.sdp)


async def play_outgoing(stage: Stage, step: Callable[[Stage], Awaitable[None]], nursery: trio.Nursery) -> None:
    async def dial() -> None:
        with stage.work:
            try:
                async with stage.bench.switchboard.dial("500") as call:
                    await call.sleep(1000)
            except (CallEnded, ConnectionLost, DialError):
                return

    if step is dialing:
        await step(stage)
        nursery.start_soon(dial)
    else:
        nursery.start_soon(dial)
        await step(stage)


async def check_nothing_is_left(stage: Stage) -> None:
    """After all that may linger."""
    bench = stage.bench
    await trio.sleep(60)
    assert bench.switchboard.calls == []
    assert bench.switchboard._views == {}
    assert len(bench.switchboard._legs) == 0
    assert bench.switchboard._nursery is not None
    assert len(bench.switchboard._nursery.child_tasks) == 0
    assert all(leg.closed for leg in bench.media.legs)
    assert all(conference.closed for conference in bench.media.conferences)
    ended = bench.ended()
    assert len(ended) == len({event.call_id for event in ended}) == len(bench.media.legs)
    assert all(event.reason for event in ended)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("step", INCOMING, ids=lambda step: step.__name__)
@pytest.mark.parametrize("dialect", Dialect, ids=lambda dialect: dialect.value)
async def test_a_call_that_came_in(
    dialect: Dialect, step: Step, way: Way, tmp_path: Path, autojump_clock: MockClock
) -> None:
    for on in range(len(INCOMING[step].split())):
        async with running() as bench:
            bench.dialect = dialect
            stage = Stage(bench, tmp_path)
            await play_incoming(stage, step)
            await trio.sleep(0.5)
            assert " ".join(call._leg.dialog.state.value for call in stage.calls) == INCOMING[step]
            await end_it(stage, way, reasons(way, INCOMING[step], step, on), on)
            assert stage.done


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("step", OUTGOING, ids=lambda step: step.__name__)
async def test_a_call_that_we_place(
    step: Callable[[Stage], Awaitable[None]], way: Way, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with running() as bench, trio.open_nursery() as nursery:
        stage = Stage(bench, tmp_path)
        await play_outgoing(stage, step, nursery)
        await trio.sleep(0.5)
        assert " ".join(call._leg.dialog.state.value for call in stage.calls) == OUTGOING[step]
        await end_it(stage, way, reasons(way, OUTGOING[step], step, 0), 0)


async def end_it(stage: Stage, way: Way, expected: set[str], on: int) -> None:
    call = stage.calls[on]
    await way(stage, call)
    with trio.move_on_after(100) as limit:
        await call.wait_ended()
    if limit.cancelled_caught:
        # on hold, audio that is lost is nothing: the PBX may well have closed its side
        assert way is media_lost
        assert call.state == "held"
        await call.hangup()
    else:
        assert call.reason in expected
    await check_nothing_is_left(stage)


@pytest.mark.parametrize("step", [*INCOMING], ids=lambda step: step.__name__)
async def test_the_bot_is_cancelled(step: Step, tmp_path: Path, autojump_clock: MockClock) -> None:
    """`running` cancels the switchboard, and says what audio was left open."""
    async with running() as bench:
        stage = Stage(bench, tmp_path)
        await play_incoming(stage, step)
        await trio.sleep(0.5)
        calls = stage.calls
    assert [call.reason for call in calls] == ["shutdown"] * len(calls)
    assert len(bench.ended()) == len(bench.media.legs)
