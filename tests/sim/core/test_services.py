"""Each kind of service, in both dialects: what the caller is told and hears, and what is left on the PBX."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.core.kit import CHROMIUM, OFFER, Client, Lab, config, conversation, number
from vodiabot.sim.config import SERVICE_OPTIONS, Service
from vodiabot.sim.core import effects as e

BOTH = pytest.mark.parametrize("dialect", ["modern", "classic"])


def dial(lab: Lab, kind: str, *, answer: bool = True) -> Client:
    """46 dials the service, and answers the offer of a modern PBX."""
    client = lab.client("46")
    client.say("own-calls", subscribe=True)
    client.dial(number(kind) if kind in SERVICE_OPTIONS else kind)
    if answer and any(isinstance(sdp, dict) for sdp in client.of("sdp")):
        client.answer("c1")
    return client


def connected(client: Client) -> bool:
    """As call-state tells it, which is the only sign of a modern PBX."""
    entry = client.entry()
    return entry is not None and "connected" in (entry.get("state"), entry.get("callstate"))


def sdp_codes(client: Client) -> list[tuple[int, bool]]:
    """Code, and whether there was a description."""
    return [(frame["code"], bool(frame["sdp"])) for frame in client.frames if "sdp" in frame]


def gone(lab: Lab) -> bool:
    return not lab.legs and not lab.calls and bool(lab.media_of(e.CloseMedia))


@BOTH
@pytest.mark.parametrize(("kind", "heard"), [("tone", "tone 1000.0"), ("echo", "echo"), ("direct-200", "tone 1000.0")])
def test_answered_at_once(kind: str, heard: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, kind)
    assert connected(client)
    assert lab.hears("c1") == heard
    assert lab.leg("c1")["media_up"]
    expected = {
        ("classic", "direct-200"): [(200, True)],
        ("classic", "other"): [(180, False), (200, True)],
        ("modern", "direct-200"): [(200, True)],
        ("modern", "other"): [(183, True)],
    }
    assert sdp_codes(client) == expected[dialect, kind if kind == "direct-200" else "other"]
    client.say("sip-ack", callid="c1")
    client.say("sip-bye", callid="c1", caller="true")
    assert gone(lab)
    assert lab.logged("warning") == []


@BOTH
def test_play(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "play")
    assert lab.hears("c1").endswith("chime.wav")
    assert connected(client)


@BOTH
@pytest.mark.parametrize(
    ("kind", "code"), [("busy", 486), ("reject", 603), ("codec-mismatch", 488), ("refuse-transfer", 603)]
)
def test_refused(kind: str, code: int, dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, kind)
    assert sdp_codes(client) == [(code, False)]
    assert client.entry() is None
    assert gone(lab)


def test_reject_with_a_code_of_ones_own() -> None:
    lab = Lab(config("modern", Service("999", "reject", code=480)))
    assert sdp_codes(dial(lab, "999")) == [(480, False)]


@BOTH
def test_no_answer_rings_until_somebody_gives_up(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "no-answer")
    lab.wait(60)
    assert not connected(client)
    assert client.codes == [183 if dialect == "modern" else 180]
    client.say("sip-bye", callid="c1", caller="true")
    assert gone(lab)
    client.dial(number("no-answer"), "c2")
    for _ in range(4):
        lab.wait(25)
        client.say("avoid-disconnect")
    assert client.codes[-1] == 480
    assert gone(lab)


@BOTH
def test_ring_then_a_tone(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "ring")
    assert lab.hears("c1") == "ringback"
    lab.wait(2.9)
    assert not connected(client)
    lab.wait(0.2)
    assert connected(client)
    assert lab.hears("c1") == "tone 1000.0"
    assert client.codes == ([183] if dialect == "modern" else [180, 200])


@BOTH
@pytest.mark.parametrize("useragent", ["", CHROMIUM])
def test_early_media_then_a_tone(useragent: str, dialect: str) -> None:
    lab = Lab(config(dialect))
    client = lab.client("46", useragent=useragent)
    client.dial(number("early"))
    if dialect == "modern" and not useragent:
        client.answer("c1")
    assert lab.leg("c1")["media_up"], "before the pick-up"
    assert (lab.hears("c1"), lab.leg("c1")["state"]) == ("ringback", "proceeding")
    lab.wait(3.1)
    assert (lab.hears("c1"), lab.leg("c1")["state"]) == ("tone 1000.0", "up")
    expected = [(183, True), (200, not useragent)] if dialect == "classic" or useragent else [(183, True)]
    assert sdp_codes(client) == expected, "a browser gets its answer once, others find it again in the 200"


@BOTH
def test_early_then_busy(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "early-then-busy")
    assert lab.hears("c1") == "busy"
    lab.wait(2.1)
    assert sdp_codes(client) == [(183, True), (486, False)]
    assert gone(lab)


@BOTH
def test_the_cancel_crosses_the_answer(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "cancel-crosses-answer")
    assert client.codes == [480], "the call itself is refused; the number calls back"
    invite = client.invite()
    assert invite["from-number"] == number("cancel-crosses-answer")
    client.say("sip-ringing", callid=invite["callid"], cseq=invite["cseq"])
    assert not client.of("cancel")
    client.answer()
    assert [frame["callid"] for frame in client.frames if "cancel" in frame] == [invite["callid"]]
    assert gone(lab)
    assert lab.media_of(e.ApplyAnswer) == [], "it was not answered"
    client.say("cancel-response", callid=invite["callid"])
    assert lab.logged("warning") == []


def test_any_service_can_call_an_extension() -> None:
    lab = Lab()
    bot, app = lab.client("45"), lab.client("45")
    lab.do(lambda now: lab.pbx.call_in(now, number("bye"), "45"))
    assert bot.invite()["from-number"] == number("bye")
    bot.answer()
    assert app.of("cancel")
    assert lab.hears(bot.invite()["callid"]) == "tone 1000.0"
    lab.wait(2.1)
    assert bot.of("bye") == ["true"], "what the service does later, it does here too"


def test_a_service_that_calls_nobody() -> None:
    lab = Lab()
    lab.do(lambda now: lab.pbx.call_in(now, "600", "45"))
    assert not lab.calls
    assert "nobody to call" in lab.logged("warning")[0]
    with pytest.raises(KeyError):
        lab.pbx.call_in(0, "999", "45")


@BOTH
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("new_transport", [False, True])
def test_reoffer(new_transport: bool, held: bool, dialect: str) -> None:
    lab = Lab(config(dialect, Service("999", "reoffer", seconds=2, new_transport=new_transport)))
    client = dial(lab, "999")
    if held:
        client.say("wrtc-hold", callid="c1", holdcmd="sendonly", calldir="caller")
    before = len(client.frames)
    lab.wait(2.1)
    offers = [frame for frame in client.frames[before:] if "sdp" in frame]
    assert [(offer["sdp"]["type"], "code" in offer) for offer in offers] == [("offer", False)]
    assert lab.media_of(e.MakeOffer)[-1] == e.MakeOffer("leg1", 2 if new_transport else 1)
    client.answer("c1")
    assert lab.media_of(e.ApplyAnswer)[-1].peer == (2 if new_transport else 1)
    assert lab.leg("c1")["media_up"]
    assert lab.leg("c1")["held"] is held
    lab.wait(60)
    assert len(lab.legs) == 1, "once, and the call goes on"


def test_an_offer_that_is_not_answered_is_void_after_a_while() -> None:
    lab = Lab(config("modern", Service("999", "reoffer", seconds=1)))
    client = dial(lab, "999")
    lab.wait(1.1)
    client.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    assert lab.media_of(e.MakeAnswer) == [], "ours is out, so it wins"
    lab.wait(11)
    assert "not answered" in lab.logged("warning")[-1]
    client.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    assert lab.media_of(e.MakeAnswer) == [e.MakeAnswer("leg1", 2, OFFER)]
    assert [sdp for sdp in client.of("sdp") if sdp][-1].startswith("v=0")


@BOTH
def test_an_answer_that_is_being_made_comes_before_a_new_offer(dialect: str) -> None:
    """Not in its place: it would be taken for an offer, and the client's own would never be answered."""
    lab = Lab(config(dialect, Service("999", "reoffer", seconds=1)))
    client = dial(lab, "999")
    lab.media = False
    client.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    lab.wait(1.1)
    made = lab.media_of(e.MakeOffer)
    lab.do(lambda now: lab.pbx.news(now, e.AnswerReady("leg1", 2, "v=0\r\nthe answer\r\n")))
    told = client.frames[-1]
    assert ("the answer" in told["sdp"], told["code"]) == (True, 200)
    assert lab.media_of(e.MakeOffer) == made


