"""The `pbx` of a test: the PBX model in virtual time, and the people around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import trio

from ..sim.config import SimConfig
from ..sim.core.effects import FromLeg
from .deeds import Watcher
from .faults import Fault, FaultyLine, Kind
from .model import OpenPbx
from .pbx import VirtualPbx
from .people import Person
from .plugin_faults import Kind as PluginKind
from .sounds import Sound
from .story import Story, Unexpected
from .wire import Wire

CALLER = "0711123456"
"""Who calls where a test does not say who."""


class Exchange:
    """The PBX of a test. Numbers that it knows nothing of are outside, and ring without an answer."""

    def __init__(self, config: SimConfig, *, users: tuple[str, ...], epoch: float = 0.0, seed: int = 0) -> None:
        """`users`: the bot's extensions. `epoch`: seconds since the epoch at the beginning."""
        self.story = Story(lambda: trio.current_time() - self._began)
        self.model = OpenPbx(config, seed=seed, epoch=epoch)
        """The PBX model itself."""
        self.virtual = VirtualPbx(config, Wire(), model=self.model)
        """Its shell: sockets in memory, frames, levers."""
        self.line = FaultyLine(self.virtual.connect, seed, self.story.tell)
        """The way between the PBX and the bot."""
        self.bots = users
        self.watcher = Watcher(self.story)
        self.people: list[Person] = []
        self._phones: dict[str, Person] = {}
        """By number: what `phone` gave, and the phones that ring because the bot calls them."""
        self.on_fault: Callable[..., None] = lambda kind, **more: None
        """Gets what goes wrong elsewhere than with frames: `World` does."""
        self._bot_sounding: list[Sound] = []
        """What the bot plays now."""
        self._began = 0.0
        self._news = trio.Event()
        self.virtual.on_change.append(self.news)
        self.virtual.on_frame.append(self._bot_says)
        self.virtual.on_sound.append(self._bot_sounds)
        self.virtual.on_told.append(self.watcher.told)
        self.virtual.on_digit.append(self._bot_presses)

    def begin(self) -> None:
        """The story begins now."""
        self._began = trio.current_time()

    # --- people ------------------------------------------------------------------------------------------------------

    async def call(
        self, to: str = "", *, from_: str = CALLER, name: str = "", within: float = 60.0, answered: bool = True
    ) -> Person:
        """Somebody calls, the bot's first extension by default; returns when the call is answered. `answered=False`:
        returns at once. `from_`: an extension, or a number outside with a `name`. Raises Unexpected if the call is
        refused, or not answered `within` so many seconds."""
        caller = self.person(from_, name)
        await caller.calls(to or self.bots[0], within=within, answered=answered)
        return caller

    async def phone(
        self,
        number: str,
        name: str = "",
        *,
        answers_after: float | None = None,
        refuses: int | None = None,
        busy: bool = False,
        outside: bool = False,
        refuses_transfer: bool = False,
    ) -> Person:
        """Somebody's phone: an extension of the domain, new or known, or with `outside` a number elsewhere. It rings;
        `answers_after`: seconds after which it is picked up, None: never by itself. `refuses`: the code with which it
        refuses each call, `busy`: 486; such a one is asked when the PBX has taken the caller already.
        `refuses_transfer`: the PBX refuses the bot's blind transfers to it, with 603: `call.transfer` raises
        TransferFailed. Said again of a number, it is the same phone with other habits."""
        known = self._phones.get(number)
        same = known is not None and name in ("", known.name) and outside is not self.is_extension(number)
        person = self._phones[number] = known if known and same else self.person(number, name, outside=outside)
        self.model.refuses_transfers -= {number}
        if refuses_transfer:
            self.model.refuses_transfers |= {number}
        person.phone.answers_after = answers_after
        person.phone.refuses = 486 if busy and refuses is None else refuses
        await trio.lowlevel.checkpoint()
        return person

    def person(self, number: str, name: str = "", *, outside: bool | None = None) -> Person:
        """As `phone`, with one that nobody picks up by itself. `outside` None: if the number is unknown."""
        if outside is False or (outside is None and self.is_extension(number)):
            self.model.add_extension(number, name)
        else:
            self.model.add_outside(number, name)
        person = Person(self, self.model.equipment(number), number, name)
        self.people.append(person)
        self.virtual.lever(person.phone.plug_in)
        return person

    def is_extension(self, number: str) -> bool:
        """Whether it is one of the domain."""
        return self.model.knows(number) and number not in self.model.outside

    # --- the operator ------------------------------------------------------------------------------------------------

    async def waits(self, seconds: float) -> None:
        """So much time passes."""
        await trio.sleep(seconds)

    async def chat(self, from_: str, text: str, to: str = "") -> None:
        """A text message comes, to the bot's first extension by default."""
        to = to or self.bots[0]
        self.story.tell(f"{from_} writes to {to}: '{text}'")
        self.virtual.lever(lambda now: self.model.push_chat(now, from_, to, text))
        await trio.lowlevel.checkpoint()

    async def loses_connection(self, seconds: float = 0.0) -> None:
        """All sockets die; for so many seconds the PBX does not answer."""
        self.story.tell("all sockets die")
        self.virtual.up = seconds <= 0
        self.virtual.cut_all()
        await trio.sleep(seconds)
        self.virtual.up = True

    def fault(
        self,
        kind: Kind | PluginKind | Literal["silence"],
        frame: str = "",
        *,
        nth: int = 1,
        by_bot: bool = False,
        seconds: float = 1.0,
        plugin: str = "",
        hook: str = "",
    ) -> None:
        """From now on, this goes wrong. On the way between the PBX and the bot: `pbx.fault("lose", "bye")`, see
        `faults.Fault`. In the only plugin, or in the one of several that is named: `pbx.fault("crash",
        hook="answer_call")`, `pbx.fault("slow", seconds=8)`, see `plugin_faults.PluginFault`. One-way audio:
        `pbx.fault("silence")`, the bot hears nobody, and with `by_bot=True` nobody hears the bot. Raises UsageError."""
        match kind:
            case "silence":
                self.on_fault(kind, by_bot=by_bot)
            case "slow" | "crash":
                self.on_fault(kind, plugin=plugin, hook=hook, nth=nth, seconds=seconds)
            case _:
                self.line.faults.append(Fault(kind, frame, nth, by_bot, seconds))

    def silence_the_bot(self) -> None:
        """What the bot plays, says and presses arrives no more: it does it all the same."""
        self.virtual.deaf = True
        for sound in self._bot_sounding:
            sound.lost = trio.current_time()
        self.news()

    def lever(self, work: Callable[[float], list[Any]]) -> None:
        """Pull a lever of the model: `pbx.lever(lambda now: pbx.model.set_dnd(now, "46", True))`."""
        self.virtual.lever(work)

    # --- waiting -----------------------------------------------------------------------------------------------------

    def news(self) -> None:
        """Something may have changed."""
        self._news.set()
        self._news = trio.Event()

    async def until(self, holds: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
        """Returns as soon as something holds. Raises Unexpected with what `otherwise` says after so many seconds."""
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(within) if within < math.inf else trio.CancelScope():
            while not holds():
                await self._news.wait()
            return
        raise self.wrong(otherwise())

    def since(self, time: float) -> float:
        """Seconds of the story, for a `trio.current_time`."""
        return time - self._began

    def wrong(self, what: str) -> Unexpected:
        """To be raised."""
        return Unexpected(what, self.story)

    # --- the bot's side ----------------------------------------------------------------------------------------------

    def _bot_says(self, socket: str, frame: dict[str, Any]) -> None:
        if stranger := self.model.somebody_at(frame):
            self._phones[stranger] = self.person(stranger)
        self.watcher.frame(frame)

    def _bot_sounds(self, leg: str, sound: Sound) -> None:
        self.watcher.sound(self._number(leg), sound)
        others = [one for one in self._bot_sounding if one is not sound]
        self._bot_sounding = [*others, sound] if sound.ended is None else others
        listener = None if self.virtual.deaf else self.listener(leg)
        if listener is not None:
            listener.hearing.hear(sound)
        self.news()

    def _bot_presses(self, leg: str, digit: str) -> None:
        self.watcher.digit(self._number(leg), digit)

    def _number(self, leg: str) -> str:
        """Who is at the other side of a leg of the bot's."""
        found = self.model.leg(leg)
        return "nobody" if found is None else self.watcher.number(found.call_id)

    def listener(self, leg: str) -> Person | None:
        """Whose phone plays what a leg says now."""
        found = self.model.leg(leg)
        other = found.call.other(found) if found is not None else None
        if found is None or other is None or not (found.virtual or other.feed == FromLeg(leg)):
            return None
        return next((person for person in self.people if person.phone.leg is other), None)
