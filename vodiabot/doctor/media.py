"""Audio: which ways ICE finds, and whether a tone comes through."""

from __future__ import annotations

import re
import secrets
import struct
import tempfile
import wave
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import numpy as np
import trio

from ..config.model import MediaConfig
from ..errors import VodiabotError
from ..media.bridge import MediaEngine, open_media
from ..media.bridged import BridgedLeg
from ..media.sources.generated import tone
from ..ports import MediaEvent, MediaUp
from .findings import Check, Finding, Report, failed, ok, warning

SERVER_TIMEOUT = 5.0
"""Seconds for a STUN or TURN server."""

STUN_TRIES = 5
"""UDP may lose some."""

HZ = 1000.0
SECONDS = 0.8
"""Of the tone that is listened to."""
HEARD_WITHIN = 15.0
"""Hz."""

_URL = re.compile(r"(stuns?|turns?):(?://)?(?:[^@]*@)?(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?")
_COOKIE = 0x2112A442


def media_checks(media: MediaConfig) -> list[Check]:
    """Each opens an engine of its own."""
    servers = [
        Check(f"{_shown(url)}", partial(_server, url), SERVER_TIMEOUT + 2) for url in dict.fromkeys(media.ice_servers)
    ]
    audio = [Check(f"audio {codec}", partial(_audio, codec), 20.0) for codec in media.codecs]
    return [Check("ICE", partial(_ice, media), 20.0), *servers, *audio]


# --- ICE -------------------------------------------------------------------------------------------------------------


async def _ice(media: MediaConfig, report: Report) -> None:
    async with open_media(codecs=media.codecs, ice_servers=media.ice_servers) as engine:
        leg = engine.open("doctor", lambda event: None)
        try:
            offer = await leg.make_offer(1)
        except VodiabotError as exc:
            report(failed("ICE", str(exc), "does this machine have a network address?"))
            return
        finally:
            await leg.aclose()
    report(_judge(re.findall(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ (\w+)", offer, re.M), media.ice_servers))


def _judge(candidates: Sequence[tuple[str, str]], servers: Sequence[str]) -> Finding:
    addresses = ", ".join(dict.fromkeys(f"{address} ({kind})" for address, kind in candidates))
    kinds = {kind for _, kind in candidates}
    wants_relay = any(url.startswith("turn") for url in servers)
    if not candidates:
        return failed("ICE", "no candidates: no audio can flow", "does this machine have a network address?")
    if wants_relay and "relay" not in kinds:
        return warning("ICE", f"{addresses}, but none by TURN", "check user and credential of [media] ice_servers")
    if any(url.startswith("stun") for url in servers) and not kinds & {"srflx", "relay"}:
        advice = "fine if the PBX is in this network; else check [media] ice_servers and the firewall (UDP out)"
        return warning("ICE", f"{addresses}, but none by STUN", advice)
    return ok("ICE", addresses)


async def _server(url: str, report: Report) -> None:
    name = _shown(url)
    found = _URL.fullmatch(url.strip())
    if found is None:
        report(failed(name, "is no ICE server", "mend [media] ice_servers"))
        return
    kind, host, port, transport = found.groups()
    address = host.strip("[]"), int(port or (5349 if kind.endswith("s") else 3478))
    advice = "is it spelled right, does it run, does a firewall stand between?"
    with trio.move_on_after(SERVER_TIMEOUT):
        try:
            if transport == "tcp" or kind.endswith("s"):
                await trio.aclose_forcefully(await trio.open_tcp_stream(*address))
            else:
                await _bind(*address)
        except OSError as exc:
            report(failed(name, str(exc.strerror or exc.__cause__ or exc), advice))
        else:
            report(ok(name, "answers"))
        return
    report(failed(name, f"no answer within {SERVER_TIMEOUT:g} s", advice))


async def _bind(host: str, port: int) -> None:
    """A STUN binding request (RFC 5389), which a TURN server answers as well. Raises OSError."""
    [(family, *_, address), *_] = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_DGRAM)
    transaction = secrets.token_bytes(12)
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as socket:
        await socket.connect(address)
        for _ in range(STUN_TRIES):
            await socket.send(struct.pack("!HHI", 0x0001, 0, _COOKIE) + transaction)
            with trio.move_on_after(SERVER_TIMEOUT / STUN_TRIES):
                while (await socket.recv(2048))[8:20] != transaction:
                    continue
                return
    await trio.sleep_forever()


def _shown(url: str) -> str:
    """Without user and password."""
    return re.sub(r"(:(?://)?)[^@]*@", r"\1", url, count=1)


# --- audio -----------------------------------------------------------------------------------------------------------


async def _audio(codec: str, report: Report) -> None:
    """A call of this machine with itself: codec, ICE, DTLS, SRTP, the audio path and its clock."""
    name = f"audio {codec}"
    advice = "is the loopback interface up, do UDP packets get through on this machine?"
    try:
        async with open_media(codecs=[codec]) as engine:
            hz = await _heard(engine)
    except VodiabotError as exc:
        report(failed(name, str(exc), advice))
        return
    if hz is None:
        report(failed(name, "nothing was heard", advice))
    elif abs(hz - HZ) > HEARD_WITHIN:
        report(failed(name, f"a tone of {HZ:g} Hz was heard as one of {hz:.0f} Hz", "please report it"))
    else:
        report(ok(name, f"a tone of {HZ:g} Hz came through"))


async def _heard(engine: MediaEngine) -> float | None:
    up = [trio.Event(), trio.Event()]
    async with AsyncExitStack() as stack:
        legs: list[BridgedLeg] = []
        for label, event in zip(("doctor a", "doctor b"), up, strict=True):
            legs.append(engine.open(label, partial(_note_up, event)))
            stack.push_async_callback(legs[-1].aclose)
        await legs[0].apply_answer(1, await legs[1].make_answer(1, await legs[0].make_offer(1)))
        for event in up:
            await event.wait()
        folder = await trio.to_thread.run_sync(lambda: stack.enter_context(tempfile.TemporaryDirectory()))
        path = Path(folder) / "heard.wav"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(legs[0].play, tone(HZ, 2 * SECONDS + 1))
            await legs[1].record(path, max_seconds=SECONDS + 0.5)
            nursery.cancel_scope.cancel()
        return await trio.to_thread.run_sync(loudest, path)


def _note_up(up: trio.Event, event: MediaEvent) -> None:
    if isinstance(event, MediaUp):
        up.set()


def loudest(path: Path) -> float | None:
    """Hz, of the last `SECONDS` of a recording; None if it is silent."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(float)
    samples = samples[-round(rate * SECONDS) :]
    if len(samples) == 0 or np.abs(samples).max() < 300:
        return None
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    return float(np.fft.rfftfreq(4 * len(samples), 1 / rate)[spectrum.argmax()])
