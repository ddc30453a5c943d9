"""Whether what we send arrives: one-way audio, the way from us. Pure; times are given, in seconds.

Only the other side knows. It says so in its reports (RTCP), if it sends any: silence about us is no news. Where it
does not, the questions for consent (ICE) are a hint: a side whose audio comes, and that has answered before, does not
get them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ports import FarSideDeaf, FarSideHears
from .rtcp import Block
from .rtp import SEQUENCES

REPORTS = 2
"""That say nothing new, after the one that did: a single one may have been made twice, or just before a packet came."""
SENT = 250
"""Packets, 5 s, that we must have sent meanwhile."""
BETWEEN = 50
"""Packets, 1 s, that we must have sent between two reports that both count."""
RECENT = 500
"""Packets, 10 s: a report speaks of one of our last, or of one after the last report's, or does not know what it speaks
of (a field that is always 0)."""
REFUTES = 15.0
"""Seconds for which a report of what has arrived counts more than questions for consent without an answer."""
ALL_LOST = 255 / 256
"""The largest part that a report can tell."""


@dataclass
class _Known:
    """The latest packet of ours that is known to have arrived."""

    block: Block
    believed: bool
    """It was one of ours when it was told first. By and by any number becomes one of our last."""
    moved: float
    """When it was told first."""
    since: float
    """From here on reports count that say no more."""
    sent: int
    """Packets, then."""
    counted: int
    """Packets when the last report was counted."""
    reports: int = 0

    def count_from(self, sent: int, now: float) -> None:
        self.since, self.sent, self.counted, self.reports = now, sent, sent, 0

    def before(self, number: int, last: int) -> bool:
        """Is that number one of those that we have sent since, up to `last`?"""
        known = self.block.highest
        return self.believed and 0 < (number - known) % SEQUENCES <= (last - known) % SEQUENCES

    def says(self, block: Block) -> bool:
        """Nothing has arrived since."""
        known = self.block
        all_lost = block.part_lost >= ALL_LOST and block.lost > known.lost
        return all_lost or block.highest == known.highest

    def count(self, block: Block, sent: int) -> bool:
        """Another report that says it; gives whether that is enough."""
        self.block = block
        if sent - self.counted >= BETWEEN:
            self.reports, self.counted = self.reports + 1, sent
        return self.believed and self.reports >= REPORTS and sent - self.sent >= SENT


class Unheard:
    """Goes on over a change of streams: news is told in turns. On the media loop, `seconds` from any thread."""

    def __init__(self) -> None:
        self._known: _Known | None = None
        self._paused = False
        self._deaf_since: float | None = None
        self._by_consent = False
        self._told = False
        self._news: FarSideDeaf | FarSideHears | None = None

    def begin(self) -> None:
        """Another connection: nothing is known of it. That what we send is counted there, has to be proved, too; that
        it arrives at all, is proved by the handshake."""
        self._known, self._news = None, None
        if self._by_consent:
            self._arrives()
        self._deaf_since = None

    def pause(self) -> None:
        """We send no audio just now, or something has changed: the other side has no reason to get any."""
        self._paused = True

    def report(self, block: Block, sent: int, following: int, now: float) -> None:
        """The other side's report of our packets. `sent`: how many we have sent; `following`: the next one's number."""
        known = self._known
        if known is None or not known.says(block):
            recent = (following - 1 - block.highest) % SEQUENCES < min(sent, RECENT)
            believed = recent or (known is not None and known.before(block.highest, following - 1))
            self._known = _Known(block, believed, now, now, sent, sent)
            if believed:
                self._arrives()
        elif self._paused:
            known.block = block
            known.count_from(sent, now)
        elif known.count(block, sent):
            self._by_consent = False
            self._is_deaf(known.since, now)
        self._paused = False

    def unanswered(self, answered: float, now: float) -> None:
        """Questions for consent have no answer, the last one came at `answered`, and audio of the other side comes."""
        known = self._known
        since = max(answered, known.moved) if known is not None and known.believed else answered
        if since == answered or now - since >= REFUTES:
            self._by_consent = self._by_consent or self._deaf_since is None
            self._is_deaf(since, now)

    def answered(self) -> None:
        """They have, again. Of audio that does not arrive as its reports say, that is no proof."""
        if self._by_consent:
            self._arrives()

    def _is_deaf(self, since: float, now: float) -> None:
        self._deaf_since = since if self._deaf_since is None else self._deaf_since
        self._news = FarSideDeaf(now - self._deaf_since)

    def _arrives(self) -> None:
        self._deaf_since, self._by_consent = None, False
        self._news = FarSideHears() if self._told else None

    def take(self) -> FarSideDeaf | FarSideHears | None:
        """What is to be told now."""
        news, self._news = self._news, None
        self._told = self._told if news is None else isinstance(news, FarSideDeaf)
        return news

    def seconds(self, now: float) -> float | None:
        """For so long nothing has arrived; 0.0: it does; None: the other side does not tell."""
        since, known = self._deaf_since, self._known
        if since is not None:
            return max(0.0, now - since)
        return 0.0 if known is not None and known.believed else None
