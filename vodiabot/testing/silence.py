"""One-way audio, in virtual time: nothing of the other side comes to the bot, or nothing of the bot's gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .media import VirtualLeg, VirtualMedia

if TYPE_CHECKING:
    from .exchange import Exchange

NOTICED_AFTER = 5.0
"""Seconds without a packet of the other side that the audio tells."""


def silence(pbx: Exchange, media: VirtualMedia, nursery: trio.Nursery, *, by_bot: bool) -> None:
    """From now on, in all calls of the bot, also those that begin later. `by_bot`: of what the bot sends, which it
    can't notice; else of what comes to it, which its audio tells. Keys go the same way as sound."""
    if by_bot:
        pbx.story.tell("fault: nothing that the bot plays, says or presses arrives any more")
        pbx.silence_the_bot()
    else:
        pbx.story.tell("fault: no audio of the other side comes any more")
        _deafen_all(media, nursery)


def _deafen_all(media: VirtualMedia, nursery: trio.Nursery) -> None:
    def deafen(leg: VirtualLeg) -> None:
        if not leg.deaf:
            leg.deafen()
            nursery.start_soon(_notice, leg)

    media.on_up.append(deafen)
    for leg in media.legs:
        if leg.is_up and not leg.closed:
            deafen(leg)


async def _notice(leg: VirtualLeg) -> None:
    """As the real audio does."""
    await trio.sleep(NOTICED_AFTER)
    if not leg.closed:
        leg.fall_silent(NOTICED_AFTER)
