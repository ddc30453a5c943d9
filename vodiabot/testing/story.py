"""What happened, with times, for whoever reads why a test failed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Happening:
    """One line of the story."""

    at: float
    """Seconds since its beginning."""
    text: str

    def __str__(self) -> str:
        return f"{self.at:9.2f}  {self.text}"


class Story:
    """All that happened, in order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds since the beginning."""
        self.happenings: list[Happening] = []
        self.clock = clock

    def tell(self, text: str) -> None:
        """Now."""
        self.happenings.append(Happening(self.clock(), text))

    def __str__(self) -> str:
        lines = [str(one) for one in self.happenings] or ["     nothing"]
        return "\n".join(["what happened, and at which second:", *lines])


class Unexpected(AssertionError):
    """Something else happened than was expected. The message says both, and all that happened until then."""

    def __init__(self, what: str, story: Story) -> None:
        self.what = what
        self.story = story
        super().__init__(f"{what}\n\n{story}")


class Deed(str):
    """What the bot did, such as `answers 0711123456`: a plain text for comparison, that knows its time."""

    __slots__ = ("at",)
    at: float

    @classmethod
    def done(cls, text: str, at: float) -> Deed:
        """`at`: seconds since the story's beginning."""
        deed = cls(text)
        deed.at = at
        return deed


class Deeds(list[str]):
    """What the bot did, in order. Compared with a list of texts; pytest then shows what differs, with times."""


def difference(did: Sequence[str], expected: Sequence[str]) -> list[str]:
    """Lines that show how what the bot did differs from what was expected of it; empty if it does not."""
    if list(did) == list(expected):
        return []
    lines = ["the bot did (+) something else than expected (-):"]
    matcher = difflib.SequenceMatcher(a=list(expected), b=list(did), autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            lines += [_line(" ", deed) for deed in did[c:d]]
            continue
        lines += [f"  - {'':9}  {text}" for text in expected[a:b]]
        lines += [_line("+", deed) for deed in did[c:d]]
    return lines


def _line(sign: str, deed: str) -> str:
    at = f"{deed.at:9.2f}" if isinstance(deed, Deed) else " " * 9
    return f"  {sign} {at}  {deed}"
