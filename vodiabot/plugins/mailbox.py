"""A plugin's mailbox: bounded, filled without waiting, emptied in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
import trio

from .hookspecs import STATE_HOOKS

MAILBOX_SIZE = 1000
"""Events that may wait for one plugin. A busy PBX of a thousand accounts makes some ten a second: a plugin
may be stuck for a minute and lose nothing, and what it holds stays below some megabytes."""

BEHIND = 20
"""Events that wait for a plugin that counts as being behind. What one moment brings reaches a plugin that keeps up
whole: a call that rings and is answered in the same frame is told twice."""

Key = tuple[str, str]
"""Hook, and what it is about."""

_ABOUT: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "account_changed": lambda arguments: str(arguments["event"].account.account),
        "domain_call_changed": lambda arguments: str(arguments["event"].call.id),
    }
)
"""Hooks whose newer event tells all that an older one about the same does. A frame tells nothing of another one."""

_FINAL: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = MappingProxyType(
    {"domain_call_ended": ("domain_call_changed", lambda arguments: str(arguments["event"].call.id))}
)
"""Hooks after which an older event about the same stays what it was: a change that comes later is of another call."""


@dataclass(eq=False)
class Post:
    """One hook call that waits."""

    hook: str
    arguments: Mapping[str, Any]
    started: trio.Event | None = None
    done: trio.Event | None = None
    """Both for those who wait for it."""

    @property
    def may_be_skipped(self) -> bool:
        return self.hook in STATE_HOOKS

    @property
    def key(self) -> Key | None:
        """What it may be replaced by; None if by nothing."""
        about = _ABOUT.get(self.hook)
        return None if about is None or self.done is not None else (self.hook, about(self.arguments))

    def settle(self) -> None:
        """Let go who waits for it."""
        for event in (self.started, self.done):
            if event is not None:
                event.set()


@dataclass(eq=False)
class Mailbox:
    """Posts of one plugin. `put` is synchronous; one task takes them out."""

    size: int = MAILBOX_SIZE
    behind: int = BEHIND
    skipped: int = 0
    """Events of state that had to go, in all."""
    coalesced: int = 0
    """Events of state that were replaced by newer ones, in all."""
    _posts: deque[Post] = field(default_factory=deque)
    _newest: dict[Key, Post] = field(default_factory=dict)
    """Those that a newer one may replace."""
    _filled: trio.Event = field(default_factory=trio.Event)

    def __len__(self) -> int:
        return len(self._posts)

    def put(self, post: Post) -> bool:
        """Append it, if need be in place of the oldest event of state. False: there is no room for what must
        not go."""
        if len(self._posts) >= self.behind and self._coalesce(post):
            return True
        if len(self._posts) >= self.size and not self._make_room():
            if post.may_be_skipped:
                self.skipped += 1
            return post.may_be_skipped
        self._posts.append(post)
        self._note(post)
        self._filled.set()
        return True

    def _note(self, post: Post) -> None:
        if (key := post.key) is not None:
            self._newest[key] = post
        if post.hook in _FINAL:
            hook, about = _FINAL[post.hook]
            self._newest.pop((hook, about(post.arguments)), None)

    def _coalesce(self, post: Post) -> bool:
        """The newest takes the place of the older one about the same, and tells what both have changed."""
        key = post.key
        older = None if key is None else self._newest.get(key)
        if older is None:
            return False
        older.arguments = _merged(older.arguments, post.arguments)
        self.coalesced += 1
        return True

    def _make_room(self) -> bool:
        for index, post in enumerate(self._posts):
            if post.may_be_skipped:
                del self._posts[index]
                self._forget(post)
                self.skipped += 1
                return True
        return False

    def _forget(self, post: Post) -> None:
        key = post.key
        if key is not None and self._newest.get(key) is post:
            del self._newest[key]

    async def take(self) -> Post:
        """The oldest one, when there is one. Always a checkpoint: hooks that never wait must let others run."""
        if self._posts:
            await trio.lowlevel.checkpoint()
        while not self._posts:
            self._filled = trio.Event()
            await self._filled.wait()
        return self._pop()

    def _pop(self) -> Post:
        post = self._posts.popleft()
        self._forget(post)
        return post

    def skip_to(self, post: Post) -> int:
        """Forget everything before `post`; how many that were. 0 if it is not waiting any more."""
        if post not in self._posts:
            return 0
        forgotten = 0
        while self._posts[0] is not post:
            self._pop().settle()
            forgotten += 1
        return forgotten

    def clear(self) -> int:
        """Forget everything, and let go who waits for it; how many that were."""
        forgotten = len(self._posts)
        while self._posts:
            self._pop().settle()
        return forgotten


def _merged(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """The newer state, with the names of all fields that differ from what the plugin was last told."""
    event = newer["event"]
    changed = _both_changed(older["event"].changed, event.changed)
    return {**newer, "event": msgspec.structs.replace(event, changed=changed)}


def _both_changed(older: tuple[str, ...], newer: tuple[str, ...]) -> tuple[str, ...]:
    if newer in (("added",), ("removed",)):
        return newer
    return older if older == ("added",) else tuple(dict.fromkeys((*older, *newer)))
