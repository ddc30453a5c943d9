"""Plays a scenario on a stage, step by step."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import VodiabotError
from ...sources import tone
from ..story import Story, Unexpected, difference
from .model import Scenario, Step
from .stage import Actor, Stage


@dataclass
class Outcome:
    """What became of one run."""

    scenario: Scenario
    against: str
    passed: bool = False
    error: str = ""
    step: Step | None = None
    """At which it failed."""
    seconds: float = 0.0
    """That passed in the scenario."""
    took: float = 0.0
    """Real seconds."""
    did: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    story: Story | None = None
    failures: str = ""
    """What plugins did wrong before a step failed: often the reason."""

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        story = [] if self.story is None else self.story.happenings
        return {
            "file": self.scenario.file,
            "name": self.scenario.name,
            "against": self.against,
            "passed": self.passed,
            "error": self.error or None,
            "step": None if self.step is None else self.step.index + 1,
            "line": None if self.step is None else self.step.line,
            "seconds": round(self.seconds, 3),
            "took_s": round(self.took, 3),
            "did": [{"at": round(getattr(deed, "at", 0.0), 3), "text": str(deed)} for deed in self.did],
            "notes": self.notes,
            "failures": self.failures or None,
            "story": [{"at": round(one.at, 3), "text": one.text} for one in story],
        }

    def as_text(self) -> str:
        """For people."""
        place = f"{self.against}: {self.seconds:.1f} s in {self.took:.2f} s"
        lines = [f"{'ok' if self.passed else 'FAILED':6} {self.scenario.name} ({place})"]
        if not self.passed:
            where = self.scenario.file
            if self.step is not None:
                where += f":{self.step.line}: step {self.step.index + 1}, {self.step}"
            lines += [f"  {where}", *(f"  {line}" for line in self.error.splitlines())]
            lines += [f"  {line}" for line in str(self.story).splitlines()] if self.story is not None else []
            lines += [f"  {line}" for line in self.failures.splitlines()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


class Player:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, against: str) -> None:
        self.outcome = Outcome(scenario, against)
        self.scenario = scenario
        self._began = time.perf_counter()

    async def play(self, stage: Stage) -> None:
        """All steps. Raises Unexpected."""
        outcome, scenario = self.outcome, self.scenario
        outcome.story, outcome.notes, outcome.did = stage.story, stage.notes, stage.did
        actors = {id_: await stage.enter(cast) for id_, cast in scenario.cast.items()}
        try:
            for outcome.step in scenario.steps:
                await _do(outcome.step, stage, actors)
        except Unexpected as exc:
            outcome.failures = stage.untold_failures(exc.what)
            raise
        finally:
            outcome.seconds = stage.story.clock()  # with what the failed step has waited for
        outcome.step = None
        if scenario.did is not None:
            expected = [_translated(deed, scenario, stage) for deed in scenario.did]
            if lines := difference(stage.did, expected):
                raise Unexpected("\n".join(lines), stage.story)

    def ended(self, error: BaseException | None) -> Outcome:
        """The outcome, with what was wrong. Raises what is neither the bot's nor the scenario's."""
        outcome = self.outcome
        outcome.took = time.perf_counter() - self._began
        outcome.passed = error is None
        if outcome.story is not None and outcome.story.happenings:
            outcome.seconds = max(outcome.seconds, outcome.story.happenings[-1].at)
        match error:
            case None:
                return outcome
            case Unexpected():
                outcome.error = error.what
            case AssertionError() | VodiabotError():
                outcome.error = str(error)
            case _:
                raise error
        return outcome


def _translated(deed: str, scenario: Scenario, stage: Stage) -> str:
    """With the numbers of the place."""
    for cast in scenario.cast.values():
        deed = re.sub(rf"(?<!\w){re.escape(cast.number)}(?!\w)", stage.number(cast.number), deed)
    return deed


async def _do(step: Step, stage: Stage, actors: dict[str, Actor]) -> None:
    options, value = step.options, step.value
    if not step.verb.personal:
        await _of_nobody(step, stage)
        return
    actor = actors[step.who]
    if step.verb.name in ("calls", "is_transferred_to", "is_connected_to", "transfers"):
        value = stage.number(value)
    act: Callable[..., Awaitable[Any]]
    match step.verb.name:
        case "hears_file":
            act, value = actor.hears, Path(value)
        case "hears_tone":
            act, value = actor.hears, tone(value)
        case name:
            act = getattr(actor, name)
    if value is True and step.verb.takes != "on or off":
        await act(**options)
    else:
        await act(value, **options)


async def _of_nobody(step: Step, stage: Stage) -> None:
    match step.verb.name:
        case "bot_does":
            await stage.bot_does(step.value, **step.options)
        case "bot_fails":
            await stage.bot_fails(step.value, **step.options)
        case "connection_lost":
            await stage.connection_lost(step.value)
