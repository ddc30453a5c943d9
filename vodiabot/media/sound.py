"""What one leg sends and hears, whatever connection carries it: what plays, who listens, doors and conference."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ..ports import Recording
from .audio import FRAME_SECONDS, Gate, Samples, mixed
from .conference import Conference
from .door import Door
from .dtmf import DigitListener
from .edges import Edges
from .player import Mixer
from .sinks import Recorder, Sink


class Sound:
    """A stream's owner, see `stream.StreamOwner`; everything runs on the media loop, and outlives the streams."""

    def __init__(
        self,
        threads: Executor,
        rate: int,
        on_digit: Callable[[str], None],
        on_failure: Callable[[Exception], None],
        slow_threads: Executor | None = None,
    ) -> None:
        """`rate`: of the codec that is expected. `on_failure`: the stream can't go on."""
        self.may_send = False
        """See `stream.StreamOwner`: kept, since it is asked with each packet."""
        self.conference: Conference | None = None
        """The one that it takes part in; kept by that."""
        self.listens_for_digits = False
        """The other side sends them as tones."""
        self.mixer = Mixer(threads, rate, slow_threads)
        self.mixer.pause(True)
        self.stream_failed = on_failure
        self._threads, self._on_digit = threads, on_digit
        self._out = Gate()
        self._others = Edges(begins_softly=True)
        """What is heard of the conference."""
        self._doors: list[Door] = []
        self._ends: list[Samples] = []
        """Of doors that were left while they were heard."""
        self._sinks: list[Sink] = []
        self._digits = DigitListener(self.digit)
        self._closed = False

    # --- what the stream asks and tells: see `stream.StreamOwner` -----------------------------------------------------

    def pull(self, rate: int) -> Samples | None:
        """All that is to be heard by the other side."""
        block = self.mixer.pull(rate)
        if self._doors or self.conference is not None or self._ends or self._others.before is not None:
            others: list[Any] = [door.pull(rate) for door in self._doors]
            others += [end for end in self._ends if len(end) == round(FRAME_SECONDS * rate)]
            self._ends.clear()
            said = None if self.conference is None else self.conference.hear(self, rate)
            others.append(self._others.through(said, round(FRAME_SECONDS * rate), rate))
            block = mixed(block, others)
        return self._out.through(block, rate)

    def sent(self, samples: Samples | None, rate: int, now: float) -> None:
        if samples is not None:
            for sink in self._sinks:
                sink.push_sent(samples, rate, now)

    def heard(self, samples: Samples | None, rate: int, now: float) -> None:
        if self.conference is not None:
            self.conference.say(self, samples, rate)
        for door in self._doors:
            door.push(samples, rate)
        if samples is None:
            return
        for sink in list(self._sinks):
            sink.push(samples, rate, now)
        if self.listens_for_digits:
            self._digits.push(samples, rate)

    def digit(self, digit: str) -> None:
        self._on_digit(digit)
        for sink in list(self._sinks):
            sink.digit(digit)

    # --- whether anything leaves --------------------------------------------------------------------------------------

    def set_gate(self, may_send: bool) -> None:
        """What plays waits while nothing is sent, and is let in softly when it goes on."""
        if may_send == self.may_send:
            return
        self.may_send = may_send
        self.mixer.pause(not may_send)
        if not may_send:
            self._out.cut()
            self._others.cut()
            self._ends.clear()
            for door in self._doors:
                door.cut()

    def set_muted(self, muted: bool) -> None:
        """What plays, is spoken or mixed goes on unheard."""
        self._out.open = not muted

    def fell_silent(self) -> None:
        """No stream any more: what the other side said last must not go on in the ears of a conference."""
        if self.conference is not None:
            self.conference.fell_silent(self)

    # --- who else takes part ------------------------------------------------------------------------------------------

    def add_door(self, door: Door) -> None:
        if self._closed:
            door.close()
        else:
            self._doors = [*self._doors, door]

    def remove_door(self, door: Door) -> None:
        self._doors = [d for d in self._doors if d is not door]
        door.leave()
        if self.may_send and (end := door.pull(self.mixer.rate)) is not None:
            self._ends.append(end)
        door.close()

    async def record(
        self, path: Path, max_seconds: float | None, silence: float | None, stop_on: str, stereo: bool
    ) -> Recording:
        """See `ports.MediaLeg.record`."""
        # 8 kHz codecs hold nothing more; of the others 16 kHz hold all of a voice.
        rate = 8000 if self.mixer.rate == 8000 else 16000
        recorder = Recorder(
            path,
            rate,
            self._threads,
            max_seconds=max_seconds,
            silence=silence,
            stop_on=stop_on,
            stereo=stereo,
        )
        self._sinks.append(recorder)
        try:
            return await recorder.run()
        finally:
            self._sinks.remove(recorder)

    def close(self) -> None:
        """Nothing is sent or heard any more; whoever plays, records or listens is told. Idempotent."""
        self._closed = True
        self.mixer.end()
        if self.conference is not None:
            self.conference.remove(self)
        for door in self._doors:
            door.close()
        for sink in self._sinks:
            if isinstance(sink, Recorder):
                sink.stop("ended")
