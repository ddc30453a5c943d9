"""The doctor, against the real simulator in-process, with one fault after the other."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vodiabot import logs
from vodiabot.config import Config, parse
from vodiabot.config.model import SpeechConfig
from vodiabot.control import serve_control
from vodiabot.doctor import Check, Finding, examine, machine, machine_checks, media, media_checks, pbx, pbx_checks
from vodiabot.doctor.findings import failed, ok, warning
from vodiabot.sim.config import default
from vodiabot.sim.server import RunningSim, serve
from vodiabot.verbs.common import Connection
from vodiabot.verbs.doctor import doctor, lines

TOML = """
[pbx]
url = "{url}"
domain = "{domain}"
{more}
[[extension]]
user = "{user}"
password = "{password}"
[bot]
state_dir = "state"
[media]
codecs = ["PCMU"]
"""


@asynccontextmanager
async def simulator(**changes: object) -> AsyncIterator[RunningSim]:
    async with trio.open_nursery() as nursery:
        settings = replace(default(), **changes)  # type: ignore[arg-type]
        yield await nursery.start(partial(serve, settings, listen="127.0.0.1:0"))
        nursery.cancel_scope.cancel()


def toml(url: str, *, domain: str = "localhost", user: str = "45", password: str = "bot", more: str = "") -> str:
    return TOML.format(url=url, domain=domain, user=user, password=password, more=more)


def config(url: str, tmp_path: Path, **more: str) -> Config:
    return parse(toml(url, **more), file=str(tmp_path / "bot.toml"))


async def found(checks: list[Check]) -> dict[str, Finding]:
    return {finding.check: finding for finding in await examine(checks)}


async def of_pbx(config: Config, running: dict[str, bool] | None = None) -> dict[str, Finding]:
    return await found(pbx_checks(config, running or {}))


def states(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.state for name, finding in findings.items()}


# --- the whole -------------------------------------------------------------------------------------------------------


async def test_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as sim:
        (tmp_path / "bot.toml").write_text(toml(sim.url))
        assert await doctor(Connection(file=tmp_path / "bot.toml"), as_json=True) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["ok"] is True
    by_name = {finding["check"]: finding for finding in told["findings"]}
    for name in ("configuration", "versions", "libopus", "time zones", "disk", "DNS", "TCP", "clock", "login 45"):
        assert by_name[name]["state"] == "ok", by_name[name]
    for name in ("dialect", "session 45", "audio PCMU"):
        assert by_name[name]["state"] == "ok", by_name[name]
    assert "registered" in by_name["session 45"]["text"]
    assert by_name["ICE"]["state"] == "ok"


async def test_a_wrong_file_still_examines_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bot.toml").write_text('[pbx]\nurl = "gopher://x"\n')
    assert await doctor(Connection(file=tmp_path / "bot.toml"), as_json=False) == 1
    text = capsys.readouterr().out
    assert "FAILED   configuration" in text
    assert "pbx.url" in text
    assert "[[extension]]" in text
    assert "libopus" in text


async def test_no_secret_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as sim:
        text = toml(sim.url, password="not-the-password").replace(
            'codecs = ["PCMU"]', 'codecs = ["PCMU"]\nice_servers = ["turn:me:turn-secret@127.0.0.1:9"]'
        )
        (tmp_path / "bot.toml").write_text(text)
        assert await doctor(Connection(file=tmp_path / "bot.toml"), as_json=False) == 1
    printed = capsys.readouterr().out
    assert "not-the-password" not in printed
    assert "turn-secret" not in printed
    assert "turn:127.0.0.1:9" in printed
    assert "login 45" in printed


def test_lines_say_what_to_do() -> None:
    text = "\n".join(lines([ok("a", "fine"), warning("bcd", "hm", "do this"), failed("e", "bad", "do that")]))
    assert "WARNING  bcd  hm\n              → do this" in text
    assert text.endswith("1 failed, 1 warning")


async def test_one_check_hides_no_other(autojump_clock: trio.testing.MockClock) -> None:
    async def hangs(report: Callable[[Finding], None]) -> None:
        report(ok("first", "before"))
        await trio.sleep_forever()

    async def breaks(report: Callable[[Finding], None]) -> None:
        raise ZeroDivisionError

    async def fine(report: Callable[[Finding], None]) -> None:
        await trio.sleep(1)
        report(ok("third", "fine"))

    told = await examine([Check("first", hangs, 5), Check("second", breaks), Check("third", fine)])
    assert [(f.check, f.state) for f in told] == [
        ("first", "ok"), ("first", "failed"), ("second", "failed"), ("third", "ok")
    ]  # fmt: skip
    assert trio.current_time() < 6


# --- the way to the PBX ----------------------------------------------------------------------------------------------


async def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    told = await of_pbx(config("ws://nobody.invalid", tmp_path, domain="x"))
    assert states(told) == {
        "DNS": "failed", "TCP": "skipped", "TLS": "skipped", "clock": "skipped", "login": "skipped",
        "session": "skipped",
    }  # fmt: skip
    assert "spelled" in told["DNS"].advice


async def test_a_port_where_nobody_listens(tmp_path: Path, free_port: int) -> None:
    told = await of_pbx(config(f"ws://127.0.0.1:{free_port}", tmp_path))
    assert told["DNS"].state == "ok"
    assert told["TCP"].state == "failed"
    assert told["TCP"].text == f"127.0.0.1:{free_port}: Connection refused"
    assert told["login"].state == "skipped"


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "wrong", [{"password": "nonsense"}, {"user": "99"}, {"domain": "elsewhere.example.com"}], ids=str
)
async def test_a_login_that_is_refused(wrong: dict[str, str], tmp_path: Path) -> None:
    async with simulator() as sim:
        told = await of_pbx(config(sim.url, tmp_path, **wrong))
    user = wrong.get("user", "45")
    refused = next(f for f in told.values() if f.state == "failed")
    assert refused.check in (f"login {user}", f"session {user}")
    assert refused.advice


async def test_the_dialect(tmp_path: Path) -> None:
    async with simulator(dialect="classic") as sim:
        told = await of_pbx(config(sim.url, tmp_path))
        assert told["dialect"].text.startswith("classic, by Vodia-PBX/67")
    async with simulator(server_header="") as sim:
        assert (await of_pbx(config(sim.url, tmp_path)))["dialect"].state == "warning"
        forced = await of_pbx(config(sim.url, tmp_path, more='dialect = "modern"'))
        assert forced["dialect"].text == "modern, as configured"


async def test_a_registration_that_is_refused(tmp_path: Path) -> None:
    async with simulator() as sim:
        settings = config(sim.url, tmp_path)
        make = partial(pbx.Session, connect=_refusing)
        told = await found(pbx_checks(settings, {}, make))
    assert told["login 45"].state == "ok"
    assert told["session 45"].state == "failed"
    assert "closed for today" in told["session 45"].text


@asynccontextmanager
async def _refusing(*args: object) -> AsyncIterator[object]:
    raise pbx.ConnectionLost("closed for today")
    yield


async def test_beside_a_running_bot_nothing_is_registered(tmp_path: Path) -> None:
    async with simulator() as sim:
        told = await of_pbx(config(sim.url, tmp_path), {"45": True})
        assert told["session 45"].text == "up, at the bot that runs"
        assert sim.snapshot()["sockets"] == {}
        told = await of_pbx(config(sim.url, tmp_path), {"45": False})
        assert told["session 45"].state == "failed"


async def test_a_running_bot_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def answer() -> object:
        return {"pid": 7, "version": "9.9", "sessions": [{"extension": "45", "up": True}]}

    async with simulator() as sim, trio.open_nursery() as nursery:
        (tmp_path / "state").mkdir()
        await nursery.start(serve_control, tmp_path / "state", {"status": answer})
        (tmp_path / "bot.toml").write_text(toml(sim.url))
        assert await doctor(Connection(file=tmp_path / "bot.toml"), as_json=False) == 0
        nursery.cancel_scope.cancel()
    text = capsys.readouterr().out
    assert "process 7, version 9.9" in text
    assert "up, at the bot that runs" in text


# --- TLS -------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str, days: float) -> dict[str, str]:
    """Self-signed, of a name, for so many days from now (or until so many days ago)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}


