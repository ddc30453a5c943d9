"""Does the other side still want our packets (RFC 7675)? aioice's question, asked with more patience.

aioice waits for half a second. A mobile network that is busy takes longer, for minutes: the audio is late, but it
flows, and half a minute later the call would have been lost. So the question is repeated after 0.5 and 1.5 s, and an
answer counts for 3.5 s.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import aioice.ice
from aioice import stun

logger = logging.getLogger(__name__)

REPEATED = 2
"""Times, by STUN's own pauses."""
DOUBTFUL = 2
"""Questions without an answer, of which the log tells: audio that does not arrive is seen in nothing else."""


def ask_patiently(connection: Any) -> None:
    """In place of the aioice connection's own `query_consent`."""

    async def query() -> None:
        # aioice closes and connects at the same time where a call is given up just as it comes up; then it begins to
        # ask for consent after it was closed, and would never end
        if not connection._closing:
            await _until_expired(connection)

    connection.query_consent = query


async def _until_expired(connection: Any) -> None:
    bound = aioice.ice.CONSENT_INTERVAL * aioice.ice.CONSENT_FAILURES
    while True:
        try:
            async with asyncio.timeout(bound):
                await _next_answer(connection)
        except TimeoutError:
            logger.info("ICE: no answer for %g s, consent is expired", bound)
            connection._query_consent_task = None
            await connection.close()
            return


async def _next_answer(connection: Any) -> None:
    """Asked each 5 s, spread by a fifth (RFC 7675, section 5.1)."""
    loop = asyncio.get_running_loop()
    began, missed = loop.time(), 0
    while True:
        pause = aioice.ice.CONSENT_INTERVAL * random.uniform(0.8, 1.2)
        await asyncio.sleep(max(0.0, began + pause - loop.time()))
        began = loop.time()
        if await _answered(connection):
            break
        missed += 1
        if missed == DOUBTFUL:
            logger.warning("the other side answers no more: it may not hear us; the audio is renewed if that goes on")
    if missed >= DOUBTFUL:
        logger.warning("the other side answers again")


async def _answered(connection: Any) -> bool:
    """On every pair that carries something: with multiplexed RTCP that is one."""
    for pair in list(connection._nominated.values()):
        try:
            await pair.protocol.request(
                connection.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=connection.remote_password.encode(),
                retransmissions=REPEATED,
            )
        except stun.TransactionError:
            return False
    return True
