"""`vodiabot replay`: a tape, played through the engine with the plugins of a bot.toml, in virtual time."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

import msgspec

from ..config import Config, Secret
from ..config.model import ExtensionConfig
from ..errors import ConfigError
from ..tape import Header, read_tape
from .common import DONE, FAILED, counted, plugins_of, say, say_error


def replay(config: Config, file: Path, *, as_json: bool, all_hooks: bool) -> int:
    """Prints what happened. Exit code 1 if a plugin failed, or the bot does something else than it did on the tape.

    Raises ConfigError for a bad tape, or a plugin that can't be loaded.
    """
    from ..testing.replay import replay as play
    from ..testing.world import in_virtual_time

    tape = read_tape(file)
    plugins, problems = plugins_of(config)
    if problems:
        raise ConfigError([found for problem in problems for found in problem.problems()])
    with tempfile.TemporaryDirectory() as state:
        isolated = _isolated(config, tape[0], Path(state))
        done = in_virtual_time(partial(play, isolated, plugins, tape, all_hooks=all_hooks))
    for moment in done.moments:
        fields = {"at": round(moment.at, 3), "kind": moment.kind, "text": moment.text}
        say(json.dumps(fields) if as_json else str(moment))
    for failure in done.failures:
        say_error(failure)
    if not as_json:
        failures, differences = counted(len(done.failures), "failure"), counted(len(done.differences), "difference")
        say(f"{failures} of plugins, {differences} from the tape")
    return FAILED if done.failures or done.differences else DONE


def _isolated(config: Config, header: Header, state: Path) -> Config:
    """With the tape's extensions and domain, a state of its own, and no door to the outside."""
    extensions = tuple(ExtensionConfig(user=user, password=Secret("")) for user in header.extensions)
    return msgspec.structs.replace(
        config,
        pbx=msgspec.structs.replace(config.pbx, domain=header.domain or config.pbx.domain),
        extensions=extensions or config.extensions,
        bot=msgspec.structs.replace(config.bot, state_dir=state),
        console=msgspec.structs.replace(config.console, listen=""),
        http=msgspec.structs.replace(config.http, listen=""),
        ops=msgspec.structs.replace(config.ops, listen=""),
    )
