"""`vodiabot replay`: a tape, played through the engine with the plugins of a bot.toml, in virtual time."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from ..config import Config
from ..errors import ConfigError
from ..tape import read_tape
from .common import DONE, FAILED, counted, plugins_of, say, say_error


def replay(config: Config, file: Path, *, as_json: bool, all_hooks: bool, network: bool) -> int:
    """Prints what happened. Exit code 1 if a plugin failed, or the bot does something else than it did on the tape.

    `network`: plugins may reach other machines. Raises ConfigError for a bad tape, or a plugin that can't be loaded.
    """
    from ..testing.replay import replay as play
    from ..testing.world import in_virtual_time

    tape = read_tape(file)
    plugins, problems = plugins_of(config)
    if problems:
        raise ConfigError([found for problem in problems for found in problem.problems()])
    done = in_virtual_time(partial(play, config, plugins, tape, all_hooks=all_hooks, network=network))
    for moment in done.moments:
        fields = {"at": round(moment.at, 3), "kind": moment.kind, "text": moment.text}
        say(json.dumps(fields) if as_json else str(moment))
    for failure in done.failures:
        say_error(failure)
    if not as_json:
        failures, differences = counted(len(done.failures), "failure"), counted(len(done.differences), "difference")
        say(f"{failures} of plugins, {differences} from the tape")
    return FAILED if done.failures or done.differences else DONE

