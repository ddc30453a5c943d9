"""Whether a call is on hold, by either side, for those for whom time rests meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class Holding:
    """One a leg."""

    def __init__(self) -> None:
        self.on_hold = False
        """We hold the other side, or it holds us: it hears nothing of ours, and no key of it comes."""
        self._scopes: set[trio.CancelScope] = set()

    def tell(self, on_hold: bool) -> None:
        """How it is now. Never blocks."""
        if on_hold != self.on_hold:
            self.on_hold = on_hold
            for scope in self._scopes:
                scope.cancel()

    @contextmanager
    def until_change(self) -> Iterator[None]:
        """The body is left when the hold begins, or is over."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
