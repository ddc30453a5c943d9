"""Calls that are joined at the bot: two are a bridge, any number is a conference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

from ..errors import CallEnded, IllegalMove
from ..ports import MediaConference
from .call import Call
from .keys import forget


class Conference:
    """Calls that hear one another, as `Bot.conference()` gives it. What is played to a call is heard by it alone."""

    def __init__(self, media: MediaConference) -> None:
        self._media = media
        self._calls: list[Call] = []
        self._lost_one = trio.Event()
        """Set when a call was added to another conference."""

    @property
    def calls(self) -> list[Call]:
        """Who takes part now, in the order in which they came. A call that ends leaves by itself."""
        self._calls = [call for call in self._calls if call.ended is None]
        return list(self._calls)

    def add(self, call: Call) -> None:
        """The call hears the others and is heard; nothing happens if it is in already. One that is in another
        conference, or bridged, leaves that.

        Raises CallEnded, and IllegalMove if the call is not answered or the conference is over.
        """
        check_talks(call)
        if call in self.calls:
            return
        self._media.add(call._leg.media)
        former, call._conference = call._conference, self
        if former is not None:
            former.remove(call)
            former._lost_one.set()
        self._calls.append(call)

    def remove(self, call: Call) -> None:
        """The call is alone again; nothing happens if it is not in."""
        self._media.remove(call._leg.media)
        self._calls = [one for one in self._calls if one is not call]
        self._forget(call)

    def _forget(self, call: Call) -> None:
        if call._conference is self:
            call._conference = None

    def _close(self) -> None:
        media, self._media = self._media, _OverConference()
        for call in self._calls:
            self._forget(call)
        self._calls = []
        media.close()


class _OverConference:
    """What takes the place of the audio when the conference is over."""

    def add(self, leg: object) -> None:
        raise IllegalMove("the conference is over")

    def remove(self, leg: object) -> None:
        return

    def close(self) -> None:
        return


@asynccontextmanager
async def open_conference(make: Callable[[], MediaConference]) -> AsyncIterator[Conference]:
    """On leaving, all calls that still take part are alone again; they go on. Raises MediaError."""
    media = make()
    conference = Conference(media)
    try:
        yield conference
    finally:
        conference._close()


async def bridge(make: Callable[[], MediaConference], one: Call, other: Call, dtmf: bool = False) -> None:
    """Returns when either has ended, or was joined with others; however it ends, they are apart then.

    Raises CallEnded if either had ended before, IllegalMove, MediaError.
    """
    if one is other:
        raise IllegalMove("a call can't be bridged with itself")
    async with open_conference(make) as conference:
        conference.add(one)
        conference.add(other)
        digits = [partial(_pass_digits, one, other), partial(_pass_digits, other, one)] if dtmf else []
        ends = [call._leg.ended_event.wait for call in (one, other)]
        await _first_of(*ends, conference._lost_one.wait, *digits)


async def _pass_digits(pressed_in: Call, sent_to: Call) -> None:
    """Until either call is over. One that came before the bridge was for the bot."""
    forget(pressed_in._leg.digits)
    with suppress(CallEnded):
        async for digit in pressed_in.dtmf():
            await sent_to.send_dtmf(digit)


async def either_ended(one: Call, other: Call) -> None:
    """Returns when one of two calls is over."""
    await _first_of(one._leg.ended_event.wait, other._leg.ended_event.wait)


async def _first_of(*waits: Callable[[], Awaitable[None]]) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(one: Callable[[], Awaitable[None]]) -> None:
            await one()
            nursery.cancel_scope.cancel()

        for one in waits:
            nursery.start_soon(wait, one)


def check_talks(call: Call) -> None:
    """Raises CallEnded, IllegalMove for a call that is not answered, NotAllowed for one that is another plugin's."""
    call._check_up()
    call._leg.may()
    if call.answered is None:
        raise IllegalMove("the call is not answered yet")
