"""The way to the PBX, step by step; a step that can't be taken ends it, and says so for those after it."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio
from cryptography import x509

from ..config.model import Config, ExtensionConfig
from ..dialect_memory import DialectMemory
from ..errors import ConnectionLost, LoginRefused, UsageError
from ..protocol.dialects import resolve
from ..session import Session
from ..session.addresses import login_url, tls_context
from .findings import Check, Finding, Report, failed, ok, skipped, warning

STEP = 10.0
"""Seconds for each step."""

DAYS_LEFT = 14
"""Of a certificate: below that it is about time."""

SKEW = 30.0
"""Seconds that the clocks may be apart. Log lines and wake-up calls suffer first."""

Up = Mapping[str, bool]
"""Sessions of a bot that runs: extension → whether it is up."""

MakeSession = Callable[..., Session]

HINTS = {
    10: "its certificate has expired: renew it at the PBX",
    18: "it is self-signed: name it in [pbx] ca_file",
    19: "its authority is not known here: name it in [pbx] ca_file",
    20: "its authority is not known here: name it in [pbx] ca_file",
    62: "use a name that the certificate has in [pbx] url, or get one for this name",
    64: "use a name that the certificate has in [pbx] url, or get one for this address",
}
"""OpenSSL's codes of verification (X509_V_ERR_…)."""


def pbx_checks(config: Config, running: Up, make_session: MakeSession = Session) -> list[Check]:
    """`running`: the sessions of the bot that runs, if one does: then nothing is registered beside it."""
    return [Check("PBX", partial(_Way(config, running, make_session).go), 8 * STEP)]


class _Stop(Exception):
    """No further on this way."""


