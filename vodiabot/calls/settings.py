"""What a switchboard is told of the house around it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from .. import events
from .call import Call
from .handler import Handler
from .pbx_clock import PbxClock
from .permits import Permits


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which handler an incoming call goes to."""

    plugin: str
    handler: Handler | None
    """None: its plugin is not to be had now, so the fallback counts."""
    fallback: str = ""


class Publish(Protocol):
    """Hands an event to the plugins; never blocks."""

    def __call__(self, *, call: Call, event: events.Event) -> None: ...


class Settings(msgspec.Struct, kw_only=True):
    """What the switchboard needs of bot.toml. `unrouted` and `wrap_up` may be changed while it runs: they are looked at
    for each call."""

    extension: str
    domain: str = ""
    country: str = ""
    """ISO region by which numbers are read."""
    max_calls: int = 30
    unrouted: str = "ignore"
    wrap_up: float = 30.0
    ring_timeout: float | None = None
    permits: Permits = msgspec.field(default_factory=Permits)
    """What plugins may do."""
    pbx_clock: PbxClock = msgspec.field(default_factory=PbxClock)
    """By which the PBX tells when a call began."""