CA = 'ca_file = "cert.pem"'


@pytest.mark.parametrize(
    ("name", "days", "more", "state", "text", "advice"),
    [
        ("localhost", 90, CA, "ok", "90 days", ""),
        ("localhost", 5, CA, "warning", "5 days", "renew"),
        ("localhost", -3, CA, "failed", "expired", "renew"),
        ("pbx.example.com", 90, CA, "failed", "mismatch", "a name that the certificate has"),
        ("localhost", 90, "", "failed", "self", "ca_file"),
        ("localhost", 90, "tls_verify = false", "warning", "any certificate is taken", "ca_file"),
    ],
)
async def test_certificates(
    name: str, days: float, more: str, state: str, text: str, advice: str, tmp_path: Path
) -> None:
    async with simulator(tls=certificate(tmp_path, name, days)) as sim:
        told = await of_pbx(config(f"wss://localhost:{sim.port}", tmp_path, more=more))
    assert told["TLS"].state == state, told["TLS"]
    assert text in told["TLS"].text.lower()
    assert advice in told["TLS"].advice
    assert told["login" if state == "failed" else "login 45"].state == ("skipped" if state == "failed" else "ok")


async def test_no_tls_where_it_is_expected(tmp_path: Path) -> None:
    async with simulator() as sim:
        told = await of_pbx(config(f"wss://localhost:{sim.port}", tmp_path))
    assert told["TLS"].state == "failed"
    assert "ws://" in told["TLS"].advice


