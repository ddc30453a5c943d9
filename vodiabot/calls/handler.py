"""Runs the handler of a call as DESIGN.md section 2 promises: a call is a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import trio

from ..errors import CallEnded, ConnectionLost, IllegalMove, NotAllowed, TransferFailed
from ..protocol import steps
from ..protocol.dialog import ON_THE_WAY
from .call import Call
from .leg import Leg
from .numbers import dialable

if TYPE_CHECKING:
    from .settings import Route

Handler = Callable[..., Awaitable[None]]
"""A plugin's `answer_call`, bound to its plugin; called with `call=`."""

COMEBACK = 15.0
"""Seconds for which a caller waits in silence for the connection by which he can be sent to the fallback."""

log = structlog.get_logger(__name__)


class Handlers:
    """Those that run, to be waited for."""

    def __init__(self) -> None:
        self._running = 0
        self._none = trio.Event()
        self._none.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """One runs while the body does."""
        if not self._running:
            self._none = trio.Event()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._none.set()

    async def over(self) -> None:
        """Returns when none runs: `wrap_up` after the end of the last call at the latest."""
        await self._none.wait()


async def run_handler(leg: Leg, call: Call, route: Route, *, wrap_up: float) -> None:
    """Run the handler; when it returns or raises and the call is up, end the call or send it to the fallback. Where
    there is none (its plugin is quarantined), it is as if it had failed.

    Never raises but when cancelled: a handler harms only its own call.
    """
    if route.handler is None:
        log.warning("the plugin of the route is not to be had", plugin=route.plugin, call=call.id)
        failed = True
    else:
        failed = await _guarded(leg, call, route.handler, route.plugin, wrap_up)
    if leg.ended is None:
        await _end(leg, call, route.fallback if failed else "", failed=failed)


async def _guarded(leg: Leg, call: Call, handler: Handler, plugin: str, wrap_up: float) -> bool:
    """True if the handler failed."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_after, leg, wrap_up, nursery.cancel_scope, plugin)
        try:
            await handler(call=call)
        except Exception as exc:  # noqa: BLE001 - judged below: out here a cancellation would come in one group with it
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is None or _is_normal_end(failure, leg):
        return False
    log.error("the handler of a call failed", plugin=plugin, call=call.id, exc_info=failure)
    return True


async def _cancel_after(leg: Leg, wrap_up: float, scope: trio.CancelScope, plugin: str) -> None:
    await leg.ended_event.wait()
    await trio.sleep(wrap_up)
    log.warning("the handler was cancelled: it ran on after its call", plugin=plugin, call=leg.id, wrap_up=wrap_up)
    scope.cancel()


def _is_normal_end(exc: BaseException, leg: Leg) -> bool:
    """CallEnded; but while this call lives, that of another one, as of a consultation, leaves a caller behind."""
    if isinstance(exc, BaseExceptionGroup):
        return all(_is_normal_end(e, leg) for e in exc.exceptions)
    return isinstance(exc, CallEnded) and (leg.ended is not None or exc.call_id in ("", leg.id))


async def _end(leg: Leg, call: Call, fallback: str, *, failed: bool) -> None:
    if fallback or leg.dialog.state in ON_THE_WAY:  # who is on his way to somebody must not be hung up on
        with leg.until_end():
            await leg.at_rest.wait()
    if leg.ended is not None:
        return
    try:
        if leg.answered is None and failed and call.direction == "incoming":
            await leg.ask(steps.WantReject(code=480))
            return
        if fallback or leg.dialog.perhaps_taken:  # a bye to who was taken may end what he was taken to
            with trio.move_on_after(COMEBACK), leg.until_end():  # what has failed may be the connection
                await leg.reached.wait()
        if fallback:
            await leg.ask(steps.WantTransfer(to=dialable(fallback)))
            return
    except (CallEnded, ConnectionLost, IllegalMove, NotAllowed, TransferFailed) as exc:
        log.warning("the fallback did not work, the call is ended", call=call.id, why=str(exc))
    await call.hangup()
