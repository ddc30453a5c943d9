"""The people of a test: callers, colleagues, whoever is called; what each does, and what each expects."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from ..sim.core.effects import Effect, Music
from .hearing import Hearing
from .model import KitPhone
from .sounds import Sound, Spoken

if TYPE_CHECKING:
    from .exchange import Exchange

PATIENCE = 10.0
"""Seconds in which what is expected has to come, unless a test says otherwise."""

KEY, PAUSE = 0.1, 0.1
"""Seconds that a key is pressed, and between two."""


class Person:
    """Somebody with a phone. Whatever is expected and does not come in time raises `Unexpected`."""

    def __init__(self, pbx: Exchange, phone: KitPhone, number: str, name: str) -> None:
        self.number = number
        self.name = name
        self.phone = phone
        """The model's."""
        self.read: list[str] = []
        """Text messages that came."""
        self._pbx = pbx
        self._told = 0
        """So many text messages were expected."""
        self._called = False
        self.hearing = Hearing(pbx, self.who, since=pbx.since)
        phone.on_frame = self._is_told
        phone.on_picking_up = lambda: self._tell("answers")

    def __repr__(self) -> str:
        return f"<{self} {self.state}>"

    def __str__(self) -> str:
        return f"{self.name} ({self.number})" if self.name else self.number

    @property
    def who(self) -> str:
        """For sentences."""
        return self.name or self.number

    @property
    def state(self) -> str:
        """unplugged, idle, ringing, calling, up, holding."""
        return self.phone.state

    @property
    def heard(self) -> list[Sound]:
        """All that was heard, oldest first."""
        return self.hearing.heard

    @property
    def digits(self) -> str:
        """What the other side has pressed in this call."""
        return self.phone.digits

    def _tell(self, what: str) -> None:
        self._pbx.story.tell(f"{self} {what}")

    # --- calls -------------------------------------------------------------------------------------------------------

    async def calls(self, to: str, *, within: float = 60.0, answered: bool = True) -> None:
        """Dials; returns when it is answered, or at once with `answered=False`."""
        if self.state == "unplugged":
            self._pbx.virtual.lever(self.phone.plug_in)
        self._tell(f"calls {to}")
        self._called = True
        self._pbx.virtual.lever(lambda now: self.phone.dial(now, to))
        await trio.lowlevel.checkpoint()
        if answered:
            await self.is_answered(within=within)

    async def is_answered(self, *, within: float = 60.0) -> None:
        """Whom it calls picks up."""

        def otherwise() -> str:
            if self.state == "calling":
                return f"{self.who} was not answered within {within:g} s"
            return f"{self.who} expected an answer, but {self._end_of_call()}"

        await self._pbx.until(lambda: self.state != "calling", within, otherwise)
        if self.state not in ("up", "holding"):
            raise self._pbx.wrong(otherwise())

    async def is_refused(self, code: int | None = None, *, within: float = 60.0) -> None:
        """The call ends without an answer, with this code if one is given."""
        await self._pbx.until(
            lambda: self.state != "calling", within, lambda: f"{self.who} was not refused within {within:g} s"
        )
        if self.state != "idle":
            raise self._pbx.wrong(f"{self.who} was answered, expected to be refused")
        if code is not None and self.phone.code != code:
            raise self._pbx.wrong(f"{self.who} was refused with {self.phone.code or 'no code'}, expected {code}")

    async def rings(self, from_: str | None = None, *, within: float = PATIENCE) -> None:
        """It rings; `from_`: the number of who calls."""
        await self._pbx.until(
            lambda: self.state == "ringing", within, lambda: f"{self.who}'s phone did not ring within {within:g} s"
        )
        if from_ is not None and self.phone.other != from_:
            raise self._pbx.wrong(f"{self.phone.other} called {self.who}, expected {from_}")

    async def answers(self, *, within: float = PATIENCE) -> None:
        """Picks up, as soon as it rings."""
        await self.rings(within=within)
        self._tell("answers")
        self._pbx.virtual.lever(self.phone.answer)
        await trio.lowlevel.checkpoint()

    async def refuses(self, code: int = 486, *, within: float = PATIENCE) -> None:
        """Refuses, as soon as it rings."""
        await self.rings(within=within)
        self._tell(f"refuses with {code}")
        self._pbx.virtual.lever(lambda now: self.phone.refuse(now, code))
        await trio.lowlevel.checkpoint()

    async def hangs_up(self) -> None:
        """Also gives up, before it is answered."""
        self._must_have_call("hangs up")
        self._tell("hangs up")
        self._pbx.virtual.lever(self.phone.hang_up)
        await trio.lowlevel.checkpoint()

    async def is_hung_up(self, *, within: float = PATIENCE) -> None:
        """The other side ends the call."""
        await self._pbx.until(
            lambda: self.phone.leg is None, within, lambda: f"{self.who} was not hung up on within {within:g} s"
        )

    async def holds(self) -> None:
        """Puts the other side on hold."""
        await self._does("holds", self.phone.hold)

    async def resumes(self) -> None:
        """Takes the other side back."""
        await self._does("resumes", self.phone.resume)

    async def transfers(self, to: str) -> None:
        """Transfers the other side."""
        await self._does(f"transfers to {to}", lambda now: self.phone.transfer(now, to))

    async def is_held(self, *, within: float = PATIENCE) -> None:
        """It hears the music on hold."""
        await self._pbx.until(self._on_hold, within, lambda: f"{self.who} was not held within {within:g} s")

    async def is_resumed(self, *, within: float = PATIENCE) -> None:
        """It hears the other side again."""
        await self._pbx.until(
            lambda: not self._on_hold(), within, lambda: f"{self.who} was still on hold after {within:g} s"
        )

    def _on_hold(self) -> bool:
        return isinstance(self.phone.hears, Music)

    async def is_transferred_to(self, number: str, *, within: float = PATIENCE) -> None:
        """The PBX connects it with another number, or rings there."""

        def otherwise() -> str:
            if self.phone.leg is None:
                return f"{self.who} expected to be transferred to {number}, but {self._end_of_call()}"
            return f"{self.who} is with {self.phone.other} after {within:g} s, expected {number}"

        await self._pbx.until(lambda: self.phone.other == number or self.phone.leg is None, within, otherwise)
        if self.phone.leg is None:
            raise self._pbx.wrong(otherwise())

    async def is_connected_to(self, number: str, *, within: float = 60.0) -> None:
        """It talks with this number: that has answered."""
        await self._pbx.until(
            lambda: self.phone.other == number and self._talks(),
            within,
            lambda: f"{self.who} did not talk with {number} within {within:g} s",
        )

    def _talks(self) -> bool:
        call = self.phone.call
        return call is not None and call.connect is not None and not call.ringing

    # --- audio -------------------------------------------------------------------------------------------------------

    async def hears(self, what: Any, *, within: float = PATIENCE, whole: bool = True) -> Sound:
        """The next thing that is heard is this one, and it begins `within` so many seconds.

        `what`: (part of) a text that is said, the name of a file that is played, a Path, a pattern, or a Source such as
        a tone. `whole`: returns when it was heard to its end; else as soon as it begins. What was heard before is
        expected first, in order; silence, and the last sound over and over again, are passed over.
        """
        return await self.hearing.hears(
            what, within=within, whole=whole, is_over=lambda: self._has_called, why=self._end_of_call
        )

    @property
    def _has_called(self) -> bool:
        """Its call is over, and it was its own: nobody will call back."""
        return self.phone.leg is None and self._called

    async def hears_nothing(self, seconds: float = 5.0) -> None:
        """For so long, nothing new is heard."""
        await self.hearing.hears_nothing(seconds)

    async def presses(self, digits: str) -> None:
        """Keys, one after the other: each takes 0.2 s."""
        for digit in digits:
            self._must_talk(f"presses {digit}")
            self._tell(f"presses {digit}")
            self._pbx.virtual.lever(partial(self._press, digit))
            await trio.sleep(KEY + PAUSE)

    def _press(self, digit: str, now: float) -> list[Effect]:
        return self.phone.press(now, digit)

    async def hears_digits(self, digits: str, *, within: float = PATIENCE) -> None:
        """The other side has pressed exactly these keys in this call."""
        await self._pbx.until(
            lambda: self.digits == digits,
            within,
            lambda: f"{self.who} heard the keys '{self.digits}' within {within:g} s, expected '{digits}'",
        )

    async def speaks(self, text: str, *, seconds: float | None = None) -> None:
        """Says something; returns when it is said. It takes as long as the text does, or `seconds`. Whoever hears it
        has sound of that length, with the text as its transcript."""
        self._must_talk(f"says '{text}'")
        self._tell(f"says '{text}'")
        spoken = Spoken(text)
        sound = Sound(spoken, spoken.duration if seconds is None else seconds, began=trio.current_time())
        self._say(sound)
        with trio.move_on_after(sound.duration):
            await self._pbx.until(lambda: self.phone.leg is None, sound.duration + 1, lambda: "")
        sound.ended = trio.current_time()
        self._say(sound)

    def _say(self, sound: Sound) -> None:
        leg = self.phone.leg
        other = leg.call.other(leg) if leg is not None else None
        if leg is None or other is None or leg.held or other.held:
            return
        if other.virtual:
            listener = self._pbx.listener(leg.id)
            if listener is not None:
                listener.hearing.hear(sound)
        else:
            self._pbx.virtual.say(other.id, sound)
        self._pbx.news()

    # --- the rest ----------------------------------------------------------------------------------------------------

    async def waits(self, seconds: float) -> None:
        """Does nothing for so long."""
        await trio.sleep(seconds)

    async def writes(self, text: str, to: str = "") -> None:
        """A text message, to the bot's first extension by default."""
        await self._pbx.chat(self.number, text, to)

    async def reads(self, text: str, *, within: float = PATIENCE) -> None:
        """The next text message that came is this one, or has it in it."""
        await self._pbx.until(
            lambda: len(self.read) > self._told, within, lambda: f"{self.who} got no message within {within:g} s"
        )
        message = self.read[self._told]
        self._told += 1
        if text not in message:
            raise self._pbx.wrong(f"{self.who} read '{message}', expected '{text}'")

    async def does_not_disturb(self, on: bool = True) -> None:
        """An extension's "do not disturb": the PBX refuses calls with 486."""
        self._tell(f"turns do-not-disturb {'on' if on else 'off'}")
        self._pbx.virtual.lever(lambda now: self._pbx.model.set_dnd(now, self.number, on))
        await trio.lowlevel.checkpoint()

    async def plugs_in(self) -> None:
        """The phone is registered again."""
        self._tell("plugs in the phone")
        self._pbx.virtual.lever(self.phone.plug_in)
        await trio.lowlevel.checkpoint()

    async def unplugs(self) -> None:
        """Hangs up, and the phone is gone."""
        self._tell("unplugs the phone")
        self._pbx.virtual.lever(self.phone.unplug)
        await trio.lowlevel.checkpoint()

    async def _does(self, what: str, act: Any) -> None:
        self._must_talk(what)
        self._tell(what)
        self._pbx.virtual.lever(act)
        await trio.lowlevel.checkpoint()

    def _must_talk(self, what: str) -> None:
        if self.state not in ("up", "holding"):
            raise self._pbx.wrong(f"{self.who} {what}, but {self._end_of_call()}")

    def _must_have_call(self, what: str) -> None:
        if self.phone.leg is None:
            raise self._pbx.wrong(f"{self.who} {what}, but {self._end_of_call()}")

    def _end_of_call(self) -> str:
        if self.phone.leg is not None:
            return f"the call is not answered: {self.state}"
        if not self.phone.call_id:
            return "there is no call"
        return f"the call has ended{f' with {self.phone.code}' if self.phone.code else ''}"

    def _is_told(self, frame: dict[str, Any]) -> None:
        """By the PBX."""
        if "invitesdp" in frame:
            self._called = False
            refused = f", and it refuses with {self.phone.refuses}" if self.phone.refuses is not None else ""
            self._tell(f"is called by {frame.get('from-number') or frame.get('from-user')}{refused}")
        elif "bye" in frame:
            code = f", {frame['code']}" if frame.get("code") else ""
            self._tell(f"is told that the call is over{code}")
        elif "cancel" in frame:
            self._tell("is no longer called")
        elif int(frame.get("code") or 0) >= 400:
            self._tell(f"is refused with {frame['code']}")
        elif frame.get("action") == "chat":
            self.read.append(str(frame.get("message", "")))
            self._tell(f"reads '{self.read[-1]}'")
