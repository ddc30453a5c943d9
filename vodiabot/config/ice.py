"""`[media] ice_servers`: URLs, or tables as a browser takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .kinds import text
from .model import IceUrl
from .reading import ListOf, Spot, Table, Wrong, attempt, type_of
from .secrets import SecretAt, secret

_URL = re.compile(r"(stuns?|turns?):(?://)?(?:([^:@\s]+):([^@\s]*)@)?([^?@/\s]+)(\?transport=(?:udp|tcp))?")


@dataclass(frozen=True)
class IceServer:
    """One entry of the list, its password not read yet."""

    spot: Spot
    urls: tuple[str, ...]
    username: str = ""
    credential: SecretAt | None = None

    def resolve(self) -> Iterator[IceUrl]:
        """Its URLs with user and password in them; what can't be had is told."""
        found = self.credential.resolve() if self.credential else None
        if found is None:
            yield from map(IceUrl, self.urls if self.credential is None else ())
            return
        if "@" in found.reveal():
            (self.spot / "credential").complain("must not have @ in it")
            return
        for url in self.urls:
            kind, _, host = url.partition(":")
            yield IceUrl(f"{kind}:{self.username}:{found.reveal()}@{host.removeprefix('//')}")


def ice_server(value: object, spot: Spot) -> IceServer:
    """A URL, or `{ urls, username, credential }`."""
    if isinstance(value, str):
        return IceServer(spot, (_ice_url(value, spot),))
    if not isinstance(value, dict):
        raise Wrong(f"must be a URL or a table with urls, username and credential, not {type_of(value)}")
    read = _TABLE(value, spot)
    server = IceServer(spot, read.get("urls", ()), read.get("username", ""), read.get("credential"))
    if ("username" in value) != ("credential" in value):
        spot.complain("username and credential go together")
    if "credential" in value and any(url.startswith("stun") or "@" in url for url in server.urls):
        spot.complain("credentials are for turn: URLs that have none in them")
    return server


def _ice_url(value: object, spot: Spot) -> str:
    url = text(value, spot).strip()
    found = _URL.fullmatch(url)
    if found is None or (found[1].startswith("stun") and (found[2] or found[5])):
        raise Wrong('must be like "stun:host:port" or "turn:user:password@host:port"')
    return url


def _ice_urls(value: object, spot: Spot) -> tuple[str, ...]:
    if not isinstance(value, list):
        right, url = attempt(_ice_url, value, spot)
        return (url,) if right else ()
    return ListOf(_ice_url)(value, spot)


def _user_name(value: object, spot: Spot) -> str:
    if re.search(r"[:@\s]", text(value, spot)):
        raise Wrong("must not have :, @ or white space in it")
    return str(value)


_TABLE = Table({"urls": _ice_urls, "username": _user_name, "credential": secret}, required=("urls",))
