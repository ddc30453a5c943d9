"""The hooks: what a plugin may implement, when each is called and how often.

A hook takes those of its arguments that it names. Besides the ones in its signature here, each may name
`config` (the plugin's own `Config` of its section) and `log` (a structlog logger that is bound to the plugin
and, where there is one, the call). All hooks are `async`, and within one plugin they run one after the other,
in the order of what happened, each for `[limits] hook_timeout` at most; what takes longer goes to
`bot.spawn(...)`. Handlers of calls (`answer_call`) are the exception: each is a task of its own, without a
time limit.

What is told here holds for a plugin that keeps up. For one that is behind, events of state (they say so below)
about the same are told as one. One that has fallen 1000 events behind misses events of state, and is put into
quarantine when there is no room for the others. What happens while it is there it is never told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy

from .. import events

if TYPE_CHECKING:
    from ..calls import Call, DomainCall

PROJECT = "vodiabot"
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of its name."""
hookspec = pluggy.HookspecMarker(PROJECT)

Bot: TypeAlias = Any
"""`vodiabot.Bot`; the room of the bot is above this one."""
Config: TypeAlias = Any
"""The plugin's own."""
Log: TypeAlias = Any
"""A structlog logger."""


@hookspec
async def answer_call(call: Call, bot: Bot, config: Config, log: Log) -> None:
    """An incoming call that a route gives to this plugin; once a call, while it rings. Its handler: the call
    is its scope.

    When it returns or raises and the call is up, the call is ended or sent to the route's `fallback`. When
    the call ends first, methods of the call raise `CallEnded`, which may fly, and what is left to do may take
    `[limits] wrap_up`.
    """


@hookspec
async def bot_started(bot: Bot, config: Config, log: Log) -> None:
    """Once a life of the plugin, before any other hook of it, after its `lifespan` was entered. When the bot starts, no
    session is up yet; it comes again when the plugin begins anew after a quarantine, and when a reload starts it."""


@hookspec
async def bot_stopping(bot: Bot, config: Config, log: Log) -> None:
    """At most once a life of the plugin, as the last one: when all calls have ended and the bot leaves, or when a
    reload stops the plugin, whose calls may go on. Not called if the bot is killed or leaves by an error, nor at a
    quarantine."""


@hookspec
async def session_up(
    extension: str, reason: str, event: events.SessionUp, bot: Bot, config: Config, log: Log
) -> None:
    """The registration was confirmed (with `register = false`: the socket is open). Alternates with
    `session_down`."""


@hookspec
async def session_down(
    extension: str, reason: str, event: events.SessionDown, bot: Bot, config: Config, log: Log
) -> None:
    """Socket, login or registration was lost; `reason` says why. Alternates with `session_up`, which comes
    first."""


@hookspec
async def call_ringing(call: Call, event: events.CallRinging, bot: Bot, config: Config, log: Log) -> None:
    """A leg of the bot rings: offered to us, or at the other side. At most once a call."""


@hookspec
async def call_answered(call: Call, event: events.CallAnswered, bot: Bot, config: Config, log: Log) -> None:
    """A leg of the bot is up. At most once a call, before `call_ended`."""


@hookspec
async def call_changed(call: Call, event: events.CallChanged, bot: Bot, config: Config, log: Log) -> None:
    """Something of a leg of the bot changed; `event.what` says what. Any number of times, before
    `call_ended`."""


@hookspec
async def call_silent(call: Call, event: events.CallSilent, bot: Bot, config: Config, log: Log) -> None:
    """One-way audio: a leg of the bot is up and nobody is on hold, but for `event.seconds` no audio of the other
    side has come. Once, then only after it was heard again (`call_changed` tells that), before `call_ended`."""


@hookspec
async def call_unheard(call: Call, event: events.CallUnheard, bot: Bot, config: Config, log: Log) -> None:
    """One-way audio, the other way: a leg of the bot is up and nobody is on hold, but for `event.seconds` nothing that
    the bot has sent arrived, as the PBX's reports say (one that sends none leaves it unknown). Once, then only after it
    arrived again (`call_changed` tells that), before `call_ended`."""


@hookspec
async def call_ended(call: Call, event: events.CallEnded, bot: Bot, config: Config, log: Log) -> None:
    """A leg of the bot is over. Exactly once a call, answered or not, and the last about it."""


@hookspec
async def domain_call_changed(
    domain_call: DomainCall, event: events.DomainCallChanged, bot: Bot, config: Config, log: Log
) -> None:
    """A call of somebody else is new or changed. State: a plugin that is behind misses some; the next one is
    complete. `domain_call` has the call's fields as they were then, and methods to act on it."""


@hookspec
async def domain_call_ended(
    domain_call: DomainCall, event: events.DomainCallEnded, bot: Bot, config: Config, log: Log
) -> None:
    """A call of somebody else is over; `domain_call` is the last that was known. Exactly once a call."""


@hookspec
async def account_changed(
    account: events.Account, event: events.AccountChanged, bot: Bot, config: Config, log: Log
) -> None:
    """Presence, DND or registration of an account changed. State: a plugin that is behind misses some."""


@hookspec
async def chat_received(
    message: events.ChatReceived, event: events.ChatReceived, bot: Bot, config: Config, log: Log
) -> None:
    """A text message came to the bot's extension. Once a message; `message` and `event` are the same."""


@hookspec
async def frame_received(frame: events.FrameReceived, bot: Bot, config: Config, log: Log) -> None:
    """Every frame, as it came, understood or not. Costs something: a plugin that is behind misses some."""


OWN_ARGUMENTS = frozenset({"config", "log"})
"""Arguments that each plugin has of its own."""

STATE_HOOKS = frozenset({"account_changed", "domain_call_changed", "frame_received"})
"""A plugin that is behind may miss these; all others are never dropped."""

LAST_HOOK = "bot_stopping"
"""It takes its turn with each plugin, whether that has it or not: what waits before it is heard, such as the end of
the last call."""


def _specifications() -> dict[str, Callable[..., Any]]:
    return {
        name: value
        for name, value in globals().items()
        if inspect.iscoroutinefunction(value) and hasattr(value, f"{PROJECT}_spec")
    }


HOOKS: Mapping[str, Callable[..., Any]] = MappingProxyType(_specifications())
"""Name → specification, in the order of this file."""


def arguments_of(hook: str) -> tuple[str, ...]:
    """The arguments that an implementation may name. Raises KeyError if there is no such hook."""
    return tuple(inspect.signature(HOOKS[hook]).parameters)
