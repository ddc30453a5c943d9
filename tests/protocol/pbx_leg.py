"""The PBX's end of one leg, small, from PROTOCOL.md sections 2 to 5 alone: it hears and says JSON objects.

It says what a PBX may say at any time, asked or not, and complains (AssertionError) of what no client may
say.
"""

from __future__ import annotations

from typing import Any, Literal

Frame = dict[str, Any]


def _sdp(name: str, setup: str, ufrag: str, direction: str = "sendrecv") -> str:
    return (
        f"v=0\r\ns={name}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na={direction}\r\n"
        f"a=ice-ufrag:{ufrag}\r\na=fingerprint:sha-256 {ufrag}\r\na=setup:{setup}\r\n"
    )


class PbxLeg:
    """One leg as the PBX sees it. `say` is its queue to the bot."""

    def __init__(self, dialect: Literal["classic", "modern"], *, incoming: bool) -> None:
        self.modern = dialect == "modern"
        self.incoming = incoming
        self.callid = "c1"
        self.say: list[Frame] = []
        self.called = incoming
        self.over = False
        self.answered = False
        """We have said that the call is answered (200, or connected)."""
        self.accepted = False
        """The bot's sdp-200ok for our invite is here."""
        self.bot_offer = False
        """An offer of the bot waits for an answer."""
        self.ufrag = 1
        self.cseq = 0
        self.offers: dict[int, bool] = {}
        """Descriptions of ours by cseq: was it answered? A bot that speaks the wrong dialect answers answers too; but
        it must not do so twice."""
        self.acks = 0
        self.described = False
        """The bot has sent a description, so its candidates may come."""

    # --- what it says ---------------------------------------------------------------------------------------

    def _say(self, **fields: Any) -> None:
        self.say.append({**fields, "callid": self.callid})

    def _offer(self, direction: str = "sendrecv") -> str:
        self.cseq += 1
        self.offers[self.cseq] = False
        return _sdp(f"offer{self.cseq}", "actpass", f"u{self.ufrag}", direction)

    def invite(self) -> None:
        self._say(invitesdp=self._offer(), cseq=self.cseq, **{"from": "<sip:46@dom>", "to": "<sip:45@dom>"})

    def rename(self) -> None:
        self.callid = "p9"

    def progress(self, code: int, *, with_sdp: bool) -> None:
        """180, 183 or 200: with an answer if classic, with an offer of its own if modern."""
        text = self._description() if with_sdp else ""
        self._say(sdp=text, code=code, cseq=self.cseq)
        self.answered = self.answered or code == 200

    def _description(self) -> str:
        if self.modern:
            return self._offer()
        self.cseq += 1
        self.offers[self.cseq] = False
        self.bot_offer = False
        return _sdp(f"answer{self.cseq}", "actpass", f"u{self.ufrag}")

    def refuse(self, code: int) -> None:
        self._say(sdp="", code=code, reason="no")

    def re_offer(self, direction: str, *, new: bool) -> None:
        self.ufrag += new
        self._say(sdp=self._offer(direction), cseq=self.cseq)

    def answer_bots_offer(self, setup: str) -> None:
        self.ufrag += 1
        self.cseq += 1
        self.offers[self.cseq] = False
        self._say(sdp=_sdp(f"answer{self.cseq}", setup, f"u{self.ufrag}"), cseq=self.cseq, code=200)
        self.bot_offer = False
        self.answered = True

    def candidate(self, line: str | None) -> None:
        self._say(candidate=line)

    def bye(self, code: int | None) -> None:
        self.over = True
        self._say(bye="true", cseq=99, **({"code": code} if code else {}))

    def cancel(self) -> None:
        self.over = True
        self._say(cancel="true")

    def response(self, code: int) -> None:
        self._say(response="x", code=code)

    # --- what it hears --------------------------------------------------------------------------------------

    def hear(self, frame: Frame) -> None:
        action = frame["action"].replace("-", "_")
        getattr(self, f"_hear_{action}")(frame)
        if action != "sdp_packet":
            assert frame.get("callid", frame.get("id")) in ("c1", self.callid), frame

    def _hear_sdp_packet(self, frame: Frame) -> None:
        assert not self.called, "a call is placed once"
        assert frame["sdp"]["type"] == "offer"
        self.called = self.bot_offer = self.described = True

    def _hear_sip_ringing(self, frame: Frame) -> None:
        assert self.incoming

    def _hear_sdp_200ok(self, frame: Frame) -> None:
        assert frame["sdp"]["type"] == "answer"
        assert frame["cseq"] in self.offers, "an answer to nothing"
        assert not self.offers[frame["cseq"]], "two answers to one offer"
        self.offers[frame["cseq"]] = True
        self.accepted = self.described = True

    def _hear_sip_ack(self, frame: Frame) -> None:
        self.acks += 1
        assert not self.incoming, "sip-ack by the caller only"
        assert self.acks == 1, "sip-ack once"

    def _hear_sip_busy(self, frame: Frame) -> None:
        assert self.incoming
        assert not self.accepted, "refused after it was accepted"
        self.over = True

    def _hear_sip_bye(self, frame: Frame) -> None:
        assert frame["caller"] == ("false" if self.incoming else "true")
        self.over = True

    def _hear_bye_response(self, frame: Frame) -> None:
        assert frame["cseq"] == 99

    def _hear_cancel_response(self, frame: Frame) -> None:
        return

    def _hear_ice_candidate(self, frame: Frame) -> None:
        assert self.described, "a candidate before any description"

    def _hear_wrtc_hold(self, frame: Frame) -> None:
        assert frame["calldir"] == ("callee" if self.incoming else "caller")
        self.bot_offer = "sdp" in frame

    def _hear_blind_transfer2(self, frame: Frame) -> None:
        assert frame["to"]

    def _hear_att_transfer(self, frame: Frame) -> None:
        assert frame["id2"]

    def _hear_mute(self, frame: Frame) -> None:
        assert isinstance(frame["muted"], bool)

    def _hear_rec_call(self, frame: Frame) -> None:
        assert frame["startstop"] in ("on", "off")
