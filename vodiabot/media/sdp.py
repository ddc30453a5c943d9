"""SDP between the wire and aiortc. Pure text in, pure text out.

`read_remote` comes before every `setRemoteDescription`, `write_local` after every `localDescription`. aiortc
raises exceptions of several kinds on descriptions that PBXs and browsers really send; so what it gets is
written anew from the few lines that it needs, each of them checked. What it does with the rest is never found
out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import SdpError

Role = Literal["offer", "answer"]

MAX_SDP_CHARS = 100_000
"""A browser's offer with video has about 8,000; more than this is no description."""
MAX_CANDIDATES = 64
"""Taken of one description; each costs a connectivity check a pair."""
INTERNAL_MID = "0"
"""The one mid that aiortc ever sees; the wire's own is put back in `write_local`."""

CLOCK_RATES = {"opus": 48000, "g722": 8000, "pcmu": 8000, "pcma": 8000}
RTPMAPS = {"opus": "opus/48000/2", "g722": "G722/8000", "pcmu": "PCMU/8000", "pcma": "PCMA/8000"}
STATIC_TYPES = {"0": "pcmu", "8": "pcma", "9": "g722"}
"""RFC 3551: good without an rtpmap."""
DYNAMIC_TYPES = range(96, 128)
"""aiortc keeps the other side's number only in this range."""
EVENT_TYPES = {8000: 101, 48000: 110}
"""Payload types of the telephone-events in our offers, by clock rate: the numbers that everybody takes."""
OPUS_FORMAT = "minptime=10;useinbandfec=1"
"""What we want to be sent: FEC where packets get lost (RFC 7587, section 6.1)."""
DIGESTS = {"sha-256", "sha-384", "sha-512"}
"""What aiortc can check; sha-1 alone would fail only in the handshake."""
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
SETUPS = ("actpass", "active", "passive")


@dataclass(frozen=True)
class Line:
    """One line of a description."""

    number: int
    """1-based."""
    text: str

    @property
    def attribute(self) -> tuple[str, str]:
        """`a=mid:0` → `("mid", "0")`; another line → `("", …)`."""
        name, _, value = self.text[2:].partition(":")
        return (name.strip(), value.strip()) if self.text.startswith("a=") else ("", self.text)

    def wrong(self, why: str) -> SdpError:
        """An error that names this line."""
        return SdpError(f"line {self.number} ({self.text[:80]!r}): {why}")


@dataclass
class Section:
    """The session's lines, or an m-line and those below it."""

    lines: list[Line] = field(default_factory=list)

    @property
    def head(self) -> Line:
        return self.lines[0]

    def find(self, name: str) -> Line | None:
        """The first attribute of that name."""
        return next((line for line in self.lines if line.attribute[0] == name), None)

    def value(self, name: str) -> str | None:
        line = self.find(name)
        return line.attribute[1] if line else None

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.attribute[0] == name]


@dataclass(frozen=True)
class MLine:
    """An m-line of the wire, as much of it as an answer has to repeat."""

    kind: str
    protocol: str
    formats: str
    mid: str
    """Empty if the wire has none."""


@dataclass(frozen=True)
class RemoteSdp:
    """A description of the other side, ready for aiortc, and what has to be known of the original."""

    text: str
    """What aiortc gets: one m-line."""
    m_lines: tuple[MLine, ...]
    audio_index: int
    """Which of `m_lines` is the audio that is used; the others are refused."""
    bundled: bool
    identity: tuple[str, ...]
    """ICE ufrag and pwd and DTLS fingerprints: where it changes there is a new peer connection on the
    other side."""
    codecs: tuple[str, ...]
    """Those of ours that it has, lower case, in its order."""
    events: Mapping[int, int]
    """Clock rate to payload type of its telephone-events (RFC 4733)."""
    direction: str

    @property
    def audio(self) -> MLine:
        return self.m_lines[self.audio_index]


# --- reading ------------------------------------------------------------------------------------------------


