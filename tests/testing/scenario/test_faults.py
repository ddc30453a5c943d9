"""`[[fault]]`: what goes wrong, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.errors import ConfigError, UsageError
from vodiabot.testing.scenario import load, schema
from vodiabot.testing.scenario.faults import GOES_WITH
from vodiabot.testing.scenario.live import run_at_sim
from vodiabot.testing.scenario.reader import parse
from vodiabot.testing.scenario.runner import Outcome
from vodiabot.testing.scenario.virtual import run_virtual

from .json_schema import allows
from .test_reader import _is_taken
from .test_virtual import HEAD, TALK

CALL = """
[[step]]
calls = "45"
[[step]]
waits = 10
"""


def played(tmp_path: Path, faults: str, text: str = TALK) -> Outcome:
    path = tmp_path / "scenario.toml"
    path.write_text(HEAD + text + faults)
    return run_virtual(load(path))


@pytest.mark.parametrize(
    "fault",
    [
        'kind = "duplicate"\nframe = "bye"',
        'kind = "delay"\nframe = "invitesdp"\nseconds = 3',
        'kind = "garble"\nframe = "call-state"\nnth = 0',
        'kind = "lose"\nframe = "user-state"\nnth = 0',
        'kind = "reorder"\nframe = "call-state"',
        'kind = "duplicate"\nframe = "sip-ringing"\nby_bot = true',
    ],
)
def test_a_good_bot_lives_with_it(tmp_path: Path, fault: str) -> None:
    outcome = played(tmp_path, f"[[fault]]\n{fault}\n")
    assert outcome.passed, outcome.as_text()
    assert outcome.story is not None
    assert any("fault: " in one.text for one in outcome.story.happenings)


def test_a_lost_invitation_is_never_answered(tmp_path: Path) -> None:
    outcome = played(tmp_path, '[[fault]]\nkind = "lose"\nframe = "invitesdp"\n', CALL)
    assert not outcome.passed
    assert outcome.step is not None
    assert outcome.step.verb.name == "calls"


def test_a_plugin_that_crashes(tmp_path: Path) -> None:
    crash = '[[fault]]\nkind = "crash"\nplugin = "desk"\nhook = "answer_call"\n'
    steps = '[[step]]\ncalls = "45"\nanswered = false\n[[step]]\nbot_fails = "FaultOfTheTest"\n'
    outcome = played(tmp_path, crash, steps)
    assert outcome.passed, outcome.as_text()


def test_a_plugin_that_is_slow_the_second_time(tmp_path: Path) -> None:
    slow = '[[fault]]\nkind = "slow"\nplugin = "desk"\nhook = "answer_call"\nnth = 2\nseconds = 8\n'
    once = '[[step]]\ncalls = "45"\nwithin = 5\n[[step]]\nhangs_up = true\n'
    assert played(tmp_path, slow, once).passed
    late = played(tmp_path, slow, once + once)
    assert not late.passed
    assert late.step is not None
    assert late.step.index == 2


def test_one_way_audio(tmp_path: Path) -> None:
    outcome = played(tmp_path, '[[fault]]\nkind = "silence"\nat = 5\n', CALL)
    assert outcome.passed, outcome.as_text()
    assert outcome.story is not None
    assert any("no audio of the other side" in one.text for one in outcome.story.happenings)


LISTENER = """
from vodiabot import hookimpl

@hookimpl
async def answer_call(call):
    await call.answer()
    async for digit in call.dtmf():
        await call.play("chime.wav")

@hookimpl
async def call_silent(call, event):
    await call.hangup()
