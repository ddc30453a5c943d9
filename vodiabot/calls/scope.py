"""`call.scope()`: a body that ends with its call."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import trio

from .leg import Leg


class CallScope(AbstractContextManager[trio.CancelScope]):
    """The leg's end as a context manager of either kind."""

    def __init__(self, leg: Leg) -> None:
        self._until_end = leg.until_end()

    def __enter__(self) -> trio.CancelScope:
        return self._until_end.__enter__()

    def __exit__(self, *exc_info: Any) -> bool | None:
        return self._until_end.__exit__(*exc_info)

    async def __aenter__(self) -> trio.CancelScope:
        return self.__enter__()

    async def __aexit__(self, *exc_info: Any) -> bool | None:
        return self.__exit__(*exc_info)