@BOTH
def test_glare_on_hold_and_on_resume(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "glare")

    def offers(frames: list[dict[str, Any]]) -> int:
        return len([f for f in frames if isinstance(f.get("sdp"), dict) and f["sdp"]["type"] == "offer"])

    assert offers(client.say("wrtc-hold", callid="c1", holdcmd="sendonly")) == 1
    assert lab.leg("c1")["held"]
    client.answer("c1")
    told = client.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    assert offers(told) == 1
    assert lab.media_of(e.MakeOffer)[-1].peer == 2, "of a new transport, as the client's own"
    assert OFFER not in [answer.offer for answer in lab.media_of(e.MakeAnswer)[1 if dialect == "classic" else 0 :]]
    client.answer("c1")
    told = client.say("wrtc-hold", callid="c1", holdcmd="sendrecv", sdp=OFFER)
    assert offers(told) == 0, "two seconds later it is sent again, and taken"
    assert lab.media_of(e.MakeAnswer)[-1] == e.MakeAnswer("leg1", 3, OFFER)
    assert lab.hears("c1") == "tone 1000.0"
    assert lab.logged("warning") == []


@BOTH
def test_media_stop(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "media-stop")
    assert lab.hears("c1") == "tone 1000.0"
    lab.wait(2.1)
    assert lab.hears("c1") == "nothing"
    lab.wait(60)
    assert connected(client)
    client.say("sip-bye", callid="c1")
    assert gone(lab)


