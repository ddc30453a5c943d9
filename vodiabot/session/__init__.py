"""The only owner of a socket: login, link (reader, writer, keepalive), supervisor (reconnect, backoff)."""

from .socket import HARD_LIMIT, MAX_FRAME, Connect, Socket
from .supervisor import Session
from .timers import SessionTimers

__all__ = ["HARD_LIMIT", "MAX_FRAME", "Connect", "Session", "SessionTimers", "Socket"]