def read_remote(text: str, role: Role) -> RemoteSdp:
    """Normalise what the PBX sent. Raises SdpError (never anything else) that names the line and what is
    wrong."""
    session, medias = _sections(text)
    index, audio = _audio(medias)
    codecs = _codecs(audio)
    ice = [_credential(session, audio, name) for name in ("ice-ufrag", "ice-pwd")]
    prints = _fingerprints(session, audio)
    direction = next((d for s in (audio, session) for d in DIRECTIONS if s.find(d)), "sendrecv")
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {INTERNAL_MID}"]
    lines += ["a=ice-lite"] if session.find("ice-lite") or audio.find("ice-lite") else []
    lines += [f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(number for number, _ in codecs)}", f"a={direction}"]
    lines += [f"a=mid:{INTERNAL_MID}", "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux"]
    lines += [f"a=rtpmap:{number} {RTPMAPS[name]}" for number, name in codecs]
    lines += [f"a=ice-ufrag:{ice[0]}", f"a=ice-pwd:{ice[1]}", *(f"a=fingerprint:{p}" for p in prints)]
    lines += [f"a=setup:{_setup(session, audio, role)}"]
    lines += [f"a=candidate:{c}" for c in _candidates(audio)]
    bundle = next((line for line in session.all("group") if line.attribute[1].startswith("BUNDLE")), None)
    return RemoteSdp(
        text="\r\n".join(lines) + "\r\n",
        m_lines=tuple(_m_line(media) for media in medias),
        audio_index=index,
        bundled=bundle is not None,
        identity=(*ice, *prints),
        codecs=tuple(name for _, name in codecs),
        events=_events(audio),
        direction=direction,
    )


def _sections(text: str) -> tuple[Section, list[Section]]:
    if len(text) > MAX_SDP_CHARS:
        raise SdpError(f"a description of {len(text)} characters is too long")
    sections = [Section()]
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = Line(number, raw.strip(" \t\0"))
        if not line.text:
            continue
        if not re.match(r"[a-zA-Z]=", line.text):
            raise line.wrong("is no line of a session description")
        if line.text.startswith("m="):
            sections.append(Section())
        sections[-1].lines.append(line)
    first = sections[0].lines[0] if sections[0].lines else None
    if first is None or not first.text.startswith("v="):
        raise (first or Line(1, "")).wrong("a description begins with v=0")
    return sections[0], sections[1:]


_M_LINE = re.compile(r"m=([a-z]+) (\d{1,5})(?:/\d+)? ([A-Za-z0-9/.-]+)((?: [^\s]+)*)$", re.ASCII)


def _m_parts(media: Section) -> tuple[str, int, str, list[str]]:
    """Kind, port, protocol, formats of an m-line."""
    match = _M_LINE.match(re.sub(r"\s+", " ", media.head.text))
    if match is None or int(match[2]) > 65535:
        raise media.head.wrong("is no m-line (m=audio PORT PROTOCOL FORMATS)")
    return match[1], int(match[2]), match[3], match[4].split()


def _m_line(media: Section) -> MLine:
    kind, _, protocol, formats = _m_parts(media)
    return MLine(kind, protocol, " ".join(formats), media.value("mid") or "")


def _audio(medias: list[Section]) -> tuple[int, Section]:
    """The first audio that can be used. Raises SdpError on what is wrong with the one that can't."""
    found = [(i, media) for i, media in enumerate(medias) if _m_parts(media)[0] == "audio"]
    if not found:
        raise SdpError("the description has no m=audio line")
    index, media = next(((i, m) for i, m in found if _m_parts(m)[1]), found[0])
    _, port, protocol, _ = _m_parts(media)
    if not port:
        raise media.head.wrong("audio port 0: the audio was refused or switched off")
    if "SAVP" not in protocol.upper():
        raise media.head.wrong("plain RTP: only audio over DTLS-SRTP (UDP/TLS/RTP/SAVPF) can be used")
    if not media.find("rtcp-mux"):
        raise media.head.wrong("a=rtcp-mux is missing: RTCP on a port of its own can't be used")
    return index, media


_RTPMAP = re.compile(r"(\d{1,3})\s+([^/\s]+)/(\d{1,6})(?:/\d+)?", re.ASCII)


