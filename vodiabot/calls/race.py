"""One piece of work against another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

Work = Callable[[], Awaitable[object]]


async def unless(work: Work, stop: Work) -> bool:
    """Do `work` until `stop` returns: True if it was done before. Raises what `work` raises, as it is."""
    done, error = False, None
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await stop()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        try:
            await work()
            done = True
        except Exception as exc:  # noqa: BLE001 - raised below, outside of the nursery, which would wrap it
            error = exc
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error
    return done
