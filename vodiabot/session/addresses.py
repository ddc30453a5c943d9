"""The PBX's addresses out of `[pbx] url`, and its TLS settings."""

from __future__ import annotations

import ssl
from urllib.parse import quote, urlsplit

from ..config.model import PbxConfig
from ..errors import UsageError

_SECURE = {"https": True, "wss": True, "http": False, "ws": False}


def _split(url: str) -> tuple[bool, str]:
    """Whether it is a secure one, and what stands after the scheme. Raises UsageError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SECURE and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is none
        raise UsageError(f"[pbx] url {url!r} is not an address") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("[pbx] url has a user or a password in it: put them into [[extension]]")
    if not usable:
        raise UsageError(f"{url!r} is not an address of a PBX (https://…, wss://…, http://…, ws://…)")
    return _SECURE[parts.scheme], parts.netloc + parts.path.rstrip("/")


def login_url(pbx: PbxConfig) -> str:
    """Where one logs in (PROTOCOL.md section 1). Raises UsageError."""
    secure, rest = _split(pbx.url)
    return f"{'https' if secure else 'http'}://{rest}/rest/system/session"


def socket_url(pbx: PbxConfig, user: str, session: str | None = None) -> str:
    """The WebSocket [page]; `session` is put into the address where the PBX wants it there [live]."""
    secure, rest = _split(pbx.url)
    query = f"domain={quote(pbx.domain, safe='')}&user={quote(user, safe='')}"
    if session is not None:
        query += f"&session={quote(session, safe='')}"
    return f"{'wss' if secure else 'ws'}://{rest}/websocket?{query}"


def tls_context(pbx: PbxConfig) -> ssl.SSLContext | None:
    """None for plain addresses; verified unless `tls_verify = false`. Raises UsageError for a bad `ca_file`."""
    secure, _ = _split(pbx.url)
    if not secure:
        return None
    try:
        context = ssl.create_default_context(cafile=None if pbx.ca_file is None else str(pbx.ca_file))
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"[pbx] ca_file {pbx.ca_file}: {exc}") from exc
    if not pbx.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
