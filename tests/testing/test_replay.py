"""What happened once, on a virtual PBX, happens again from its tape; and what a plugin does otherwise now is shown."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, sources
from vodiabot.config import parse
from vodiabot.session import Session
from vodiabot.sim.config import default
from vodiabot.tape import Entry, Header, Tape, read_tape, taped_media, taped_sessions
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.replay import Replayed, replay
from vodiabot.testing.wire import Wire

from .kit import SETTINGS, _plugin

Handler = Callable[[Call], Awaitable[None]]
ReadTape = tuple[Header, list[Entry]]


async def menu(call: Call) -> None:
    await call.answer()
    match await call.gather(max_digits=1, timeout=5, prompt=sources.tone(440, 30.0)):
        case "1":
            await call.transfer("600")
        case _:
            await call.hangup()


def settings(state: Path) -> str:
    return SETTINGS.format(user="45", password="bot", state=state.as_posix())


async def incident(state: Path, handler: Handler, dialect: str) -> ReadTape:
    """46 calls, presses 1 and is transferred; the socket dies; 46 calls again and hangs up. On tape."""
    wire, tape = Wire(), Tape(trio.current_time)
    pbx = VirtualPbx(replace(default(), dialect=dialect), wire)
    bot = Bot(
        parse(settings(state)),
        plugins=[_plugin(handler)],
        media=taped_media(tape, VirtualMedia(wire).opened),
        make_session=taped_sessions(tape, partial(Session, connect=pbx.connect)),
        wall=trio.current_time,
    )
    tape.start(state / "tape", about={"domain": "localhost", "extensions": ["45"]})
    async with trio.open_nursery() as nursery:
        await nursery.start(pbx.run)
        await nursery.start(bot.run)
        await bot.wait_up(20)
        phone = pbx.pbx.phone("46")
        pbx.lever(phone.plug_in)
        for digits in ("1", ""):
            pbx.lever(lambda now: phone.dial(now, "45"))
            await trio.sleep(2)
            pbx.lever(lambda now, digits=digits: phone.press(now, digits) if digits else phone.hang_up(now))
            await trio.sleep(3)
            pbx.lever(phone.hang_up)
            pbx.cut_all()
            await trio.sleep(10)
        bot.drain()
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    tape.stop()
    return read_tape(state / "tape")


def record(state: Path, handler: Handler = menu, dialect: str = "modern") -> ReadTape:
    return trio.run(incident, state, handler, dialect, clock=MockClock(autojump_threshold=0))


def play(state: Path, tape: ReadTape, handler: Handler = menu) -> Replayed:
    work = partial(replay, parse(settings(state)), [_plugin(handler)], tape)
    return trio.run(work, clock=MockClock(autojump_threshold=0))


def of(kind: str, done: Replayed) -> list[str]:
    return [moment.text for moment in done.moments if moment.kind == kind]


def test_the_same_bot_does_the_same(tmp_path: Path) -> None:
    for dialect in ("modern", "classic"):
        (tmp_path / dialect).mkdir()
        tape = record(tmp_path / dialect, dialect=dialect)
        done = play(tmp_path, tape)
        assert done.differences == []
        assert done.failures == []
        assert sum("answer_call <Call" in text for text in of("plugin", done)) == 2
        assert [text for text in of("audio", done) if "DtmfReceived" in text]
        assert len([text for text in of("session", done) if "is up" in text]) == 3
        said = [entry.said["action"] for entry in tape[1] if isinstance(entry.said, dict)]
        assert sum('"blind-transfer2"' in text for text in of("out", done)) == said.count("blind-transfer2") == 1


def test_a_plugin_that_does_otherwise_is_shown_where_it_does(tmp_path: Path) -> None:
    async def mended(call: Call) -> None:
        await call.answer()
        await call.gather(max_digits=1, timeout=5, prompt=sources.tone(440, 30.0))
        await call.transfer("601")

    done = play(tmp_path, record(tmp_path), mended)
    [first, *_] = [moment.text for moment in done.differences]
    assert '"to": "601"' in first
    assert "now, not on the tape" in first
    assert any("on the tape" in moment.text and '"600"' in moment.text for moment in done.differences)


def test_a_plugin_that_fails_is_told_with_its_traceback(tmp_path: Path) -> None:
    async def broken(call: Call) -> None:
        await call.answer()
        raise LookupError("no such menu")

    done = play(tmp_path, record(tmp_path), broken)
    assert len(done.failures) == 2
    assert all("author" in failure and "LookupError: no such menu" in failure for failure in done.failures)


def test_calls_that_the_bot_places_have_other_ids_now_and_are_known_again(tmp_path: Path) -> None:
    async def forward(call: Call) -> None:
        await call.answer()
        async with call.consult("600") as second:
            await second.sleep(1)
            await second.complete()

    tape = record(tmp_path, forward)
    done = play(tmp_path, tape, forward)
    assert done.differences == []
    assert any("att-transfer" in text for text in of("out", done))


def test_an_extension_that_is_not_configured_is_told(tmp_path: Path) -> None:
    header, entries = record(tmp_path)
    entries = [Entry(t=0.0, extension="99", up="registered"), *entries]
    assert any("extension 99" in moment.text for moment in play(tmp_path, (header, entries)).differences)


def test_what_is_on_this_machine_and_beyond_is_left_alone(tmp_path: Path) -> None:
    kept, new = tmp_path / "kept.wav", tmp_path / "new.wav"
    kept.write_bytes(b"the evidence")
    seen: list[bool] = []

    async def recorded(call: Call) -> None:
        await call.answer()
        async with call.recording(kept), call.recording(new):
            await call.sleep(1)
        seen.append(new.exists())
        with pytest.raises(OSError, match="--network allows it"):
            socket.create_connection(("127.0.0.1", 9))

    tape = record(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = parse(settings(tmp_path / "state") + f'[http]\nlisten = "127.0.0.1:{port}"\n')
        done = trio.run(
            partial(replay, config, [_plugin(recorded)], tape), clock=MockClock(autojump_threshold=0)
        )
    assert done.failures == []
    assert of("refused", done) == [
        "author wanted to reach 127.0.0.1:9, but nothing leaves the machine here (--network allows it)"
    ]
    assert seen == [True, True]
    assert kept.read_bytes() == b"the evidence"
    assert not new.exists()
    assert not (tmp_path / "state").exists()
