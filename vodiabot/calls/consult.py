"""Attended transfer: a caller on hold, a second call to the target, and how the two come together or apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

import structlog
import trio

from ..errors import CallEnded, IllegalMove, NotAccepted, TransferFailed, VodiabotError
from ..protocol import steps
from ..protocol.dialog import INTENTS, State
from .call import Call
from .conference import either_ended
from .leg import Leg
from .prompts import prompt_of
from .queue import Asked
from .race import unless
from .view import dial_error

ACCEPT_TIMEOUT = 10.0
"""Seconds that the target has for the key, from the end of the whisper."""

log = structlog.get_logger(__name__)


class Consultation(Call):
    """The second call: its other side is the target, while the caller of `first` is on hold.

    It does not outlive the first call. If it ends without `complete()`, the caller is taken off hold, whoever ended it.
    """

    def __init__(self, leg: Leg, *, first: Call, **known: Any) -> None:
        super().__init__(leg, **known)
        self.first = first
        """The call whose caller waits."""
        self.over = trio.Event()
        """Set when nothing is left to be done for either call."""
        self._target = leg.dialog.to
        self._join: trio.Event | None = None
        self._join_errors: list[VodiabotError] = []
        self._not_taken_back: VodiabotError | None = None

    async def complete(self) -> None:
        """Join the caller with the target; returns when the PBX has taken both, and both calls are over for us.

        Raises TransferFailed: the PBX refuses, and both calls go on, the caller on hold; or the target has hung up, and
        the caller is off hold. CallEnded if the caller has hung up, ConnectionLost, IllegalMove.
        """
        self.first._check_up()
        if self.ended is None:
            await self._joined()
        if self.first.reason == self.reason == "transferred":
            return
        if self.first.ended is not None or self.ended is not None:
            await self.over.wait()
            self.first._check_up()
            raise TransferFailed(self._target)
        raise self._join_errors[0]

    async def cancel(self) -> None:
        """Hang up the target and take the caller off hold; nothing happens if either has ended.

        Raises ConnectionLost, MediaError: the target is gone, and the caller is still on hold.
        """
        await self._leave()
        await self.over.wait()
        if self._not_taken_back is not None and self.first.ended is None:
            raise self._not_taken_back

    async def __aenter__(self) -> Consultation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        if exc is None:
            await self.cancel()
            return
        await self._leave()
        if isinstance(exc, Exception):
            await self.over.wait()

    async def _leave(self) -> None:
        """The target is hung up even if we are cancelled; the caller is taken back by `_mind`."""
        with trio.CancelScope(shield=True):
            await self.hangup()
            await self._leg.closed()

    # --- from the dial to the acceptance -----------------------------------------------------------------------------

    async def _won(self, whisper: Any, accept: str, accept_timeout: float) -> None:
        """Returns when the target has answered and accepted. Raises what `consult` promises."""
        await self._leg.ask(steps.WantDial())
        await self._leg.answered_or_ended.wait()
        if self.answered is None:
            raise dial_error(self._leg)
        try:
            accepted = await self._asked(whisper, accept, accept_timeout)
        except CallEnded:
            accepted = False
        if not accepted or self.ended is not None:
            raise NotAccepted(f"{self._target} did not accept the call")

    async def _asked(self, whisper: Any, accept: str, accept_timeout: float) -> bool:
        said = partial(self._whisper, whisper)
        if not accept:
            await said()
            return True
        pressed = partial(self._pressed, accept)
        if not await unless(said, pressed):
            return True
        with trio.move_on_after(accept_timeout):
            await pressed()
            return True
        return False

    async def _whisper(self, whisper: Any) -> None:
        if whisper is not None:
            await self.play(prompt_of(whisper))

    async def _pressed(self, keys: str) -> None:
        """Returns when one of `keys` is pressed; other keys mean nothing. Raises CallEnded."""
        digit = ""
        while not digit or digit not in keys:
            try:
                digit = await self._leg.digits.receive()
            except trio.EndOfChannel:
                raise self._leg.gone() from None

    # --- the join ----------------------------------------------------------------------------------------------------

    async def _joined(self) -> None:
        """Returns when it is known what became of it. It goes on if we are cancelled: the PBX was asked."""
        if self._join is not None and not self._join.is_set():
            raise IllegalMove("the two calls are being joined already")
        for call in (self.first, self):
            if steps.WantJoin not in INTENTS[call._leg.dialog.state]:
                raise IllegalMove(f"join makes no sense while {call.remote.number} is {call._leg.dialog.state.value}")
        self._join, self._join_errors = trio.Event(), []
        self.first._leg.spawn(self._run_join)
        await self._join.wait()

    async def _run_join(self) -> None:
        assert self._join is not None
        first, second = self.first._leg, self._leg
        join = steps.WantJoin(other_call_id=second.dialog.call_id, to=self._target)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._half, second, steps.WantJoined(to=self._target), first)
                nursery.start_soon(self._half, first, join, second)
        finally:
            self._join.set()

    async def _half(self, leg: Leg, intent: steps.Intent, other: Leg) -> None:
        """One leg's view of it; where that fails, the other is as before, too."""
        try:
            await leg.ask(intent)
        except VodiabotError as exc:
            self._join_errors.append(exc)
            other.post(Asked(steps.WantJoinUndone()))
        else:
            if leg.end is not None and leg.end.reason != "transferred":  # who hung up is joined with nobody
                other.post(Asked(steps.WantJoinUndone()))

    # --- what is owed to the caller ----------------------------------------------------------------------------------

    async def _mind(self) -> None:
        """A task of the first leg's: when either call ends, the other is seen to."""
        try:
            await either_ended(self.first, self)
            if self._join is not None:
                await self._join.wait()
            if self.first.ended is None:
                self._not_taken_back = await take_back(self.first)
            await self.hangup()
        finally:
            self.first._consultation = None
            self.over.set()


