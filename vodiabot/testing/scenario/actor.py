"""One of the cast with a real client: see `people.Person`, whose words these are."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from ...bot import Bot
from ...calls import Call
from ...errors import CallEnded, DialError, SpeechUnavailable
from ...events import ChatReceived
from ...sources import Tone
from ..hearing import Hearing
from ..people import PATIENCE
from ..sounds import HUM, Samples, Sound, Spoken, name_of, text_of
from ..story import Unexpected
from .ears import RATE, Ears
from .model import Cast

if TYPE_CHECKING:
    from .live_stage import LiveStage

ON_ITS_WAY = 0.6
"""Seconds by which sound may come later than it was sent."""

ALIKE = 0.6
"""From which on what came counts as the file that was sent."""

OFF_BY = 0.02
"""Part by which a tone's pitch may differ."""


class LiveActor:
    """Its client, its call, its ears. Whatever is expected and does not come in time raises `Unexpected`."""

    client: Bot

    def __init__(self, stage: LiveStage, cast: Cast, here: str) -> None:
        """`here`: the extension that plays the part."""
        self.cast = cast
        self.here = here
        self.who = cast.name or cast.id
        self.hearing = Hearing(stage, self.who, since=stage.since)
        self.call: Call | None = None
        """The present one, answered, or the last."""
        self.ringing: Call | None = None
        self._stage = stage
        self._dialling = False
        self._refusal: DialError | None = None
        self._pick_up, self._refuse_with = trio.Event(), 0
        self._leave = trio.Event()
        self._ears = Ears()
        self._digits = ""
        self._read: list[str] = []

    def __str__(self) -> str:
        return f"{self.cast.name or self.cast.id} ({self.here})"

    def _tell(self, what: str) -> None:
        self._stage.story.tell(f"{self} {what}")

    @property
    def _up(self) -> Call | None:
        return self.call if self.call is not None and self.call.state != "ended" else None

    # --- calls -------------------------------------------------------------------------------------------------------

    async def calls(self, to: str, *, within: float = 60.0, answered: bool = True) -> None:
        self._tell(f"calls {to}")
        self._dialling, self._refusal, self._leave = True, None, trio.Event()
        self._stage.nursery.start_soon(self._dial, to, within)
        if answered:
            await self.is_answered(within=within)

    async def _dial(self, to: str, within: float) -> None:
        try:
            with trio.CancelScope() as scope:
                self._stage.nursery.start_soon(_cancel_after, self._leave, scope)
                async with self.client.dial_by_hand(to, timeout=within) as call:
                    await self._talk(call)
        except DialError as exc:
            self._refusal = exc
        finally:
            self._dialling = False
            self._leave.set()
            self._stage.news()

    async def _talk(self, call: Call) -> None:
        """From the answer to the end, or until it leaves."""
        self.call, self._dialling, self._digits = call, False, ""
        self._stage.news()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, call)
            nursery.start_soon(self._hear_digits, call)
            await call.wait_ended()
            nursery.cancel_scope.cancel()
        self._tell(f"is told that the call is over, {call.reason}")
        self._stage.news()

    async def _listen(self, call: Call) -> None:
        with suppress(CallEnded, trio.EndOfChannel):
            async with call.audio(rate=RATE) as audio:
                while True:
                    frame = await audio.receive()
                    self._ears.hear(trio.current_time(), frame)

    async def _hear_digits(self, call: Call) -> None:
        with suppress(CallEnded):
            async for digit in call.dtmf():
                self._digits += digit
                self._stage.news()

    async def is_called(self, call: Call) -> None:
        """By the client's switchboard: its `answer_call`."""
        self._tell(f"is called by {call.remote.number}")
        self.ringing, self._pick_up, self._refuse_with = call, trio.Event(), self.cast.refuses or 0
        self._stage.news()
        with suppress(CallEnded):
            await call.ring()
            if self._refuse_with == 0:
                with trio.move_on_after(math.inf if self.cast.answers_after is None else self.cast.answers_after):
                    with call.scope():
                        await self._pick_up.wait()
            self.ringing = None
            if self._refuse_with:
                await call.reject(self._refuse_with)
                return
            if not self._pick_up.is_set():
                self._tell("answers")
            await call.answer()
            await self._talk(call)
        self.ringing = None

    async def is_answered(self, *, within: float = 60.0) -> None:
        await self._stage.until(
            lambda: not self._dialling, within, lambda: f"{self.who} was not answered within {within:g} s"
        )
        if self._up is None:
            raise self._wrong(f"{self.who} expected an answer, but {self._end_of_call()}")

    async def is_refused(self, code: int | None = None, *, within: float = 60.0) -> None:
        await self._stage.until(
            lambda: not self._dialling, within, lambda: f"{self.who} was not refused within {within:g} s"
        )
        if self._refusal is None:
            raise self._wrong(f"{self.who} was answered, expected to be refused")
        if code is not None and (told := self._refusal.code) != code:
            raise self._wrong(f"{self.who} was refused with {told or 'no code'}, expected {code}")

    async def rings(self, from_: str | None = None, *, within: float = PATIENCE) -> None:
        await self._stage.until(
            lambda: self.ringing is not None, within, lambda: f"{self.who}'s phone did not ring within {within:g} s"
        )
        if from_ is not None and self.ringing is not None:
            caller = self.ringing.remote.number
            if caller != self._stage.number(from_):
                raise self._wrong(f"{caller} called {self.who}, expected {from_}")

    async def answers(self, *, within: float = PATIENCE) -> None:
        await self.rings(within=within)
        self._tell("answers")
        self._pick_up.set()
        await self._stage.until(
            lambda: self._up is not None, PATIENCE, lambda: f"{self.who} could not answer within {PATIENCE:g} s"
        )

    async def refuses(self, code: int = 486, *, within: float = PATIENCE) -> None:
        await self.rings(within=within)
        self._tell(f"refuses with {code}")
        self._refuse_with = code
        self._pick_up.set()

    async def hangs_up(self) -> None:
        if self._up is None and not self._dialling and self.ringing is None:
            raise self._wrong(f"{self.who} hangs up, but {self._end_of_call()}")
        self._tell("hangs up")
        await self.leaves()

    async def leaves(self) -> None:
        """Whatever call there is, it is hung up; idempotent."""
        call = self._up
        if call is not None:
            await call.hangup()
        elif self._dialling:
            self._leave.set()
        elif self.ringing is not None:
            await self.refuses()

    async def is_hung_up(self, *, within: float = PATIENCE) -> None:
        await self._stage.until(
            lambda: self._up is None, within, lambda: f"{self.who} was not hung up on within {within:g} s"
        )

    async def holds(self) -> None:
        await self._does("holds", lambda call: call.hold())

    async def resumes(self) -> None:
        await self._does("resumes", lambda call: call.resume())

    async def transfers(self, to: str) -> None:
        await self._does(f"transfers to {to}", lambda call: call.transfer(to))

    async def is_held(self, *, within: float = PATIENCE) -> None:
        await self._stage.until(self._is_on_hold, within, lambda: f"{self.who} was not held within {within:g} s")

    async def is_resumed(self, *, within: float = PATIENCE) -> None:
        await self._stage.until(
            lambda: not self._is_on_hold(), within, lambda: f"{self.who} was still on hold after {within:g} s"
        )

    def _is_on_hold(self) -> bool:
        """Not every PBX tells who is held: then by what the bot did."""
        if self._up is not None and self._up.held_by_remote:
            return True
        ways = (f"holds {self.here}", f"resumes {self.here}")
        last = next((deed for deed in reversed(self._stage.did) if deed in ways), "")
        return last == ways[0]

    async def is_transferred_to(self, number: str, *, within: float = PATIENCE) -> None:
        def holds() -> bool:
            if self._up is None:
                return True
            return self._up.remote.number == number or f"transfers {self.here} to {number}" in self._stage.did

        await self._stage.until(
            holds, within, lambda: f"{self.who} was not transferred to {number} within {within:g} s"
        )
        if self._up is None:
            raise self._wrong(f"{self.who} expected to be transferred to {number}, but {self._end_of_call()}")

    async def is_connected_to(self, number: str, *, within: float = 60.0) -> None:
        def holds() -> bool:
            other = self._stage.actor_at(number)
            there = other is None or other._up is not None
            return self._up is not None and self._up.remote.number == number and there

        await self._stage.until(
            holds, within, lambda: f"{self.who} did not talk with {number} within {within:g} s"
        )

    # --- audio -------------------------------------------------------------------------------------------------------

    async def hears(self, what: Any, *, within: float = PATIENCE, whole: bool = True) -> Sound:
        """By what the bot plays, and by what arrives."""
        sound = await self.hearing.hears(
            what, within=within, whole=whole, is_over=lambda: self._refusal is not None, why=self._end_of_call
        )
        await trio.sleep(ON_ITS_WAY if whole or sound.ended is not None else 2 * ON_ITS_WAY)
        self._compare(sound, trio.current_time())
        return sound

    def _compare(self, sound: Sound, now: float) -> None:
        until = (now if sound.ended is None else sound.ended) + ON_ITS_WAY
        heard = self._ears.audible(sound.began, until)
        at = self._stage.since(sound.began)
        if heard < 0.1:
            raise self._wrong(f"the bot began {sound.name} at {at:.1f} s, but nothing of it arrived at {self.who}")
        source = sound.what
        if isinstance(source, Tone) and len(source.hz) == 1:
            came = self._ears.loudest_hz(sound.began, until)
            if abs(came - source.hz[0]) > OFF_BY * source.hz[0]:
                raise self._wrong(f"{self.who} heard {came:.0f} Hz at {at:.1f} s, expected {name_of(source)}")
        elif isinstance(source, Samples) or text_of(source):
            return
        elif (likeness := self._ears.likeness(source, sound.began, until)) < ALIKE:
            raise self._wrong(f"what {self.who} heard at {at:.1f} s is not like {sound.name} ({likeness:.2f} of 1)")

    async def hears_nothing(self, seconds: float = 5.0) -> None:
        began = trio.current_time()
        await self.hearing.hears_nothing(seconds)
        heard = self._ears.audible(began + ON_ITS_WAY, trio.current_time())
        if heard > 0.2:
            raise self._wrong(f"{self.who} heard something for {heard:.1f} s, expected nothing")

    async def presses(self, digits: str) -> None:
        await self._does(f"presses {digits}", lambda call: call.send_dtmf(digits))

    async def hears_digits(self, digits: str, *, within: float = PATIENCE) -> None:
        await self._stage.until(
            lambda: self._digits == digits,
            within,
            lambda: f"{self.who} heard the keys '{self._digits}' within {within:g} s, expected '{digits}'",
        )

    async def speaks(self, text: str, *, seconds: float | None = None) -> None:
        sound = Sound(Spoken(text), 0.0, began=trio.current_time())
        other = self._stage.actor_at(self._up.remote.number) if self._up is not None else None
        if other is not None:
            other.hearing.hear(sound)
        await self._does(f"says '{text}'", partial(self._say, text, seconds))
        sound.ended = trio.current_time()
        if other is not None:
            other.hearing.hear(sound)

    async def _say(self, text: str, seconds: float | None, call: Call) -> None:
        """By a speech provider, if there is one; else a hum of its length."""
        hum = Spoken(text) if seconds is None else Tone(HUM, seconds, 0.15)
        if seconds is not None:
            await call.play(hum)
            return
        try:
            await call.say(text)
        except SpeechUnavailable:
            await call.play(hum)

    # --- the rest ----------------------------------------------------------------------------------------------------

    async def waits(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def writes(self, text: str, to: str = "") -> None:
        to = self._stage.number(to) if to else self._stage.bot.config.extensions[0].user
        self._tell(f"writes to {to}: '{text}'")
        await self.client.chat(to, text)

    async def is_written_to(self, message: ChatReceived) -> None:
        """By the client: its `chat_received`."""
        self._read.append(message.message)
        self._tell(f"reads '{message.message}'")
        self._stage.news()

    async def reads(self, text: str, *, within: float = PATIENCE) -> None:
        await self._stage.until(
            lambda: bool(self._read), within, lambda: f"{self.who} got no message within {within:g} s"
        )
        message = self._read.pop(0)
        if text not in message:
            raise self._wrong(f"{self.who} read '{message}', expected '{text}'")

    async def does_not_disturb(self, on: bool = True) -> None:
        raise self._cannot("does_not_disturb")

    async def unplugs(self) -> None:
        raise self._cannot("unplugs")

    async def plugs_in(self) -> None:
        raise self._cannot("plugs_in")

    def _cannot(self, what: str) -> Unexpected:
        return self._wrong(f'"{what}" can be done in virtual time only')

    async def _does(self, what: str, act: Callable[[Call], Awaitable[Any]]) -> None:
        call = self._up
        if call is None:
            raise self._wrong(f"{self.who} {what}, but {self._end_of_call()}")
        self._tell(what)
        try:
            await act(call)
        except CallEnded:
            raise self._wrong(f"{self.who} {what}, but {self._end_of_call()}") from None

    def _wrong(self, what: str) -> Unexpected:
        return self._stage.wrong(what)

    def _end_of_call(self) -> str:
        if self._refusal is not None:
            return f"the call was not answered: {self._refusal}"
        if self.call is None:
            return "there is no call"
        return f"the call has ended: {self.call.reason}" if self.call.state == "ended" else "the call goes on"


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
