"""The fixtures `pbx` and `bot` beside other plugins of pytest, and what a failed test shows of the author's."""

from __future__ import annotations

import pytest

from .authors import MENU
from .test_pytest_plugin import MENU_TEST, PLAIN, run

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(menu=MENU)
    return pytester


def test_it_is_no_business_of_a_plugin_that_runs_all_coroutines_in_its_loop(project: pytest.Pytester) -> None:
    """As pytest-asyncio does in its auto mode: by items of its own."""
    project.makeconftest("""
        import asyncio, inspect, pytest

        class InALoop(pytest.Function):
            def runtest(self):
                test = self.obj
                self.obj = lambda **fixtures: asyncio.run(test(**fixtures))
                super().runtest()

        def pytest_collection_modifyitems(items):
            items[:] = [
                InALoop.from_parent(item.parent, name=item.name, callobj=item.obj, fixtureinfo=item._fixtureinfo)
                for item in items
            ]
    """)
    theirs = """

    async def test_another(tmp_path):
        import asyncio
        assert asyncio.get_running_loop()
    """
    run(project, MENU_TEST + theirs, *PLAIN).assert_outcomes(passed=2)


def test_what_a_plugin_raised_is_told_beside_what_did_not_come(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.presses("3")
            await caller.hears("You pressed 3")
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*expected 'You pressed 3', but the call has ended",
            "*what plugins did wrong*",
            "plugin menu, at 0.00 s: the handler of a call failed",
            "ValueError: three",
        ]
    )
