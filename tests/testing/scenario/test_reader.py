"""Scenario files: what is read, what is wrong and where; and that the schema says the same as the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vodiabot.errors import ConfigError
from vodiabot.testing.scenario import VERBS, parse, schema
from vodiabot.testing.scenario.model import OPTIONS

from .json_schema import allows


def test_a_whole_file() -> None:
    scenario = parse(
        """
        name = "Sales"
        start = 2026-01-05T09:00:00Z
        did = ["answers 0711123456"]

        [[person]]
        id = "sales"
        number = "500"
        inside = true
        answers_after = "3s"

        [[step]]
        calls = "45"
        within = "1m"

        [[step]]
        who = "sales"
        hears = "Hello"
        whole = false

        [[step]]
        bot_does = "answers 0711123456"
        """,
        file="sales.toml",
    )
    assert (scenario.name, scenario.start, scenario.did) == (
        "Sales",
        "2026-01-05T09:00:00+00:00",
        ("answers 0711123456",),
    )
    assert {cast.id: cast.number for cast in scenario.cast.values()} == {"sales": "500", "caller": "0711123456"}
    assert scenario.cast["sales"].answers_after == 3
    assert [(step.line, step.who, step.verb.name, step.value, step.options) for step in scenario.steps] == [
        (12, "caller", "calls", "45", {"within": 60.0}),
        (16, "sales", "hears", "Hello", {"whole": False}),
        (21, "", "bot_does", "answers 0711123456", {}),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.toml: step: missing"),
        ("[step]\n", "f.toml:1: step: there may be several: write [[step]], with two brackets"),
        ("[[step]]\n", "f.toml:1: step[0]: does nothing: a step has one verb"),
        ('[[step]]\nhear = "x"\n', 'f.toml:2: step[0].hear: unknown key; did you mean "hears"?'),
        ('[[step]]\nhears = "x"\ncalls = "45"\n', 'f.toml:1: step[0]: has 2 verbs, "hears" or "calls"'),
        ('[[step]]\nhangs_up = "x"\n', "f.toml:2: step[0].hangs_up: must be true: it takes no value"),
        ("[[step]]\nhangs_up = true\nwithin = 3\n", 'f.toml:3: step[0].within: does not go with "hangs_up"'),
        ('[[step]]\npresses = "1x"\n', "f.toml:2: step[0].presses: must be keys in quotes"),
        ("[[step]]\nrefuses = 200\n", "f.toml:2: step[0].refuses: must be a code from 400 to 699"),
        ('[[step]]\nwaits = "soon"\n', "f.toml:2: step[0].waits: must be a time such as"),
        ('[[step]]\nwho = "bob"\nhears = "x"\n', 'f.toml:2: step[0].who: there is no [[person]] with the id "bob"'),
        ('[[step]]\nwho = "x"\nbot_does = "x"\n', 'f.toml:2: step[0].who: does not go with "bot_does"'),
        ('[[person]]\nid = "a"\n[[step]]\nhangs_up = true\n', "f.toml:1: person[0].number: missing"),
        (
            '[[person]]\nid = "a"\nnumber = "1"\n[[person]]\nid = "a"\nnumber = "2"\n[[step]]\nhangs_up = true\n',
            'f.toml:5: person[1].id: there are two with the id "a"',
        ),
        ('settings = "nothing.toml"\n[[step]]\nhangs_up = true\n', "f.toml:1: settings: can't be read"),
        ('start = "soon"\n[[step]]\nhangs_up = true\n', "f.toml:1: start: must be a time such as"),
        ("[[step]]\nhears = \n", "f.toml:2: Invalid value"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse(text, file="f.toml")
    assert str(told.value).startswith(expected)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        parse('[[step]]\nhear = "x"\n[[step]]\ncalls = 45\n', file="f.toml")
    assert [problem.line for problem in told.value.problems] == [2, 4]


VALUES = st.sampled_from(
    [True, False, "", " ", "45", "1#", "Hello", "3s", "1h30m", "soon", 0, 3, 440, 486, 700, 25000, -1, 0.5, [], {}]
)
STEPS = st.dictionaries(st.sampled_from([*VERBS, *OPTIONS, "who", "nonsense"]), VALUES, max_size=3)


@given(STEPS, st.sampled_from(sorted(VERBS)), VALUES)
@example({}, "waits", "1h30m")
@example({"within": "3s"}, "hears", "Hello")
def test_the_schema_allows_what_the_reader_takes(more: dict[str, Any], verb: str, value: Any) -> None:
    step = {**more, verb: value}
    if isinstance(step.get("who"), str) and step["who"].strip():
        step["who"] = "caller"  # who takes part, no schema can know
    assert allows(schema(), {"step": [step]}) == _is_taken({"step": [step]})


def _is_taken(doc: dict[str, Any]) -> bool:
    try:
        parse(_toml(doc), file="f.toml")
    except ConfigError:
        return False
    return True


def _toml(doc: dict[str, Any]) -> str:
    lines = []
    for name, table in ((name, table) for name, tables in doc.items() for table in tables):
        lines += [f"[[{name}]]", *(f"{key} = {json.dumps(value)}" for key, value in table.items() if value != {})]
        lines += [f"{key} = {{}}" for key, value in table.items() if value == {}]
    return "\n".join(lines)
