"""Health, readiness and metrics of a running bot, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from tests.test_plugin_bot import Author, running
from vodiabot import Bot, NotAllowed, hookimpl
from vodiabot.config import parse
from vodiabot.console import ops
from vodiabot.console.serving import bind
from vodiabot.errors import ConfigError, ConnectionLost, ListenError, LoginRefused, Rejected
from vodiabot.readiness import PATIENCE, warnings, why_not_ready
from vodiabot.session import Session
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.verbs.status import lines

OPS = '[ops]\nlisten = "127.0.0.1:0"\n'


@asynccontextmanager
async def asked(
    state: Path, *plugins: Any, more: str = "", replace: tuple[str, str] = ("", "")
) -> AsyncIterator[tuple[Bot, VirtualPbx, httpx.AsyncClient]]:
    async with running(state, *plugins, more=OPS + more, replace=replace) as (bot, pbx):
        assert bot.servers.ops_url is not None
        async with httpx.AsyncClient(base_url=bot.servers.ops_url, trust_env=False) as client:
            yield bot, pbx, client


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of the labels' names …) → value."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *(s.labels[k] for k in sorted(s.labels))): s.value for family in families for s in family.samples}


async def test_a_bot_that_is_up_is_alive_and_ready(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, _, client):
        for path in ("/healthz", "/readyz"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.json() | {"warnings": []} == {"ok": True, "reasons": [], "warnings": []}


async def test_without_a_session_it_is_alive_but_not_ready(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, pbx, client):
        pbx.up = False
        pbx.cut_all()
        await trio.testing.wait_all_tasks_blocked(0.05)
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"][0] == "no session is up"
        assert "extension 45" in answer.json()["reasons"][1]
        assert (await client.get("/healthz")).status_code == 200


TWO = ('[[extension]]\nuser = "45"', '[[extension]]\nuser = "46"\npassword = "demo"\n[[extension]]\nuser = "45"')


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """`lose("46", why)`: its connection ends so, and each further try."""
    why: dict[str, Exception] = {}
    connections: dict[str, trio.CancelScope] = {}
    connected = Session._connected

    async def connect(self: Session) -> None:
        if self.extension not in why:
            with trio.CancelScope() as connections[self.extension]:
                await connected(self)
        raise why[self.extension]

    def lost(extension: str, exc: Exception) -> None:
        why[extension] = exc
        connections[extension].cancel()

    monkeypatch.setattr(Session, "_connected", connect)
    return lost


async def test_one_extension_of_two_that_is_refused_is_told(
    tmp_path: Path, lose: Callable[[str, Exception], None]
) -> None:
    why = "extension 46: the PBX refused the login of extension 46"
    async with asked(tmp_path, replace=TWO) as (bot, _, client):
        await trio.testing.wait_all_tasks_blocked()
        lose("46", LoginRefused("the PBX refused the login of extension 46"))
        await trio.testing.wait_all_tasks_blocked()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ok": False, "reasons": [why], "warnings": []})
        found = await samples(client)
        assert (await client.get("/healthz")).status_code == 200
        status = bot.status()
    assert (found["vodiabot_session_refused", "46"], found["vodiabot_session_refused", "45"]) == (1, 0)
    assert status["not_ready"] == [why]
    assert f"NOT READY: {why}" in list(lines(status))
    assert "  46  REFUSED: the PBX refused the login of extension 46" in list(lines(status))


async def test_one_of_two_that_is_lost_may_come_back(
    tmp_path: Path, lose: Callable[[str, Exception], None], autojump_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path, replace=TWO) as (bot, _):
        await trio.testing.wait_all_tasks_blocked()
        lose("46", ConnectionLost("no answer in time"))
        await trio.sleep(PATIENCE - 1)
        assert (why_not_ready(bot), warnings(bot)) == ([], ["extension 46: no answer in time"])
        await trio.sleep(2)
        assert (why_not_ready(bot), warnings(bot)) == (["extension 46: no answer in time"], [])


async def test_one_that_leaves_is_not_ready(tmp_path: Path) -> None:
    async with asked(tmp_path, Author()) as (bot, _, client):
        async with bot.dial_by_hand("600"):  # keeps it from being gone at once
            bot.drain()
            answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the bot leaves"]


async def test_a_critical_plugin_that_does_not_run(tmp_path: Path) -> None:
    async with asked(tmp_path, Author()) as (bot, _, _):
        sections = {"author": {"critical": True}, "other": {"critical": True}}
        bot.config = msgspec.structs.replace(bot.config, plugin=sections)
        assert why_not_ready(bot) == ["plugin other, which is critical, is not loaded"]


async def test_a_media_loop_that_hangs_is_no_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "PING_TIMEOUT", 0.05)

    async with asked(tmp_path) as (bot, _, client):
        monkeypatch.setattr(bot.media, "ping", trio.sleep_forever)
        answer = await client.get("/healthz")
        assert answer.status_code == 503
        assert "media loop" in answer.json()["reasons"][0]


async def test_calls_are_counted_without_numbers_and_ids(tmp_path: Path) -> None:
    async with asked(tmp_path, author := Author()) as (_, pbx, client):
        async with author.bot.dial("600") as call:
            during = await samples(client)
        with pytest.raises(Rejected):
            async with author.bot.dial("999"):
                raise AssertionError
        after = await samples(client)
        frames = len(pbx.sent), len(pbx.received)
        text = (await client.get("/metrics")).text
    assert during["vodiabot_active_calls", "45"] == 1
    assert after["vodiabot_active_calls", "45"] == 0
    assert after["vodiabot_calls_total", "true", "outgoing", "hangup"] == 1
    assert after["vodiabot_calls_total", "false", "outgoing", "rejected"] == 1
    assert after["vodiabot_call_setup_seconds_count", "outgoing"] == 1
    assert after["vodiabot_call_duration_seconds_count", "outgoing"] == 1
    assert after["vodiabot_session_up", "45"] == 1
    assert after["vodiabot_session_reconnects_total", "45"] == 0
    assert (after["vodiabot_frames_received_total", "45"], after["vodiabot_frames_sent_total", "45"]) == frames
    assert after["vodiabot_plugin_up", "author"] == 1
    assert after["vodiabot_plugin_failures_total", "author"] == 0
    assert after["vodiabot_plugin_hook_calls_total", "author"] == 1  # bot_started
    assert after["vodiabot_blocked_seconds_total",] == 0
    assert after["process_open_fds",] > 0
    assert call.id not in text
    assert '"600"' not in text


async def test_dials_that_limits_refuse_and_reconnects(tmp_path: Path) -> None:
    replace = ('dial_allow = ["*"]', 'dial_allow = ["@domain"]\ndials_per_minute = 0')
    async with asked(tmp_path, author := Author(), replace=replace) as (bot, pbx, client):
        for number in ("+4930123", "46"):
            with pytest.raises(NotAllowed):
                async with author.bot.dial(number):
                    raise AssertionError
        pbx.cut_all()
        with trio.fail_after(20):
            while bot.lines[0].reconnects == 0:  # noqa: ASYNC110 - the session's own event is one of its past, too
                await trio.sleep(0.05)
        after = await samples(client)
    assert after["vodiabot_dials_refused_total", "dial_allow"] == 1
    assert after["vodiabot_dials_refused_total", "dials_per_minute"] == 1
    assert after["vodiabot_session_reconnects_total", "45"] == 1


async def test_metrics_of_a_plugin_and_its_store(tmp_path: Path) -> None:
    class Counting(Author):
        @hookimpl
        async def bot_started(self, bot: Bot) -> None:
            self.bot = bot
            bot.counter("orders", "Pizzas", labels=("kind",)).inc(kind="salami")
            await bot.store.set("a", 1)

    async with asked(tmp_path, Counting()) as (_, _, client):
        with trio.fail_after(10):
            while (found := await samples(client)).get(("vodiabot_store_bytes", "author"), 0) == 0:  # noqa: ASYNC110
                await trio.sleep(0.05)
    assert found["vodiabot_plugin_author_orders_total", "salami"] == 1


async def test_two_bots_count_apart(tmp_path: Path) -> None:
    async with asked(tmp_path / "a", author := Author()) as (_, _, first), asked(tmp_path / "b") as (_, _, second):
        async with author.bot.dial("600"):
            pass
        assert ("vodiabot_calls_total", "true", "outgoing", "hangup") in await samples(first)
        assert ("vodiabot_calls_total", "true", "outgoing", "hangup") not in await samples(second)


async def test_openmetrics_if_asked_for(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, _, client):
        answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


async def test_another_hosts_name_is_refused(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, _, client):
        assert (await client.get("/metrics", headers={"Host": "evil.example"})).status_code == 400


PBX = '[pbx]\nurl = "wss://pbx.example.com"\n[[extension]]\nuser = "45"\npassword = "x"\n'


@pytest.mark.parametrize("listen", ["0.0.0.0:9090", "192.0.2.1:9090", "[::]:9090", "example.com:9090"])
def test_an_address_that_others_reach_has_to_be_meant(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"ops\.listen.*remote = true"):
        parse(PBX + f'[ops]\nlisten = "{listen}"\n')
    assert parse(PBX + f'[ops]\nlisten = "{listen}"\nremote = true\n').ops.listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:9090", "localhost:0", "[::1]:9090", ""])
def test_loopback_needs_no_word(listen: str) -> None:
    assert parse(PBX + f'[ops]\nlisten = "{listen}"\n').ops.listen == listen


async def test_ipv6(tmp_path: Path) -> None:
    async with running(tmp_path, more='[ops]\nlisten = "[::1]:0"\n') as (bot, _):
        assert bot.servers.ops_url is not None
        async with httpx.AsyncClient(base_url=bot.servers.ops_url, trust_env=False) as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_an_address_of_another_machine_is_told_in_one_line() -> None:
    with pytest.raises(ListenError) as refused:
        bind("192.0.2.1:9090", "[ops]")
    assert str(refused.value) == "[ops] can't listen on 192.0.2.1:9090: Cannot assign requested address"
