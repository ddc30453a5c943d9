"""bot.toml of the simulated bot, and what an administrator makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

TEXT = """
[pbx]
url = "ws://pbx.example.com"
domain = "localhost"

[[extension]]
user = "45"
password = "bot"
{second}
[bot]
state_dir = "{state}"
drain_timeout = "5s"
unrouted = "{unrouted}"

[limits]
dial_allow = ["*"]
dials_per_minute = {dials}
wrap_up = "{wrap_up}s"

[plugins]
enabled = ["worker", "witness", "pupil"{more}]

[plugin.worker]
edition = {worker}

[plugin.pupil]
edition = {pupil}

[[route]]
plugin = "worker"
fallback = "{fallback}"
"""

SECOND = """
[[extension]]
user = "49"
password = "bot"
"""


@dataclass(frozen=True)
class BotToml:
    """What stands in it."""

    state: Path
    unrouted: str
    fallback: str
    second: bool
    """Whether the bot has two extensions: they cost a third more."""
    dials: int = 20
    wrap_up: int = 30
    worker: int = 0
    """Another number is another section, so the plugin is started again."""
    pupil: int = 0
    broken: bool = True
    """Whether the plugins that misbehave are enabled."""

    def __str__(self) -> str:
        more = ', "slow", "broken"' if self.broken else ""
        second = SECOND if self.second else ""
        return TEXT.format(**{**vars(self), "state": self.state.as_posix(), "second": second}, more=more)

    def changed(self, rng: random.Random) -> BotToml:
        """One thing is not as it was."""
        return rng.choice(
            [
                replace(self, dials=rng.choice([5, 20, 60]), wrap_up=rng.choice([1, 30])),
                replace(self, unrouted=rng.choice(["ignore", "busy"]), fallback=rng.choice(["", "46", "600"])),
                replace(self, worker=self.worker + 1),
                replace(self, pupil=self.pupil + 1),
                replace(self, pupil=self.pupil + 1),
                replace(self, broken=not self.broken),
            ]
        )


def spoiled(text: str, rng: random.Random) -> str:
    """With a mistake in it that `vodiabot check` finds."""
    mistakes = [("dials_per_minute = ", "dials_per_minute = -"), ("[limits]", "[limit"), ("[bot]", "[bott]")]
    old, new = rng.choice(mistakes)
    return text.replace(old, new)
