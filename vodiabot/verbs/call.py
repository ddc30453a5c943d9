"""`vodiabot call`: one call from the shell, by the operator's own hand, so `[limits]` does not hold."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec
import trio

from ..bot import Bot
from ..calls import Call
from ..calls.recording import RunningRecording
from ..config import Config
from ..errors import CallEnded, DialError, Rejected, UsageError, VodiabotError
from ..events import CallSilent, CallUnheard
from ..servers import without_servers
from .audible import playable
from .call_words import ended, rejected
from .common import CONNECT_TIMEOUT, DONE, FAILED, make_session, media_of, on_signals, say, say_error, seconds


@dataclass(frozen=True)
class Wishes:
    """What to do in the call."""

    to: str
    play: Path | None = None
    record: Path | None = None
    dtmf: str = ""
    duration: float | None = None
    timeout: float | None = None
    codecs: tuple[str, ...] | None = None


@dataclass
class Outcome:
    """The one object that `--json` prints."""

    answered: bool = False
    code: int | None = None
    setup_ms: int | None = None
    duration_s: float = 0.0
    dtmf_received: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    error: str | None = None
    mos: float | None = None
    """Estimated, of what we heard: 1 to 4.5."""
    jitter_ms: float | None = None
    loss: float | None = None
    """Part of the other side's packets that did not come, 0 to 1."""
    silent_for_s: float | None = None
    """At the end of the call, since the last packet of the other side."""
    unheard_for_s: float | None = None
    """At the end of the call, since anything of ours arrived, as the PBX reports; 0: it does; None: it does not say."""
    ended: str | None = None
    """Why an answered call ended: `hangup` by us, `remote_hangup`, and so on as in `events.CallEnded`."""


NOTHING_HEARD = "nothing was heard of the other side"
HEARD_BY_NOW = 1.0
"""Seconds of a call after which it is strange that not one packet has come."""


async def call(config: Config, wishes: Wishes, *, as_json: bool) -> int:
    """Exit code 0 if the call was answered and did what was wished. Raises UsageError before anybody is called."""
    if wishes.play is not None:
        _check_readable(wishes.play)
    if wishes.record is not None:
        _check_writable(wishes.record)
    outcome = Outcome()
    config = _for_one_call(config, wishes)
    bot = Bot(config, plugins=(), media=media_of(config), make_session=make_session)
    attempt = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_signals, attempt.cancel)
        await nursery.start(bot.run)
        with attempt:
            await _attempt(bot, wishes, outcome)
        if attempt.cancelled_caught and not outcome.answered:
            outcome.error = "interrupted"
        bot.drain()
        nursery.cancel_scope.cancel()
    show(wishes, outcome, as_json=as_json)
    return DONE if outcome.answered and outcome.error is None else FAILED


