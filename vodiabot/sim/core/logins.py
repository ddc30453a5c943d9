"""`/rest/system/session`: the ways to log in (PROTOCOL.md section 1)."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import dataclass
from typing import Any

from ..config import SimConfig

TOKEN_LIFE = 10.0
"""Seconds for which an administrator's token is good, once."""

SESSIONS = 10_000
"""Sessions and tokens that are remembered; the oldest are forgotten first."""


@dataclass(frozen=True)
class Reply:
    """`value` is sent as JSON: a session id or token as a quoted string, or false. `cookie`: a session id to be set; ""
    removes it, None leaves it."""

    status: int
    value: Any
    cookie: str | None = None

    def __repr__(self) -> str:
        return f"Reply({self.status}, ***)"


REFUSED = Reply(403, False)


class Logins:
    """Sessions and tokens."""

    def __init__(self, config: SimConfig, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._sessions: dict[str, str] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._passwords = {e.user: e.password for e in config.extensions}
        self.refuse_next = 0
        """So many logins are refused, whatever they say."""

    def user_of(self, session: str | None) -> str | None:
        """Whose session it is."""
        return self._sessions.get(session or "")

    def request(
        self, method: str, body: Any, basic: tuple[str, str] | None, session: str | None, now: float
    ) -> Reply:
        """One request. Never raises, whatever the body is."""
        if method == "GET":
            user = self.user_of(session)
            return Reply(200, user if user else False)
        if method == "DELETE":
            self._sessions.pop(session or "", None)
            return Reply(200, True, "")
        if not isinstance(body, dict):
            return Reply(400, False)
        if self.refuse_next > 0:
            self.refuse_next -= 1
            return REFUSED
        match body.get("name"):
            case "auth":
                return self._auth(body.get("value"))
            case "3rd":
                return self._mint(body, basic, now)
            case "session":
                return self._redeem(body.get("value"), now)
        return Reply(400, False)

    def _auth(self, value: Any) -> Reply:
        name, _, secret = value.partition(" ") if isinstance(value, str) else ("", "", "")
        user, at, domain = name.partition("@")
        password = self._passwords.get(user)
        if password is None or (at and domain != self._config.domain):
            return REFUSED
        digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
        if not (_same(secret, password) or _same(secret.lower(), digest)):
            return REFUSED
        return self._open(user)

    def _mint(self, body: dict[str, Any], basic: tuple[str, str] | None, now: float) -> Reply:
        admin = self._config.admin
        if basic is None or basic[0] != admin.user or not _same(basic[1], admin.password):
            return Reply(401, False)
        user = body.get("username")
        if not isinstance(user, str) or user not in self._passwords or body.get("domain") != self._config.domain:
            return Reply(404, False)
        token = self._random()
        self._tokens[token] = (user, now + TOKEN_LIFE)
        _forget_oldest(self._tokens)
        return Reply(200, token)

    def _redeem(self, token: Any, now: float) -> Reply:
        user, until = self._tokens.pop(token, ("", 0.0)) if isinstance(token, str) else ("", 0.0)
        return self._open(user) if user and now <= until else REFUSED

    def _open(self, user: str) -> Reply:
        session = self._random()
        self._sessions[session] = user
        _forget_oldest(self._sessions)
        return Reply(200, session, session)

    def _random(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"


def _forget_oldest(remembered: dict[str, Any]) -> None:
    while len(remembered) > SESSIONS:
        del remembered[next(iter(remembered))]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
