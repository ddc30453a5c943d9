"""Notifications: by the kit in virtual time with a receiver in memory, and over real HTTP with one that fails and comes
back."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import apprise
import httpx
import pytest
import trio

from tests.plugins_shipped.loading import PBX, SHIPPED, mistakes_of
from vodiabot.config import parse
from vodiabot.plugins.describe import look_up
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.settings import Author, prepare
from vodiabot.testing.world import VirtualBot, World

WEBHOOK = "https://hooks.example.com/services/T0000/s3cr3t-token"
GREETER = '[plugins]\nenabled = ["greeter", "notify"]\n[[route]]\nto = "*"\nplugin = "greeter"\n[plugin.notify]\n'


class Dripping(httpx.AsyncByteStream):
    """An answer that never ends, and never lets five seconds pass without a byte."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await trio.sleep(5)
            yield b"."


class Receiver:
    """A webhook's other end, in memory: answers with these codes, then 200; an exception is raised."""

    def __init__(self, *answers: int | Exception | Dripping) -> None:
        self.answers = list(answers)
        self.taken: list[dict[str, Any]] = []
        self.asked_at: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_at.append(trio.current_time())
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Dripping):
            return httpx.Response(200, stream=answer)
        if answer == 200:
            assert str(request.url) == WEBHOOK
            self.taken.append(json.loads(request.content))
        return httpx.Response(answer)

    @property
    def told(self) -> list[str]:
        return [message["text"] for message in self.taken]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made, receiver = httpx.AsyncClient, Receiver()

    def client(**options: Any) -> httpx.AsyncClient:
        return made(**options, transport=httpx.MockTransport(receiver))

    monkeypatch.setattr(httpx, "AsyncClient", client)
    return receiver


def notify(section: str = 'events = ["missed", "answered", "ended"]') -> Any:
    return pytest.mark.vodiabot(settings=f'{GREETER}webhook = "{WEBHOOK}"\n{section}')


