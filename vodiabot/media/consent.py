"""Does the other side still want our packets (RFC 7675)? aioice's question, asked with more patience.

aioice waits for half a second. A mobile network that is busy takes longer, for minutes: the audio is late, but it
flows, and half a minute later the call would have been lost. So the question is repeated after 0.5 and 1.5 s, and an
answer counts for 3.5 s.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import socket
from collections.abc import Callable
from typing import Any

import aioice.ice
from aioice import stun

logger = logging.getLogger(__name__)

REPEATED = 2
"""Times, by STUN's own pauses."""
DOUBTFUL = 2
"""Questions without an answer, of which the log tells: where the PBX sends no reports, audio that does not arrive is
seen in nothing else."""

Doubt = Callable[[float | None], None]


def ask_patiently(connection: Any, doubt: Doubt = lambda answered: None) -> None:
    """In place of the aioice connection's own `query_consent`. `doubt` is told with each question that has no answer,
    from the second on, when the last answer came, and with None when there is one again, or a refusal; nothing of a
    side that has never answered."""

    async def query() -> None:
        # aioice closes and connects at the same time where a call is given up just as it comes up; then it begins to
        # ask for consent after it was closed, and would never end
        if not connection._closing:
            await _until_expired(connection, doubt)

    connection.query_consent = query


async def _until_expired(connection: Any, doubt: Doubt) -> None:
    bound = aioice.ice.CONSENT_INTERVAL * aioice.ice.CONSENT_FAILURES
    answered: float | None = None
    while True:
        try:
            async with asyncio.timeout(bound):
                answered = await _next_answer(connection, answered, doubt)
        except TimeoutError as exc:
            logger.info("ICE: %s", exc if exc.args else f"no answer for {bound:g} s, consent is expired")
            connection._query_consent_task = None
            await connection.close()
            return


async def _next_answer(connection: Any, last: float | None, doubt: Doubt) -> float:
    """When it came. Asked each 5 s, spread by a fifth (RFC 7675, section 5.1). Raises TimeoutError if none can come any
    more."""
    loop = asyncio.get_running_loop()
    began, missed = loop.time(), 0
    while True:
        pause = aioice.ice.CONSENT_INTERVAL * random.uniform(0.8, 1.2)
        await asyncio.sleep(max(0.0, began + pause - loop.time()))
        began = loop.time()
        try:
            await _answered(connection)
            break
        except stun.TransactionFailed:  # the question has arrived
            missed, last = missed + 1, None
            doubt(None)
        except stun.TransactionError:
            missed += 1
        if missed == DOUBTFUL:
            logger.warning("the other side answers no more: it may not hear us; the audio is renewed if that goes on")
        if missed >= DOUBTFUL and last is not None:
            doubt(last)
        if missed >= DOUBTFUL and _is_homeless(connection):
            raise TimeoutError("the address of this machine that the audio came from is gone")
    if missed >= DOUBTFUL:
        logger.warning("the other side answers again")
        if last is not None:
            doubt(None)
    return loop.time()


def _is_homeless(connection: Any) -> bool:
    """The machine has moved to another network: what our socket is bound to is no address of its own any more. Asked
    after two misses: by then the session is up from where it is now, and the PBX has not lost its patience yet."""
    for pair in connection._nominated.values():
        own = _own_address(pair.protocol.transport)
        if own is None:
            continue
        with socket.socket(socket.AF_INET6 if ":" in own[0] else socket.AF_INET, socket.SOCK_DGRAM) as another:
            try:
                another.bind((own[0], 0, *own[2:]))
            except OSError as exc:
                if exc.errno == errno.EADDRNOTAVAIL:
                    return True
    return False


def _own_address(transport: Any) -> Any:
    """Of the socket. By way of a TURN server `sockname` is an address of that server's, which no machine but it has."""
    to_turn = getattr(transport, "_TurnTransport__inner_protocol", None)
    return (to_turn.transport if to_turn is not None else transport).get_extra_info("sockname")


async def _answered(connection: Any) -> None:
    """On every pair that carries something: with multiplexed RTCP that is one. Raises stun.TransactionError."""
    for pair in list(connection._nominated.values()):
        await pair.protocol.request(
            connection.build_request(pair, nominate=False),
            pair.remote_addr,
            integrity_key=connection.remote_password.encode(),
            retransmissions=REPEATED,
        )
