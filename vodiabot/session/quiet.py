"""Libraries whose own debug lines hold headers and addresses are not heard while secrets pass through them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

HTTP = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")
"""They tell what the PBX says, down to `Set-Cookie`, before we could know what of it has to be hidden."""

SOCKET = ("trio-websocket",)
"""It tells the address to which it connects, in which the session id may be."""


class _WarningsOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


@contextmanager
def unheard(names: tuple[str, ...]) -> Iterator[None]:
    """Within it these loggers let nothing below a warning through, whoever listens at whatever level."""
    mute = _WarningsOnly()
    for name in names:  # a filter holds for its very logger only, not for its children
        logging.getLogger(name).addFilter(mute)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(mute)