class _Way:
    """From the name to the registration."""

    def __init__(self, config: Config, running: Up, make_session: MakeSession) -> None:
        self._config = config
        self._running = running
        self._make_session = make_session
        parts = urlsplit(config.pbx.url)
        self._host = parts.hostname or ""
        self._secure = parts.scheme in ("https", "wss")
        self._port = parts.port or (443 if self._secure else 80)

    async def go(self, report: Report) -> None:
        steps = {"DNS": self._dns, "TCP": self._tcp, "TLS": self._tls, "clock": self._clock}
        names = list(steps)
        for name, step in steps.items():
            try:
                with trio.fail_after(STEP):
                    report(await step())
            except (_Stop, trio.TooSlowError) as exc:
                slow = failed(name, "no answer in time", "look at the network")
                report(exc.args[0] if isinstance(exc, _Stop) else slow)
                for later in [*names[names.index(name) + 1 :], "login", "session"]:
                    report(skipped(later, f"not tried, as {name} failed"))
                return
        for extension in self._config.extensions:
            await self._extension(extension, report)

    # --- steps -------------------------------------------------------------------------------------------------------

    async def _dns(self) -> Finding:
        try:
            found = await trio.socket.getaddrinfo(self._host, self._port, type=trio.socket.SOCK_STREAM)
        except OSError as exc:
            advice = "is [pbx] url spelled right? Can this machine resolve names (/etc/resolv.conf)?"
            raise _Stop(failed("DNS", f"{self._host}: {exc.strerror or exc}", advice)) from exc
        return ok("DNS", f"{self._host} is {', '.join(dict.fromkeys(str(entry[4][0]) for entry in found))}")

    async def _tcp(self) -> Finding:
        place = f"{self._host}:{self._port}"
        began = time.perf_counter()
        try:
            stream = await trio.open_tcp_stream(self._host, self._port)
        except OSError as exc:
            why = _reason(exc)
            advice = "is the port in [pbx] url right, does the PBX run, does a firewall stand between?"
            raise _Stop(failed("TCP", f"{place}: {why}", advice)) from exc
        took = time.perf_counter() - began
        await trio.aclose_forcefully(stream)
        return ok("TCP", f"{place} takes connections, after {took * 1000:.0f} ms")

    async def _tls(self) -> Finding:
        if not self._secure:
            advice = "use wss:// if the PBX can: passwords and audio keys go over the wire in the clear"
            if self._host in ("localhost", "127.0.0.1", "::1"):
                return skipped("TLS", "not used, on this machine")
            return warning("TLS", "not used", advice)
        try:
            context = tls_context(self._config.pbx)
            certificate = await self._certificate(context)
        except UsageError as exc:
            raise _Stop(failed("TLS", str(exc), "mend [pbx] ca_file")) from exc
        except ssl.SSLCertVerificationError as exc:
            advice = HINTS.get(exc.verify_code, "get a certificate that is trusted, or name its authority in ca_file")
            raise _Stop(failed("TLS", f"the certificate is refused: {exc.verify_message}", advice)) from exc
        except (OSError, ssl.SSLError, trio.BrokenResourceError) as exc:
            cause = exc.__cause__ or exc
            if isinstance(cause, ssl.SSLCertVerificationError):
                advice = HINTS.get(cause.verify_code, "name its authority in [pbx] ca_file")
                raise _Stop(failed("TLS", f"the certificate is refused: {cause.verify_message}", advice)) from exc
            text = f"no TLS there: {getattr(cause, 'reason', None) or cause}"
            raise _Stop(failed("TLS", text, "is it ws:// and http:// there, or another port?")) from exc
        return self._judge(certificate)

    async def _certificate(self, context: ssl.SSLContext | None) -> x509.Certificate:
        tcp = await trio.open_tcp_stream(self._host, self._port)
        try:
            stream = trio.SSLStream(tcp, context, server_hostname=self._host, https_compatible=True)  # type: ignore[arg-type]
            await stream.do_handshake()
            return x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
        finally:
            await trio.aclose_forcefully(tcp)

    def _judge(self, certificate: x509.Certificate) -> Finding:
        days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
        text = f"the certificate is good for {days} days"
        if not self._config.pbx.tls_verify:
            text = f"any certificate is taken (tls_verify = false); this one has {days} days left"
            advice = "nobody would notice an attacker in between: name the authority in ca_file, and verify"
            return warning("TLS", text, advice)
        if days < DAYS_LEFT:
            return warning("TLS", text, "renew it at the PBX")
        return ok("TLS", text)

    async def _clock(self) -> Finding:
        context = tls_context(self._config.pbx)
        try:
            async with httpx.AsyncClient(verify=True if context is None else context, trust_env=False) as client:
                answer = await client.get(login_url(self._config.pbx), timeout=STEP)
        except (httpx.HTTPError, OSError, ssl.SSLError) as exc:
            text = f"no answer over HTTP: {exc or type(exc).__name__}"
            raise _Stop(failed("clock", text, "is it a PBX that listens there?")) from exc
        return skew(answer.headers.get("date"), time.time())

    # --- an extension ------------------------------------------------------------------------------------------------

    async def _extension(self, extension: ExtensionConfig, report: Report) -> None:
        name = f"login {extension.user}"
        session = self._make_session(self._config.pbx, extension)
        try:
            with trio.fail_after(2 * STEP):
                await session.login_once()
        except LoginRefused as exc:
            advice = f"check user, domain ({self._config.pbx.domain}) and password of [[extension]] {extension.user}"
            report(failed(name, str(exc), advice))
        except (ConnectionLost, UsageError, trio.TooSlowError) as exc:
            report(failed(name, str(exc) or "no answer in time", "is it a PBX that listens there?"))
        else:
            report(ok(name, f"the PBX takes it ({session.server_header or 'it does not say what it is'})"))
            report(self._dialect(session.server_header))
            report(await self._session(extension))
            return
        report(skipped(f"session {extension.user}", "not tried, as the login failed"))

    def _dialect(self, server_header: str | None) -> Finding:
        pbx = self._config.pbx
        memory = DialectMemory(self._config.bot.state_dir, f"{pbx.url} {pbx.domain}")
        known = resolve(pbx.dialect, server_header, None)
        if known is not None:
            told = "as configured" if pbx.dialect != "auto" else f"by {server_header}"
            return ok("dialect", f"{known.value}, {told}")
        if (remembered := memory.recall()) is not None:
            return ok("dialect", f"{remembered.value}, as a call has taught")
        return warning("dialect", "not known before the first call", "set [pbx] dialect if calls fail")

    async def _session(self, extension: ExtensionConfig) -> Finding:
        """The WebSocket, and the registration if one is wanted. One that is up is left alone: a second would take its
        calls for as long."""
        name = f"session {extension.user}"
        if extension.user in self._running:
            if self._running[extension.user]:
                return ok(name, "up, at the bot that runs")
            return failed(name, "down, at the bot that runs", "see its log, and `vodiabot status`")
        up, tried = trio.Event(), trio.Event()
        session = self._make_session(
            self._config.pbx, extension, on_up=lambda reason: up.set() or tried.set(), on_trouble=tried.set
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            with trio.move_on_after(2 * STEP):
                await tried.wait()
            trouble = session.trouble or "no answer in time"
            nursery.cancel_scope.cancel()
        if up.is_set():
            return ok(name, "registered" if extension.register else "connected")
        return failed(name, str(trouble), "may this extension register by WebRTC (its licence and its devices)?")


def skew(header: str | None, now: float) -> Finding:
    """Of the PBX's clock, by its `Date` header, which is in whole seconds."""
    try:
        then = parsedate_to_datetime(header or "").timestamp()
    except (TypeError, ValueError):
        return skipped("clock", "the PBX does not tell its time")
    apart = now - then
    if abs(apart) > SKEW:
        which = "ahead of" if apart > 0 else "behind"
        advice = "set both by NTP (timedatectl, and the PBX's own settings)"
        return warning("clock", f"this machine is {abs(apart):.0f} s {which} the PBX", advice)
    return ok("clock", f"within {max(1, round(abs(apart)))} s of the PBX's")


def _reason(exc: BaseException) -> str:
    """Of several tries, by address, the last one's."""
    cause: Any = exc.__cause__ or exc
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[-1]
    return os.strerror(cause.errno) if getattr(cause, "errno", None) else str(cause)
