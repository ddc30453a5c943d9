"""What a plugin may do with calls, enforced below it: each act asks on whose behalf the present task runs."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import NotAllowed
from ..protocol import steps

OTHERS = "others"
"""To act on calls that are not one's own: everybody else's, and those of the bot that another plugin handles or has
placed."""

NEEDED: dict[type[steps.Intent], tuple[str, ...]] = {
    steps.WantRinging: ("answer",),
    steps.WantAnswer: ("answer",),
    steps.WantReject: ("answer",),
    steps.WantDial: ("dial",),
    steps.WantTransfer: ("transfer",),
    steps.WantJoin: ("transfer",),
    steps.WantPbxRecording: ("record",),
}
"""Of the bot's own legs. What is not here (hold, resume, mute, hang up) goes with the call."""

NEEDED_FOR_OTHERS = {"blind-transfer2": (OTHERS, "transfer"), "rec-call": (OTHERS, "record")}
"""Of commands for calls that are no legs of ours; all else needs `others` alone."""


def _nobody() -> str | None:
    return None


def _nothing(plugin: str, capability: str) -> str | None:
    return None


class Permits:
    """Made by the bot; without anything said, everything is allowed."""

    def __init__(
        self, who: Callable[[], str | None] = _nobody, refusal: Callable[[str, str], str | None] = _nothing
    ) -> None:
        """`who`: the plugin on whose behalf the present task runs; None for the engine and whoever embeds it.
        `refusal`: why a plugin may not use a capability; None if it may."""
        self.who = who
        self._refusal = refusal

    def check(self, *capabilities: str, owner: str | None = None) -> None:
        """`owner`: the plugin whose call it is, if it is anybody's. Raises NotAllowed; then nothing was sent."""
        plugin = self.who()
        if plugin is None:
            return
        needed = capabilities if owner in (None, plugin) else (OTHERS, *capabilities)
        for capability in needed:
            refusal = self._refusal(plugin, capability)
            if refusal is not None:
                raise NotAllowed(refusal)
