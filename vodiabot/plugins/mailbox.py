"""A plugin's mailbox: bounded, filled without waiting, emptied in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from .hookspecs import STATE_HOOKS

MAILBOX_SIZE = 1000
"""Events that may wait for one plugin. A busy PBX of a thousand accounts makes some ten a second: a plugin
may be stuck for a minute and lose nothing, and what it holds stays below some megabytes."""


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


@dataclass(eq=False)
class Mailbox:
    """Posts of one plugin. `put` is synchronous; one task takes them out."""

    size: int = MAILBOX_SIZE
    skipped: int = 0
    """Events of state that had to go, in all."""
    _posts: deque[Post] = field(default_factory=deque)
    _filled: trio.Event = field(default_factory=trio.Event)

    def __len__(self) -> int:
        return len(self._posts)

    def put(self, post: Post) -> bool:
        """Append it, if need be in place of the oldest event of state. False: there is no room for what must
        not go."""
        if len(self._posts) >= self.size and not self._make_room():
            if post.may_be_skipped:
                self.skipped += 1
            return post.may_be_skipped
        self._posts.append(post)
        self._filled.set()
        return True

    def _make_room(self) -> bool:
        for index, post in enumerate(self._posts):
            if post.may_be_skipped:
                del self._posts[index]
                self.skipped += 1
                return True
        return False

    async def take(self) -> Post:
        """The oldest one, when there is one. Always a checkpoint: hooks that never wait must let others run."""
        await trio.lowlevel.checkpoint()
        while not self._posts:
            self._filled = trio.Event()
            await self._filled.wait()
        return self._posts.popleft()

    def skip_to(self, post: Post) -> int:
        """Forget everything before `post`; how many that were. 0 if it is not waiting any more."""
        if post not in self._posts:
            return 0
        forgotten = 0
        while self._posts[0] is not post:
            self._settle(self._posts.popleft())
            forgotten += 1
        return forgotten

    def clear(self) -> int:
        """Forget everything, and let go who waits for it; how many that were."""
        forgotten = len(self._posts)
        while self._posts:
            self._settle(self._posts.popleft())
        return forgotten

    @staticmethod
    def _settle(post: Post) -> None:
        for event in (post.started, post.done):
            if event is not None:
                event.set()
