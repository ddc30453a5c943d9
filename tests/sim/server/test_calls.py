"""The simulated PBX from outside: real login, real socket, real audio, in both dialects."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import trio

from tests.sim.client import RATE, PhoneCall, Refused, level, log_in, open_phone, tone, wait_for
from tests.sim.server.test_dtmf import press
from vodiabot.sim.config import SimConfig, default
from vodiabot.sim.server import RunningSim, describe, serve
from vodiabot.sim.server.sdp import CODECS
from vodiabot.sim.server.tones import MUSIC_HZ

pytestmark = pytest.mark.audio

DIALECTS = ("modern", "classic")


@asynccontextmanager
async def simulator(dialect: str = "modern", **changes: Any) -> AsyncIterator[RunningSim]:
    config: SimConfig = replace(default(), dialect=dialect, **changes)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve, config, listen="127.0.0.1:0"))
        nursery.cancel_scope.cancel()


def phone(sim: RunningSim, user: str, **options: Any) -> Any:
    password = next(e.password for e in sim.config.extensions if e.user == user)
    return open_phone(sim.url, user, password, modern=sim.config.dialect == "modern", **options)


def number(sim: RunningSim, kind: str) -> str:
    return next(s.number for s in sim.config.services if s.kind == kind)


async def idle(sim: RunningSim) -> None:
    """All calls over, no audio left."""
    await wait_for(lambda: not sim.snapshot()["calls"] and not sim.snapshot()["media"], "no call left")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_tone_is_heard_in_each_codec(dialect: str, codec: str) -> None:
    async with simulator(dialect) as sim, phone(sim, "46", codecs=(codec,)) as anna:
        call = await anna.dial(number(sim, "tone"))
        await call.wait_answered()
        assert await call.hears_hz(1000)
        await call.hang_up()
        await idle(sim)


async def test_an_echo_comes_back_whole() -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        call = await anna.dial(number(sim, "echo"))
        await call.wait_answered()
        time = np.arange(RATE) / RATE
        sweep = (8000 * np.sin(2 * np.pi * (300 * time + 600 * time**2))).astype(np.int16)
        call.say(sweep)
        heard, _ = await call.hear(1.6)
        sent = sweep[1000:7000].astype(float)
        at = int(np.argmax(np.correlate(heard.astype(float), sent, "valid")))
        assert np.corrcoef(heard[at : at + 6000], sent)[0, 1] > 0.95


@asynccontextmanager
async def conversation(
    dialect: str = "modern", **options: Any
) -> AsyncIterator[tuple[RunningSim, PhoneCall, PhoneCall]]:
    """46 has called 47, and each says a tone: 700 Hz and 900 Hz, for half a minute."""
    async with simulator(dialect) as sim, phone(sim, "46", **options) as anna, phone(sim, "47") as bruno:
        outgoing = await anna.dial("47")
        incoming = await bruno.invitation()
        await incoming.ring()
        await incoming.answer()
        await outgoing.wait_answered()
        outgoing.say(tone(700, 30))
        incoming.say(tone(900, 30))
        assert await incoming.hears_hz(700)
        assert await outgoing.hears_hz(900)
        yield sim, outgoing, incoming


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_two_clients_hear_each_other_and_a_hang_up_ends_both(dialect: str) -> None:
    async with conversation(dialect, codecs=("opus",)) as (sim, outgoing, incoming):
        assert incoming.number == "46"
        await incoming.hang_up()
        await outgoing.wait_ended()
        await idle(sim)


@pytest.mark.parametrize("holder", ["caller", "callee"])
@pytest.mark.parametrize("page", [False, True], ids=["without sdp", "as the page"])
async def test_a_hold_is_music_for_the_other_side_and_resume_is_sound(holder: str, page: bool) -> None:
    async with conversation() as (_, outgoing, incoming):
        holding, held = (outgoing, incoming) if holder == "caller" else (incoming, outgoing)
        await (holding.hold_as_the_page() if page else holding.hold())
        await wait_for_music(held)
        await (holding.resume_as_the_page() if page else holding.resume())
        if page:
            holding.say(tone(700 if holder == "caller" else 900, 30))
        assert await held.hears_hz(700 if holder == "caller" else 900)
        assert await holding.hears_hz(900 if holder == "caller" else 700)


async def wait_for_music(call: PhoneCall) -> None:
    with trio.fail_after(10):
        while True:
            heard, rate = await call.hear(0.4)
            if level(heard, rate, MUSIC_HZ) > 500 and level(heard, rate, 700) + level(heard, rate, 900) < 200:
                return


async def test_a_transfer_takes_the_other_side_to_the_target() -> None:
    async with conversation() as (sim, outgoing, incoming), phone(sim, "48") as clara:
        await incoming.transfer("48")
        third = await clara.invitation()
        await incoming.wait_ended()
        await third.answer()
        third.say(tone(500, 30))
        assert await outgoing.hears_hz(500)
        assert await third.hears_hz(700)
        assert not outgoing.ended
        await outgoing.hang_up()
        await third.wait_ended()
        await idle(sim)


async def test_a_transfer_to_a_service_plays_it() -> None:
    async with conversation() as (sim, outgoing, incoming):
        await incoming.transfer(number(sim, "tone"))
        await incoming.wait_ended()
        assert await outgoing.hears_hz(1000)


async def test_the_first_of_several_phones_wins_and_the_others_are_cancelled() -> None:
    async with simulator() as sim, phone(sim, "46") as anna, phone(sim, "47") as desk, phone(sim, "47") as app:
        call = await anna.dial("47")
        at_desk, at_app = await desk.invitation(), await app.invitation()
        await at_app.answer()
        await at_desk.wait_ended()
        assert at_desk.cancelled
        await call.wait_answered()
        at_app.say(tone(900, 10))
        assert await call.hears_hz(900)


@pytest.mark.parametrize(("kind", "code"), [("busy", 486), ("reject", 603), ("codec-mismatch", 488)])
async def test_refusals_reach_the_caller(kind: str, code: int) -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        call = await anna.dial(number(sim, kind))
        await call.wait_ended()
        assert code in call.codes
        await idle(sim)


async def test_a_codec_that_the_pbx_does_not_speak_is_488() -> None:
    async with simulator("classic", codecs=("PCMA",)) as sim, phone(sim, "46", codecs=("opus",)) as anna:
        call = await anna.dial(number(sim, "tone"))
        await call.wait_ended()
        assert 488 in call.codes or "488" in call.reason


async def test_audio_can_stop_while_the_call_lives() -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        call = await anna.dial(number(sim, "media-stop"))
        await call.wait_answered()
        assert await call.hears_hz(1000)
        with trio.fail_after(10):
            while len((await call.hear(0.3))[0]):
                pass
        assert not call.ended
        await call.hang_up()
        await idle(sim)


async def test_digits_are_known_to_the_pbx() -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        call = await anna.dial(number(sim, "echo"))
        await call.wait_answered()
        call.say(np.concatenate([press(key, RATE) for key in "42#"]))
        await wait_for(lambda: sim.pbx.digits_of(call.call_id) == "42#", "three digits")


GARBAGE = (
    "",
    "{",
    "[]",
    "null",
    '"text"',
    "{}",
    '{"action": 5}',
    '{"action": "unheard-of"}',
    '{"action": "sdp-packet"}',
    '{"action": "sdp-packet", "to": "600", "sdp": "no description"}',
    '{"action": "sdp-packet", "to": {"a": 1}, "sdp": {"sdp": 7}}',
    '{"action": "ice-candidate", "candidate": {"candidate": "candidate:x y z"}}',
    '{"action": "wrtc-hold", "callid": "no such call"}',
    '{"action": "sip-bye"}',
    '{"action": "chat", "dest": null}',
    "[" * 20_000,
    '{"action": "\\ud800"}',
)


async def test_garbage_is_survived() -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        for text in GARBAGE:
            await anna.send_text(text)
        await anna.socket.send_message(b"\x00\x01")
        call = await anna.dial(number(sim, "tone"))
        await call.wait_answered()
        for text in GARBAGE:
            if "sip-bye" not in text:
                await anna.send_text(text)
        assert await call.hears_hz(1000)


@pytest.mark.parametrize("server_header", ["", "Vodia-PBX/69.5.3", None])
async def test_logins_over_http(server_header: str | None) -> None:
    """The four ways of PROTOCOL.md section 1, as far as HTTP goes."""
    path = "/rest/system/session"
    async with simulator(server_header=server_header) as sim, httpx.AsyncClient(base_url=sim.url) as http:
        answer = await http.post(path, json={"name": "auth", "value": "45 bot"})
        assert answer.cookies["session"] == answer.json()
        expected = {"": None, None: "Vodia-PBX/70.1"}.get(server_header, server_header)
        assert answer.headers.get("server") == expected
        digest = hashlib.md5(b"bot").hexdigest()
        assert isinstance((await http.put(path, json={"name": "auth", "value": f"45 {digest}"})).json(), str)
        assert (await http.post(path, json={"name": "auth", "value": "45 wrong"})).json() is False
        mint = {"name": "3rd", "username": "45", "domain": "localhost"}
        assert (await http.post(path, json=mint)).status_code == 401
        token = (await http.post(path, json=mint, auth=("admin", "admin"))).json()
        redeemed = await http.post(path, json={"name": "session", "value": token})
        assert redeemed.cookies["session"]
        assert (await http.post(path, json={"name": "session", "value": token})).status_code == 403


async def test_nothing_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        session = await log_in(sim.url, "45", "bot")
        with pytest.raises(Refused):
            await log_in(sim.url, "45", "a wrong secret")
        call = await anna.dial(number(sim, "tone"))
        await call.wait_answered()
    logged = "".join(capsys.readouterr())
    assert "login" in logged
    for secret in (session, "wrong secret", "demo", "ice-pwd"):
        assert secret not in logged


async def test_cancelling_in_the_middle_of_calls_leaves_nothing() -> None:
    process = psutil.Process()

    def held() -> tuple[int, list[str]]:
        names = [t.name for t in threading.enumerate() if t.name.startswith(("sim-", "audio"))]
        return len(process.net_connections("all")), names

    before = held()
    async with conversation() as (sim, _, _):
        assert sim.snapshot()["media"] == 2
        assert "sim-media" in held()[1]
    gc.collect()
    await wait_for(lambda: held() == before, "all sockets and threads gone")


async def test_after_the_calls_only_the_one_media_thread_is_left() -> None:
    def threads() -> list[str]:
        return sorted(t.name for t in threading.enumerate())

    async with simulator() as sim:
        before, sockets = threads(), len(psutil.Process().net_connections("udp"))
        async with phone(sim, "46") as anna:
            for _ in range(2):
                calls = [await anna.dial(number(sim, kind)) for kind in ("tone", "echo", "tone", "direct-200")]
                for call in calls:
                    await call.wait_answered()
                assert sim.snapshot()["media"] == 4
                for call in calls:
                    await call.hang_up()
                await idle(sim)
        assert threads() == before
        assert len(psutil.Process().net_connections("udp")) == sockets


async def test_what_is_printed_names_the_address_the_extensions_and_the_numbers() -> None:
    async with simulator() as sim:
        text = "\n".join(describe(sim))
        assert sim.url in text
        assert all(e.user in text for e in sim.config.extensions)
        assert all(s.number in text and s.kind in text for s in sim.config.services)
        assert "{" not in text


async def test_self_signed_tls_from_the_configuration() -> None:
    async with simulator(tls="self-signed") as sim:
        assert sim.url.startswith("https://")
        assert await log_in(sim.url, "45", "bot")


async def test_a_description_that_is_none_is_488() -> None:
    async with simulator("classic") as sim, phone(sim, "46") as anna:
        await anna.send(action="sdp-packet", to=number(sim, "no-answer"), callid="nonsense", sdp="v=0\r\n")
        await wait_for(lambda: any(f.get("code") == 488 for f in anna.frames), "the refusal")
        call = await anna.dial(number(sim, "tone"))
        await call.wait_answered()
        await call.hang_up()
        await idle(sim)