class Consulting:
    """What `call.consult()` gives: awaited it is the Consultation; `async with` leaves it as `cancel()` would."""

    def __init__(self, start: Callable[[], Awaitable[Consultation]]) -> None:
        self._start = start
        self._made: Consultation | None = None

    def __await__(self) -> Generator[Any, Any, Consultation]:
        return self._start().__await__()

    async def __aenter__(self) -> Consultation:
        self._made = await self._start()
        return self._made

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._made is not None
        await self._made.__aexit__(kind, exc, where)


async def start_consultation(
    first: Call, place: Callable[[], Consultation], whisper: Any, accept: str, accept_timeout: float
) -> Consultation:
    """See `Call.consult`. `place` makes the second call, of which nothing is sent yet."""
    _check_free(first)
    if first._leg.dialog.state is not State.HELD:
        await _hold(first)
    _check_free(first)
    try:
        second = place()
    except VodiabotError:
        await take_back(first)
        raise
    first._consultation = second
    first._leg.spawn(second._mind)
    try:
        await second._won(whisper, accept, accept_timeout)
        first._check_up()
    except BaseException as exc:
        await second._leave()
        if isinstance(exc, Exception):
            await second.over.wait()
            first._check_up()
        raise
    return second


async def _hold(first: Call) -> None:
    """As `hold`; but if we are cancelled meanwhile, the caller is taken back, for nobody else would."""
    asked = Asked(steps.WantHold())
    first._leg.post(asked)
    try:
        await asked.reply.wait()
    except trio.Cancelled:
        with suppress(CallEnded):
            first._leg.spawn(partial(_undo_hold, first, asked))
        raise


async def _undo_hold(first: Call, asked: Asked) -> None:
    with suppress(VodiabotError):
        await asked.reply.wait()
    await take_back(first)


def _check_free(first: Call) -> None:
    first._check_up()
    if first._consultation is not None:
        raise IllegalMove("the caller is waiting for another consultation already")


async def take_back(call: Call) -> VodiabotError | None:
    """Off hold, if it is on hold; gives why it is not."""
    if call._leg.dialog.state is not State.HELD:
        return None
    try:
        await call.resume()
    except CallEnded:
        return None
    except VodiabotError as exc:
        log.warning("the caller could not be taken off hold", call=call.id, why=str(exc))
        return exc
    return None
