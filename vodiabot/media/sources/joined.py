"""Sources made of sources: one after the other, and louder or softer."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import SourceError
from ..audio import Samples, to_int16
from .base import AtRate, Reader, Source, duration_of, is_inline, is_quick

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Playlist:
    """Sources one after the other, without a gap. One that can't be read is left out, with a line in the log (unless it
    is `strict`); if none can, that is the playlist's own error."""

    sources: tuple[Source, ...]
    loop: bool = False
    """From the beginning again at the end, without end."""
    shuffle: int | None = None
    """A seed: another order each time round, the same with the same seed."""
    strict: bool = False
    """One that can't be read is the playlist's error, when its turn comes."""

    @property
    def inline(self) -> bool:
        """All of its sources are."""
        return all(map(is_inline, self.sources))

    @property
    def quick(self) -> bool:
        """All of its sources are."""
        return all(map(is_quick, self.sources))

    @property
    def duration(self) -> float | None:
        """Seconds; None without end, or if a part's is not known."""
        parts = [duration_of(source) for source in self.sources]
        return None if self.loop or None in parts else float(sum(p for p in parts if p is not None))

    def open(self, rate: int) -> Reader:
        return PlaylistReader(self, rate)


class PlaylistReader:
    """Opens each source when its turn comes."""

    def __init__(self, playlist: Playlist, rate: int) -> None:
        self.rate = rate
        self._order = _order(playlist)
        self._now: AtRate | None = None
        self._failed = 0
        """Sources in a row that gave nothing."""
        self._many, self._strict = len(playlist.sources), playlist.strict
        self._gave = False
        self._error: SourceError | None = None

    def read(self) -> Samples | None:
        while True:
            if self._now is None and not self._open_next():
                if self._error is not None and not self._gave:
                    raise self._error
                return None
            block = self._block()
            if block is not None:
                self._failed, self._gave = 0, True
                return block
            self._close_now()

    def _open_next(self) -> bool:
        for source in self._order:
            try:
                self._now = AtRate(source.open(self.rate), self.rate)
            except SourceError as exc:
                self._leave_out(exc)
                continue
            self._failed += 1  # until it gives something
            if self._failed > self._many:
                raise SourceError("a playlist has no sound in it")
            return True
        return False

    def _block(self) -> Samples | None:
        assert self._now is not None
        try:
            return self._now.read()
        except SourceError as exc:
            self._leave_out(exc)
            return None

    def _leave_out(self, exc: SourceError) -> None:
        self._failed, self._error = self._failed + 1, exc
        if self._strict or self._failed > self._many or self._many == 1:
            raise exc
        logger.warning("left out of a playlist: %s", exc)

    def _close_now(self) -> None:
        if self._now is not None:
            self._now.close()
        self._now = None

    def close(self) -> None:
        self._close_now()
        self._order = iter(())


def _order(playlist: Playlist) -> Iterator[Source]:
    chance = None if playlist.shuffle is None else random.Random(playlist.shuffle)
    while True:
        turn = list(playlist.sources)
        if chance is not None:
            chance.shuffle(turn)
        yield from turn
        if not playlist.loop or not turn:
            return


@dataclass(frozen=True)
class Louder:
    """A source with so many dB more, or less if it is negative; what is too loud is clipped."""

    source: Source
    gain: float

    @property
    def inline(self) -> bool:
        """As its source."""
        return is_inline(self.source)

    @property
    def quick(self) -> bool:
        """As its source."""
        return is_quick(self.source)

    @property
    def duration(self) -> float | None:
        """As its source."""
        return duration_of(self.source)

    def open(self, rate: int) -> Reader:
        return _LouderReader(self.source.open(rate), 10 ** (self.gain / 20))


class _LouderReader:
    def __init__(self, reader: Reader, factor: float) -> None:
        self.rate = reader.rate
        self._reader, self._factor = reader, factor

    def read(self) -> Samples | None:
        block = self._reader.read()
        return block if block is None or not len(block) else to_int16(block.astype(np.float32) * self._factor)

    def close(self) -> None:
        self._reader.close()
