"""Where the simulator listens: the address, the socket, TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aioice.ice
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import ListenError, UsageError

BACKLOG = 128
CERTIFICATE_DAYS = 30
"""A self-signed certificate lives in memory only, as long as the simulator runs."""

WILDCARDS = ("", "0.0.0.0", "::")


def parse_listen(listen: str) -> tuple[str, int]:
    """`HOST:PORT`, `[HOST]:PORT`, `:PORT` (all interfaces) or `PORT` (this machine). Raises UsageError."""
    host, colon, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"can't listen on {listen!r}: it should be HOST:PORT, for example 127.0.0.1:8080")
    if not colon:
        return "127.0.0.1", int(port)
    return host.strip("[]") or "0.0.0.0", int(port)


def bind(host: str, port: int) -> trio.SocketListener:
    """A listening socket; port 0 takes a free one. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        why = "the port is in use" if exc.errno == errno.EADDRINUSE else exc.strerror or str(exc)
        raise ListenError(f"can't listen on {host}:{port}: {why}") from exc
    sock.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def local_addresses(host: str) -> list[str]:
    """The addresses under which a server that listens on `host` is reached."""
    if host not in WILDCARDS:
        return [host]
    return ["127.0.0.1", *aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=host == "::")]


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """From PEM files. Raises UsageError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"can't use the certificate {cert} with the key {key}: {exc}") from exc
    return context


def self_signed_context(host: str) -> ssl.SSLContext:
    """With a certificate of its own for this machine, that exists in files only while it is read."""
    names = ["localhost", "::1", "127.0.0.1", *local_addresses(host)]
    cert, key = _self_signed(list(dict.fromkeys(names)))
    with tempfile.TemporaryDirectory(prefix="vodiabot-sim-") as folder:
        cert_file, key_file = Path(folder, "cert.pem"), Path(folder, "key.pem")
        key_file.touch(mode=0o600)
        cert_file.write_bytes(cert)
        key_file.write_bytes(key)
        return tls_context(str(cert_file), str(key_file))


def _self_signed(names: list[str]) -> tuple[bytes, bytes]:
    """Certificate and key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vodiabot simulator")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
