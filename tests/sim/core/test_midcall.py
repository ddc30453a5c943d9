"""Hold, resume, mute, recording, digits, audio that goes away, sockets that go away."""

from __future__ import annotations

import pytest

from tests.sim.core.kit import CHROMIUM, OFFER, Lab, config, conversation
from vodiabot.sim.core import effects as e
from vodiabot.sim.core.ending import RECLAIM

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])


@BOTH
@pytest.mark.parametrize("by", ["caller", "callee"])
def test_hold_is_music_for_the_other_and_silence_for_oneself(by: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab)
    ids = {anna: "c1", bruno: bruno.invite()["callid"]}
    holder, held = (anna, bruno) if by == "caller" else (bruno, anna)
    told = holder.say("wrtc-hold", callid=ids[holder], calldir=by, holdcmd="sendonly")
    assert not [frame for frame in told if "sdp" in frame], "a hold without SDP gets none"
    assert (lab.hears(ids[held]), lab.hears(ids[holder])) == ("music", "silence")
    states = [(c.entry() or {}).get("state" if dialect == "modern" else "callstate") for c in (holder, held)]
    assert states == ["holding", "onhold"]
    holder.say("wrtc-hold", holdcmd="sendrecv", calldir=by)  # no call-id: the newest
    assert (lab.hears(ids[held]), lab.hears(ids[holder])) == (holder.user, held.user)
    entry = anna.entry()
    assert entry is not None
    assert "connected" in entry.values()
    assert lab.logged("warning") == []


def test_both_hold() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.say("wrtc-hold", holdcmd="sendonly")
    bruno.say("wrtc-hold", holdcmd="sendonly")
    assert {leg["hears"] for leg in lab.legs} == {"silence"}
    anna.say("wrtc-hold", holdcmd="sendrecv")
    assert lab.hears("c1") == "music"


