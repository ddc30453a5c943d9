"""TLS: verified unless the configuration says otherwise, and one clear line for what is wrong with a certificate."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from vodiabot.errors import ConnectionLost, UsageError
from vodiabot.session import Session, SessionTimers
from vodiabot.session.addresses import tls_context
from vodiabot.session.handshake import open_websocket

from .kit import extension_config, pbx_config
from .stub import StubPbx, serving
from .test_sockets import session_at


class Authority(msgspec.Struct):
    """A CA of our own, and a server's certificate of it."""

    ca_file: Path
    context: ssl.SSLContext


def _certificate(
    subject: str, key: Any, issuer: x509.Name, signer: Any, *extensions: tuple[x509.ExtensionType, bool]
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority(folder: Path, host: str) -> Authority:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signing = x509.KeyUsage(*(name in (5, 6) for name in range(9)))
    ca = _certificate("A CA", ca_key, _name("A CA"), ca_key, (x509.BasicConstraints(True, None), True), (signing, True))
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    server = _certificate(host, key, ca.subject, ca_key, (names, False), (x509.BasicConstraints(False, None), True))
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + server.public_bytes(pem)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return Authority(folder / "ca.pem", context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return _authority(tmp_path_factory.mktemp("ca"), "localhost")


@asynccontextmanager
async def secure(authority: Authority) -> AsyncIterator[tuple[StubPbx, str]]:
    pbx = StubPbx()
    async with serving(pbx, context=authority.context) as port:
        yield pbx, f"https://localhost:{port}"


@pytest.mark.parametrize("scheme", ["https", "wss"])
async def test_a_ca_of_ones_own(scheme: str, authority: Authority) -> None:
    async with secure(authority) as (pbx, url):
        address = url.replace("https", scheme)
        async with session_at(pbx, url=address, ca_file=authority.ca_file) as (_, told):
            await told.until(lambda: told.turns == ["up"])


async def test_a_ca_that_is_unknown_is_one_clear_line_and_nothing_secret_travels(authority: Authority) -> None:
    with capture_logs() as logs:
        async with secure(authority) as (pbx, url), session_at(pbx, url=url) as (session, told):
            await told.until(lambda: session.trouble is not None)
            assert isinstance(session.trouble, ConnectionLost)
            line = str(session.trouble)
            assert "its certificate is not trusted" in line
            assert "ca_file" in line
            assert url in line
            assert "\n" not in line
            assert pbx.requests == []
    assert len([entry for entry in logs if "tried again" in entry["event"]]) == 1


async def test_a_certificate_for_another_name(authority: Authority, tmp_path: Path) -> None:
    other = _authority(tmp_path, "pbx.example.com")
    async with secure(other) as (pbx, url), session_at(pbx, url=url, ca_file=other.ca_file) as (session, told):
        await told.until(lambda: session.trouble is not None)
        assert "localhost" in str(session.trouble)
        assert pbx.requests == []


async def test_verification_that_is_switched_off(authority: Authority) -> None:
    async with secure(authority) as (pbx, url), session_at(pbx, url=url, tls_verify=False) as (_, told):
        await told.until(lambda: told.turns == ["up"])


async def test_the_websocket_is_verified_by_itself(authority: Authority) -> None:
    """Login and socket are two connections: the second has to look, too."""
    async with secure(authority) as (pbx, url):
        context = ssl.create_default_context()
        with pytest.raises(ExceptionGroup) as caught:
            async with open_websocket(
                url.replace("https", "wss") + "/websocket", [], context, timeout=10, max_message_size=1000
            ):
                pass
        assert caught.group_contains(ConnectionLost, match="certificate verify failed")
        assert pbx.upgrades == []


async def test_a_pbx_that_speaks_no_tls() -> None:
    pbx = StubPbx()
    timers = SessionTimers(answer=1)  # the stub waits for the end of a request, which a TLS greeting doesn't have
    async with serving(pbx) as port, session_at(pbx, url=f"https://localhost:{port}", timers=timers) as (session, told):
        await told.until(lambda: session.trouble is not None)
        assert isinstance(session.trouble, ConnectionLost)
        assert "\n" not in str(session.trouble)


async def test_a_port_that_answers_in_plain_text_is_told_as_that() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
        with pytest.raises(ConnectionLost) as caught:
            await Session(pbx_config(url), extension_config()).login_once()
        nursery.cancel_scope.cancel()
    assert f"{url}/rest/system/session: what answers there speaks no TLS: is it http://" in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_ca_file_that_is_none(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match="ca_file"):
        tls_context(pbx_config("https://pbx.example.com", ca_file=file))


async def test_a_bad_ca_file_is_told_and_the_bot_lives(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    session = Session(pbx_config("https://127.0.0.1:9", ca_file=tmp_path / "none.pem"), extension_config())
    with trio.move_on_after(100):
        await session.run()
    assert isinstance(session.trouble, UsageError)


def test_plain_addresses_have_no_tls() -> None:
    assert tls_context(pbx_config("http://pbx")) is None
    strict = tls_context(pbx_config("wss://pbx"))
    assert strict is not None
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert strict.check_hostname
