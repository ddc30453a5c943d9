"""What a call asks of its switchboard: a second call, and to be joined with others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ..ports import MediaConference
from .call import Call
from .conference import Conference, bridge, open_conference
from .consult import Consultation, Consulting, start_consultation
from .park import Parking


class Place(Protocol):
    """Makes a call of which nothing is sent yet. Raises NotAllowed."""

    def __call__(self, to: str, timeout: float | None, make: Callable[..., Any]) -> Any: ...


@dataclass(frozen=True)
class Desk:
    """One a switchboard; its calls hold it."""

    allow: Callable[[str], None]
    """Counts a dial that is about to be placed. Raises NotAllowed."""
    place: Place
    media: Callable[[], MediaConference]
    parking: Parking = field(default_factory=Parking)

    def consult(
        self, first: Call, to: str, *, timeout: float | None, whisper: Any, accept: str, accept_timeout: float
    ) -> Consulting:
        """See `Call.consult`."""

        def place() -> Consultation:
            made: Consultation = self.place(to, timeout, partial(Consultation, first=first))
            return made

        async def start() -> Consultation:
            first._check_up()
            first._leg.may()
            self.allow(to)
            return await start_consultation(first, place, whisper, accept, accept_timeout)

        return Consulting(start)

    async def bridge(self, one: Call, other: Call, dtmf: bool) -> None:
        """See `Call.bridge`."""
        await bridge(self.media, one, other, dtmf)

    def conference(self) -> AbstractAsyncContextManager[Conference]:
        """See `Bot.conference`."""
        return open_conference(self.media)
