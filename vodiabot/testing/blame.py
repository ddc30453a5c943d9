"""Whose line a failure is told of: what the kit or the engine raises on purpose explains itself, so the way through
their insides is left out of its traceback."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from ..errors import VodiabotError
from .story import Unexpected

NOT_HIS = ("vodiabot", "trio", "outcome", "contextlib", "functools", "_pytest", "pluggy", "pytest_trio")
"""Packages whose frames lie between an author's line and what is raised for it."""


def cut_to_the_author(error: BaseException) -> None:
    """The last frame is that of the author's own line then; in a group, for each."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            cut_to_the_author(one)
            if nobody_to_blame(one):  # a task of `nursery.start_soon(pbx.call)`: the group says where that is
                one.__traceback__ = None
    if isinstance(error, Unexpected | VodiabotError) and (last := _last_of_the_author(error)) is not None:
        last.tb_next = None


def nobody_to_blame(error: BaseException) -> bool:
    """None of the author's lines led to it: it was found out when the test was over."""
    return isinstance(error, Unexpected) and _last_of_the_author(error) is None


def from_the_author_on(error: BaseException) -> TracebackType | None:
    """Its traceback without how the engine came to call him; all of it if he is not in it."""
    return next(_of_the_author(error), error.__traceback__)


def _last_of_the_author(error: BaseException) -> TracebackType | None:
    return next(iter([*_of_the_author(error)][-1:]), None)


def _of_the_author(error: BaseException) -> Iterator[TracebackType]:
    at = error.__traceback__
    while at is not None:
        if str(at.tb_frame.f_globals.get("__name__")).partition(".")[0] not in NOT_HIS:
            yield at
        at = at.tb_next
