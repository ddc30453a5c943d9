"""Clients' session descriptions made fit for aiortc, and aiortc's made fit for clients. Pure text.

What aiortc trips over (a payload type without rtpmap, a missing mid or setup, video sections, mDNS candidates) is not
patched line by line: the one audio section is written anew from what is understood of it, and the rest is left out.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

CODECS = ("opus", "G722", "PCMU", "PCMA")
"""What the simulated PBX can speak, in the order in which its own offers prefer them."""

_RTPMAPS = {"opus": "opus/48000/2", "G722": "G722/8000", "PCMU": "PCMU/8000", "PCMA": "PCMA/8000"}
_EVENT = "telephone-event"
EVENTS = {8000: "101", 48_000: "102"}
"""Rate of telephone-events (RFC 4733) to the payload type that our own offers give them."""
_CLOCKS = {"opus": 48_000}
"""Of the RTP timestamps, where they aren't 8000 Hz."""
_STATIC = {"0": "PCMU", "8": "PCMA", "9": "G722"}
"""Payload types that need no rtpmap (RFC 3551)."""

_KEPT = re.compile(
    r"a=(ice-ufrag:\S+|ice-pwd:\S+|ice-lite|fingerprint:\S+ \S+|setup:\w+|rtcp-mux|candidate:.+)$"
)
_UNTOLD = ("a=candidate:", "a=end-of-candidates", "a=extmap:")
"""Header extensions are of no use here, and in a re-offer aiortc numbers them anew, which Chromium refuses."""
_INHERITED = re.compile(r"a=(ice-ufrag|ice-pwd|ice-lite|fingerprint|setup)\b")
_DIRECTION = re.compile(r"a=(sendrecv|sendonly|recvonly|inactive)$")
_RTPMAP = re.compile(r"a=rtpmap:(\d+) ([^/\s]+)/(\d+)")
_MID = re.compile(r"a=mid:(\S+)$")


class BadSdp(ValueError):
    """A description that can't be used; the message says why."""


@dataclass(frozen=True)
class Section:
    """One `m=` section as it came."""

    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        return self.lines[0][2:].split(" ", 1)[0]

    @property
    def port(self) -> str:
        return self._words[1]

    @property
    def payload_types(self) -> list[str]:
        return self._words[3:]

    @property
    def mid(self) -> str:
        """ "" if it has none."""
        return next((m[1] for line in self.lines if (m := _MID.match(line))), "")

    @property
    def _words(self) -> list[str]:
        words = self.lines[0].split()
        if len(words) < 4:
            raise BadSdp(f"not a media line: {self.lines[0][:80]!r}")
        return words


@dataclass(frozen=True)
class Remote:
    """A client's description, understood."""

    sdp: str
    """For aiortc: one audio section with a mid, without candidates that would block or end the search."""
    codecs: tuple[str, ...]
    """Those that both sides speak, as the client orders them."""
    payload_types: dict[str, str]
    """The client's number for each of them."""
    events: dict[int, str]
    """Rate of telephone-events that both sides take, to the client's payload type for them. aiortc knows nothing of
    them: they are not in `sdp`."""
    mid: str
    """The mid of the audio section as aiortc knows it."""
    index: int
    """Which of the client's sections it is, from 0."""
    sections: tuple[Section, ...]
    grouped: bool
    """The client bundles its audio section."""


