"""Bugs that are put in on purpose, to see that the simulation finds them: such as an engine like this could have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from vodiabot.calls import Farewells
from vodiabot.calls.leg import Leg
from vodiabot.domain.calls import Calls
from vodiabot.errors import ConnectionLost
from vodiabot.hearing import Hearing
from vodiabot.plugins.mailbox import Mailbox
from vodiabot.protocol import steps
from vodiabot.protocol.dialog import midcall
from vodiabot.session import Session
from vodiabot.state_file import StateFile

Patch = Callable[[Any], None]
"""Takes pytest's monkeypatch, or whatever has its `setattr`."""


def sends_again_after_a_reconnect(patch: Any) -> None:
    """A command whose socket died is sent once more: a caller is transferred or hung up on twice."""
    send = Session.send

    async def twice(self: Session, command: Any) -> None:
        try:
            await send(self, command)
        except ConnectionLost:
            await trio.sleep(5)
            await send(self, command)

    patch.setattr(Session, "send", twice)


def newest_event_first(patch: Any) -> None:
    """A mailbox gives out the newest post, where several wait."""
    take = Mailbox.take

    async def newest(self: Mailbox) -> Any:
        if len(self._posts) > 1:
            self._posts.rotate(1)
        return await take(self)

    patch.setattr(Mailbox, "take", newest)


def legs_linger_for_ever(patch: Any) -> None:
    """The task of a leg waits for a last frame that never comes."""

    async def drive(self: Leg) -> None:
        await original(self)
        if self.end is not None and self.end.reason == "busy":
            await trio.sleep(math.inf)

    original = Leg._drive
    patch.setattr(Leg, "_drive", drive)


def what_is_not_listed_lives_on(patch: Any) -> None:
    """What the PBX lists is added to the state held, not compared with it."""
    patch.setattr(Calls, "picture", Calls.some)
    patch.setattr(Calls, "listed", Calls.some)
    patch.setattr(Calls, "reconnected", lambda self: None)
    patch.setattr(Calls, "settle_idle", lambda self, account, now: [])


def the_end_is_told_twice(patch: Any) -> None:
    """A call that ended with the socket is told as ended by its task, too."""
    tear_down = Leg._tear_down

    async def talkative(self: Leg) -> None:
        await tear_down(self)
        if self.end is not None and self.end.reason == "remote_hangup":
            self._on_fact(self, steps.LegEnded(reason="shutdown"))

    patch.setattr(Leg, "_tear_down", talkative)


def a_bye_without_a_socket_is_forgotten(patch: Any) -> None:
    """Who hung up while the PBX was away has not, for the PBX."""
    patch.setattr(Farewells, "owe", lambda self, command: False)


def lost_audio_is_nobodys_matter(patch: Any) -> None:
    """A call goes on when its audio has died: silently deaf."""
    patch.setattr(midcall, "media_lost", lambda leg, reason: None)


def what_a_killed_bot_has_left_is_nobodys(patch: Any) -> None:
    """The calls that were up when the bot was killed are not hung up by the next one."""
    patch.setattr(StateFile, "load", lambda self: {})


def the_lost_leader_leads_on(patch: Any) -> None:
    """The domain is heard of the extension that has led it, also while that has no session and the other has one."""

    def lost(self: Hearing, line: Any) -> None:
        if self._leader is line:
            self._domain.reconnected(self._now())

    patch.setattr(Hearing, "lost", lost)


MUTANTS: dict[str, tuple[Patch, str, int]] = {
    patch.__name__: (patch, finding, first)
    for patch, finding, first in (
        (sends_again_after_a_reconnect, "was sent", 3),
        (newest_event_first, "the plugin", 0),
        (legs_linger_for_ever, "outlive", 1),
        (what_is_not_listed_lives_on, "does not believe", 0),
        (the_end_is_told_twice, "is over", 0),
        (a_bye_without_a_socket_is_forgotten, "is left", 0),
        (lost_audio_is_nobodys_matter, "nobody is heard", 81),
        (what_a_killed_bot_has_left_is_nobodys, "is left", 0),
        (the_lost_leader_leads_on, "does not believe", 23),
    )
}
"""Name → the bug, a word of what the simulation says of it, and the seed to begin with: it has found it soon."""