def _check_readable(path: Path) -> None:
    """Raises UsageError: nobody is rung for a sound that isn't there."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as exc:
        raise UsageError(f"--play {path}: can't be read: {exc.strerror or exc}") from exc
    if why := playable(path):
        raise UsageError(f"--play {why}")


def _check_writable(path: Path) -> None:
    """What is there stays as it is until somebody has answered. Raises UsageError."""
    was_there = os.path.lexists(path)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
        if not was_there:
            path.unlink()
    except OSError as exc:
        raise UsageError(f"--record {path}: can't be written: {exc.strerror or exc}") from exc


def _for_one_call(config: Config, wishes: Wishes) -> Config:
    """One extension, not registered: calls for the bot are not ours to take. Nobody is served."""
    extension = msgspec.structs.replace(config.extensions[0], register=False)
    media = msgspec.structs.replace(config.media, codecs=wishes.codecs or config.media.codecs)
    return without_servers(msgspec.structs.replace(config, extensions=(extension,), routes=(), media=media))


async def _attempt(bot: Bot, wishes: Wishes, outcome: Outcome) -> None:
    """The call; what became of it is in `outcome` also if it was interrupted."""
    living: Call | None = None
    try:
        await bot.wait_up(CONNECT_TIMEOUT)
        began = monotonic()
        async with bot.dial_by_hand(wishes.to, timeout=wishes.timeout) as living:
            outcome.answered, outcome.code = True, 200
            outcome.setup_ms = round((monotonic() - began) * 1000)
            await _talk(bot, living, wishes, outcome)
    except Rejected as exc:
        outcome.code, outcome.error = exc.code, rejected(wishes.to, exc.code)
    except DialError as exc:
        outcome.code, outcome.error = exc.code, str(exc)
    except VodiabotError as exc:
        outcome.error = str(exc)
    finally:
        if living is not None:
            _count(living, outcome)


async def _talk(bot: Bot, living: Call, wishes: Wishes, outcome: Outcome) -> None:
    """Everything at once, until the duration is over, the other side hangs up, or all that was wished is done."""
    began, silence = monotonic(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen_for_digits, living, outcome)
        nursery.start_soon(_listen_for_silence, bot, living, silence)
        nursery.start_soon(_until_ended, living, nursery.cancel_scope)
        with trio.move_on_after(seconds(wishes.duration)):
            await _speak_and_record(living, wishes, outcome)
        nursery.cancel_scope.cancel()
    if not silence.is_set() and not living.stats().packets_received and monotonic() - began >= HEARD_BY_NOW:
        say_error(NOTHING_HEARD)


async def _speak_and_record(living: Call, wishes: Wishes, outcome: Outcome) -> None:
    try:
        async with _recording(living, wishes, outcome):
            if wishes.dtmf:
                await living.send_dtmf(wishes.dtmf)
            if wishes.play:
                await living.play(wishes.play)
            if wishes.duration is not None or not (wishes.play or wishes.dtmf):
                await trio.sleep_forever()
    except CallEnded:
        return
    except VodiabotError as exc:
        outcome.error = str(exc)


@asynccontextmanager
async def _recording(living: Call, wishes: Wishes, outcome: Outcome) -> AsyncIterator[None]:
    """Its failure is told also where a hang-up or a signal cancels the body."""
    if wishes.record is None:
        yield
        return
    recording: RunningRecording | None = None
    try:
        async with living.recording(wishes.record) as recording:
            yield
    finally:
        if recording is not None and recording.error is not None:
            outcome.error = str(recording.error)


async def _listen_for_digits(living: Call, outcome: Outcome) -> None:
    async for digit in living.dtmf():
        outcome.dtmf_received += digit


async def _listen_for_silence(bot: Bot, living: Call, silence: trio.Event) -> None:
    async with bot.events() as stream:
        async for event in stream:
            if isinstance(event, CallSilent) and event.call_id == living.id:
                say_error(f"{NOTHING_HEARD} for {event.seconds:.0f} s")
                silence.set()
            if isinstance(event, CallUnheard) and event.call_id == living.id:
                say_error(f"the other side has not heard us for {event.seconds:.0f} s: nothing that we send arrives")


async def _until_ended(living: Call, scope: trio.CancelScope) -> None:
    await living.wait_ended()
    scope.cancel()


def _count(living: Call, outcome: Outcome) -> None:
    stats = living.stats()
    outcome.packets_sent, outcome.packets_received = stats.packets_sent, stats.packets_received
    outcome.duration_s = round(living.duration, 3)
    outcome.mos = _rounded(stats.mos, 2)
    outcome.jitter_ms = None if stats.jitter is None else round(1000 * stats.jitter, 1)
    sent_to_us = stats.packets_received + stats.packets_lost
    outcome.loss = round(stats.packets_lost / sent_to_us, 4) if sent_to_us else None
    outcome.silent_for_s = _rounded(stats.silent_for, 1)
    outcome.unheard_for_s = _rounded(stats.unheard_for, 1)
    outcome.ended = living.reason or None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def show(wishes: Wishes, outcome: Outcome, *, as_json: bool) -> None:
    """What became of it."""
    if as_json:
        say(json.dumps(vars(outcome)))
    elif outcome.error is not None:
        say_error(outcome.error)
    else:
        say(
            f"{wishes.to} answered after {outcome.setup_ms} ms; "
            f"{ended(outcome.ended or '')} after {outcome.duration_s:.1f} s; "
            f"{outcome.packets_sent} packets sent, {outcome.packets_received} received"
            + (f" ({outcome.loss:.1%} lost)" if outcome.loss else "")
            + (f", MOS {outcome.mos:.1f}" if outcome.mos is not None else "")
            + (f", digits heard: {outcome.dtmf_received}" if outcome.dtmf_received else "")
        )
