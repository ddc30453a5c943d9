"""Who has asked a leg for what takes its time, and waits."""

from __future__ import annotations

from ..protocol.steps import Settled
from .queue import SETTLED_LATER, Asked, error_of

LEAVING = frozenset({"transfer", "join"})
"""Of these, what takes the call from us. Of one that has ended meanwhile its reason tells whether it was that."""


class Askers:
    """By what they wait for."""

    def __init__(self) -> None:
        self._asked: dict[str, list[Asked]] = {}

    def add(self, asked: Asked) -> bool:
        """Whether this is something to wait for."""
        if (name := SETTLED_LATER.get(type(asked.intent))) is None:
            return False
        self._asked.setdefault(name, []).append(asked)
        return True

    def discard(self, asked: Asked) -> None:
        """It was not done."""
        for all_asked in self._asked.values():
            if asked in all_asked:
                all_asked.remove(asked)

    def settle(self, settled: Settled) -> None:
        """The dialog tells what became of it."""
        for asked in self._asked.pop(settled.intent, []):
            asked.reply.settle(error_of(settled, asked.intent))

    def fail(self, error: BaseException) -> None:
        """All of them."""
        self._let_go(list(self._asked), error)

    def over(self, gone: BaseException) -> None:
        """The call is; whoever's outcome is in why it ended still waits for that."""
        self._let_go([name for name in self._asked if name not in LEAVING], gone)

    def end_told(self) -> None:
        """It is also known why it ended."""
        self._let_go([name for name in self._asked if name in LEAVING], None)

    def _let_go(self, names: list[str], error: BaseException | None) -> None:
        for name in names:
            for asked in self._asked.pop(name):
                asked.reply.settle(error)
