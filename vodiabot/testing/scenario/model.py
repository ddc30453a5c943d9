"""What a scenario is: people, steps, and what the bot is expected to have done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .faults import ScenarioFault

CALLER = "caller"
"""Who acts in a step that names nobody."""

NUMBER = "0711123456"
"""The caller's, where a scenario gives none."""

Takes = Literal["text", "digits", "seconds", "flag", "on or off", "code", "code or true", "text or true", "number"]
"""What a verb's value is."""


@dataclass(frozen=True)
class Verb:
    """What a step can do or expect."""

    name: str
    takes: Takes
    doc: str
    options: tuple[str, ...] = ()
    """Further keys that its step may have."""
    personal: bool = True
    """False: it is nobody's."""


OPTIONS: dict[str, tuple[Takes, str]] = {
    "within": ("seconds", "In which time it has to come."),
    "whole": ("on or off", "Whether it has to be heard to its end; true by default."),
    "answered": ("on or off", "Whether the step waits for the answer; true by default."),
    "seconds": ("seconds", "How long it takes to say it; by default as long as the text is."),
    "to": ("text", "Who gets it; the bot by default."),
}

VERBS = {
    verb.name: verb
    for verb in (
        Verb("calls", "text", "Dials a number, and waits for the answer.", ("within", "answered")),
        Verb("is_answered", "flag", "Whom it calls picks up.", ("within",)),
        Verb("is_refused", "code or true", "Its call ends without an answer.", ("within",)),
        Verb("rings", "text or true", "Its phone rings; the text is the number of who calls.", ("within",)),
        Verb("answers", "flag", "Picks up, as soon as it rings.", ("within",)),
        Verb("refuses", "code", "Refuses, as soon as it rings.", ("within",)),
        Verb("hangs_up", "flag", "Hangs up, or gives up."),
        Verb("is_hung_up", "flag", "The other side ends the call.", ("within",)),
        Verb("holds", "flag", "Puts the other side on hold."),
        Verb("resumes", "flag", "Takes the other side back."),
        Verb("transfers", "text", "Transfers the other side to a number."),
        Verb("is_held", "flag", "Is put on hold.", ("within",)),
        Verb("is_resumed", "flag", "Is taken back.", ("within",)),
        Verb("is_transferred_to", "text", "The PBX connects it with this number, or rings there.", ("within",)),
        Verb("is_connected_to", "text", "It talks with this number.", ("within",)),
        Verb("hears", "text", "The next thing heard is this text, or part of one.", ("within", "whole")),
        Verb("hears_file", "text", "The next thing heard is this sound file.", ("within", "whole")),
        Verb("hears_tone", "number", "The next thing heard is a tone of so many Hz.", ("within", "whole")),
        Verb("hears_nothing", "seconds", "For so long nothing new is heard."),
        Verb("presses", "digits", "Presses keys."),
        Verb("hears_digits", "digits", "The bot has pressed exactly these keys.", ("within",)),
        Verb("speaks", "text", "Says something.", ("seconds",)),
        Verb("writes", "text", "Sends a text message.", ("to",)),
        Verb("reads", "text", "Gets a text message with this in it.", ("within",)),
        Verb("does_not_disturb", "on or off", "Turns do-not-disturb on or off."),
        Verb("unplugs", "flag", "Its phone is gone."),
        Verb("plugs_in", "flag", "Its phone is back."),
        Verb("waits", "seconds", "So much time passes."),
        Verb("bot_does", "text", "The bot has done this: `answers 0711123456`.", ("within",), personal=False),
        Verb("bot_fails", "text", "A plugin raises an exception of this name.", ("within",), personal=False),
        Verb("connection_lost", "seconds", "All sockets die, and the PBX is away for so long.", personal=False),
    )
}


@dataclass(frozen=True)
class Cast:
    """Somebody who takes part."""

    id: str
    number: str = NUMBER
    name: str = ""
    inside: bool = False
    """An extension of the domain, not a number elsewhere."""
    answers_after: float | None = None
    refuses: int | None = None
    extension: str = ""
    """Against a real PBX: which `[[extension]]` of bot.toml plays the part; by default one that is free."""


@dataclass(frozen=True)
class Step:
    """One thing that somebody does or expects."""

    index: int
    line: int | None
    who: str
    """An id; "" where it is nobody's."""
    verb: Verb
    value: Any
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        who = f"{self.who} " if self.who else ""
        return f"{who}{self.verb.name}" + ("" if self.value is True else f" {self.value!r}")


@dataclass(frozen=True)
class Scenario:
    """A file, read."""

    file: str
    name: str
    steps: tuple[Step, ...]
    cast: dict[str, Cast]
    settings: dict[str, Any] | Path | None = None
    """bot.toml as tables, or where it is; None: the one beside the scenario, or the plugin in whose folder it lies."""
    start: str = ""
    """ISO form of the time on the wall when it begins, in virtual time."""
    seed: int = 0
    did: tuple[str, ...] | None = None
    """All that the bot is to have done in the end; None: it is not compared."""
    faults: tuple[ScenarioFault, ...] = ()
    """What goes wrong; in virtual time only."""