# --- the clock -------------------------------------------------------------------------------------------------------

AT = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "state", "text"),
    [
        ("Fri, 15 Jan 2027 08:00:00 GMT", "ok", "within 1 s"),
        ("Fri, 15 Jan 2027 08:00:29 GMT", "ok", "within 29 s"),
        ("Fri, 15 Jan 2027 08:05:00 GMT", "warning", "300 s behind the PBX"),
        ("Fri, 15 Jan 2027 07:00:00 GMT", "warning", "3600 s ahead of the PBX"),
        (None, "skipped", "does not tell"),
        ("yesterday", "skipped", "does not tell"),
    ],
)
def test_skew(header: str | None, state: str, text: str) -> None:
    finding = pbx.skew(header, AT)
    assert finding.state == state
    assert text in finding.text


# --- this machine ----------------------------------------------------------------------------------------------------


def test_a_state_dir_that_can_be_made(tmp_path: Path) -> None:
    [finding] = machine.disk(tmp_path / "a" / "b")
    assert finding.state in ("ok", "warning")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_state_dir_that_can_t_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    [finding] = machine.disk(tmp_path / "file" / "state")
    assert finding.state == "failed"
    assert f"uid {os.geteuid()}" in finding.advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_dir_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    [finding] = machine.disk(tmp_path)
    tmp_path.chmod(0o700)
    assert finding.state == "failed"


@pytest.mark.parametrize(
    ("free", "state"), [(10**12, "ok"), (machine.LITTLE_SPACE - 1, "warning"), (machine.TOO_LITTLE_SPACE - 1, "failed")]
)
def test_space(free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, free))
    [finding] = machine.disk(tmp_path)
    assert finding.state == state


def test_descriptors() -> None:
    assert machine.descriptors(30, 1024)[0].state == "ok"
    [finding] = machine.descriptors(1000, 1024)
    assert finding.state == "warning"
    assert "LimitNOFILE=20200" in finding.advice
    assert machine.descriptors(1000, -1)[0].state == "ok"


def test_who_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "flite").write_text("#!/bin/sh\necho Voices available: kal slt\n")
    (tmp_path / "flite").chmod(0o755)
    [finding] = machine.speech(speaking(tmp_path, 'provider = "flite"'))
    assert (finding.state, finding.text) == ("ok", "flite speaks")
    assert not (tmp_path / "state").exists()


def test_nobody_speaks_though_the_configuration_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = machine.speech(speaking(tmp_path, 'provider = "flite"'))
    assert finding.state == "failed"
    assert "flite" in finding.text