def _codecs(audio: Section) -> list[tuple[str, str]]:
    """Payload type and lower-case name of each codec of ours, in the order of the m-line. Raises SdpError
    if none."""
    maps = {m[1]: m for line in audio.all("rtpmap") if (m := _RTPMAP.match(line.attribute[1]))}
    found = [(number, _codec(number, maps.get(number))) for number in dict.fromkeys(_m_parts(audio)[3])]
    good = [(number, name) for number, name in found if name]
    if not good:
        raise audio.head.wrong("no codec that is known here (opus, PCMU, PCMA, G722)")
    return good


def _events(audio: Section) -> Mapping[int, int]:
    """By clock rate; the first of each."""
    found: dict[int, int] = {}
    for line in audio.all("rtpmap"):
        match = _RTPMAP.match(line.attribute[1])
        if match and match[2].lower() == "telephone-event" and int(match[1]) in DYNAMIC_TYPES:
            found.setdefault(int(match[3]), int(match[1]))
    return found


def _codec(number: str, rtpmap: re.Match[str] | None) -> str:
    """Lower-case name if it is a codec of ours, else empty."""
    if rtpmap is None:
        return STATIC_TYPES.get(number, "")
    name = rtpmap[2].lower()
    wide_g722 = name == "g722" and rtpmap[3] == "16000"  # a common misreading of RFC 3551
    if name not in CLOCK_RATES or (int(rtpmap[3]) != CLOCK_RATES[name] and not wide_g722):
        return ""
    return name if STATIC_TYPES.get(number) == name or int(number) in DYNAMIC_TYPES else ""


def _credential(session: Section, audio: Section, name: str) -> str:
    line = audio.find(name) or session.find(name)
    if line is None:
        raise audio.head.wrong(f"a={name} is missing: audio without ICE can't be used")
    if not re.fullmatch(r"[^\s]{1,256}", line.attribute[1]):
        raise line.wrong("is empty or has spaces")
    return line.attribute[1]


def _fingerprints(session: Section, audio: Section) -> list[str]:
    lines = audio.all("fingerprint") or session.all("fingerprint")
    if not lines:
        raise audio.head.wrong("a=fingerprint is missing: only audio over DTLS-SRTP can be used")
    for line in lines:
        if not re.fullmatch(r"[\w-]+\s+[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", line.attribute[1]):
            raise line.wrong("is no fingerprint")
    pairs = [line.attribute[1].split() for line in lines]
    good = [f"{name.lower()} {value.upper()}" for name, value in pairs if name.lower() in DIGESTS]
    if not good:
        raise lines[0].wrong(f"only {', '.join(sorted(DIGESTS))} can be checked")
    return good


def _setup(session: Section, audio: Section, role: Role) -> str:
    """The DTLS role of the other side. An answer's `actpass` (or none) is taken as `passive`, so that we
    are the active side, as classic PBXs mean it [live, PROTOCOL.md section 5]; an offer's missing one as
    `actpass`."""
    value = audio.value("setup") or session.value("setup") or ""
    if role == "offer":
        return value if value in SETUPS else "actpass"
    return value if value in ("active", "passive") else "passive"


def _candidates(audio: Section) -> list[str]:
    found = [clean_candidate(line.attribute[1]) for line in audio.all("candidate")]
    return [c for c in found if c][:MAX_CANDIDATES]


_CANDIDATE = re.compile(r"(\S{1,64}) (\d{1,3}) (\w+) (\d{1,10}) (\S+) (\d{1,5}) typ (\w+)", re.I | re.A)


def clean_candidate(text: str) -> str | None:
    """The part of a candidate that aiortc needs, without `candidate:`; None if it is of no use.

    Of no use are `.local` names (looking them up blocks for a second and the checks of the other side reach
    us without), TCP, components other than RTP, and what can't be read.
    """
    bare = re.sub(r"^(a=)?candidate:", "", " ".join(text.split()))
    match = _CANDIDATE.match(bare)
    if match is None or match[2] != "1" or match[3].lower() != "udp" or not 0 < int(match[6]) < 65536:
        return None
    if match[7].lower() not in ("host", "srflx", "relay") or not _is_address(match[5]):
        return None
    return f"{match[1]} 1 udp {match[4]} {match[5]} {match[6]} typ {match[7].lower()}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a zone means something on the other machine only


