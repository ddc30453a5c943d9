"""Every intent in every state: what is legal works, what is not raises IllegalMove and changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from vodiabot.errors import IllegalMove
from vodiabot.protocol import steps as s
from vodiabot.protocol.dialog import INTENTS, MOVES, State

from .script import Script, answer, calling, incoming, lines, outgoing, up


def _dialing() -> Script:
    leg = outgoing()
    leg.want(s.WantDial())
    return leg


def _after(leg: Script, *wants: s.Intent) -> Script:
    for want in wants:
        leg.want(want)
    return leg


def _ringing() -> Script:
    leg = calling()
    leg.sdp(code=180)
    return leg


def _early() -> Script:
    leg = calling()
    leg.sdp(answer("a1"), code=183)
    return leg


def _ended() -> Script:
    leg = up()
    leg.bye()
    return leg


STATES: dict[str, Callable[[], Script]] = {
    "new": outgoing,
    "dialing": _dialing,
    "calling": calling,
    "ringing": _ringing,
    "early": _early,
    "offered": incoming,
    "answering": lambda: _after(incoming(), s.WantAnswer()),
    "up": up,
    "held": lambda: _after(up(), s.WantHold()),
    "resuming": lambda: _after(up(), s.WantHold(), s.WantResume()),
    "transferring": lambda: _after(up(), s.WantTransfer(to="500")),
    "joining": lambda: _after(up(), s.WantJoin(other_call_id="c2", to="500")),
    "ended": _ended,
}

WANTS: dict[str, s.Intent] = {
    "dial": s.WantDial(),
    "ring": s.WantRinging(),
    "answer": s.WantAnswer(),
    "reject": s.WantReject(),
    "hold": s.WantHold(),
    "resume": s.WantResume(),
    "transfer": s.WantTransfer(to="500"),
    "join": s.WantJoin(other_call_id="c2", to="500"),
    "joined": s.WantJoined(),
    "undone": s.WantJoinUndone(),
    "mute": s.WantMute(on=True),
    "record": s.WantPbxRecording(on=True),
}

LEGAL: dict[str, dict[str, str]] = {
    # state: intent → the first step; "" if there is none
    "new": {"dial": "MakeOffer generation=1"},
    "offered": {
        "ring": "TellRinging call_id=c1 cseq=1",
        "answer": "MakeAnswer generation=1 offer=<invite>",
        "reject": "RefuseCall call_id=c1 cseq=1",
    },
    "up": {
        "hold": "Hold call_id=c1 side=caller",
        "transfer": "BlindTransfer id=c1 from_=45 to=500",
        "join": "AttendedTransfer id=c1 from_=45 id2=c2 to=500",
        "joined": "",
        "mute": "Mute call_id=c1 muted=True",
        "record": "RecordCall id=c1 on=True",
    },
    "held": {
        "resume": "MakeOffer generation=2",
        "transfer": "BlindTransfer id=c1 from_=45 to=500",
        "join": "AttendedTransfer id=c1 from_=45 id2=c2 to=500",
        "joined": "",
        "mute": "Mute call_id=c1 muted=True",
        "record": "RecordCall id=c1 on=True",
    },
    "resuming": {"mute": "Mute call_id=c1 muted=True", "record": "RecordCall id=c1 on=True"},
    "transferring": {"mute": "Mute call_id=c1 muted=True", "record": "RecordCall id=c1 on=True"},
    "joining": {
        "undone": "LegChanged what=transfer_refused",
        "mute": "Mute call_id=c1 muted=True",
        "record": "RecordCall id=c1 on=True",
    },
}

HANG_UP = {
    "new": None,
    "dialing": None,
    "offered": "RefuseCall call_id=c1 cseq=1",
    "answering": "RefuseCall call_id=c1 cseq=1",
}
"""The way to hang up, where it is not `sip-bye`; None: nothing is said."""


def test_the_tests_know_every_state_and_intent() -> None:
    assert set(STATES) == {state.value for state in State} == {state.value for state in MOVES}
    assert {type(want) for want in WANTS.values()} | {s.WantHangUp} == set(s.Intent.__subclasses__())
    assert set(INTENTS) == set(State)


@pytest.mark.parametrize("state", STATES)
def test_the_ways_lead_to_the_states(state: str) -> None:
    assert STATES[state]().dialog.state.value == state


@pytest.mark.parametrize("want", WANTS)
@pytest.mark.parametrize("state", STATES)
def test_every_intent_in_every_state(state: str, want: str) -> None:
    leg = STATES[state]()
    first = LEGAL.get(state, {}).get(want)
    if first is not None:
        assert (leg.want(WANTS[want]) or [""])[0] == first
        return
    before = copy.deepcopy(leg.dialog._leg)
    with pytest.raises(IllegalMove):
        leg.dialog.intend(WANTS[want], leg.now + 1)
    assert leg.dialog._leg == before


@pytest.mark.parametrize("state", STATES)
def test_hang_up_in_every_state(state: str) -> None:
    leg = STATES[state]()
    out = leg.want(s.WantHangUp(reason="shutdown"))
    if state == "ended":
        assert out == []
        return
    word = HANG_UP.get(state, "HangUp call_id=c1 caller=True")
    assert out == [*([word] if word else []), "LegEnded reason=shutdown", "CloseMedia"]
    assert leg.dialog.ended
    assert leg.wait(100) == []
    assert leg.dialog.deadline is None
    assert leg.want(s.WantHangUp()) == []


@pytest.mark.parametrize(
    ("state", "want"),
    [
        ("up", s.WantTransfer(to="")),
        ("up", s.WantJoin(other_call_id="", to="500")),
        ("offered", s.WantReject(code=200)),
        ("offered", s.WantReject(code=700)),
    ],
)
def test_an_intent_that_makes_no_sense_in_itself(state: str, want: s.Intent) -> None:
    leg = STATES[state]()
    before = copy.deepcopy(leg.dialog._leg)
    with pytest.raises(IllegalMove):
        leg.dialog.intend(want, leg.now)
    assert leg.dialog._leg == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("what", ["bye", "cancel"])
def test_bye_and_cancel_in_every_state_are_answered(state: str, what: str) -> None:
    leg = STATES[state]()
    word = "AnswerBye call_id=c1" if what == "bye" else "AnswerCancel call_id=c1"
    out = getattr(leg, what)()
    assert out[0] == word
    alive = state in ("new", "dialing")
    assert leg.dialog.ended is not alive
    assert getattr(leg, what)() == [word]


@pytest.mark.parametrize("state", STATES)
def test_the_socket_dies_in_every_state(state: str) -> None:
    leg = STATES[state]()
    leg.socket_lost()
    lives = state in ("new", "up", "held", "transferring", "joining", "ended")
    ended = state == "ended" or not lives
    assert leg.dialog.ended is ended


@pytest.mark.parametrize("state", STATES)
def test_no_state_waits_for_ever_but_a_call_that_is_up(state: str) -> None:
    """With a silent PBX and a silent media side."""
    leg = STATES[state]()
    leg.wait(300)
    if state in ("new", "up", "held", "joining"):
        assert leg.dialog.deadline is None
        assert not leg.dialog.ended
    elif state == "resuming":
        assert leg.dialog.state is State.HELD
    else:
        assert leg.dialog.ended


def test_tick_before_the_deadline_is_harmless() -> None:
    leg = calling()
    assert lines(leg.dialog.tick(leg.now)) == []
    assert leg.dialog.deadline == 160.0


def test_time_that_goes_backwards_is_harmless() -> None:
    leg = calling()
    leg.dialog.tick(120.0)
    leg.sdp(answer("a1"), code=200)
    assert leg.dialog.answered_at == 120.0
