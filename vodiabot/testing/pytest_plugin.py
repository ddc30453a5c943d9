"""The pytest plugin: fixtures `pbx` and `bot`. A test that uses one of them runs in virtual time, and one that does not
is left alone. It needs no other plugin; with pytest-trio, async fixtures of the author's work in such tests, too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .exchange import Exchange
    from .settings import Settings
    from .world import VirtualBot, World

WORLD = "vodiabot_world"

PYTEST_TRIO = ("trio", "pytest_trio.plugin")
"""Its names: as an entry point, and by `-p`."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "vodiabot(settings=None, sim=None, start=None, seed=0, speech=True, network=False): of a test that uses the "
        "fixtures `pbx` or `bot`: the bot.toml (text, tables or path), the simulated PBX's [sim], when it begins (a "
        "datetime or its ISO form), whether there is a speech provider, whether plugins may connect to other machines "
        "and this one",
    )


@pytest.fixture
def vodiabot_settings() -> Settings:
    """To be overridden: the text of a bot.toml, its tables, or its path. What it leaves out is filled in: all of it by
    default, and then the plugin is the one in whose folder the test lies."""
    return None


@pytest.fixture
def vodiabot_world(
    request: pytest.FixtureRequest, tmp_path: Path, vodiabot_settings: Settings
) -> Iterator[World]:
    """What `pbx` and `bot` are parts of."""
    from .settings import prepare
    from .world import BEGINNING, World, moment

    told: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("vodiabot"))):
        told.update(marker.kwargs)
    prepared = prepare(_author(request, tmp_path, told.get("settings", vodiabot_settings), told.get("sim")))
    try:
        yield World(
            prepared,
            start=moment(told.get("start", BEGINNING)),
            seed=told.get("seed", 0),
            speaks=told.get("speech", True),
            network=told.get("network", False),
        )
    finally:
        prepared.forget()


def _author(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, sim: Any) -> Any:
    from .folder import plugin_of
    from .settings import Author, shipped_plugins

    test = request.node.path
    return Author(
        settings=settings,
        sim=sim,
        under_test=plugin_of(test, request.config.rootpath),
        file=test.parent / f"settings of {test.name}",
        state_dir=tmp_path / "state",
        shipped=shipped_plugins(),
    )


@pytest.fixture
def pbx(vodiabot_world: World) -> Exchange:
    """The PBX of the test, and the people around it."""
    return vodiabot_world.pbx


@pytest.fixture
def bot(vodiabot_world: World) -> VirtualBot:
    """The real engine with the author's plugins."""
    return vodiabot_world.bot


# --- running a test in its world -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    world = _world_of(item)
    if world is None or not isinstance(item, pytest.Function):
        return (yield)
    test = item.obj
    if not inspect.iscoroutinefunction(test):
        pytest.fail(f"{item.name}: a test that uses `pbx` or `bot` is an `async def`", pytrace=False)
    raised: list[BaseException] = []
    item.obj = _in_world(item, world, test, raised)
    # pytest-asyncio, in its auto mode, has an item of its own that runs each test in its loop
    setattr(item, "runtest", functools.partial(pytest.Function.runtest, item))  # noqa: B010 - of this one item
    try:
        result = yield
    finally:
        item.obj = test
        del item.runtest
    if raised:
        from .blame import cut_to_the_author

        if not item.config.getoption("fulltrace"):
            cut_to_the_author(raised[0])
        raise raised[0]
    return result


def _world_of(item: pytest.Item) -> Any:
    return getattr(item, "funcargs", {}).get(WORLD)


def _in_world(
    item: pytest.Function, world: World, test: Callable[..., Any], raised: list[BaseException]
) -> Callable[..., Any]:
    """The test, to be called with its fixtures: by pytest, or by pytest-trio where that has it. What it raises goes to
    `raised`, as pytest-trio would wrap it in groups."""
    from .world import in_virtual_time

    @functools.wraps(test)
    async def within(**fixtures: Any) -> None:
        try:
            await world.run(functools.partial(test, **fixtures))
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as exc:  # noqa: BLE001 - raised later
            raised.append(exc)

    if item.get_closest_marker("trio") is not None and any(map(item.config.pluginmanager.hasplugin, PYTEST_TRIO)):
        item.add_marker(pytest.mark.trio(run=in_virtual_time), append=False)
        return within

    @functools.wraps(test)
    def alone(**fixtures: Any) -> None:
        __tracebackhide__ = True
        in_virtual_time(functools.partial(within, **fixtures))

    return alone


# --- what a failed test shows ----------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    world = _world_of(item)
    if world is not None and call.when == "call" and report.failed:
        from .blame import nobody_to_blame
        from .story import Unexpected

        error = None if call.excinfo is None else call.excinfo.value
        if error is not None and nobody_to_blame(error):
            report.longrepr = f"{type(error).__name__}: {error}"
        if not isinstance(error, Unexpected):
            report.sections.append(("vodiabot", str(world.pbx.story)))
        if untold := world.bot.untold_failures(f"{report.longreprtext}\n{error}"):
            report.sections.append(("what plugins did wrong", untold))
        if lines := str(world.log):
            report.sections.append(("log of the bot", lines))
    return report


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Two lists of deeds."""
    if op != "==" or not (_is_deeds(left) or _is_deeds(right)):
        return None
    from .story import difference

    did, expected = (left, right) if _is_deeds(left) else (right, left)
    return difference(did, expected) if isinstance(did, list) and isinstance(expected, list) else None


def _is_deeds(value: object) -> bool:
    return type(value).__name__ == "Deeds" and type(value).__module__ == "vodiabot.testing.story"