def test_nobody_speaks_and_nobody_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise machine.SpeechUnavailable("pip install 'vodiabot[speech]'")

    monkeypatch.setattr(machine.speech_of(SpeechConfig(), tmp_path).__class__, "provider", silent)
    [finding] = machine.speech(speaking(tmp_path, ""))
    assert finding.state == "skipped"
    assert "vodiabot[speech]" in finding.text


def speaking(tmp_path: Path, section: str) -> Config:
    return parse(toml("ws://localhost:1", more="") + f"[speech]\n{section}\n", file=str(tmp_path / "bot.toml"))


def test_libopus_that_is_missing_matters_where_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise machine.MediaError("libopus was not found")

    monkeypatch.setattr(machine, "library", missing)
    assert machine.opus(None)[0].state == "failed"
    assert machine.opus(config("ws://x.example", tmp_path))[0].state == "skipped"


def test_zones_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ZONES", ("UTC", "Mars/Olympus"))
    [finding] = machine.time_zones()
    assert finding.state == "failed"
    assert "Mars/Olympus" in finding.text


async def test_the_machine(tmp_path: Path) -> None:
    told = await found(machine_checks(config("ws://x.example", tmp_path)))
    assert "aiortc" in told["versions"].text
    assert told["libopus"].text.startswith("libopus 1.")
    assert set(states(told).values()) <= {"ok", "warning", "skipped"}


# --- audio -----------------------------------------------------------------------------------------------------------


async def test_a_stun_server_that_answers_and_one_that_does_not(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "SERVER_TIMEOUT", 0.5)
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server:
        await server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        async def answer() -> None:
            while True:
                request, address = await server.recvfrom(2048)
                await server.sendto(b"\x01\x01" + request[2:], address)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            servers = (f"stun:127.0.0.1:{port}", "turn:me:secret@192.0.2.1:3478", f"turns:127.0.0.1:{free_port}")
            settings = config("ws://x.example", tmp_path).media
            checks = media_checks(msgspec.structs.replace(settings, ice_servers=servers))
            told = await found([check for check in checks if check.name.startswith(("stun", "turn"))])
            nursery.cancel_scope.cancel()
    assert states(told) == {
        f"stun:127.0.0.1:{port}": "ok",
        "turn:192.0.2.1:3478": "failed",
        f"turns:127.0.0.1:{free_port}": "failed",
    }


@pytest.mark.parametrize(
    ("candidates", "servers", "state"),
    [
        ([("192.0.2.1", "host")], [], "ok"),
        ([], [], "failed"),
        ([("192.0.2.1", "host")], ["stun:s.example"], "warning"),
        ([("192.0.2.1", "host"), ("198.51.100.1", "srflx")], ["stun:s.example"], "ok"),
        ([("192.0.2.1", "host"), ("198.51.100.1", "srflx")], ["turn:a:b@s.example"], "warning"),
        ([("198.51.100.2", "relay")], ["stun:s.example", "turn:a:b@s.example"], "ok"),
    ],
)
def test_candidates(candidates: list[tuple[str, str]], servers: list[str], state: str) -> None:
    assert media._judge(candidates, servers).state == state


@pytest.mark.parametrize(("hz", "state"), [(1000.0, "ok"), (440.0, "failed"), (None, "failed")])
async def test_a_tone_is_known_by_its_frequency(
    hz: float | None, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hz is None:
        monkeypatch.setattr(media, "loudest", lambda path: None)
    else:
        monkeypatch.setattr(media, "tone", lambda asked, seconds: media_tone(hz, seconds))
    checks = media_checks(config("ws://x.example", tmp_path).media)
    told = await found([check for check in checks if "audio" in check.name])
    assert told["audio PCMU"].state == state


media_tone = media.tone


def test_hiding_does_not_need_the_log() -> None:
    redactor = logs.Redactor()
    redactor.hide("secret-1")
    assert redactor.clean("a secret-1 b") == "a *** b"


def test_hints_have_the_codes_of_openssl() -> None:
    assert ssl.OPENSSL_VERSION_INFO >= (1, 1, 1)
    assert set(pbx.HINTS) == {10, 18, 19, 20, 62, 64}