"""


@pytest.mark.parametrize("at", ["", "at = 1\n"], ids=["from the answer on", "later"])
def test_what_the_other_side_says_and_presses_does_not_come_and_that_is_noticed(tmp_path: Path, at: str) -> None:
    (tmp_path / "listener.py").write_text(LISTENER)
    steps = """
        settings = { plugins = { enabled = ["listener"], path = ["."] } }
        [[step]]
        calls = "45"
        [[step]]
        waits = 1.5
        [[step]]
        presses = "1"
        [[step]]
        hears_nothing = 3
        [[step]]
        is_hung_up = true
        within = 2
    """
    path = tmp_path / "scenario.toml"
    path.write_text(steps + f'[[fault]]\nkind = "silence"\n{at}')
    outcome = run_virtual(load(path))
    assert outcome.passed, outcome.as_text()
    assert outcome.seconds == pytest.approx(6 if at else 5, abs=0.1)


def test_what_the_bot_says_does_not_arrive(tmp_path: Path) -> None:
    steps = """
        [[step]]
        calls = "45"
        [[step]]
        presses = "1"
        [[step]]
        hears_nothing = 5
        [[step]]
        bot_does = "plays chime.wav to 0711123456"
    """
    outcome = played(tmp_path, '[[fault]]\nkind = "silence"\nby_bot = true\n', steps)
    assert outcome.passed, outcome.as_text()
    assert outcome.notes == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ('kind = "loose"', '2: fault[0].kind: must be "drop"'),
        ('frame = "bye"', "fault[0].kind: missing"),
        ('kind = "silence"\nnth = 1', '3: fault[0].nth: does not go with "silence"'),
        ('kind = "crash"\nplugin = "desk"\nhook = "answer_cal"', 'no hook "answer_cal"; did you mean "answer_'),
        ('kind = "crash"', '"crash" needs the name of a plugin'),
        ('kind = "delay"\nby_bot = true', 'does not go with "delay"'),
    ],
)
def test_a_mistake_is_told_with_its_place(fault: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"[[fault]]\n{fault}\n[[step]]\nwaits = 1\n", file="s.toml")
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ('plugin = "dask"', 'fault[0].plugin: there is no plugin "dask"; did you mean "desk"?'),
        ('plugin = "desk"\nhook = "call_silent"', 'fault[0].hook: plugin "desk" has no call_silent'),
    ],
)
def test_a_plugin_or_hook_that_is_not_there(tmp_path: Path, fault: str, told: str) -> None:
    line = (HEAD + TALK).count("\n") + 1
    with pytest.raises(ConfigError) as raised:
        played(tmp_path, f'[[fault]]\nkind = "slow"\n{fault}\n')
    assert str(raised.value) == f"{tmp_path / 'scenario.toml'}:{line}: {told}"


def test_what_never_came_about_is_noted(tmp_path: Path) -> None:
    outcome = played(
        tmp_path,
        '[[fault]]\nkind = "lose"\nframe = "byee"\n'
        '[[fault]]\nkind = "duplicate"\nframe = "invitesdp"\n'
        '[[fault]]\nkind = "slow"\nplugin = "desk"\nnth = 9\n'
        '[[fault]]\nkind = "silence"\nat = 3600\n',
        CALL,
    )
    assert outcome.passed, outcome.as_text()
    assert outcome.notes == [f"fault[{index}], {kind}, never came about" for index, kind in
                             [(0, "lose"), (2, "slow"), (3, "silence")]]


def test_it_needs_virtual_time(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(HEAD + TALK + '[[fault]]\nkind = "silence"\n')
    with pytest.raises(UsageError, match="virtual"):
        run_at_sim(load(path))


KEYS = sorted({key for keys in GOES_WITH.values() for key in keys})
VALUES = st.sampled_from([0, 1, -1, 2.5, True, "bye", "desk", "call_ended", "3s", "a b", ""])


@given(st.sampled_from([*GOES_WITH, "other"]), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
def test_the_schema_allows_what_the_reader_takes(kind: str, more: dict[str, Any]) -> None:
    doc = {"step": [{"waits": 1}], "fault": [{"kind": kind, **more}]}
    assert allows(schema(), doc) is _is_taken(doc)
