"""The four ways to log in (PROTOCOL.md section 1)."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import trio

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, LoginRefused, UsageError
from .addresses import login_url, tls_context
from .names import Names, names_of_the_run
from .quiet import HTTP, unheard

NO_NAME = "its name could not be looked up in time: DNS does not answer"

PASSWORD = "is the password right?"

ADVICE = {
    404: "is [pbx] url right? There is no login at that address",
    405: 'is [pbx] login right? Older PBXs want "md5"',
    429: "it has had too many logins; it is tried again in a while",
}
"""What else a status says than that the password is wrong."""

LONGEST_BAN = 300.0
"""Seconds for which a PBX is believed that it wants no login; a bot that is away for longer is missed."""

Hide = Callable[[str], None]
"""Told every secret before it travels, so that no log shows it."""

_SESSION = re.compile(r"[!-:<-~]{1,4096}")
"""What can stand in a `Cookie` header: visible ASCII but the semicolon, and no header goes on for ever."""


NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL's versions say of an answer in plain text."""


class TooManyLogins(LoginRefused):
    """HTTP 429. `wait`: seconds for which the PBX wants none of us, None if it does not say; who comes sooner may have
    to wait for longer."""

    def __init__(self, text: str, wait: float | None) -> None:
        super().__init__(text)
        self.wait = wait


class Ticket(msgspec.Struct, frozen=True):
    """What a login gives. `repr` would show the session id, so it is never logged."""

    session: str
    server_header: str | None

    def __repr__(self) -> str:
        return f"Ticket(***, {self.server_header!r})"


async def log_in(pbx: PbxConfig, extension: ExtensionConfig, *, timeout: float, hide: Hide) -> Ticket:
    """A new login. `timeout`: seconds for each request.

    Raises LoginRefused (wrong credentials: trying again is useless), ConnectionLost, UsageError (bad address).
    """
    context, names, url = tls_context(pbx), names_of_the_run(), login_url(pbx)
    names.anew(urlsplit(url).hostname or "")
    verify: ssl.SSLContext | bool = True if context is None else context
    # httpcore leaves a socket open if it is cancelled in the middle of TLS: its own limit of that has to come first
    limits = httpx.Timeout(timeout, connect=timeout / 3)
    with unheard(HTTP):
        async with httpx.AsyncClient(verify=verify, timeout=limits, trust_env=False) as client:
            return await _ask(_Requests(client, url, extension.user, timeout, hide, names), pbx, extension, hide)


async def _ask(requests: _Requests, pbx: PbxConfig, extension: ExtensionConfig, hide: Hide) -> Ticket:
    if pbx.login == "token":
        return await _with_token(requests, pbx, extension)
    return await _with_password(requests, pbx, extension, hide)


async def _with_password(requests: _Requests, pbx: PbxConfig, extension: ExtensionConfig, hide: Hide) -> Ticket:
    secret = extension.password.reveal()
    hide(secret)
    method = "POST"
    if pbx.login == "md5":  # older PBXs [portal]
        secret = hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()
        hide(secret)
        method = "PUT"
    name = f"{extension.user}@{pbx.domain}" if pbx.domain else extension.user
    return await requests.ticket(method, {"name": "auth", "value": f"{name} {secret}"})


async def _with_token(requests: _Requests, pbx: PbxConfig, extension: ExtensionConfig) -> Ticket:
    if pbx.admin is None:
        raise LoginRefused('login = "token" needs [pbx] admin')
    asked = {"name": "3rd", "username": extension.user, "domain": pbx.domain}
    token = await requests.text("POST", asked, auth=(pbx.admin.user, pbx.admin.password.reveal()))
    return await requests.ticket("POST", {"name": "session", "value": token})


