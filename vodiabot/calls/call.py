"""The call as a plugin holds it (DESIGN.md section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import trio

from ..errors import CallEnded, IllegalMove, SpeechUnavailable
from ..ports import MediaStats, Recording, SpeechPort
from ..protocol import steps
from ..protocol.dialog import State
from .audio import CallAudio, open_audio
from .gathering import LATE_TERMINATOR, Allowed, Gathered, Keys, gather, rules_of
from .keys import Press, Pressed, parts_of
from .leg import Leg
from .numbers import dialable
from .prompts import HowToPlay, check_sounds, play_all, play_beside, prompt_of
from .recording import RunningRecording, record_beside
from .remote import Party
from .scope import CallScope

if TYPE_CHECKING:
    from .conference import Conference
    from .consult import Consulting
    from .desk import Desk

T = TypeVar("T")


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
        self._conference: Conference | None = None
        self._late_terminator = ("", 0.0)
        self.speech: SpeechPort | None = None
        """What speaks texts; the bot puts it there before the call is up."""
        self.gathered: Gathered | None = None
        """How the last `gather` ended: what was pressed, why it ended, after how many attempts."""
        self.local = local
        """The number of ours that was called (it may be a group's), or that calls."""
        self.extension = extension
        """The extension of ours that the call is on."""
        self.remote = remote
        """The other side, kept current: also when it changes behind the PBX, as after a transfer there."""

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
        return self._leg.talked

    @property
    def reason(self) -> str:
        """Why it ended, as in `events.CallEnded`; "" while it lives. Of an incoming call that nobody answered here, the
        PBX may tell up to half a second later who did: until then it is `cancelled`; after `wait_ended()` it counts."""
        return self._leg.end.reason if self._leg.end else ""

    @property
    def code(self) -> int | None:
        """The SIP status code it ended with, if the PBX told one."""
        return self._leg.end.code if self._leg.end else None

    def stats(self) -> MediaStats:
        """What the audio has done up to now, or did: packets, losses, jitter, delay, round trip, for how long nothing
        was heard, an estimated MOS. See `ports.MediaStats`. At any time; what was not measured is None."""
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
        """Blind transfer; returns when the PBX has taken the caller, or he has hung up meanwhile: the call is then over
        for us, and `reason` tells whether it is `transferred`.

        Raises NotAllowed (nothing was sent), TransferFailed (the caller is still here), ConnectionLost, IllegalMove.
        """
        if self._leg.ended is not None:
            return
        self._leg.may("transfer")  # first: a dial that is refused is not counted
        self._guard(to)
        await self._leg.ask(steps.WantTransfer(to=dialable(to)))

    async def park(self, orbit: str | None = None) -> str:
        """Park the caller on an orbit of the PBX, where he hears its music until somebody picks him up; gives the orbit
        when the PBX has taken him (the call is then over for us). None: one that is free, as far as the PBX tells.

        Raises TransferFailed (taken, or there is no such orbit: the caller is still here), NotAllowed (nothing was
        sent), CallEnded if the caller has hung up, ConnectionLost, IllegalMove.
        """
        return await self._desk.parking.park(self, orbit)

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

    async def bridge(self, other: Call, *, dtmf: bool = False) -> None:
        """Join two calls at the bot: their other sides hear each other. Returns when one of them has ended, or was
        joined with others; the other goes on, alone. Cancelling takes them apart. `dtmf`: the digits of each are sent
        to the other, and are heard by nobody else here. Raises CallEnded if one had ended before, IllegalMove if one is
        not answered yet, MediaError."""
        await self._desk.bridge(self, other, dtmf)

    async def mute(self, on: bool = True) -> None:
        """Send silence in place of what plays, and tell the PBX. Raises CallEnded, IllegalMove."""
        self._leg.may()
        if self.answered is not None:
            self._leg.media.set_muted(on)
        await self._leg.ask(steps.WantMute(on=on))

    async def record_on_pbx(self, on: bool = True) -> None:
        """Recording by the PBX itself. Raises CallEnded, IllegalMove."""
        await self._leg.ask(steps.WantPbxRecording(on=on))

    # --- audio -------------------------------------------------------------------------------------------------------

    async def play(
        self, source: Any, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0, loop: bool = False
    ) -> None:
        """Play a path, a URL or a Source, a `Text` to be spoken, or a list of them, one after the other; returns when
        the last sample has been sent. Cancelling stops it within a frame. Several at once are mixed.

        `gain` in dB. `fade_in` at the beginning, and `fade_out` when it is cancelled, in seconds.
        `loop`: over and over, until it is cancelled or the call ends.

        Raises CallEnded, SourceError; IllegalMove if an incoming call is not answered; for a Text what `say` raises.
        """
        self._may_be_heard()
        check_sounds(source)
        how = HowToPlay(gain, fade_in, fade_out, loop)
        await self._while_up(lambda: play_all(self._leg, source, how, self.say))

    @asynccontextmanager
    async def playing(
        self, source: Any, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0, loop: bool = True
    ) -> AsyncIterator[None]:
        """Play beside what else happens, over and over: music while the caller waits. Leaving stops it. What `play`
        takes. Raises SourceError when it is left, if it could not be played, and at once for a text; CallEnded if the
        call has ended before, IllegalMove if it comes in and is not answered."""
        self._check_up()
        self._may_be_heard()
        check_sounds(source)
        play = partial(self.play, source, gain=gain, fade_in=fade_in, fade_out=fade_out, loop=loop)
        async with play_beside(self._leg, play):
            yield

    def audio(self, rate: int = 16000, frames: int = 50) -> AbstractAsyncContextManager[CallAudio]:
        """`async with call.audio() as audio`: the samples themselves, both ways. `rate` in Hz; `frames` of 20 ms may
        wait in either direction. It goes on over hold and new connections.

        Raises CallEnded if the call has ended, UsageError for a rate below 8000 or above 48000.
        """
        self._check_up()
        self._leg.may("audio")
        return open_audio(self._leg, rate, frames)

    async def say(
        self, text: str, *, voice: str | None = None, language: str | None = None, gain: float = 0.0
    ) -> None:
        """Speak a text; returns when the last sample has been sent. Cancelling stops it within a frame. `voice` and
        `language` ("de", "en-gb") over those of `[speech]`, `gain` in dB. See docs/speech.md.

        Raises SpeechUnavailable where no provider is installed, or it has no such voice or language; SpeechFailed;
        CallEnded; IllegalMove if an incoming call is not answered.
        """
        self._check_up()
        self._may_be_heard()
        if (speech := self.speech) is None:
            raise SpeechUnavailable("this call has nothing to speak a text with")
        play = partial(self._leg.media.play, gain=gain)
        await self._while_up(lambda: speech.say(text, play, voice=voice, language=language))

    async def send_dtmf(
        self, digits: str, *, duration: float = 0.1, gap: float = 0.06, volume: float = -10.0
    ) -> None:
        """Send digits (`0-9*#A-D`; each `,` or `w` waits half a second); returns when the last one has been sent.

        `duration` of each digit, and `gap` after it, in seconds (0.04 to 8); `volume` in dBm0 (-36 to 0). Raises
        UsageError for anything else, before anything is sent; CallEnded; IllegalMove if an incoming call is not
        answered.
        """
        self._may_be_heard()
        parts = parts_of(digits)
        Press(duration, gap, volume).check()
        send = partial(self._leg.media.send_dtmf, duration=duration, gap=gap, volume=volume)
        for part in parts:
            await (self.sleep(part) if isinstance(part, float) else self._while_up(partial(send, part)))

    def dtmf(self) -> AsyncIterator[str]:
        """Digits of the other side, `0-9*#A-D`, as they come, each when it begins; also those that came before and that
        nobody took, the last 200. Ends with the call; may be left at any digit, and begun again. A digit goes to one
        taker only, this or `gather`."""
        self._leg.may()
        return Pressed(self._leg.digits)

    async def gather(
        self,
        max_digits: int | None = None,
        timeout: float = 5.0,
        *,
        first_digit_timeout: float | None = None,
        inter_digit_timeout: float | None = None,
        terminators: str = "#",
        prompt: Any = None,
        allowed: Allowed | None = None,
        retries: int = 0,
        retry_prompt: Any = None,
        flush: bool = False,
    ) -> str:
        """Collect digits: until there are `max_digits`, a terminator (no part of the result), or `timeout` seconds
        without a digit; "" if there is no (valid) entry. `call.gathered` tells more.

        `max_digits`: by default 1; of the longest of a set `allowed`; no limit for a pattern. `first_digit_timeout`,
        `inter_digit_timeout`: instead of `timeout`, seconds from the end of the prompt, and from the last digit.
        `prompt`: what `play` takes, where a string is a text for `say` unless it names a file or a URL; the first digit
        stops it. Digits that were pressed before count (and then there is no prompt), unless `flush`.
        `allowed`: a regular expression for the whole entry, or a set of entries: it returns as soon as no other entry
        can come of what was pressed. `retries`: so many times `retry_prompt` (or `prompt`) is played and digits are
        awaited anew if there is no valid entry; what was pressed until then is forgotten.

        Raises CallEnded, UsageError for rules that make no sense, and what `play` raises for the prompt.
        """
        self._check_up()
        self._may_be_heard()
        rules = rules_of(
            max_digits,
            timeout,
            first_digit_timeout=first_digit_timeout,
            inter_digit_timeout=inter_digit_timeout,
            terminators=terminators,
            allowed=allowed,
        )
        prompts = [prompt, *[prompt if retry_prompt is None else retry_prompt] * retries]
        played = [None if one is None else partial(self.play, prompt_of(one)) for one in prompts]
        await trio.lowlevel.checkpoint()  # before a key is taken, which would be lost if we are cancelled
        keys = Keys(self._leg, *self._late_terminator)
        self.gathered = gathered = await gather(keys, rules, played, flush=flush)
        late = rules.terminators if gathered.reason == "complete" else ""
        self._late_terminator = (late, trio.current_time() + LATE_TERMINATOR)
        return gathered.digits

    async def record(
        self,
        path: str | Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
        stereo: bool = False,
    ) -> Recording:
        """Record the other side until the call ends, `max_seconds`, `silence` seconds of its silence, or one of the
        digits `stop_on`; returns when it is over. A WAV, or Ogg/Opus if the path ends in `.ogg` or `.opus`. `stereo`:
        the other side left, what the bot sends right. Of a call that has ended already nothing is recorded: `duration`
        is 0 and there is no file. Raises SourceError if the file can't be written."""
        self._leg.may("record")
        record = partial(self._leg.media.record, max_seconds=max_seconds, silence=silence, stop_on=stop_on)
        with suppress(CallEnded):
            self._check_up()
            return await record(Path(path), stereo=stereo)
        return Recording(path=Path(path), duration=0.0, stopped_by="ended")

    @asynccontextmanager
    async def recording(self, path: str | Path, *, stereo: bool = False) -> AsyncIterator[RunningRecording]:
        """Record beside what else happens, as `record` does; the file is complete when the body is left. Raises
        SourceError."""
        self._check_up()
        self._leg.may("record")
        async with record_beside(self._leg, Path(path), stereo=stereo) as running:
            yield running

    # --- the scope of the call ---------------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Wait. Raises CallEnded as soon as the call ends."""
        await self._while_up(partial(trio.sleep, seconds))

    async def wait_ended(self) -> None:
        """Returns when the call is over, and it is known why (see `reason`)."""
        await self._leg.end_told.wait()

    def scope(self) -> AbstractContextManager[trio.CancelScope]:
        """`with call.scope(): …` or `async with call.scope(): …`: the body is cancelled when the call ends."""
        return CallScope(self._leg)

    def _check_up(self) -> None:
        if self._leg.ended is not None:
            raise self._leg.gone()

    def _may_be_heard(self) -> None:
        """Who plays to a caller before anybody has begun to answer has forgotten to, and would wait for ever."""
        self._leg.may()
        if self._leg.dialog.state is State.OFFERED:
            raise IllegalMove("nothing of ours is heard before the call is answered: `await call.answer()` first")

    async def _while_up(self, work: Callable[[], Awaitable[T]]) -> T:
        self._check_up()
        with self._leg.until_end():
            return await work()
        raise self._leg.gone()
