"""What the PBX still has to be told of calls that are over: a bye that found no socket is said when there is one again.

A PBX that has not heard it keeps its caller in a dead line, for as long as it bears silence. So that a bot that was
killed makes up for it, too, the calls that live are kept outside: those that the next start finds there are over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ..protocol.commands import Command, HangUp, RefuseCall

MOST = 1000
"""Calls that are remembered; then the oldest are forgotten."""


class Memory(Protocol):
    """Outlives the process. Neither method raises."""

    def load(self) -> dict[str, Any]: ...
    def save(self, known: dict[str, Any], /) -> None: ...


class Farewells:
    """Which calls live, and which the PBX must still be told are over. Of one extension."""

    def __init__(self, memory: Memory | None = None) -> None:
        """`memory`: None where nothing needs to outlive the process. It holds call-id → whether we had placed it."""
        self._memory = memory
        self._living: dict[str, HangUp] = {}
        self._owed: dict[str, HangUp | RefuseCall] = {}
        for call_id, placed in (memory.load() if memory else {}).items():
            if isinstance(placed, bool):
                self._owed[call_id] = HangUp(call_id=call_id, caller=placed)

    def __len__(self) -> int:
        """How many are owed."""
        return len(self._owed)

    def lives(self, call_id: str, *, placed_by_us: bool, before: Iterable[str] = ()) -> None:
        """The PBX knows this call, and must hear of its end. `before`: call-ids that it had until now."""
        if call_id in self._living:
            return
        for old in before:
            self._living.pop(old, None)
        self._living[call_id] = HangUp(call_id=call_id, caller=placed_by_us)
        self._keep()

    def over(self, call_ids: Iterable[str]) -> None:
        """A call has ended: what is to be said of it is said, or else owed."""
        gone = [call_id for call_id in call_ids if self._living.pop(call_id, None)]
        if gone:
            self._keep()

    def owe(self, command: Command) -> bool:
        """A command that was not sent, or perhaps not. False for one that nobody needs any more."""
        if not isinstance(command, HangUp | RefuseCall):
            return False
        self._owed[command.call_id] = command
        if len(self._owed) > MOST:
            del self._owed[next(iter(self._owed))]
        self._keep()
        return True

    def forgive(self, call_id: str) -> None:
        """What is owed of this call is not to be said any more."""
        if self._owed.pop(call_id, None):
            self._keep()

    def take(self) -> HangUp | RefuseCall | None:
        """The oldest that is owed; whoever takes it says `said` or `owe` in the end."""
        return self._owed.pop(next(iter(self._owed))) if self._owed else None

    def said(self) -> None:
        """What was taken has been sent."""
        self._keep()

    def _keep(self) -> None:
        if self._memory is not None:
            byes = [command for command in self._owed.values() if isinstance(command, HangUp)]
            self._memory.save({one.call_id: one.caller for one in (*byes, *self._living.values())})
