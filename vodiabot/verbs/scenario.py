"""`vodiabot scenario`: a scenario file in virtual time, against the simulator, or against a real PBX."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import UsageError
from .common import DONE, FAILED, report, say

VIRTUAL, SIM = "virtual", "sim"


def run_scenarios(files: list[Path], against: str, *, as_json: bool, debug: bool, network: bool = False) -> int:
    """One after the other; exit code 0 if all passed. What is wrong with one is told before anything is played.
    `network`: plugins may reach other machines in virtual time, too."""
    try:
        return _run(files, against, as_json=as_json, network=network)
    except KeyboardInterrupt:
        return FAILED
    except Exception as exc:
        if debug:
            raise
        return report(exc)


def _run(files: list[Path], against: str, *, as_json: bool, network: bool) -> int:
    from ..testing.scenario import load
    from ..testing.scenario.live import run_at_pbx, run_at_sim
    from ..testing.scenario.virtual import run_virtual

    scenarios = [load(file) for file in files]
    place = None if against in (VIRTUAL, SIM) else _bot_toml(against)
    passed = True
    for scenario in scenarios:
        if place is not None:
            outcome = run_at_pbx(scenario, place)
        else:
            outcome = run_virtual(scenario, network=network) if against == VIRTUAL else run_at_sim(scenario)
        say(json.dumps(outcome.as_json()) if as_json else outcome.as_text())
        passed = passed and outcome.passed
    return DONE if passed else FAILED


def _bot_toml(against: str) -> Path:
    file = Path(against)
    if not file.is_file() and file.suffix != ".toml":
        raise UsageError(f'--against must be "{VIRTUAL}", "{SIM}" or a bot.toml, not {against!r}')
    return file


def check_scenarios(files: list[Path]) -> int:
    """Reads them. Raises ConfigError."""
    from ..testing.scenario import load

    for file in files:
        scenario = load(file)
        say(f"{file}: {scenario.name}, {len(scenario.steps)} steps")
    return DONE


def print_schema() -> int:
    """For editors."""
    from ..testing.scenario import schema

    say(json.dumps(schema(), indent=2))
    return DONE
