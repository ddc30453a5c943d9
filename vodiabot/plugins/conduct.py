"""What a plugin has done wrong so far, and how long it sits out for it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
import trio

from .budget import Backoff, Budget
from .guard import BEFALLS_ALL, IN_A_CALL, is_only_call_ended, nobodys_fault, parted
from .mailbox import MAILBOX_SIZE

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Supervision:
    """What plugins are held to. Times in seconds."""

    hook_timeout: float = 10.0
    """Of one call of a hook; of a setup, and of a teardown."""
    mailbox_size: int = MAILBOX_SIZE
    error_budget: int = 10
    """So many errors within `error_window` lead to quarantine."""
    error_window: float = 60.0


class Conduct:
    """Of one plugin. Everything that it does wrong is told here, once, with its name."""

    def __init__(self, plugin: str, supervision: Supervision, too_many: Callable[[str], None]) -> None:
        """`too_many` is called with the reason when the error budget is used up."""
        self.supervision = supervision
        self.failures = self.timeouts = self.quarantines = 0
        self._log = log.bind(plugin=plugin)
        self._too_many = too_many
        self._budget = Budget(supervision.error_budget, supervision.error_window)
        self._backoff = Backoff()

    @property
    def recent_errors(self) -> int:
        """Within `error_window`."""
        return self._budget.spent(trio.current_time())

    def hold_to(self, supervision: Supervision) -> None:
        """Other limits, from now on."""
        self.supervision = supervision
        self._budget.errors, self._budget.window = supervision.error_budget, supervision.error_window

    def sentence(self, healthy_for: float) -> float:
        """Seconds of the quarantine that begins, with a clean sheet after it."""
        self.quarantines += 1
        self._budget.clear()
        return self._backoff.next(healthy_for)

    async def guarded(
        self, work: Callable[[], Awaitable[Any]], what: str, time_limit: float | None = None, **details: Any
    ) -> None:
        """Run something of the plugin's; what it raises ends here. Raises what is not the plugin's: cancellation,
        Ctrl-C."""
        deadline = math.inf if time_limit is None else trio.current_time() + time_limit
        with trio.CancelScope(deadline=deadline) as scope:
            try:
                await work()
            except BaseException as exc:  # noqa: BLE001 - the part that is not the plugin's flies on
                own, outside = parted(exc)
                if own is not None:
                    self.failed(what, own, **details)
                if outside is not None:
                    raise outside from None
        if scope.cancelled_caught:
            self.took_too_long(what, **details)

    def failed(self, what: str, exc: BaseException, **details: Any) -> None:
        """A hook or background work raised; the end of a call is no failure."""
        if is_only_call_ended(exc):
            return
        self.failures += 1
        self._log.error(f"{what} failed", **details, exc_info=exc)
        self.count(exc)

    def took_too_long(self, what: str, **details: Any) -> None:
        """A hook was cancelled at its time limit."""
        self.timeouts += 1
        limit = self.supervision.hook_timeout
        self._log.error(f"{what} took too long and was cancelled", **details, hook_timeout=limit)
        self._spend()

    def handler_failed(self, exc: BaseException) -> None:
        """Whoever runs the handler tells it with its call."""
        if not is_only_call_ended(exc):
            self.failures += 1
            self.count(exc, IN_A_CALL)

    def count(self, exc: BaseException, nobodys: tuple[type[Exception], ...] = BEFALLS_ALL) -> None:
        """Against the budget, unless nobody is to be blamed for it."""
        if not nobodys_fault(exc, nobodys):
            self._spend()

    def _spend(self) -> None:
        if self._budget.spend(trio.current_time()):
            budget = self.supervision
            self._too_many(f"{self.recent_errors} errors within {budget.error_window:g} s")
