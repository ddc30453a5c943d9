"""The PBX as its shell sees it: what `actor.Actor` needs of a model. `core.Pbx` is the one PBX model; tests of the
shell itself use something smaller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ..core.effects import Effect, MediaNews
from ..core.logins import Reply


class Model(Protocol):
    """Times are seconds of one monotonic clock; effects are carried out in order."""

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""

    def tick(self, now: float) -> Iterable[Effect]:
        """Time has passed."""

    def session(self, now: float, method: str, body: Any, basic: tuple[str, str] | None, session: str | None) -> Reply:
        """A request to `/rest/system/session`; `session` is the one that it came with."""

    def admits(self, now: float, domain: str, user: str, session: str | None) -> int:
        """Whether this socket may be opened: 0, or the HTTP status with which it is refused."""

    def opened(self, now: float, socket: str, user: str, useragent: str) -> Iterable[Effect]:
        """A socket that was admitted is up; `useragent` is the header of its upgrade."""

    def frame(self, now: float, socket: str, text: str) -> Iterable[Effect]:
        """A client sent this text."""

    def closed(self, now: float, socket: str) -> Iterable[Effect]:
        """A socket is gone."""

    def news(self, now: float, news: MediaNews) -> Iterable[Effect]:
        """Of a leg's media."""
