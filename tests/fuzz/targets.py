"""What takes bytes from outside, each as a function that must return, whatever they are. What it may raise by its
contract is caught here; all else is a finding."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vodiabot.config import parse
from vodiabot.errors import ConfigError, FrameError, SdpError
from vodiabot.media import rtcp, rtp
from vodiabot.media.audio import FRAME_SECONDS
from vodiabot.media.codecs import CODECS
from vodiabot.media.dtmf import DtmfDetector
from vodiabot.media.receiver import Payloads, Receiver
from vodiabot.media.sdp import clean_candidate, local_candidates, read_remote, write_local
from vodiabot.media.telephone_event import EventReceiver
from vodiabot.protocol import messages as m
from vodiabot.protocol.codec import decode, encode
from vodiabot.protocol.sdp_facts import direction_of, setup_of, transport_of
from vodiabot.protocol.steps import LegEnded, Send
from vodiabot.sim.config import parse as parse_sim

from ..media.test_sdp import CHROMIUM, OFFER
from ..protocol.script import brief
from ..protocol.test_decode_fuzz import check_types
from ..protocol.test_dialog_moves import STATES

FOUND = Path(__file__).parent / "found"
"""What was found, by target: each file is an input that once broke it."""


@dataclass(frozen=True)
class Target:
    """One entrance."""

    run: Callable[[bytes], None]
    watched: tuple[str, ...]
    """Modules whose branches guide the search."""
    seeds: tuple[bytes, ...] = field(default=(), repr=False)

    def __call__(self, data: bytes) -> None:
        self.run(data)


def _must(hold: bool) -> None:
    assert hold


# --- signalling ------------------------------------------------------------------------------------------------------


def codec(data: bytes) -> None:
    """A frame is a message of the right types, or a FrameError."""
    try:
        check_types(decode(data.decode("utf-8", "surrogateescape")))
    except FrameError as exc:
        _must(bool(str(exc)))


def dialog(data: bytes) -> None:
    """The first byte chooses a state, each line is a frame: the dialog never raises and ends at most once."""
    if not data:
        return
    states = list(STATES.values())
    leg = states[data[0] % len(states)]()
    told: list[str] = []
    for line in data[1:].split(b"\n")[:20]:
        try:
            message = decode(line.decode("utf-8", "replace"))
        except FrameError:
            continue
        steps = leg.dialog.receive(message, leg.now)
        for entry in message.calls if isinstance(message, m.CallState) else ():
            steps += leg.dialog.entry(entry, leg.now)
        leg.now += 0.5
        for step in (*steps, *leg.dialog.tick(leg.now)):
            told.append(brief(step))
            if isinstance(step, Send):
                encode(step.command)
    assert sum(line.startswith(LegEnded.__name__) for line in told) <= 1


def sdp(data: bytes) -> None:
    """What is made of a description is one that can be read again, and the same then; or it is an SdpError."""
    text = data.decode("utf-8", "replace")
    direction_of(text), setup_of(text), transport_of(text)
    local_candidates(text)
    for line in text.splitlines()[:20]:
        clean_candidate(line)
    for role in ("offer", "answer"):
        try:
            remote = read_remote(text, role)  # type: ignore[arg-type]
        except SdpError:
            continue
        again = read_remote(remote.text, role)  # type: ignore[arg-type]
        assert again.text == remote.text
        if role == "offer":
            write_local(remote.text, session_id=1, version=1, offer=remote)


# --- packets ---------------------------------------------------------------------------------------------------------


def _chunks(data: bytes) -> list[bytes]:
    """Packets of a stream: each with its length in front, one byte."""
    found, at = [], 0
    while at < len(data) and len(found) < 200:
        size = data[at]
        found.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    return found


def stream(data: bytes) -> None:
    """RTP as it comes: a piece of 20 ms is heard at each tick, whatever it was."""
    codecs = {0: CODECS["PCMU"], 8: CODECS["PCMA"], 9: CODECS["G722"], 111: CODECS["opus"]}
    receiver, keys, now = Receiver(Payloads(codecs, frozenset({101}))), EventReceiver(), 1000.0
    for datagram in _chunks(data):
        packet = rtp.parse(datagram, now)
        if packet is not None and packet.payload_type == 101:
            assert len(keys.feed(packet, 0)) <= 1
        if packet is not None:
            receiver.push(packet)
        now += 0.02
        samples = receiver.pull(now)
        assert samples is None or len(samples) == round(FRAME_SECONDS * receiver.rate)
    assert receiver.lost >= 0
    assert 0 <= receiver.depth(now) < 60
    receiver.close()


def reports(data: bytes) -> None:
    """RTCP: reports, or nothing."""
    for report in rtcp.parse(data):
        for block in report.blocks:
            rtcp.round_trip(block, 1_700_000_000.0)
        rtcp.build(report, "vodiabot")


def dtmf(data: bytes) -> None:
    """Any audio: keys, or none; the same however it is cut."""
    samples = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
    whole, parts = DtmfDetector(), DtmfDetector()
    found = whole.feed(samples) if len(samples) else ""
    assert found == "".join(parts.feed(samples[at : at + 160]) for at in range(0, len(samples), 160))


# --- configuration ---------------------------------------------------------------------------------------------------


def config(data: bytes) -> None:
    """A bot.toml, or errors that each name something."""
    try:
        parse(data.decode("utf-8", "replace"), env={})
    except ConfigError as exc:
        _must(bool(exc.problems) and all(problem.message for problem in exc.problems))


def sim_config(data: bytes) -> None:
    """A sim.toml, likewise."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(table, dict):
        try:
            parse_sim(table, file="sim.toml", base=Path())
        except ConfigError as exc:
            _must(bool(exc.problems))


