"""Keys of a real Chromium and the simulator: as telephone-events (RFC 4733), each of them once, and both ways."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .conftest import BEEPS, PhoneMaker
from .simulator import Simulator
from .softphone import Softphone

pytestmark = [pytest.mark.browser, pytest.mark.audio]

WATCH = """
window.watched = { inserted: [], peers: [] };
const insert = RTCDTMFSender.prototype.insertDTMF;
RTCDTMFSender.prototype.insertDTMF = function (tones, ...rest) {
  window.watched.inserted.push(tones);
  return insert.call(this, tones, ...rest);
};
window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(...given) {
    super(...given);
    window.watched.peers.push(this);
  }
};
"""
STATS = """async () => {
  const live = window.watched.peers.filter((peer) => peer.connectionState === "connected");
  const stats = [...(await live.at(-1).getStats()).values()];
  return stats.find((one) => one.type === "inbound-rtp");
}"""


def watched(phone: Softphone) -> Softphone:
    """A page that tells what it does with its peer connections."""
    phone.page.add_init_script(WATCH)
    return phone.sign_in()


def stats(phone: Softphone) -> dict[str, Any]:
    """Of what the page is sent in its call."""
    told: dict[str, Any] = phone.page.evaluate(STATS)
    return told


def digits(sim: Simulator, since: int) -> str:
    """All that was heard by the simulator since so many lines of its log."""
    told = (json.loads(line) for line in sim.lines[since:] if line.startswith("{"))
    return "".join(line["digit"] for line in told if line["event"] == "digit heard")


def wait_for_digits(phone: Softphone, sim: Simulator, since: int, count: int) -> str:
    """So many, or more if some count twice."""
    until = time.monotonic() + 15
    while len(digits(sim, since)) < count and time.monotonic() < until:
        phone.page.wait_for_timeout(50)
    phone.page.wait_for_timeout(500)  # one that is counted twice would come now
    return digits(sim, since)


@pytest.mark.parametrize("number", ["600", "608", "601"], ids=["tone", "dtmf", "echo"])
def test_each_key_of_the_page_is_heard_once(phone: PhoneMaker, sim: Simulator, number: str) -> None:
    anna = watched(phone("46"))
    since = len(sim.lines)
    anna.dial(number)
    anna.expect_talking()
    anna.key("1559*0#")
    assert wait_for_digits(anna, sim, since, 7) == "1559*0#"
    assert anna.page.evaluate("window.watched.inserted.length") == 7, "by telephone-event, not in-band"


def test_keys_that_are_typed_fast_are_all_heard(phone: PhoneMaker, sim: Simulator) -> None:
    anna = watched(phone("46"))
    since = len(sim.lines)
    anna.dial("600")
    anna.expect_talking()
    anna.page.keyboard.type("0123456789")
    assert wait_for_digits(anna, sim, since, 10) == "0123456789"


def test_keys_of_the_simulator_are_heard_in_the_page(phone: PhoneMaker) -> None:
    """Chromium plays the tones of the events that it gets."""
    anna = watched(phone("46"))
    anna.dial("608")
    anna.expect_talking()
    anna.heard(697)
    assert stats(anna)["packetsLost"] == 0


def test_keys_between_pages_disturb_no_audio(phone: PhoneMaker, sim: Simulator) -> None:
    anna, bruno = watched(phone("46")), watched(phone("47"))
    since = len(sim.lines)
    anna.dial("47")
    bruno.expect_ringing()
    bruno.answer()
    anna.expect_talking()
    bruno.expect_talking()
    bruno.heard(BEEPS["46"])
    anna.key("777")
    bruno.key("999")
    assert sorted(wait_for_digits(anna, sim, since, 6)) == sorted("777999")
    for one, other in ((anna, bruno), (bruno, anna)):
        one.heard(BEEPS[other.user])
        assert stats(one)["packetsLost"] == 0
