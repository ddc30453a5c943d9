"""No hook without a test and a line of documentation; no event without a hook."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot import events
from vodiabot.plugins import HOOKS, hookimpl
from vodiabot.plugins.event_hooks import HOOK_OF_EVENT, hook_call
from vodiabot.plugins.hookspecs import OWN_ARGUMENTS, STATE_HOOKS, arguments_of

from .kit import as_plugin, load, running, write

DOCS = Path(__file__).parent.parent.parent / "docs" / "plugins.md"

ACCOUNT = events.Account(account="46")
THEIR_CALL = events.DomainCallInfo(id="7", state="connected")

TOLD: dict[str, tuple[events.Event, dict[str, Any]]] = {
    "session_up": (events.SessionUp(extension="45", reason="registered"), {}),
    "session_down": (events.SessionDown(extension="45", reason="socket"), {}),
    "call_ringing": (events.CallRinging(call_id="1"), {"call": "the call"}),
    "call_answered": (events.CallAnswered(call_id="1"), {"call": "the call"}),
    "call_changed": (events.CallChanged(call_id="1", what="held"), {"call": "the call"}),
    "call_silent": (events.CallSilent(call_id="1", seconds=5.0), {"call": "the call"}),
    "call_unheard": (events.CallUnheard(call_id="1", seconds=10.0), {"call": "the call"}),
    "call_ended": (events.CallEnded(call_id="1", reason="hangup"), {"call": "the call"}),
    "domain_call_changed": (events.DomainCallChanged(call=THEIR_CALL, changed=("added",)), {}),
    "domain_call_ended": (events.DomainCallEnded(call=THEIR_CALL), {}),
    "account_changed": (events.AccountChanged(account=ACCOUNT, changed=("dnd",)), {}),
    "chat_received": (events.ChatReceived(src="46", dest="45", message="hello"), {}),
    "frame_received": (events.FrameReceived(extension="45", text="{}"), {}),
}
"""Hook → an event that it tells, and the live objects that come with it."""

DIRECT = {"answer_call", "bot_started", "bot_stopping"}
"""Hooks that tell no event."""


class HearsEverything:
    """Implements every hook, with all its arguments."""

    def __init__(self) -> None:
        self.got: dict[str, dict[str, Any]] = {}


def _implementation(hook: str) -> Any:
    """`async def HOOK(self, all, its, arguments)`, which keeps what it gets."""
    names = ", ".join(arguments_of(hook))
    source = f"async def {hook}(self, {names}): self.got['{hook}'] = dict(locals())"
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return hookimpl(namespace[hook])


for _hook in HOOKS:
    setattr(HearsEverything, _hook, _implementation(_hook))


def test_the_hooks_are_those_of_the_contract() -> None:
    assert set(HOOKS) == set(TOLD) | DIRECT


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_hook_is_called_with_all_its_arguments(hook: str, autojump_clock: Any) -> None:
    everything = HearsEverything()
    async with running(as_plugin(everything, config="its config"), bot="the bot") as host:
        if hook == "answer_call":
            handler = host.handler("HearsEverything")
            assert handler is not None
            await handler(call="the call")
        elif hook in DIRECT:
            await host.call_and_wait(hook)
        else:
            event, objects = TOLD[hook]
            host.publish_event(event, **objects)
            await trio.sleep(1)
    assert set(everything.got) == {hook}
    got = everything.got[hook]
    assert set(got) == {"self", *arguments_of(hook)}
    assert (got["bot"], got["config"]) == ("the bot", "its config")
    if "call" in got:
        assert got["call"] == "the call"
    if "event" in got:
        assert got["event"] is TOLD[hook][0]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_when_and_how_often_it_is_called(hook: str) -> None:
    doc = inspect.getdoc(HOOKS[hook]) or ""
    assert doc.endswith(".") or "." in doc
    assert re.search(r"once|alternat|at most|any number|every|State:", doc, re.IGNORECASE), doc


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_its_row_in_the_documentation(hook: str) -> None:
    arguments = [name for name in arguments_of(hook) if name not in OWN_ARGUMENTS]
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{hook}` |")]
    assert len(rows) == 1, f"docs/plugins.md needs a row for {hook}"
    cell = rows[0].split("|")[2]
    assert re.findall(r"[a-z_]+", cell) == arguments


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    code, toml = (re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(), re.DOTALL) for kind in ("python", "toml"))
    assert code is not None
    assert toml is not None
    write(tmp_path, "plugins/sales.py", code[1])
    write(tmp_path, "sounds/welcome.wav", "")
    (plugin,), problems = load(tmp_path, toml[1])
    assert not problems
    assert plugin.hooks == ("answer_call", "call_ended")
    assert plugin.config.greeting == tmp_path / "sounds/welcome.wav"


def test_every_event_has_a_hook() -> None:
    concrete = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event) and not kind.__subclasses__()
    }
    assert set(HOOK_OF_EVENT) == concrete


@pytest.mark.parametrize(("hook", "event"), [(hook, event) for hook, (event, _) in TOLD.items()])
def test_an_event_is_told_by_its_hook(hook: str, event: events.Event) -> None:
    told, arguments = hook_call(event)
    assert told == hook
    assert set(arguments) <= set(arguments_of(hook))


def test_events_of_the_bots_own_calls_are_never_state() -> None:
    assert set(HOOKS) >= STATE_HOOKS
    assert not {hook for hook in STATE_HOOKS if hook.startswith(("call_", "session_", "bot_", "answer"))}
