"""Whatever the PBX says, in whatever state the leg is: the dialog never raises and ends at most once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vodiabot.errors import FrameError
from vodiabot.protocol import messages as m
from vodiabot.protocol.codec import decode, encode
from vodiabot.protocol.steps import AddCandidate, LegEnded, Send, Step

from .script import Script, answer, brief, offer
from .test_decode_fuzz import frames
from .test_dialog_moves import STATES

descriptions = st.sampled_from(
    [answer(), offer(), offer(ufrag="new"), answer(setup=""), offer(direction="inactive"), "", "v=0", "x"]
)
likely = st.fixed_dictionaries(
    {"sdp": descriptions, "code": st.sampled_from([None, 0, 100, 180, 183, 200, 302, 404, 415, 999, "200 OK"])},
    optional={"cseq": st.sampled_from([1, "1", None, 2.5]), "to-display": st.just("x")},
)


def feed(leg: Script, frame: dict[str, Any]) -> list[Step]:
    try:
        message = decode(json.dumps({"callid": "c1", **frame}))
    except FrameError:
        return []
    steps = leg.dialog.receive(message, leg.now)
    if isinstance(message, m.CallState):
        for entry in message.calls:
            steps += leg.dialog.entry(entry, leg.now)
    return steps


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(said=st.lists(st.one_of(frames, likely), max_size=6))
def test_any_frames_in_any_state(state: str, said: list[dict[str, Any]]) -> None:
    leg = STATES[state]()
    steps: list[Step] = []
    for frame in said:
        steps += feed(leg, frame)
        leg.now += 0.5
        steps += leg.dialog.tick(leg.now)
    told = [brief(step) for step in steps]
    assert sum(line.startswith(LegEnded.__name__) for line in told) == told.count("CloseMedia") <= 1
    for step in steps:
        if isinstance(step, Send):
            encode(step.command)  # whatever was said, what we say is fit for the wire
        assert not isinstance(step, AddCandidate) or step.generation > 0
    leg.wait(200)
    assert leg.dialog.ended or leg.dialog.deadline is None
