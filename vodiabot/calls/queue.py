"""What enters a leg's queue, and how a plugin waits for what it asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from ..errors import ConnectionLost, MediaError, TransferFailed
from ..ports import OneWayNews
from ..protocol.messages import CallEntry, Message
from ..protocol.steps import (
    Intent,
    MediaNews,
    Settled,
    WantAnswer,
    WantHold,
    WantJoin,
    WantJoined,
    WantMute,
    WantPbxRecording,
    WantResume,
    WantTransfer,
)

CONNECTION_LOST = "connection lost"
"""How the dialog settles what was on its way when the socket died."""


class Reply:
    """One intent's outcome: set once by the leg's task, awaited by whoever asked."""

    def __init__(self) -> None:
        self._done = trio.Event()
        self._error: BaseException | None = None

    @property
    def settled(self) -> bool:
        return self._done.is_set()

    def settle(self, error: BaseException | None = None) -> None:
        """The first outcome counts; later ones change nothing."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    async def wait(self) -> None:
        """Returns when it worked; raises what it failed with."""
        await self._done.wait()
        if self._error is not None:
            raise self._error


@dataclass(frozen=True)
class Frame:
    """A message of the PBX for this leg."""

    message: Message


@dataclass(frozen=True)
class Entry:
    """What call-state says of this leg."""

    entry: CallEntry


@dataclass(frozen=True)
class Left:
    """Call-state shows that the call goes on without this leg."""

    entry: CallEntry


@dataclass(frozen=True)
class News:
    """What the media side says."""

    news: MediaNews


@dataclass(frozen=True)
class Asked:
    """What a plugin or the engine wants."""

    intent: Intent
    reply: Reply = field(default_factory=Reply)


@dataclass(frozen=True)
class SocketLost:
    """The session's socket is gone."""


@dataclass(frozen=True)
class SocketBack:
    """The session is up again."""


@dataclass(frozen=True)
class SendFailed:
    """A command of this leg was not carried out for sure."""

    error: BaseException


@dataclass(frozen=True)
class Reconciled:
    """After a reconnect: the leg is, or is not, in a list of the PBX's."""

    present: bool


_OfThePbx = Frame | Entry | Left | SocketLost | SocketBack | SendFailed | Reconciled
Item = _OfThePbx | News | OneWayNews | Asked


# intents that the dialog settles later on; the others are over as soon as it has taken them
SETTLED_LATER: dict[type[Intent], str] = {
    WantAnswer: "answer",
    WantResume: "resume",
    WantTransfer: "transfer",
    WantJoin: "join",
    WantJoined: "join",
}

# the PBX tells no result of these, so they are over when they are sent, and fail where they can't be
OVER_WHEN_SENT = (WantHold, WantMute, WantPbxRecording)


def error_of(settled: Settled, intent: Intent) -> Exception | None:
    """What whoever asked gets to see of it."""
    if settled.error is None:
        return None
    if settled.error == CONNECTION_LOST:
        return ConnectionLost("the connection to the PBX was lost before it was known what became of it")
    match intent:
        case WantTransfer(to=to) | WantJoin(to=to) | WantJoined(to=to):
            return TransferFailed(to, settled.code)
    return MediaError(f"{settled.intent}: {settled.error}")


def refuse(item: Item, error: BaseException) -> None:
    """Nobody will act on it."""
    if isinstance(item, Asked):
        item.reply.settle(error)