@BOTH
def test_bye(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "bye")
    assert connected(client)
    lab.wait(2.1)
    assert client.of("bye") == ["true"]
    assert client.entry() is None
    assert gone(lab)
    client.say("bye-response", callid="c1")
    lab.wait(10)
    assert lab.logged("warning") == []


# --- keys, silence and faults ----------------------------------------------------------------------------------------


@BOTH
def test_dtmf_presses_its_keys_after_the_answer_and_hears_keys(dialect: str) -> None:
    lab = Lab(config(dialect, Service("900", "dtmf", digits="42*", seconds=2.0)))
    client = dial(lab, "900")
    assert connected(client)
    assert lab.hears("c1") == "silence"
    lab.wait(1.9)
    assert lab.media_of(e.PressDigits) == []
    lab.wait(0.2)
    assert lab.media_of(e.PressDigits) == [e.PressDigits(lab.leg("c1")["id"], "42*")]
    for digit in "8#":
        lab.do(lambda now, digit=digit: lab.pbx.news(now, e.DigitHeard(lab.leg("c1")["id"], digit)))  # type: ignore[misc]
    assert lab.pbx.digits == {"c1": "8#"}
    lab.wait(10)
    assert len(lab.media_of(e.PressDigits)) == 1
    client.say("sip-bye", callid="c1", caller="true")
    assert lab.pbx.digits == {"c1": "8#"}, "also just after the call"
    lab.wait(100)
    assert lab.pbx.digits == {}


def test_dtmf_presses_nothing_in_a_call_that_is_over_or_goes_on_without_it() -> None:
    lab = Lab()
    client = dial(lab, "dtmf")
    client.say("sip-bye", callid="c1", caller="true")
    lab.wait(5)
    other = lab.client("47")
    other.dial(number("dtmf"), "c2")
    other.answer("c2")
    lab.do(lambda now: lab.pbx.hang_up(now, "c2"))
    lab.wait(5)
    assert lab.media_of(e.PressDigits) == []