# --- seeds -----------------------------------------------------------------------------------------------------------

FRAMES = (
    {"action": "sip-register", "expires": 60, "add": "sip:45@localhost"},
    {"invitesdp": OFFER, "callid": "c1", "cseq": 1, "from-user": "46", "to-user": "45"},
    {"sdp": OFFER, "callid": "c1", "cseq": 2, "code": 200},
    {"sdp": "", "callid": "c1", "code": 180},
    {"candidate": {"candidate": "candidate:1 1 UDP 1 192.0.2.1 5000 typ host", "sdpMid": "0"}, "callid": "c1"},
    {"bye": True, "callid": "c1", "cseq": 3},
    {"cancel": True, "callid": "c1", "cseq": 3, "code": 487},
    {"action": "call-state", "calls": [{"id": "c1", "state": "connected", "from-number": "46", "start": 1.5}]},
    {"action": "domain-state", "accounts": [{"account": "45", "calls": []}], "calls": [], "messages": []},
    {"action": "callerid", "callid": "c1", "name": "Ada", "number": "1"},
    {"response": "blind-transfer2", "callid": "c1", "code": 403},
)
FRAME_SEEDS = tuple(json.dumps(frame).encode() for frame in FRAMES)
BOT_TOML = b"""[pbx]
url = "wss://pbx.example.com"
domain = "example.com"
[[extension]]
user = "45"
password = { env = "P" }
[bot]
state_dir = "x"
drain_timeout = "30s"
[media]
codecs = ["opus"]
ice_servers = ["turn:a:b@c:1"]
[limits]
dial_allow = ["@domain", "5??"]
[plugins]
enabled = ["greeter"]
[plugin.greeter]
text = "x"
[[route]]
to = "*"
plugin = "greeter"
"""
SIM_TOML = {"domain": "x", "extension": [{"user": "45", "password": "b"}], "service": [{"number": "1", "kind": "tone"}]}


def _packet(payload_type: int, number: int, payload: bytes) -> bytes:
    packet = rtp.build(payload_type, number == 0, number, 160 * number, 7, payload)
    return bytes([len(packet)]) + packet


RTP_SEEDS = (
    b"".join(_packet(0, i, b"\xff" * 160) for i in range(5)),
    b"".join(_packet(111, i, b"\x08\x0b\xe4\xc1" * 5) for i in range(5)),
    b"".join(_packet(101, i, struct.pack("!BBH", 5, 10, 160 * i)) for i in range(5)),
)
RTCP_SEEDS = (
    rtcp.goodbye(7),
    bytes.fromhex("81c9000700000001" + "00000002" + "00000000" + "00000003" + "00000004" * 3),
)

TARGETS = {
    "codec": Target(codec, ("vodiabot.protocol",), FRAME_SEEDS),
    "dialog": Target(dialog, ("vodiabot.protocol",), tuple(bytes([i]) + b"\n".join(FRAME_SEEDS) for i in range(13))),
    "sdp": Target(sdp, ("vodiabot.media.sdp", "vodiabot.protocol.sdp_facts"), (OFFER.encode(), CHROMIUM.encode())),
    "stream": Target(
        stream,
        tuple(f"vodiabot.media.{name}" for name in ("rtp", "rtcp", "jitter", "receiver", "stretch", "telephone_event")),
        RTP_SEEDS,
    ),
    "reports": Target(reports, ("vodiabot.media.rtcp",), RTCP_SEEDS),
    "dtmf": Target(dtmf, ("vodiabot.media.dtmf",), (bytes(2000), bytes(range(256)) * 10)),
    "config": Target(config, ("vodiabot.config",), (BOT_TOML,)),
    "sim_config": Target(sim_config, ("vodiabot.sim.config",), (json.dumps(SIM_TOML).encode(),)),
}
