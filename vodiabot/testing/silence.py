"""One-way audio, in virtual time: nothing of the other side comes to the bot, or nothing of the bot's gets there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from .media import VirtualLeg, VirtualMedia

if TYPE_CHECKING:
    from .exchange import Exchange

NOTICED_AFTER = 5.0
"""Seconds without a packet of the other side that the audio tells."""
REPORTED_EVERY = 5.0
"""Seconds between two reports of the other side; the second one that says so is believed that nothing arrives."""


def silence(pbx: Exchange, media: VirtualMedia, nursery: trio.Nursery, *, by_bot: bool) -> None:
    """From now on, in all calls of the bot, also those that begin later. `by_bot`: of what the bot sends, which the PBX
    reports; else of what comes to it, which its audio tells. Keys go the same way as sound."""
    if by_bot:
        pbx.story.tell("fault: nothing that the bot plays, says or presses arrives any more")
        pbx.silence_the_bot()
        _in_all(media, lambda leg: nursery.start_soon(_report, leg))
    else:
        pbx.story.tell("fault: no audio of the other side comes any more")
        _deafen_all(media, nursery)


def _in_all(media: VirtualMedia, begin: Callable[[VirtualLeg], None]) -> None:
    """In each leg that is up, and in each once it is up."""
    begun: set[VirtualLeg] = set()

    def once(leg: VirtualLeg) -> None:
        if leg not in begun:
            begun.add(leg)
            begin(leg)

    media.on_up.append(once)
    for leg in media.legs:
        if leg.is_up and not leg.closed:
            once(leg)


def _deafen_all(media: VirtualMedia, nursery: trio.Nursery) -> None:
    def deafen(leg: VirtualLeg) -> None:
        leg.deafen()
        nursery.start_soon(_notice, leg)

    _in_all(media, deafen)


async def _notice(leg: VirtualLeg) -> None:
    """As the real audio does."""
    await trio.sleep(NOTICED_AFTER)
    if not leg.closed:
        leg.fall_silent(NOTICED_AFTER)


async def _report(leg: VirtualLeg) -> None:
    """As the real audio tells what the reports say."""
    since = trio.current_time()
    while not leg.closed:
        await trio.sleep(REPORTED_EVERY)
        if not leg.sending:
            since = trio.current_time()
        elif not leg.closed and (seconds := trio.current_time() - since) >= 2 * REPORTED_EVERY:
            leg.go_unheard(seconds)