class _Requests:
    """Requests to the login address, with their failures translated."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, user: str, timeout: float, hide: Hide, names: Names
    ) -> None:
        self._client = client
        self._url = url
        self._user = user
        self._timeout = timeout
        self._hide = hide
        self._names = names

    async def ticket(self, method: str, body: dict[str, str]) -> Ticket:
        """A login: its session id, from the cookie or else from the answer."""
        answer = await self._request(method, body, None)
        # the answer's own cookies: the client's may hold those of the administrator, who minted the token
        cookies = [cookie.value for cookie in answer.cookies.jar if cookie.name == "session" and cookie.value]
        session = cookies[-1] if cookies else self._quoted(answer)
        self._hide(session)
        if not _SESSION.fullmatch(session):
            raise ConnectionLost(f"{self._url} gave a session id that can't be used")
        return Ticket(session, answer.headers.get("server"))

    async def text(self, method: str, body: dict[str, str], auth: tuple[str, str]) -> str:
        """A quoted string, such as a token."""
        self._hide(auth[1])
        text = self._quoted(await self._request(method, body, auth))
        self._hide(text)
        self._client.cookies.clear()  # the administrator's session is not ours
        return text

    async def _request(self, method: str, body: dict[str, str], auth: tuple[str, str] | None) -> httpx.Response:
        answer = await self._answer(method, body, auth)
        if 400 <= answer.status_code < 500:
            how = f"HTTP {answer.status_code}"
            refused = self._refused(how, by_admin=auth is not None, advice=ADVICE.get(answer.status_code, PASSWORD))
            raise TooManyLogins(str(refused), _retry_after(answer)) if answer.status_code == 429 else refused
        if not answer.is_success:
            raise ConnectionLost(f"{self._url} answered HTTP {answer.status_code}{_to_where(answer)}")
        if answer.text.strip() == "false":
            raise self._refused("it answered false", by_admin=auth is not None)
        return answer

    async def _answer(self, method: str, body: dict[str, str], auth: tuple[str, str] | None) -> httpx.Response:
        """Whole within the time: httpx's own limit starts anew with each byte."""
        try:
            with trio.fail_after(self._timeout):
                return await self._client.request(method, self._url, json=body, auth=auth)
        except (httpx.HTTPError, trio.TooSlowError, ssl.SSLError, OSError) as exc:
            telling = isinstance(exc, httpx.ProtocolError)  # it quotes what came, a cookie for example
            unnamed = isinstance(exc, httpx.ConnectTimeout) and self._names.hangs(urlsplit(self._url).hostname or "")
            raise ConnectionLost(f"{self._url}: {NO_NAME if unnamed else _plain(exc)}") from (None if telling else exc)
        except (httpx.InvalidURL, UnicodeError) as exc:  # a host name that can't be one
            raise UsageError(f"{self._url} is not an address: {exc}") from exc

    def _refused(self, how: str, *, by_admin: bool, advice: str = PASSWORD) -> LoginRefused:
        who = "the administrator" if by_admin else f"extension {self._user}"
        return LoginRefused(f"the PBX refused the login of {who} ({how}): {advice}")

    def _quoted(self, answer: httpx.Response) -> str:
        try:
            value: Any = json.loads(answer.text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, str) or not value:
            raise ConnectionLost(f"{self._url} did not answer a login as a PBX does")
        return value


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, as the PBX wishes (RFC 9110, section 10.2.3), within bounds."""
    said = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(said) if said.isdecimal() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_BAN, max(0.0, seconds))


def _to_where(answer: httpx.Response) -> str:
    """Of a redirect, which is not followed: a password goes where the configuration says, and nowhere else."""
    if not answer.has_redirect_location:
        return ""
    goal = httpx.URL(answer.headers["location"])  # httpx has read it before: one that is none is a ProtocolError
    return f", a redirect to {goal.scheme}://{goal.netloc.decode()}: should that be [pbx] url?" if goal.host else ""


def _plain(exc: BaseException) -> str:
    """One line for what a library raised; TLS's own words say most."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}); see [pbx] ca_file"
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return _of_tls(cause.reason)
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, httpx.ProtocolError):
        return "what it answers is not HTTP, or broke off"
    if isinstance(exc, httpx.TimeoutException | trio.TooSlowError):
        return "no answer in time"
    return str(exc) or type(exc).__name__


def _of_tls(reason: str) -> str:
    """OpenSSL's word for what it met, in words."""
    if reason in NO_TLS:
        return "what answers there speaks no TLS: is it http:// (or ws://), or another port?"
    return f"TLS failed ({reason.replace('_', ' ').lower()})"
