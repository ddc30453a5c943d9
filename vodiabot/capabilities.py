"""What plugins may do. A plugin declares it (`CAPABILITIES`), the operator narrows it (`[plugin.NAME] allow`), and the
engine enforces what is left, below the plugin.

It keeps a plugin to what it was meant for, whatever a caller, a bug or a language model makes of it. It is no sandbox:
plugins are Python in the same process.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

CAPABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "answer": "ring, answer and reject incoming calls",
        "dial": "place calls: dial, consult, pick up a parked call, dial from the desk phone",
        "transfer": "send calls elsewhere: transfer, complete a consultation, park",
        "record": "record, in a file or by the PBX",
        "audio": "hear and make the samples of a call: audio()",
        "chat": "send text messages",
        "others": "act on calls that are not its own: everybody else's, the desk phone's, other plugins'",
    }
)
"""Name → what it is for. Holding, playing, gathering digits and hanging up go with a call that is the plugin's own."""

DEFAULT = frozenset(CAPABILITIES)
"""Of a plugin that declares none: all. Whoever writes ten lines for his own PBX need not know of capabilities, and what
costs money is bounded by `[limits]` for all; who wants less says so."""

ALLOW = "allow"
"""The key of `[plugin.NAME]` that is the engine's."""


@dataclass(frozen=True)
class Grant:
    """What one plugin may do."""

    declared: frozenset[str] | None = None
    """By the plugin itself; None if it declares nothing."""
    allowed: frozenset[str] | None = None
    """By the operator; None if he says nothing."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What both agree to."""
        declared = DEFAULT if self.declared is None else self.declared
        return declared if self.allowed is None else declared & self.allowed

    def refusal(self, plugin: str, capability: str) -> str | None:
        """Why it may not; None if it may."""
        if capability in self.capabilities:
            return None
        what = f'plugin "{plugin}" may not {CAPABILITIES[capability].partition(":")[0]}'
        if self.declared is not None and capability not in self.declared:
            return f'{what}: "{capability}" is not in its CAPABILITIES'
        return f'{what}: "{capability}" is not in [plugin.{plugin}] allow'


def grant_of(namespace: Any, section: Mapping[str, Any]) -> Grant:
    """Of a plugin's module and its section of bot.toml, both found right by `mistakes`."""
    declared, allowed = getattr(namespace, "CAPABILITIES", None), section.get(ALLOW)
    return Grant(
        None if declared is None else frozenset(declared),
        None if allowed is None else frozenset(allowed),
    )


def mistakes(names: Any) -> list[str]:
    """What is wrong with a collection of capabilities."""
    if isinstance(names, str) or not isinstance(names, Collection) or not all(isinstance(n, str) for n in names):
        return [f"must be a collection of texts, of {', '.join(CAPABILITIES)}"]
    return [f'there is no capability "{name}"{_hint(name)}' for name in sorted(names) if name not in CAPABILITIES]


def _hint(name: str) -> str:
    close = difflib.get_close_matches(name, CAPABILITIES, n=1)
    return f'; did you mean "{close[0]}"?' if close else f"; there are {', '.join(CAPABILITIES)}"
