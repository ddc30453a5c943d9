"""One piece of work against another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

Work = Callable[[], Awaitable[object]]


async def unless(work: Work, stop: Work) -> bool:
    """Do `work` until `stop` returns: True if it was done before. Raises what either raises first, as it is."""
    done: list[bool] = []
    errors: list[Exception] = []
    async with trio.open_nursery() as nursery:

        async def run(one: Work, result: bool) -> None:
            try:
                await one()
                done.append(result)
            except Exception as exc:  # noqa: BLE001 - raised below, outside of the nursery, which would wrap it
                errors.append(exc)
            nursery.cancel_scope.cancel()

        nursery.start_soon(run, work, True)
        nursery.start_soon(run, stop, False)
    if done:
        return done[0]
    raise errors[0]