def understand(text: str, kind: str, *, allowed: tuple[str, ...] = CODECS, mid: str = "0") -> Remote:
    """Read a client's `kind` ("offer" or "answer"); `mid` is what the section gets if it has none. Raises BadSdp."""
    session, sections = _split(text)
    index = _audio_index(sections)
    section = sections[index]
    codecs = _common_codecs(section, allowed)
    mid = mid if kind == "answer" else section.mid or mid
    return Remote(
        sdp=_join(["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *_audio(session, section, codecs, mid, kind)]),
        codecs=tuple(codecs.values()),
        payload_types={codec: number for number, codec in codecs.items()},
        events=_common_events(section, tuple(codecs.values())),
        mid=mid,
        index=index,
        sections=tuple(sections),
        grouped=bool(section.mid) and any(section.mid in _bundle(line) for line in session),
    )


@dataclass(frozen=True)
class Agreement:
    """What the first offer and answer of a peer connection settled: aiortc sends and understands only that, whatever
    later ones say, so these must not say anything else."""

    payload_types: tuple[str, ...]
    lines: tuple[str, ...]
    """rtpmap and extmap."""


_AGREED = ("a=rtpmap:", "a=extmap:")
_ABOUT_CODECS = (*_AGREED, "a=fmtp:", "a=rtcp-fb:")


def agreement(text: str) -> Agreement:
    """Of the answer, whoever gave it."""
    audio = _split(text)[1][0]
    return Agreement(
        tuple(audio.payload_types), tuple(line for line in audio.lines if line.startswith(_AGREED))
    )


def _keeping(audio: list[str], agreed: Agreement) -> list[str]:
    """An audio section with the payload types and extensions of old."""
    media = " ".join([*audio[0].split()[:3], *agreed.payload_types])
    return [media, *(line for line in audio[1:] if not line.startswith(_ABOUT_CODECS)), *agreed.lines]


def event_rates(codecs: tuple[str, ...]) -> set[int]:
    """The rates of telephone-events that go with these codecs: those of their timestamps (RFC 4733 section 2.1)."""
    return {_CLOCKS.get(codec, 8000) for codec in codecs}


def present(
    local: str,
    origin: str,
    remote: Remote | None = None,
    agreed: Agreement | None = None,
    events: dict[int, str] | None = None,
) -> str:
    """aiortc's description as the client gets it: without candidates, one `origin` ("ID VERSION") for the peer's life.

    `remote`: the client's last description, which may have more sections; each one that is not its audio is refused.
    `agreed`: what a new offer has to keep to. `events`: the telephone-events to be in it, rate to payload type.
    """
    session, sections = _split(local)
    audio = [line for line in sections[0].lines if not line.startswith(_UNTOLD)]
    audio[0] = re.sub(r"^m=audio \d+", "m=audio 9", audio[0])
    audio = ["c=IN IP4 0.0.0.0" if line.startswith("c=") else line for line in audio]
    if agreed is not None:
        audio = _keeping(audio, agreed)
    audio = _with_events(audio, events or {})
    head = [f"o=- {origin} IN IP4 0.0.0.0" if line.startswith("o=") else line for line in session]
    if remote is None:
        return _join([*head, *audio])
    if not remote.grouped:
        head = [line for line in head if not line.startswith("a=group:")]
    if not remote.sections[remote.index].mid:
        audio = [line for line in audio if not line.startswith("a=mid:")]
    body = [audio if i == remote.index else _refused(s) for i, s in enumerate(remote.sections)]
    return _join([*head, *(line for lines in body for line in lines)])


def renumbered(local: str, payload_types: dict[str, str]) -> str:
    """An offer of aiortc's with the payload types that were negotiated before: it numbers them anew in each offer, but
    goes on sending with the old ones."""
    maps = {m[1]: m[2] for line in local.splitlines() if (m := _RTPMAP.match(line))}
    numbers = {old: payload_types[name] for old, name in maps.items() if name in payload_types}
    lines = []
    for line in local.splitlines():
        if line.startswith("m=audio "):
            head, types = line.split()[:3], line.split()[3:]
            line = " ".join([*head, *(numbers.get(old, old) for old in types)])
        elif m := re.match(r"a=(rtpmap|fmtp|rtcp-fb):(\d+) (.*)", line):
            line = f"a={m[1]}:{numbers.get(m[2], m[2])} {m[3]}"
        lines.append(line)
    return _join(lines)


def candidates(local: str) -> list[str]:
    """aiortc's candidates, each as `candidate:…`."""
    return [line[2:] for line in local.splitlines() if line.startswith("a=candidate:")]


def usable_candidate(line: str) -> bool:
    """UDP, with an address: mDNS names would block for a second and are found as peer-reflexive anyway, and ICE over
    TCP is not spoken here."""
    words = line.split()
    if len(words) < 8 or words[2].lower() != "udp" or words[7] not in ("host", "srflx", "relay"):
        return False
    try:
        ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return words[3].isdecimal() and words[1].isdecimal() and words[5].isdecimal()


def _split(text: str) -> tuple[list[str], list[Section]]:
    session: list[str] = []
    sections: list[list[str]] = []
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("m="):
            sections.append([line])
        elif line:
            (sections[-1] if sections else session).append(line)
    if not sections or not session or not session[0].startswith("v="):
        raise BadSdp("not a session description")
    return session, [Section(tuple(lines)) for lines in sections]


def _join(lines: list[str]) -> str:
    return "\r\n".join(lines) + "\r\n"


def _bundle(line: str) -> list[str]:
    return line.split()[1:] if line.startswith("a=group:BUNDLE") else []


def _audio_index(sections: list[Section]) -> int:
    for index, section in enumerate(sections):
        if section.kind == "audio" and section.port != "0":
            return index
    raise BadSdp("no audio in it")


def _common_codecs(section: Section, allowed: tuple[str, ...]) -> dict[str, str]:
    """Payload type to codec, as the client orders them."""
    maps = {m[1]: (m[2].lower(), m[3]) for line in section.lines if (m := _RTPMAP.match(line))}
    known = {rtpmap.lower().split("/")[0]: (name, rtpmap.split("/")[1]) for name, rtpmap in _RTPMAPS.items()}
    found: dict[str, str] = {}
    for payload_type in section.payload_types:
        name, rate = maps.get(payload_type, (_STATIC.get(payload_type, "").lower(), "8000"))
        codec = known.get(name)
        if codec and codec[1] == rate and codec[0] in allowed and codec[0] not in found.values():
            found[payload_type] = codec[0]
    if not found:
        raise BadSdp("no codec in common")
    return found


def _common_events(section: Section, codecs: tuple[str, ...]) -> dict[int, str]:
    """Rate to payload type: those that go with the codecs, else what the client offers [guess: it will not mind]."""
    found: dict[int, str] = {}
    for line in section.lines:
        m = _RTPMAP.match(line)
        if m and m[2].lower() == _EVENT and m[1] in section.payload_types and int(m[3]) in EVENTS:
            found.setdefault(int(m[3]), m[1])
    rates = event_rates(codecs)
    return {rate: number for rate, number in found.items() if rate in rates} or found


def _with_events(audio: list[str], events: dict[int, str]) -> list[str]:
    """An audio section with telephone-events for all keys."""
    lines = [" ".join([audio[0], *events.values()]), *audio[1:]]
    for rate, number in events.items():
        lines += [f"a=rtpmap:{number} {_EVENT}/{rate}", f"a=fmtp:{number} 0-15"]
    return lines


def _audio(session: list[str], section: Section, codecs: dict[str, str], mid: str, kind: str) -> list[str]:
    own = [line for line in section.lines[1:] if _KEPT.match(line) and _is_usable(line)]
    inherited = [line for line in session if _KEPT.match(line) and _INHERITED.match(line)]
    lines = own + [line for line in inherited if not _named(own, line)]
    if not _named(lines, "a=fingerprint:"):
        raise BadSdp("no DTLS fingerprint: only WebRTC is spoken here")
    if not _named(lines, "a=setup:"):
        lines.append("a=setup:actpass" if kind == "offer" else "a=setup:active")
    direction = next((line for line in (*section.lines, *session) if _DIRECTION.match(line)), "a=sendrecv")
    return [
        f"m=audio 9 {section.lines[0].split()[2]} {' '.join(codecs)}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        direction,
        *lines,
        *(f"a=rtpmap:{payload_type} {_RTPMAPS[codec]}" for payload_type, codec in codecs.items()),
    ]


def _is_usable(line: str) -> bool:
    return not line.startswith("a=candidate:") or usable_candidate(line.removeprefix("a=candidate:"))


def _named(lines: list[str], like: str) -> bool:
    name = like.split(":", 1)[0]
    return any(line.split(":", 1)[0] == name for line in lines)


def _refused(section: Section) -> list[str]:
    words = section.lines[0].split()
    mid = [f"a=mid:{section.mid}"] if section.mid else []
    return [" ".join([words[0], "0", *words[2:]]), "c=IN IP4 0.0.0.0", *mid, "a=inactive"]