@notify()
async def test_a_call_that_is_answered_and_ends(receiver: Receiver, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call(from_="0711222333")
    await caller.is_hung_up()
    await pbx.waits(1)
    answered, ended = receiver.taken
    assert answered["text"] == "Answered call: 0711222333"
    assert (answered["event"], answered["number"], answered["direction"]) == ("answered", "0711222333", "incoming")
    assert ended["text"] == "Ended call: 0711222333"
    assert (ended["event"], ended["reason"]) == ("ended", "hangup")
    assert ended["seconds"] > 1
    assert answered["id"] != ended["id"]


@pytest.mark.vodiabot(settings=f'[plugins]\nenabled = ["notify"]\n[plugin.notify]\nwebhook = "{WEBHOOK}"')
async def test_a_missed_call_is_told_by_default(receiver: Receiver, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call(from_="0711222333", answered=False)
    await pbx.waits(5)
    assert receiver.taken == []
    await caller.hangs_up()
    await pbx.waits(1)
    assert receiver.told == ["Missed call: 0711222333"]
    assert receiver.taken[0]["reason"] == "cancelled"


@notify('events = ["missed"]')
async def test_what_is_not_wanted_is_not_told(receiver: Receiver, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.is_hung_up()
    await pbx.phone("500", busy=True)
    with pytest.raises(Exception, match="busy"):
        async with bot.dial("500"):
            pass
    await pbx.waits(1)
    assert receiver.taken == []


@notify()
async def test_a_receiver_that_fails_and_comes_back_gets_all_in_order(
    receiver: Receiver, pbx: Exchange, bot: VirtualBot
) -> None:
    refused = httpx.ConnectError(f"can't reach {WEBHOOK}")
    receiver.answers = [503, refused, 500, httpx.ReadTimeout(WEBHOOK), 429]
    for number in ("0711222331", "0711222332"):
        caller = await pbx.call(from_=number)
        await caller.is_hung_up()  # and is not kept waiting
        assert receiver.taken == []
    await pbx.waits(60)
    assert receiver.told == [
        f"{what} call: {n}" for n in ("0711222331", "0711222332") for what in ("Answered", "Ended")
    ]
    pauses = [round(b - a) for a, b in zip(receiver.asked_at, receiver.asked_at[1:6], strict=False)]
    assert pauses[:5] == [1, 2, 4, 8, 16]


@notify('events = ["ended"]')
async def test_what_is_never_taken_is_dropped_in_the_end_and_the_next_one_is_told(
    receiver: Receiver, pbx: Exchange, bot: VirtualBot
) -> None:
    receiver.answers = [500] * 15
    for number in ("0711222331", "0711222332"):
        caller = await pbx.call(from_=number)
        await caller.is_hung_up()
    await pbx.waits(3600)
    assert receiver.told == ["Ended call: 0711222332"]
    assert len(receiver.asked_at) == 16


@notify('events = ["ended"]')
async def test_an_answer_that_drips_for_ever_holds_up_nobody(
    receiver: Receiver, pbx: Exchange, bot: VirtualBot
) -> None:
    receiver.answers = [Dripping()]
    caller = await pbx.call()
    await caller.is_hung_up()
    await pbx.waits(30)
    assert receiver.told == ["Ended call: 0711123456"]
    assert [line["why"] for line in bot.warnings if line["event"] == "a notification was not taken"] == ["TooSlowError"]


@notify('events = ["ended"]')
async def test_no_secret_is_in_the_log(receiver: Receiver, pbx: Exchange, bot: VirtualBot) -> None:
    receiver.answers = [500, httpx.ConnectError(f"no way to {WEBHOOK}"), ValueError(WEBHOOK), 404]
    caller = await pbx.call()
    await caller.is_hung_up()
    await pbx.waits(60)
    assert receiver.told == ["Ended call: 0711123456"]
    whys = [line["why"] for line in bot.warnings if line["event"] == "a notification was not taken"]
    assert whys == [
        "<Response [500 Internal Server Error]>",
        "ConnectError",
        "ValueError",
        "<Response [404 Not Found]>",
    ]
    assert "s3cr3t" not in str(bot.log)


@pytest.fixture
def short_queue(vodiabot_world: World) -> None:
    plugin_of(vodiabot_world).WAITING = 2


def plugin_of(world: World) -> Any:
    return next(plugin.namespace for plugin in world.prepared.plugins if plugin.name == "notify")


@notify('events = ["ended"]')
async def test_the_queue_is_bounded(receiver: Receiver, short_queue: None, pbx: Exchange, bot: VirtualBot) -> None:
    receiver.answers = [500] * 5
    for number in range(5):
        caller = await pbx.call(from_=f"07110{number}")
        await caller.waits(0.2)
        await caller.hangs_up()
    await pbx.waits(120)
    assert receiver.told == [f"Ended call: 07110{number}" for number in range(3)]  # one on its way, two that waited
    assert [line["event"] for line in bot.warnings].count("a notification is dropped: too many wait") == 2


# --- Apprise ---------------------------------------------------------------------------------------------------------

SERVICE: dict[str, list[Any]] = {"answers": [], "taken": []}


@pytest.fixture(scope="module", autouse=True)
def kitservice() -> None:
    """Apprise knows `service` as kitservice://, and has loaded all its own, some of which warn of this Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apprise.decorators.notify(on="kitservice")(service)


def service(body: str, *args: Any, **more: Any) -> bool:
    answer = SERVICE["answers"].pop(0) if SERVICE["answers"] else True
    if isinstance(answer, Exception):
        raise answer
    if answer:
        SERVICE["taken"].append(body)
    return bool(answer)


async def test_a_service_of_apprise_that_fails_and_comes_back(tmp_path: Path) -> None:
    """In real time, as Apprise has threads of its own."""
    SERVICE.update(answers=[False, RuntimeError("s3cr3t"), False], taken=[])
    world = world_of('apprise = ["kitservice://s3cr3t"]', tmp_path)

    async def story() -> None:
        caller = await world.pbx.call(answered=False, from_="0711222333")
        await until(lambda: any(line["event"] == "incoming call" for line in world.bot.log))
        await caller.hangs_up()
        await until(lambda: bool(SERVICE["taken"]))

    await world.run(story)
    assert SERVICE["taken"] == ["Missed call: 0711222333"]
    assert len(whys(world)) == 3
    assert "s3cr3t" not in str(world.log)
    world.prepared.forget()


# --- a real receiver -------------------------------------------------------------------------------------------------


class RealReceiver:
    """Serves HTTP on a port of its own; answers with `status`."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 503
        self.taken: list[dict[str, Any]] = []

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._answer, [listener], task_status=task_status)

    async def _answer(self, stream: trio.SocketStream) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked or not asked.endswith(b"}"):
            part = await stream.receive_some()
            if not part:
                return
            asked += part
        if self.status == 200:
            self.taken.append(json.loads(asked.partition(b"\r\n\r\n")[2]))
        await stream.send_all(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
        await stream.aclose()


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - what is awaited is a line of the log, or a request
            await trio.sleep(0.02)


async def test_over_real_http_a_receiver_that_fails_vanishes_and_comes_back(tmp_path: Path) -> None:
    real = RealReceiver()
    async with trio.open_nursery() as nursery:
        life = await nursery.start(living, real)
        world = world_of(f'webhook = "http://127.0.0.1:{real.port}/hook/s3cr3t"', tmp_path)

        async def story() -> None:
            nonlocal life
            caller = await world.pbx.call(answered=False, from_="0711222333")
            await until(lambda: any(line["event"] == "incoming call" for line in world.bot.log))
            await caller.hangs_up()
            await until(lambda: whys(world).count("<Response [503 x]>") >= 2)
            life.cancel()  # nobody listens any more
            await until(lambda: whys(world).count("ConnectError") >= 2)
            real.status = 200
            life = await nursery.start(living, real)
            await until(lambda: bool(real.taken))

        await world.run(story)
        life.cancel()
    assert [message["text"] for message in real.taken] == ["Missed call: 0711222333"]
    assert "s3cr3t" not in str(world.log)
    world.prepared.forget()


async def living(
    real: RealReceiver, *, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(real.serve)
            task_status.started(scope)


def world_of(section: str, tmp_path: Path) -> World:
    """In real time, with pauses that a test can wait for."""
    settings = f'[plugins]\nenabled = ["notify"]\n[plugin.notify]\n{section}'
    author = Author(settings, state_dir=tmp_path, file=tmp_path / "bot.toml", shipped=SHIPPED)
    world = World(prepare(author), network=True)
    plugin_of(world).LONGEST, plugin_of(world).TRIES = 0.05, 1000
    return world


def whys(world: World) -> list[str]:
    return [line["why"] for line in world.bot.log if line["event"] == "a notification was not taken"]


def test_it_needs_no_capability() -> None:
    about, _ = look_up("notify", parse(PBX), SHIPPED)
    assert about is not None
    assert about.capabilities == ()


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ('webhook = "ftp://s3cr3t"', "webhook: it must begin with https:// or http://"),
        ('apprise = ["s3cr3t"]', "apprise: there is a URL that Apprise does not understand"),
        ('apprise = ["json://localhost", "nonsense://s3cr3t"]', "apprise: there is a URL that Apprise"),
        ('events = ["mised"]', "plugin.notify.events"),
    ],
)
def test_mistakes_of_its_section(section: str, expected: str, caplog: pytest.LogCaptureFixture) -> None:
    told = mistakes_of("notify", section)
    assert expected in told
    assert "s3cr3t" not in told + caplog.text


def test_without_apprise_it_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert 'pip install "vodiabot[notify]"' in mistakes_of("notify", 'apprise = ["json://localhost"]')
    assert mistakes_of("notify", 'webhook = "https://example.com"') == ""