# --- writing ------------------------------------------------------------------------------------------------

_UNWANTED = ("end-of-candidates", "extmap", "mid", "group")
"""Candidates are trickled as well, so they have not ended; header extensions gain nothing with one audio
stream; mid and group are written anew."""


def write_local(text: str, *, session_id: int, version: int, offer: RemoteSdp | None = None) -> str:
    """What the PBX gets of aiortc's own description.

    `session_id` stays and `version` rises over all descriptions of a leg (RFC 3264 section 8; aiortc takes
    the clock). `offer` is what is being answered, None for an offer of ours: an answer has the offer's
    m-lines in their order, the refused ones with port 0, and names mids only if the offer did.
    """
    session, (audio,) = _sections(text)
    mid = offer.audio.mid if offer else INTERNAL_MID
    lines = [_session_line(line, session_id, version) for line in session.lines if _wanted(line)]
    if mid and (offer is None or offer.bundled):
        lines.append(f"a=group:BUNDLE {mid}")
    rest = [line.text for line in audio.lines[1:] if _wanted(line)]
    clocks = {int(m[3]) for line in audio.all("rtpmap") if (m := _RTPMAP.match(line.attribute[1]))}
    added = _added(offer, clocks)
    body = [_audio_head(audio.head, offer, added), *(text for text in rest if text.startswith("c="))]
    body += [*([f"a=mid:{mid}"] if mid else []), "a=ice-options:trickle"]
    body += [text for text in rest if not text.startswith("c=")]
    body += [f"a=rtpmap:{number} {name}" for number, name in added.items()]
    body += [f"a=fmtp:{n} 0-15" for n, name in added.items() if name.startswith("telephone-event")]
    body += [f"a=fmtp:{m[1]} {OPUS_FORMAT}" for t in rest if (m := re.match(r"a=rtpmap:(\d+) opus/", t))]
    body += ["a=ptime:20"]
    for index, m_line in enumerate(offer.m_lines if offer else ()):
        lines += body if offer and index == offer.audio_index else _refused(m_line)
    lines += [] if offer else body
    return "\r\n".join(lines) + "\r\n"


def _added(offer: RemoteSdp | None, clocks: set[int]) -> dict[int, str]:
    """What aiortc does not know and we do: telephone-events at the clock rates of our codecs. An answer has only what
    the offer had, by its numbers.

    Comfort noise is understood where it comes, and not asked for: with it, browsers take pauses, music and tones for
    noise and send that in their place."""
    events = EVENT_TYPES if offer is None else offer.events
    return {events[clock]: f"telephone-event/{clock}" for clock in sorted(events) if clock in clocks or clock == 8000}


def _session_line(line: Line, session_id: int, version: int) -> str:
    return f"o=- {session_id} {version} IN IP4 0.0.0.0" if line.text.startswith("o=") else line.text


def _wanted(line: Line) -> bool:
    name, value = line.attribute
    # One fingerprint, of the kind that everybody knows.
    return name not in _UNWANTED and (name != "fingerprint" or value.startswith("sha-256"))


def _audio_head(head: Line, offer: RemoteSdp | None, added: Mapping[int, str]) -> str:
    kind, port, protocol, formats = _m_parts(Section([head]))
    all_formats = " ".join([*formats, *map(str, added)])
    return f"m={kind} {port} {offer.audio.protocol if offer else protocol} {all_formats}"


def _refused(m_line: MLine) -> list[str]:
    mid = [f"a=mid:{m_line.mid}"] if m_line.mid else []
    head = f"m={m_line.kind} 0 {m_line.protocol} {m_line.formats or '0'}"
    return [head, "c=IN IP4 0.0.0.0", "a=inactive", *mid]


def local_candidates(text: str) -> Sequence[str]:
    """The candidates inside a description of ours, each as `candidate:…`."""
    lines = re.split(r"\r\n|\n", text)
    return [line[2:] for line in lines if line.startswith("a=candidate:")]
