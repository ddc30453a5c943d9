"""Collecting digits: what counts as an entry is decided by a pure class, time passed in; the flow is below it."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import trio

from ..errors import UsageError
from .keys import forget
from .leg import Leg
from .race import unless

MAX_DIGITS = 100
"""Of an entry that a pattern allows and nothing else bounds: nobody presses more."""

LATE_TERMINATOR = 2.0
"""Seconds after an entry that was complete by its length in which a terminator still belongs to it."""

KEYS = frozenset("0123456789*#ABCD")

Allowed = str | re.Pattern[str] | Collection[str]

Reason = Literal["complete", "terminator", "timeout", "mismatch"]


@dataclass(frozen=True)
class Gathered:
    """How a `gather` ended."""

    digits: str
    """The entry, as `gather` returned it; "" if there was no valid one."""
    pressed: str
    """What was pressed in the last attempt, valid or not, without the terminator."""
    reason: Reason
    """How the last attempt ended: `complete` (as many digits as there can be), `terminator`, `timeout`, or `mismatch`
    (no allowed entry begins like it, or as many digits as there can be are none)."""
    attempts: int
    """1 and one for each retry."""
    valid: bool
    """False where `digits` is "" because there was no valid entry."""


@dataclass(frozen=True)
class Rules:
    """What an entry is, and how long it is waited for."""

    max_digits: int
    first_digit_timeout: float
    """Seconds, from the end of the prompt."""
    inter_digit_timeout: float
    """Seconds, from the last digit."""
    terminators: str = "#"
    entries: frozenset[str] | None = None
    pattern: re.Pattern[str] | None = None

    def allows(self, entry: str) -> bool:
        """Whether it is a valid entry."""
        if self.entries is not None:
            return entry in self.entries
        return bool(entry) if self.pattern is None else self.pattern.fullmatch(entry) is not None

    def continues(self, begun: str) -> bool:
        """Whether a listed entry is, or begins with, what was pressed."""
        return self.entries is not None and any(entry.startswith(begun) for entry in self.entries)

    def may_grow(self, begun: str) -> bool:
        """Whether one more digit could be part of an entry."""
        if self.entries is None:
            return len(begun) < self.max_digits
        return any(len(entry) > len(begun) and entry.startswith(begun) for entry in self.entries)


def rules_of(
    max_digits: int | None,
    timeout: float,
    *,
    first_digit_timeout: float | None = None,
    inter_digit_timeout: float | None = None,
    terminators: str = "#",
    allowed: Allowed | None = None,
) -> Rules:
    """The rules as `Call.gather` takes them. Raises UsageError."""
    entries, pattern = _allowed(allowed)
    longest = max(map(len, entries)) if entries is not None else None
    if max_digits is None:
        max_digits = longest or (MAX_DIGITS if pattern is not None else 1)
    rules = Rules(
        max_digits=max_digits,
        first_digit_timeout=timeout if first_digit_timeout is None else first_digit_timeout,
        inter_digit_timeout=timeout if inter_digit_timeout is None else inter_digit_timeout,
        terminators=terminators.upper(),
        entries=entries,
        pattern=pattern,
    )
    if longest is not None and longest > max_digits:
        raise UsageError(f"gather: an allowed entry has {longest} digits, but max_digits is {max_digits}")
    _check(rules)
    return rules


def _check(rules: Rules) -> None:
    if rules.max_digits < 1:
        raise UsageError(f"gather: max_digits is {rules.max_digits}, but at least one digit is needed")
    for seconds in (rules.first_digit_timeout, rules.inter_digit_timeout):
        if not seconds >= 0:  # so that NaN is refused, too
            raise UsageError(f"gather: a time-out of {seconds} seconds can't be")
    wrong = set(rules.terminators).union(*(rules.entries or ())) - KEYS
    if wrong:
        raise UsageError(f"gather: {sorted(wrong)[0]!r} is no key of a telephone (0-9, *, #, A-D)")


def _allowed(allowed: Allowed | None) -> tuple[frozenset[str] | None, re.Pattern[str] | None]:
    match allowed:
        case None:
            return None, None
        case re.Pattern():
            return None, allowed
        case str():
            try:
                return None, re.compile(allowed)
            except re.error as exc:
                raise UsageError(f"gather: allowed={allowed!r} is no regular expression: {exc}") from exc
    entries = frozenset(str(entry).upper() for entry in allowed)
    if not entries:
        raise UsageError("gather: a set of allowed entries without an entry")
    return entries, None


class Gathering:
    """One attempt at an entry. Feed it `press`, `listen` (the prompt has ended) and `tick` until `reason` is set."""

    def __init__(self, rules: Rules) -> None:
        self.pressed = ""
        self.reason: Reason | None = None
        self.deadline = math.inf
        """When to call `tick`."""
        self._rules = rules

    @property
    def valid(self) -> bool:
        """Whether it is over with an entry that counts."""
        return self.reason is not None and self.reason != "mismatch" and self._rules.allows(self.pressed)

    def listen(self, now: float) -> None:
        """The other side hears no prompt any more: the time for the first digit begins, if it was not pressed yet."""
        if self.reason is None and not self.pressed:
            self.deadline = now + self._rules.first_digit_timeout

    def begin_anew(self, now: float) -> None:
        """The other side is back, and has all the time for its next digit."""
        if self.reason is None and self.pressed:
            self.deadline = now + self._rules.inter_digit_timeout
        self.listen(now)

    def press(self, key: str, now: float) -> None:
        """A key of the other side. A terminator that continues a listed entry is a part of that."""
        if self.reason is not None:
            raise ValueError("the entry is over")
        entry = self.pressed + key
        if key in self._rules.terminators and not self._rules.continues(entry):
            self._over("terminator")
            return
        self.pressed = entry
        if self._rules.may_grow(entry):
            self.deadline = now + self._rules.inter_digit_timeout
        else:
            self._over("complete" if self._rules.allows(entry) else "mismatch")

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.reason is None and now >= self.deadline:
            self._over("timeout")

    def _over(self, reason: Reason) -> None:
        self.reason, self.deadline = reason, math.inf


Prompt = Callable[[], Awaitable[None]]
"""Plays it; cancelling stops it within a frame."""


async def gather(keys: Keys, rules: Rules, prompts: Sequence[Prompt | None], *, flush: bool) -> Gathered:
    """One attempt for each of `prompts`, until there is a valid entry. See `Call.gather`."""
    for attempts, prompt in enumerate(prompts, 1):
        if flush or attempts > 1:
            keys.forget()
        tried = await _attempt(keys, rules, prompt)
        if tried.valid:
            break
    assert tried.reason is not None
    return Gathered(tried.pressed if tried.valid else "", tried.pressed, tried.reason, attempts, tried.valid)


async def _attempt(keys: Keys, rules: Rules, prompt: Prompt | None) -> Gathering:
    gathering = Gathering(rules)
    key = await _first_key(keys, prompt)
    gathering.listen(trio.current_time())
    while True:
        if key is not None:
            gathering.press(key, trio.current_time())
        else:
            gathering.tick(trio.current_time())
        if gathering.reason is not None:
            return gathering
        key = await _next_key(keys, gathering)


async def _next_key(keys: Keys, gathering: Gathering) -> str | None:
    """None: the time for it is over. While the call is on hold it rests, and it begins anew after that."""
    while True:
        with keys.holding.until_change():
            return await keys.next(math.inf if keys.holding.on_hold else gathering.deadline)
        gathering.begin_anew(trio.current_time())


async def _first_key(keys: Keys, prompt: Prompt | None) -> str | None:
    """One that was pressed before, so that the prompt is not needed any more, or that stopped it; else None. A prompt
    that a hold has cut off is played again after it."""
    key = keys.waiting()
    if key is not None or prompt is None:
        return key
    pressed: list[str] = []

    async def stop() -> None:
        key = await keys.next(math.inf)
        assert key is not None
        pressed.append(key)

    heard = False
    while not heard and not pressed:
        with keys.holding.until_change():
            if keys.holding.on_hold:
                await stop()
            else:
                heard = await unless(prompt, stop)
    return pressed[0] if pressed else None


class Keys:
    """What one `gather` takes of the keys that the other side presses."""

    def __init__(self, leg: Leg, late: str = "", until: float = -math.inf) -> None:
        """`late`: the terminators of the entry before, which was complete without one. Who presses one all the same
        means that entry: as the first key it is left out, if it was pressed before this `gather` or comes by `until`.
        """
        self._leg = leg
        self.holding = leg.holding
        self._late, self._until = late, until
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            first = leg.digits.receive_nowait()
            self._first: str | None = None if first in late else first
            self._late = ""
            return
        self._first = None

    def waiting(self) -> str | None:
        """A key that was pressed and not taken yet. Raises CallEnded."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return self._counts(self._leg.digits.receive_nowait()) or self.waiting()
        except trio.WouldBlock:
            return None
        except trio.EndOfChannel:
            raise self._leg.gone() from None

    async def next(self, deadline: float) -> str | None:
        """None: it is past the deadline. A key that waits counts however late we are. Raises CallEnded."""
        key = self.waiting()
        while key is None:
            with trio.move_on_at(deadline):
                try:
                    key = self._counts(await self._leg.digits.receive())
                except trio.EndOfChannel:
                    raise self._leg.gone() from None
                continue
            return self.waiting()
        return key

    def forget(self) -> None:
        """What was pressed so far."""
        self._first = None
        forget(self._leg.digits)

    def _counts(self, key: str) -> str | None:
        late, self._late = self._late, ""
        return None if key in late and trio.current_time() <= self._until else key
