"""The call as a plugin holds it (DESIGN.md section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import trio

from ..errors import CallEnded, SpeechUnavailable
from ..ports import MediaStats, Recording
from ..protocol import steps
from .leg import Leg
from .recording import RunningRecording, record_beside

if TYPE_CHECKING:
    from .consult import Consulting
    from .desk import Desk

T = TypeVar("T")


@dataclass(frozen=True)
class Party:
    """Who is on the other side, as far as the PBX told."""

    number: str
    name: str = ""


class Call:
    """One call of the bot. When it ends, `record()`, `hangup()` and `transfer()` return normally, and every other
    coroutine raises `CallEnded`, which a handler lets fly: it is a normal end."""

    def __init__(
        self, leg: Leg, *, extension: str, local: str, remote: Party, guard: Callable[[str], None], desk: Desk
    ) -> None:
        self._leg = leg
        self._guard = guard
        self._desk = desk
        self._consultation: Call | None = None
        self.local = local
        """The number of ours that was called (it may be a group's), or that calls."""
        self.extension = extension
        """The extension of ours that the call is on."""
        self.remote = remote
        """The other side; kept current."""

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.direction} {self.remote.number} {self.state}>"

    # --- known -------------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Stable for the life of the call."""
        return self._leg.id

    @property
    def direction(self) -> Literal["incoming", "outgoing"]:
        return self._leg.dialog.direction

    @property
    def state(self) -> Literal["ringing", "up", "held", "ended"]:
        """`held`: by us. Being held by the other side is `held_by_remote`."""
        if self._leg.ended is not None:
            return "ended"
        if self._leg.answered is None:
            return "ringing"
        return "held" if self._leg.dialog.held else "up"

    @property
    def held_by_remote(self) -> bool:
        return self._leg.dialog.held_by_remote

    @property
    def started(self) -> float:
        """Seconds since the epoch at which the call was offered or placed."""
        return self._leg.started

    @property
    def answered(self) -> float | None:
        """Seconds since the epoch; None if it was not (yet)."""
        return self._leg.answered

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; None while it lives."""
        return self._leg.ended

    @property
    def duration(self) -> float:
        """Seconds from the answer to the end; 0.0 if it was never answered or has not ended."""
        if self._leg.answered is None or self._leg.ended is None:
            return 0.0
        return max(0.0, self._leg.ended - self._leg.answered)

    @property
    def reason(self) -> str:
        """Why it ended, as in `events.CallEnded`; "" while it lives."""
        return self._leg.end.reason if self._leg.end else ""

    @property
    def code(self) -> int | None:
        """The SIP status code it ended with, if the PBX told one."""
        return self._leg.end.code if self._leg.end else None

    def stats(self) -> MediaStats:
        """Counters of the audio up to now."""
        return self._leg.media.stats()

    # --- call control ------------------------------------------------------------------------------------------------

    async def ring(self) -> None:
        """Tell the caller that we ring. Raises CallEnded, IllegalMove."""
        await self._leg.ask(steps.WantRinging())

    async def answer(self) -> None:
        """Answer; returns when the audio is up. Raises CallEnded if the caller gave up meanwhile, MediaError."""
        await self._leg.ask(steps.WantAnswer())

    async def reject(self, code: int = 486) -> None:
        """Refuse an incoming call: 486 busy (others may still ring), 603 for all. Raises CallEnded, IllegalMove."""
        await self._leg.ask(steps.WantReject(code=code))

    async def hangup(self) -> None:
        """End the call, whatever its state; nothing happens if it has ended."""
        try:
            await self._leg.ask(steps.WantHangUp())
        except CallEnded:
            return

    async def hold(self) -> None:
        """Put the other side on hold; it hears the PBX's music. Raises CallEnded, IllegalMove, ConnectionLost."""
        await self._leg.ask(steps.WantHold())

    async def resume(self) -> None:
        """Take the other side back. Raises CallEnded, IllegalMove, ConnectionLost, MediaError."""
        await self._leg.ask(steps.WantResume())

    async def transfer(self, to: str) -> None:
        """Blind transfer; returns when the PBX has taken the caller (the call is then over for us).

        Raises NotAllowed (nothing was sent), TransferFailed (the caller is still here), ConnectionLost, IllegalMove.
        """
        if self._leg.ended is not None:
            return
        self._guard(to)
        await self._leg.ask(steps.WantTransfer(to=to))

    def consult(
        self,
        to: str,
        *,
        timeout: float | None = None,
        whisper: Any = None,
        accept: str = "",
        accept_timeout: float = 10.0,
    ) -> Consulting:
        """Attended transfer: `second = await call.consult("500")`, then `second.complete()` or `second.cancel()`; or
        `async with call.consult("500") as second:`, which cancels on leaving unless it was completed.

        The caller is put on hold and the target dialled on the same extension; it returns when the target has answered,
        has heard `whisper` (what `play` takes, or a text for `say`; a string is a text unless it names a file or a
        URL), and has pressed one of the keys `accept`, if there are any: during the whisper, which that stops, or up to
        `accept_timeout` seconds after it. `timeout`: seconds of ringing.

        Raises Busy, NoAnswer, Rejected, NotAccepted, DialFailed: the caller is off hold again. CallEnded if the caller
        has hung up, and then the target is hung up, too. NotAllowed or IllegalMove: nothing was sent. ConnectionLost:
        the caller is still on hold.
        """
        return self._desk.consult(
            self, to, timeout=timeout, whisper=whisper, accept=accept, accept_timeout=accept_timeout
        )

    async def bridge(self, other: Call) -> None:
        """Join two calls at the bot: their other sides hear each other. Returns when one of them has ended; the other
        goes on, alone. Cancelling takes them apart.

        Raises CallEnded if one had ended before, IllegalMove if one is not answered yet, MediaError.
        """
        await self._desk.bridge(self, other)

    async def mute(self, on: bool = True) -> None:
        """Send silence in place of what plays, and tell the PBX. Raises CallEnded."""
        self._leg.media.set_muted(on)
        await self._leg.ask(steps.WantMute(on=on))

    async def record_on_pbx(self, on: bool = True) -> None:
        """Recording by the PBX itself. Raises CallEnded, IllegalMove."""
        await self._leg.ask(steps.WantPbxRecording(on=on))

    # --- audio -------------------------------------------------------------------------------------------------------

    async def play(self, source: Any) -> None:
        """Play a path or a Source; returns when its last sample has been sent. Cancelling stops it at once.

        Raises CallEnded, SourceError.
        """
        await self._while_up(lambda: self._leg.media.play(source))

    async def say(self, text: str) -> None:
        """Speak a text. Raises SpeechUnavailable where no speech provider is installed, CallEnded."""
        self._check_up()
        raise SpeechUnavailable(f"no speech provider is installed, so {text[:40]!r} can't be spoken")

    async def send_dtmf(self, digits: str) -> None:
        """Send digits (`0-9*#A-D`); returns when the last one has been sent. Raises CallEnded, ValueError."""
        await self._while_up(lambda: self._leg.media.send_dtmf(digits))

    async def dtmf(self) -> AsyncIterator[str]:
        """Digits of the other side as they come, also those that came before; ends with the call."""
        async for digit in self._leg.digits:
            yield digit

    async def gather(self, max_digits: int = 1, timeout: float = 5.0, *, terminators: str = "#") -> str:
        """Collect digits: until there are `max_digits`, a terminator (not part of the result), or `timeout` seconds
        without a digit; "" if none came. Raises CallEnded."""
        got = ""
        while len(got) < max_digits:
            with trio.move_on_after(timeout):
                try:
                    digit = await self._leg.digits.receive()
                except trio.EndOfChannel:
                    raise self._leg.gone() from None
                if digit in terminators:
                    return got
                got += digit
                continue
            break
        return got

    async def record(
        self,
        path: str | Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
    ) -> Recording:
        """Record the other side into a WAV until the call ends, `max_seconds`, `silence` seconds of silence, or one of
        the digits `stop_on`; returns when it is over. Raises SourceError if the file can't be written."""
        return await self._leg.media.record(
            Path(path), max_seconds=max_seconds, silence=silence, stop_on=stop_on
        )

    @asynccontextmanager
    async def recording(self, path: str | Path) -> AsyncIterator[RunningRecording]:
        """Record beside what else happens; the file is complete when the body is left. Raises SourceError."""
        self._check_up()
        async with record_beside(self._leg, Path(path)) as running:
            yield running

    # --- the scope of the call ---------------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Wait. Raises CallEnded as soon as the call ends."""
        await self._while_up(partial(trio.sleep, seconds))

    async def wait_ended(self) -> None:
        """Returns when the call is over."""
        await self._leg.ended_event.wait()

    def scope(self) -> AbstractContextManager[trio.CancelScope]:
        """`with call.scope(): …` or `async with call.scope(): …`: the body is cancelled when the call ends."""
        return _CallScope(self._leg)

    def _check_up(self) -> None:
        if self._leg.ended is not None:
            raise self._leg.gone()

    async def _while_up(self, work: Callable[[], Awaitable[T]]) -> T:
        self._check_up()
        with self._leg.until_end():
            return await work()
        raise self._leg.gone()


class _CallScope(AbstractContextManager[trio.CancelScope]):
    """The leg's end as a context manager of either kind."""

    def __init__(self, leg: Leg) -> None:
        self._until_end = leg.until_end()

    def __enter__(self) -> trio.CancelScope:
        return self._until_end.__enter__()

    def __exit__(self, *exc_info: Any) -> bool | None:
        return self._until_end.__exit__(*exc_info)

    async def __aenter__(self) -> trio.CancelScope:
        return self.__enter__()

    async def __aexit__(self, *exc_info: Any) -> bool | None:
        return self.__exit__(*exc_info)