@BOTH
def test_silent_is_answered_and_sends_no_packet(dialect: str) -> None:
    lab = Lab(config(dialect))
    client = dial(lab, "silent")
    assert connected(client)
    assert lab.hears("c1") == "nothing"
    lab.wait(60)
    assert connected(client)


SPOILT = Service("900", "tone", loss=3.0, jitter_ms=30.0, seed=7)


def faults(lab: Lab) -> list[tuple[float, float, int]]:
    return [(f.loss, f.jitter_ms, f.seed) for f in lab.media_of(e.SetFaults)]


@BOTH
def test_a_services_faults_are_those_of_its_callers(dialect: str) -> None:
    lab = Lab(config(dialect, SPOILT))
    client = dial(lab, "900")
    assert connected(client)
    assert faults(lab) == [(3.0, 30.0, 7)]
    plain = Lab(config(dialect))
    dial(plain, "tone")
    assert faults(plain) == []


def test_a_caller_that_is_transferred_to_another_number_is_spoilt_by_that() -> None:
    lab = Lab(config("modern", SPOILT))
    phone = lab.phone("47", answers_after=0.0)
    client = lab.client("46")
    client.dial("47")
    lab.wait(1)
    client.answer("c1")
    assert faults(lab) == []
    lab.do(lambda now: phone.transfer(now, "900"))
    assert faults(lab) == [(3.0, 30.0, 7)]


def test_a_lever_spoils_any_leg_and_takes_it_back() -> None:
    lab = Lab(config("modern", SPOILT))
    dial(lab, "900")
    lab.do(lambda now: lab.pbx.spoil(now, "c1", loss=50, seed=2))
    lab.do(lambda now: lab.pbx.spoil(now, "c1"))
    assert faults(lab) == [(3.0, 30.0, 7), (50, 0, 2), (0, 0, 0)]
    with pytest.raises(KeyError):
        lab.pbx.spoil(lab.now, "no such call")


def test_what_a_client_presses_is_pressed_for_the_other_side_if_that_hears_it() -> None:
    lab = Lab()
    one, other = conversation(lab)
    leg = other.invite()["callid"]

    def presses(call_id: str, *, apart: bool = True) -> list[str]:
        before = len(lab.media_of(e.PressDigits))
        heard = e.DigitHeard(lab.leg(call_id)["id"], "5", apart)
        lab.do(lambda now: lab.pbx.news(now, heard))
        return [effect.leg for effect in lab.media_of(e.PressDigits)[before:]]

    assert presses("c1") == [lab.leg(leg)["id"]]
    assert presses(leg) == [lab.leg("c1")["id"]]
    assert presses("c1", apart=False) == [], "it was heard with the rest"
    one.say("mute", callid="c1", muted=True)
    assert presses("c1") == []
    one.say("mute", callid="c1", muted=False)
    other.say("wrtc-hold", callid=leg, calldir="callee", holdcmd="sendonly")
    assert presses(leg) == presses("c1") == [], "one hears music, the other nothing"


def test_the_digits_of_a_leg_are_bounded() -> None:
    lab = Lab()
    dial(lab, "tone")
    leg = lab.leg("c1")["id"]
    for pressed in range(1500):
        lab.do(lambda now, key=str(pressed % 10): lab.pbx.news(now, e.DigitHeard(leg, key)))  # type: ignore[misc]
    assert lab.pbx.digits_of("c1") == "0123456789" * 100


def test_a_lever_presses_keys() -> None:
    lab = Lab()
    client = dial(lab, "tone")
    lab.do(lambda now: lab.pbx.press(now, "c1", "7"))
    assert lab.media_of(e.PressDigits) == [e.PressDigits(lab.leg("c1")["id"], "7")]
    client.say("sip-bye", callid="c1", caller="true")
    lab.do(lambda now: lab.pbx.press(now, "c1", "8"))
    assert len(lab.media_of(e.PressDigits)) == 1


def test_every_kind_has_a_number_in_the_default_configuration() -> None:
    assert {service.kind for service in config().services} == set(SERVICE_OPTIONS)
