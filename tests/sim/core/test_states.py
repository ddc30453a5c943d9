"""What subscribers are told, registrations, keepalive, chat."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.core.kit import Client, Lab, config, conversation, number
from vodiabot.sim.core import effects as e
from vodiabot.sim.core.pbx import SILENT_SOCKET

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])


def user_states(client: Client, account: str) -> list[dict[str, Any]]:
    return [frame for frame in client.actions("user-state") if frame["account"] == account]


# --- the whole picture -----------------------------------------------------------------------------------------------


def test_domain_state_comes_at_once_and_again_on_request() -> None:
    lab = Lab()
    conversation(lab)
    watcher = lab.client("48", registered=False)
    picture = watcher.frames[0]
    assert picture["action"] == "domain-state"
    accounts = {entry["account"]: entry for entry in picture["accounts"]}
    assert accounts["46"]["registered"]
    assert accounts["46"]["chatstatus"] == "online"
    assert accounts["46"]["calls"]
    assert (accounts["45"]["registered"], accounts["45"]["chatstatus"], accounts["45"]["calls"]) == (
        False,
        "offline",
        [],
    )
    assert (accounts["46"]["type"], accounts["700"]["type"], accounts["600"]["type"]) == (
        "extensions",
        "hunts",
        "attendants",
    )
    assert [call["from-number"] for call in picture["calls"]] == ["46"]
    again = watcher.say("get-users")[0]
    assert again["action"] == "domain-state"


@BOTH
def test_call_state_in_the_form_of_the_dialect(dialect: str) -> None:
    lab = Lab(config(dialect))
    _, bruno = conversation(lab)
    [entry] = bruno.say("get-calls")[0]["calls"]
    assert entry["id"] not in ("c1", bruno.invite()["callid"])
    if dialect == "classic":
        assert entry == {
            "id": entry["id"],
            "from": '"Anna" <sip:46@localhost>',
            "to": '"Bruno" <sip:47@localhost>',
            "callstate": "connected",
            "start": "1700000100",
            "rec": False,
        }
    else:
        assert entry == {
            "id": entry["id"],
            "state": "connected",
            "start": 1_700_000_100.0,
            "connect": 1_700_000_100.0,
            "from-number": "46",
            "from-name": "Anna",
            "to-number": "47",
            "to-name": "Bruno",
            "extension": ["*46", "*47"],
            "rec": False,
        }


def test_the_lists_of_the_subscriptions() -> None:
    lab = Lab()
    watcher = lab.client("48")
    assert watcher.say("domain-calls", subscribe=True) == [{"action": "call-state", "calls": []}]
    assert watcher.say("orbit-calls", subscribe=True) == [{"action": "call-state", "calls": []}]
    _, bruno = conversation(lab)
    lists = [frame["calls"] for frame in watcher.actions("call-state")]
    assert len(lists[-2]) == 1, "domain-calls: everybody's"
    assert lists[-1] == [], "orbit-calls: none is parked"
    lab.do(lambda now: lab.pbx.park(now, "c1"))
    assert [len(frame["calls"]) for frame in watcher.actions("call-state")[-2:]] == [1, 1]
    assert lab.hears(bruno.invite()["callid"]) == "music"
    watcher.say("domain-calls", subscribe=False)
    watcher.say("orbit-calls", subscribe="false")
    watcher.frames.clear()
    bruno.say("sip-bye")
    assert not watcher.actions("call-state")


def test_the_states_of_a_call_and_its_end() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    for client in (anna, bruno):
        client.say("own-calls", subscribe=True)
    anna.dial("47")
    bruno.say("sip-ringing", callid=bruno.invite()["callid"])
    bruno.answer()
    anna.say("sip-bye", callid="c1")
    states = [frame["calls"][0]["state"] if frame["calls"] else None for frame in bruno.actions("call-state")]
    assert [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]] == [
        None,
        "alerting",
        "ringing",
        "connected",
        None,
    ]


def test_user_state_tells_who_is_busy_and_who_is_free() -> None:
    lab = Lab()
    watcher = lab.client("48")
    anna, _ = conversation(lab)
    told = user_states(watcher, "46")
    assert [frame["registered"] for frame in told[:2]] == [False, True]
    assert told[-1]["calls"][0]["state"] == "connected"
    anna.say("sip-bye", callid="c1")
    assert "calls" not in user_states(watcher, "46")[-1], "absent means none"
    anna.close()
    assert (user_states(watcher, "46")[-1]["chatstatus"], user_states(watcher, "46")[-1]["registered"]) == (
        "offline",
        False,
    )
    before = len(watcher.frames)
    lab.do(lambda now: lab.pbx.set_dnd(now, "47", True))
    [frame] = watcher.frames[before:]
    assert (frame["account"], frame["dnd"]) == ("47", True)
    lab.do(lambda now: lab.pbx.set_dnd(now, "47", True))
    assert len(watcher.frames) == before + 1, "nothing new, nothing told"


def test_blf_of_those_that_are_watched() -> None:
    lab = Lab()
    watcher = lab.client("48")
    [first] = watcher.say("blf", add=["46", "999"])
    assert list(first["extensions"]) == ["46"]
    anna = lab.client("46")
    assert watcher.actions("blf")[-1]["extensions"]["46"]["registered"]
    watcher.say("blf", remove=["46"])
    count = len(watcher.actions("blf"))
    anna.close()
    assert len(watcher.actions("blf")) == count


def test_ringtones() -> None:
    assert "ringtones" in Lab().client("46").say("ringtones")[0]


def test_chat_goes_to_every_socket_of_the_other_and_tells_who_it_is_from() -> None:
    lab = Lab()
    anna, one, two = lab.client("46"), lab.client("47"), lab.client("47", registered=False)
    assert anna.say("chat", src="45", dest="sip:47@localhost", message="hello ✓") == []
    expected = {"action": "chat", "src": "46", "dest": "47", "message": "hello ✓"}
    assert one.frames[-1] == two.frames[-1] == expected
    lab.do(lambda now: lab.pbx.push_chat(now, "48", "46", "hi"))
    assert anna.frames[-1]["src"] == "48"


# --- registration ----------------------------------------------------------------------------------------------------


def test_registration_expires_unless_it_is_refreshed() -> None:
    lab = Lab(config(expires=60))
    anna, bruno = lab.client("46"), lab.client("47", registered=False)
    anna.dial("47", "c0")
    assert anna.codes == [480], "not registered: calls are not offered"
    [answer] = [f for f in bruno.say("sip-register", useragent="x") if f["action"] == "sip-register"]
    assert answer == {"action": "sip-register", "expires": 60, "add": "sip:47@localhost"}
    lab.wait(40)
    bruno.say("sip-register", useragent="x")
    lab.wait(40)
    anna.dial("47", "c1")
    assert bruno.of("invitesdp")
    anna.say("sip-bye", callid="c1")
    lab.wait(21)
    assert "47" not in lab.pbx.snapshot()["registered"]
    assert user_states(anna, "47")[-1]["registered"] is False
    anna.dial("47", "c2")
    assert anna.codes[-1] == 480


def test_registration_can_be_lost_silently() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    before = len(bruno.frames)
    lab.do(lambda now: lab.pbx.lose_registration(now, "47"))
    assert bruno.frames[before:] == [], "without a word to it"
    assert user_states(anna, "47")[-1]["registered"] is False
    anna.dial("47")
    assert anna.codes == [480]
    bruno.say("sip-register", useragent="x")
    anna.dial("47", "c2")
    assert bruno.of("invitesdp")


def test_a_socket_is_a_phone_of_its_own() -> None:
    lab = Lab()
    one, other = lab.client("46"), lab.client("46")
    assert lab.pbx.snapshot()["registered"] == {"46": 2}
    one.close()
    assert lab.pbx.snapshot()["registered"] == {"46": 1}
    other.close()
    assert lab.pbx.snapshot()["registered"] == {}


# --- sockets ---------------------------------------------------------------------------------------------------------


def test_a_silent_socket_is_dropped() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    for _ in range(4):
        lab.wait(30)
        anna.say("avoid-disconnect")
    assert (anna.closed, bruno.closed) == (False, True)
    assert [effect.why for effect in lab.media_of(e.CloseSocket)] == ["silent"]
    assert list(lab.pbx.snapshot()["sockets"]) == [anna.name]
    lab.wait(SILENT_SOCKET + 1)
    assert anna.closed


def test_drop_socket_and_closed_are_idempotent() -> None:
    lab = Lab()
    anna = lab.client("46")
    lab.do(lambda now: lab.pbx.drop_socket(now, anna.name))
    assert anna.closed
    assert lab.pbx.closed(lab.now, anna.name) == []
    assert lab.pbx.frame(lab.now, anna.name, "{}") == []


def test_time_never_goes_back() -> None:
    lab = Lab()
    anna = lab.client("46")
    lab.wait(50)
    lab.pbx.frame(0.0, anna.name, '{"action": "sip-register"}')
    lab.pbx.tick(lab.now + 1)
    assert "46" in lab.pbx.snapshot()["registered"]


def test_the_same_seed_gives_the_same_frames() -> None:
    def told() -> list[Any]:
        lab = Lab()
        anna, bruno = conversation(lab)
        anna.dial(number("cancel-crosses-answer"), "c9")
        return anna.frames + bruno.frames

    assert told() == told()
