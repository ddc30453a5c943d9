"""`ports.MediaConference` in virtual time: no audio is mixed, but it is known who would hear whom."""

from __future__ import annotations

from typing import Protocol, cast

from ..errors import MediaError
from ..ports import MediaLeg


class Member(Protocol):
    """What a virtual leg tells of itself besides what its port promises."""

    label: str
    closed: bool
    sending: bool
    muted: bool


class VirtualConference:
    """Legs that hear one another, all of them virtual ones."""

    def __init__(self) -> None:
        self.closed = False
        self._members: list[Member] = []

    @property
    def members(self) -> list[Member]:
        """Those in it now, in the order in which they came. A leg that is closed has left by itself."""
        self._members = [leg for leg in self._members if not leg.closed]
        return list(self._members)

    def add(self, leg: MediaLeg) -> None:
        """Raises MediaError if the conference is closed."""
        if self.closed:
            raise MediaError("the conference is closed")
        member = cast(Member, leg)
        if member not in self._members:
            self._members.append(member)

    def remove(self, leg: MediaLeg) -> None:
        self._members = [member for member in self._members if member is not cast(Member, leg)]

    def close(self) -> None:
        self.closed = True
        self._members.clear()

    def heard_at(self, leg: Member) -> set[str]:
        """The labels of the legs whose other side is heard by this leg's other side: nobody where the leg sends
        nothing, as on hold, or is muted."""
        if leg not in self.members or not leg.sending or leg.muted:
            return set()
        return {other.label for other in self.members if other is not leg}
