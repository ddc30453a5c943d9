"""Event → hook: the one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .. import events

Arguments = dict[str, Any]


def _session(event: Any) -> Arguments:
    return {"extension": event.extension, "reason": event.reason, "event": event}


def _of_a_call(event: Any) -> Arguments:
    return {"event": event}


def _of_somebody_elses_call(event: Any) -> Arguments:
    return {"domain_call": event.call, "event": event}


def _account(event: Any) -> Arguments:
    return {"account": event.account, "event": event}


def _chat(event: Any) -> Arguments:
    return {"message": event, "event": event}


def _frame(event: Any) -> Arguments:
    return {"frame": event}


HOOK_OF_EVENT: Mapping[type[events.Event], tuple[str, Callable[[Any], Arguments]]] = MappingProxyType(
    {
        events.SessionUp: ("session_up", _session),
        events.SessionDown: ("session_down", _session),
        events.CallRinging: ("call_ringing", _of_a_call),
        events.CallAnswered: ("call_answered", _of_a_call),
        events.CallChanged: ("call_changed", _of_a_call),
        events.CallSilent: ("call_silent", _of_a_call),
        events.CallUnheard: ("call_unheard", _of_a_call),
        events.CallEnded: ("call_ended", _of_a_call),
        events.DomainCallChanged: ("domain_call_changed", _of_somebody_elses_call),
        events.DomainCallEnded: ("domain_call_ended", _of_somebody_elses_call),
        events.AccountChanged: ("account_changed", _account),
        events.ChatReceived: ("chat_received", _chat),
        events.FrameReceived: ("frame_received", _frame),
    }
)
"""Event → its hook, and the arguments that the event itself knows. Live handles (`call`, and a `domain_call`
that can be acted on in place of its snapshot) are added by whoever publishes."""


def hook_call(event: events.Event) -> tuple[str, Arguments]:
    """The hook that tells an event, and its arguments. Raises KeyError for an event that no hook tells."""
    hook, arguments = HOOK_OF_EVENT[type(event)]
    return hook, arguments(event)