@BOTH
@pytest.mark.parametrize("by", ["caller", "callee"])
@pytest.mark.parametrize("useragent", [CHROMIUM, ""])
def test_the_page_resumes_with_a_new_peer_connection(by: str, useragent: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    anna, bruno = conversation(lab, useragent=useragent)
    holder, leg = (anna, "leg1") if by == "caller" else (bruno, "leg2")
    holder.say("wrtc-hold", holdcmd="sendonly", calldir=by)
    lab.do(lambda now: lab.pbx.news(now, e.MediaLost(leg, 1)))
    lab.wait(RECLAIM * 2)
    assert len(lab.legs) == 2, "a held leg needs no audio"
    told = holder.say("wrtc-hold", holdcmd="sendrecv", calldir=by, sdp={"type": "offer", "sdp": OFFER})
    assert lab.media_of(e.MakeAnswer)[-1] == e.MakeAnswer(leg, 2, OFFER)
    [answer] = [frame for frame in told if "sdp" in frame]
    assert answer["code"] == 200
    assert "setup:active" in answer["sdp"]
    assert all("candidate" not in frame for frame in told[: told.index(answer)])
    assert {leg["media_up"] for leg in lab.legs} == {True}


@pytest.mark.parametrize("useragent", [CHROMIUM, ""])
def test_who_is_held_may_be_told_by_an_offer(useragent: str) -> None:
    lab = Lab(config(hold_by_reoffer=True))
    anna, bruno = conversation(lab, useragent=useragent)
    before = len(lab.media_of(e.MakeOffer))
    anna.say("wrtc-hold", callid="c1", holdcmd="sendonly")
    if useragent:
        assert len(lab.media_of(e.MakeOffer)) == before, "a page may not be ready for it"
        return
    bruno.answer()
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv")
    bruno.answer()
    assert lab.media_of(e.MakeOffer)[before:] == [
        e.MakeOffer("leg2", 1, "sendonly"),
        e.MakeOffer("leg2", 1, "sendrecv"),
    ]
    assert not [frame for frame in anna.frames if "sdp" in frame]
    assert lab.hears(bruno.invite()["callid"]) == "46"
    assert lab.logged("warning") == []


def test_who_is_held_and_taken_back_at_once_is_told_both() -> None:
    lab = Lab(config(hold_by_reoffer=True))
    anna, bruno = conversation(lab)
    before = len(lab.media_of(e.MakeOffer))
    for command in ("sendonly", "sendrecv"):  # before bruno has answered the first offer
        anna.say("wrtc-hold", callid="c1", holdcmd=command)
    assert len(lab.media_of(e.MakeOffer)) == before + 1
    bruno.answer()
    bruno.answer()
    assert [offer.direction for offer in lab.media_of(e.MakeOffer)[before:]] == ["sendonly", "sendrecv"]


def test_candidates_of_a_peer_connection_that_is_gone_are_not_sent() -> None:
    lab = Lab(config("classic"), media=False)
    anna = lab.client("46")

    def media(*news: e.MediaNews) -> None:
        for one in news:
            lab.do(lambda now, one=one: lab.pbx.news(now, one))  # type: ignore[misc]

    anna.dial("600")
    media(e.AnswerReady("leg1", 1, "v=0\r\n"))
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    media(e.CandidateReady("leg1", 2, "candidate:second"))
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    media(e.AnswerReady("leg1", 3, "v=0\r\n"), e.CandidateReady("leg1", 3, "candidate:third"))
    assert anna.of("candidate") == ["candidate:third"]


def test_hold_before_the_pick_up_is_refused() -> None:
    lab = Lab()
    anna, _ = lab.client("46"), lab.client("47")
    anna.dial("47")
    anna.say("wrtc-hold", callid="c1", holdcmd="sendonly")
    assert "the call is" in lab.logged("warning")[-1]
    assert not lab.leg("c1")["held"]


def test_mute_is_silence_for_the_other_side() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    callee = bruno.invite()["callid"]
    anna.say("mute", callid="c1", muted=True)
    assert (lab.hears(callee), lab.hears("c1")) == ("silence", "47")
    anna.say("mute", callid="c1", muted="false")
    assert lab.hears(callee) == "46"


def test_recording_is_told_and_in_the_list() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    assert anna.say("rec-call", id="c1", startstop="on")[0] == {"action": "rec-start", "callid": "c1"}
    assert (bruno.entry() or {})["rec"] is True
    assert anna.say("rec-call", id=lab.calls[0]["id"], startstop="off")[0]["action"] == "rec-stop"
    assert (bruno.entry() or {})["rec"] is False


def test_digits_are_kept() -> None:
    lab = Lab()
    conversation(lab)
    for digit in "12#":
        lab.do(lambda now, digit=digit: lab.pbx.news(now, e.DigitHeard("leg1", digit)))  # type: ignore[misc]
    assert lab.pbx.digits_of("c1") == "12#"


def test_a_better_name() -> None:
    lab = Lab()
    anna, _ = conversation(lab)
    lab.do(lambda now: lab.pbx.name_caller(now, "c1", "Bruno B.", "47"))
    assert anna.frames[-1] == {"action": "callerid", "callid": "c1", "name": "Bruno B.", "number": "47"}


# --- audio that goes away --------------------------------------------------------------------------------------------


def test_a_call_whose_audio_does_not_come_back_ends() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    lab.do(lambda now: lab.pbx.news(now, e.MediaLost("leg1", 1)))
    lab.wait(RECLAIM - 0.1)
    assert len(lab.legs) == 2
    lab.wait(0.2)
    assert not lab.legs
    assert anna.of("bye") == bruno.of("bye") == ["true"]


def test_audio_that_comes_back_in_time_saves_it() -> None:
    lab = Lab()
    anna, _ = conversation(lab)
    lab.do(lambda now: lab.pbx.news(now, e.MediaLost("leg1", 1)))
    lab.wait(29)
    anna.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    lab.wait(29)
    lab.do(lambda now: lab.pbx.news(now, e.MediaLost("leg1", 2)))
    lab.wait(29)
    assert len(lab.legs) == 2, "each loss has its own time"


def test_audio_that_never_comes_ends_the_call() -> None:
    lab = Lab(config("classic"), media=False)
    anna = lab.client("46")
    anna.dial("600")
    lab.do(lambda now: lab.pbx.news(now, e.AnswerReady("leg1", 1, "v=0\r\n")))
    assert lab.leg("c1")["state"] == "up"
    lab.wait(RECLAIM + 1)
    assert not lab.legs


# --- sockets that go away --------------------------------------------------------------------------------------------


def test_a_call_waits_for_its_client_to_come_back() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.close()
    lab.wait(RECLAIM - 1)
    assert lab.hears(bruno.invite()["callid"]) == "46", "its audio flows on"
    again = lab.client("46")
    lab.wait(60)
    assert len(lab.legs) == 2
    again.say("wrtc-hold", callid="c1", holdcmd="sendonly")
    assert lab.hears(bruno.invite()["callid"]) == "music"
    bruno.say("sip-bye")
    assert again.of("bye") == ["true"]
    assert not lab.legs


def test_a_call_whose_client_does_not_come_back_ends() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.close()
    other = lab.client("46", useragent=CHROMIUM)
    lab.wait(RECLAIM + 1)
    assert bruno.of("bye") == ["true"]
    assert not other.of("bye"), "another kind of client: not the one that had the call"
    assert not lab.legs


def test_of_two_clients_that_come_back_the_one_that_names_the_call_has_it() -> None:
    lab = Lab()
    anna, bruno = conversation(lab)
    anna.close()
    wrong, right = lab.client("46"), lab.client("46")
    wrong.say("sip-bye")
    assert "there is no call" in lab.logged("warning")[-1]
    right.say("mute", callid="c1", muted=False)
    bruno.say("sip-bye")
    assert (wrong.of("bye"), right.of("bye")) == ([], ["true"])


def test_a_call_is_where_its_client_speaks_of_it_though_the_old_socket_seems_to_live() -> None:
    """The client has another address now, and the old connection was not closed by anybody."""
    lab = Lab()
    anna, bruno = conversation(lab)
    moved = lab.client("46")
    moved.say("wrtc-hold", callid="c1", holdcmd="sendonly")
    assert lab.hears(bruno.invite()["callid"]) == "music"
    anna.close()
    lab.wait(RECLAIM + 1)
    assert len(lab.legs) == 2
    bruno.say("sip-bye")
    assert (anna.of("bye"), moved.of("bye")) == ([], ["true"])


def test_a_caller_that_waits_and_a_phone_that_rings_are_gone_with_their_sockets() -> None:
    lab = Lab()
    anna, bruno = lab.client("46"), lab.client("47")
    anna.dial("47")
    bruno.close()
    assert anna.codes[-1] == 480
    bruno = lab.client("47")
    anna.dial("47", "c2")
    anna.close()
    assert bruno.of("cancel")
    assert not lab.legs


def test_one_of_two_phones_is_gone_the_other_rings_on() -> None:
    lab = Lab()
    anna, desk, app = lab.client("46"), lab.client("47"), lab.client("47")
    anna.dial("47")
    desk.close()
    app.answer()
    assert {leg["user"] for leg in lab.legs} == {"46", "47"}
