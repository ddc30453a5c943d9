"""Scenarios in virtual time, and by the command."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from vodiabot.testing.scenario import load
from vodiabot.testing.scenario.runner import Outcome
from vodiabot.testing.scenario.virtual import author_of, of_the_bot, run_virtual
from vodiabot.testing.settings import prepare
from vodiabot.verbs.scenario import run_scenarios

PLUGINS = Path(__file__).parent.parent / "plugins"
HEAD = f'settings = {{ plugins = {{ enabled = ["desk"], path = ["{PLUGINS.as_posix()}"] }} }}\n'

TALK = """
did = ["answers 0711123456", "holds 0711123456", "calls 500",
       "says 'A caller for you.' to 500", "joins 0711123456 and 500"]

[[person]]
id = "sales"
number = "500"
inside = true
answers_after = 1

[[step]]
calls = "45"
[[step]]
presses = "4"
[[step]]
is_held = true
[[step]]
who = "sales"
hears = "a caller for you"
whole = false
[[step]]
who = "sales"
presses = "1"
[[step]]
is_connected_to = "500"
[[step]]
who = "sales"
hangs_up = true
[[step]]
is_hung_up = true
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.toml"
    file.write_text(HEAD + text)
    return file


def played(folder: Path, text: str) -> Outcome:
    return run_virtual(load(written(folder, text)))


def test_it_passes(tmp_path: Path) -> None:
    outcome = played(tmp_path, TALK)
    assert outcome.passed, outcome.as_text()


def test_what_a_plugin_raised_is_told_beside_the_step_that_failed(tmp_path: Path) -> None:
    crash = '[[fault]]\nkind = "crash"\nplugin = "desk"\n'
    outcome = played(tmp_path, '[[step]]\ncalls = "45"\n' + crash)
    assert "the call has ended with 480" in outcome.error
    assert "FaultOfTheTest: desk crashes here" in outcome.as_text()
    assert "FaultOfTheTest" in outcome.as_json()["failures"]


def test_an_extension_of_bot_toml_that_plays_somebody_is_not_the_bots(tmp_path: Path) -> None:
    """So that one bot.toml does in all places: against a real PBX it is this extension that plays the part."""
    extensions = "".join(f'[[extension]]\nuser = "{user}"\npassword = "x"\n' for user in ("45", "500"))
    route = '[[route]]\nto = "45"\nplugin = "desk"\n'
    plugins = f'[plugins]\nenabled = ["desk"]\npath = ["{PLUGINS.as_posix()}"]\n'
    (tmp_path / "bot.toml").write_text(extensions + route + plugins)
    file = tmp_path / "scenario.toml"
    file.write_text(TALK)
    bot = of_the_bot(prepare(author_of(load(file), tmp_path / "state")), load(file))
    assert [extension.user for extension in bot.config.extensions] == ["45"]
    assert "500" not in {extension.user for extension in bot.sim.extensions}
    outcome = run_virtual(load(file))
    assert outcome.passed, outcome.as_text()


def test_what_the_failed_step_has_waited_for_counts(tmp_path: Path) -> None:
    outcome = played(tmp_path, '[[step]]\ncalls = "45"\n[[step]]\nis_hung_up = true\nwithin = "7s"\n')
    assert not outcome.passed
    assert "was not hung up on within 7 s" in outcome.error
    assert outcome.seconds >= 7
    assert f"virtual: {outcome.seconds:.1f} s" in outcome.as_text()


def test_every_verb_is_known_to_the_people() -> None:
    from vodiabot.testing.people import Person
    from vodiabot.testing.scenario import VERBS
    from vodiabot.testing.scenario.actor import LiveActor

    for verb in VERBS.values():
        name = "hears" if verb.name in ("hears_file", "hears_tone") else verb.name
        if verb.personal:
            assert hasattr(Person, name)
            assert hasattr(LiveActor, name)


@pytest.mark.parametrize(
    ("steps", "error", "step"),
    [
        ('[[step]]\ncalls = "45"\n[[step]]\nhears = "x"', "heard nothing within 10 s, expected 'x'", 2),
        ('[[step]]\nhangs_up = true', "hangs up, but there is no call", 1),
        ('[[step]]\ncalls = "45"\n[[step]]\npresses = "9"\n', "KeyError: '9'", None),
        ('[[step]]\ncalls = "45"\n[[step]]\npresses = "9"\n[[step]]\nbot_fails = "ValueError"', "raised KeyError", 3),
        ('did = []\n[[step]]\ncalls = "45"', "answers 0711123456", None),
        ('[[step]]\nbot_does = "calls 500"\nwithin = 1', "the bot did not within 1 s: calls 500", 1),
    ],
)
def test_what_fails_is_told_with_its_step(steps: str, error: str, step: int | None, tmp_path: Path) -> None:
    outcome = played(tmp_path, steps)
    assert not outcome.passed
    assert error in outcome.error
    assert (None if outcome.step is None else outcome.step.index + 1) == step


def test_an_expected_failure_passes(tmp_path: Path) -> None:
    steps = '[[step]]\ncalls = "45"\n[[step]]\npresses = "9"\n[[step]]\nbot_fails = "KeyError"\n'
    outcome = played(tmp_path, steps)
    assert outcome.passed, outcome.as_text()


def test_the_bot_comes_back(tmp_path: Path) -> None:
    steps = '[[step]]\ncalls = "45"\n[[step]]\nconnection_lost = 2\n[[step]]\nwaits = 20\n[[step]]\npresses = "1"\n'
    outcome = played(tmp_path, steps + '[[step]]\nhears_file = "chime.wav"\n[[step]]\nhears_tone = 440')
    assert outcome.passed, outcome.as_text()


def test_nothing_listens_where_the_bot_toml_says(tmp_path: Path) -> None:
    places = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    try:
        ports = dict(zip(("ops", "http", "console"), (place.getsockname()[1] for place in places), strict=True))
        servers = "".join(f'{name} = {{ listen = "127.0.0.1:{port}" }}, ' for name, port in ports.items())
        file = written(tmp_path, '[[step]]\ncalls = "45"\n')
        file.write_text(file.read_text().replace("plugins", servers + "plugins", 1))
        outcome = run_virtual(load(file))
    finally:
        for place in places:
            place.close()
    assert outcome.passed, outcome.as_text()


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, TALK)
    assert run_scenarios([good, good], "virtual", as_json=True, debug=False) == 0
    first, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["passed"], first["against"], first["step"], first["error"]) == (True, "virtual", None, None)
    assert first["did"][0]["text"] == "answers 0711123456"
    bad = written(tmp_path, '[[step]]\nhangs_up = true')
    assert run_scenarios([bad], "virtual", as_json=False, debug=False) == 1
    assert "scenario.toml:2: step 1, caller hangs_up" in capsys.readouterr().out


def test_a_wrong_file_is_told_before_anything_is_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, TALK)
    bad = tmp_path / "bad.toml"
    bad.write_text("[[step]]\n")
    assert run_scenarios([good, bad], "virtual", as_json=False, debug=False) == 2
    assert run_scenarios([good], "nowhere", as_json=False, debug=False) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "bad.toml:1: step[0]: does nothing" in told.err
    assert '--against must be "virtual", "sim" or a bot.toml' in told.err
