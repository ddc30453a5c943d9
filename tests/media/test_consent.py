"""ICE consent on a way that is slow, dies, or comes back; in virtual time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import ice, stun, turn

from vodiabot.media import peer
from vodiabot.media.consent import ask_patiently

from .virtual import the_loop, virtually

KEY = "the other side's password"
FAR = ("192.0.2.1", 5000)


class Way(asyncio.DatagramTransport):
    """The other side answers after `round_trip` seconds, or not at all (None)."""

    def __init__(self, round_trip: float | None) -> None:
        super().__init__()
        self.round_trip = round_trip
        self.address = "127.0.0.1"
        self.kind = stun.Class.RESPONSE
        self.protocol: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.address, 5000) if name == "sockname" else default

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self.round_trip is not None:
            the_loop().call_later(self.round_trip, self._answer, stun.parse_message(data).transaction_id)

    def _answer(self, transaction: bytes) -> None:
        answer = stun.Message(stun.Method.BINDING, self.kind, transaction_id=transaction)
        answer.add_message_integrity(KEY.encode())
        self.protocol.datagram_received(bytes(answer), FAR)


class Connection:
    """As much of aioice's as consent needs. `lost_at`: when it was given up."""

    remote_password = KEY
    _closing = False
    query_consent: Any

    def __init__(self, way: Way) -> None:
        way.protocol = ice.StunProtocol(SimpleNamespace())  # type: ignore[arg-type]
        way.protocol.connection_made(way)
        self._nominated = {1: SimpleNamespace(protocol=way.protocol, remote_addr=FAR)}
        self._query_consent_task: Any = "running"
        self.lost_at: float | None = None
        ask_patiently(self)

    def build_request(self, pair: Any, nominate: bool) -> stun.Message:
        assert not nominate
        return stun.Message(stun.Method.BINDING, stun.Class.REQUEST)

    async def close(self) -> None:
        assert self._query_consent_task is None  # by that `peer` knows why
        self.lost_at = the_loop().time()


async def _lost(way: Way, seconds: float, **then: Any) -> float | None:
    """After how many seconds the consent was lost; `then`: what becomes of the way after so many seconds."""
    began, connection = the_loop().time(), Connection(way)
    for name, (after, value) in then.items():
        the_loop().call_later(after, setattr, way, name, value)
    asking = asyncio.ensure_future(connection.query_consent())
    await asyncio.sleep(seconds)
    asking.cancel()
    await asyncio.wait([asking])
    return None if connection.lost_at is None else connection.lost_at - began


@pytest.mark.parametrize("round_trip", [0.01, 0.6, 1.5, 3.0])
def test_a_slow_way_is_no_dead_one(round_trip: float) -> None:
    assert virtually(_lost(Way(round_trip), 600)) is None


def test_a_dead_one_is_given_up_30_seconds_after_the_last_answer() -> None:
    lost = virtually(_lost(Way(0.02), 600, round_trip=(60.0, None)))
    assert lost is not None
    assert 83 <= lost <= 90.1


def test_one_from_an_address_that_is_gone_is_given_up_after_two_questions() -> None:
    way = Way(0.02)
    way.address = "198.51.100.1"  # nobody's (RFC 5737), and so not ours either; as long as it is answered, be it so
    lost = virtually(_lost(way, 600, round_trip=(60.0, None)))
    assert lost is not None
    assert 64 <= lost <= 77


def test_one_that_is_back_in_time_is_not(caplog: pytest.LogCaptureFixture) -> None:
    way = Way(None)
    assert virtually(_lost(way, 600, round_trip=(24.0, 0.02))) is None
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 2
    assert "may not hear us" in told[0]
    assert "again" in told[1]


def test_the_way_by_a_turn_server_is_not_homeless() -> None:
    """Its `sockname` is an address of that server's."""
    way = Way(0.02)
    way.address = "198.51.100.1"
    inner = SimpleNamespace(transport=SimpleNamespace(get_extra_info=lambda name: ("127.0.0.1", 5000)))
    way._TurnTransport__inner_protocol = inner  # type: ignore[attr-defined]
    lost = virtually(_lost(way, 600, round_trip=(60.0, None)))
    assert lost is not None
    assert lost >= 83


def test_that_is_what_aioice_calls_it() -> None:
    transport = turn.TurnTransport(SimpleNamespace(mapped_address=None))  # type: ignore[arg-type]
    assert transport._TurnTransport__inner_protocol.mapped_address is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({}, set()),
        ({"first": (60.0, None)}, {"doubt"}),
        ({"first": (60.0, None), "then": (75.0, 0.02)}, {"doubt", "certain"}),
    ],
)
def test_doubt_is_told_of_a_side_that_has_answered(answers: dict[str, Any], told: set[str]) -> None:
    heard: list[float | None] = []

    async def main() -> None:
        way, began = Way(0.02), the_loop().time()
        connection = Connection(way)
        ask_patiently(connection, heard.append)
        for after, value in answers.values():
            the_loop().call_later(after, setattr, way, "round_trip", value)
        asking = asyncio.ensure_future(connection.query_consent())
        await asyncio.sleep(150)
        asking.cancel()
        await asyncio.wait([asking])
        assert all(54 <= answered - began <= 60.1 for answered in heard if answered is not None)

    virtually(main())
    kinds = ["certain" if answered is None else "doubt" for answered in heard]
    assert set(kinds) == told
    assert "certain" not in kinds[:-1]


def test_a_connection_tells_its_leg_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    doubts: list[Any] = []
    monkeypatch.setattr(peer, "ask_patiently", lambda connection, doubt: doubts.append(doubt))
    told: list[Any] = []

    async def main() -> None:
        owner: Any = SimpleNamespace(consents=lambda peer, answered: told.append((peer, answered)))
        one = peer.Peer(1, peer.PeerOptions(("PCMU",)), peer.Origin(1), owner)
        doubts[0](5.0)
        await one.close()
        doubts[0](5.0)
        assert told == [(one, 5.0)]

    asyncio.run(main())


def test_a_refusal_has_arrived() -> None:
    heard: list[float | None] = []

    async def main() -> None:
        way = Way(0.02)
        connection = Connection(way)
        ask_patiently(connection, heard.append)
        the_loop().call_later(60.0, setattr, way, "kind", stun.Class.ERROR)
        await connection.query_consent()
        assert connection.lost_at is not None

    virtually(main())
    assert set(heard) == {None}


def test_no_doubt_of_a_side_that_has_never_answered() -> None:
    heard: list[float | None] = []

    async def main() -> None:
        connection = Connection(Way(None))
        ask_patiently(connection, heard.append)
        await connection.query_consent()

    virtually(main())
    assert heard == []
