"""The fixtures `pbx` and `bot`, as an author uses them: each test runs pytest on a project of his."""

from __future__ import annotations

import pytest

import vodiabot.testing.world  # noqa: F401 - pytester forgets what its runs import first: numpy can't be again

from .authors import MENU

pytest_plugins = ["pytester"]

PLAIN = ("-p", "no:trio", "-o", "addopts=", "-p", "no:cacheprovider")
"""Without pytest-trio."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(menu=MENU)
    return pytester


def run(project: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_menu=test)
    return project.runpytest_inprocess(*options)


MENU_TEST = """
    async def test_menu(pbx, bot):
        caller = await pbx.call("45", from_="0711123456", name="Ada")
        await caller.hears("Welcome. Press 1 for sales.")
        await caller.presses("1")
        await caller.is_transferred_to("500")
        await caller.hangs_up()
        assert bot.did == [
            "answers 0711123456",
            "says 'Welcome. Press 1 for sales.' to 0711123456",
            "transfers 0711123456 to 500",
        ]
"""


@pytest.mark.parametrize("options", [(), ("-o", "trio_mode=true"), PLAIN], ids=["trio there", "trio mode", "alone"])
def test_a_call_in_a_few_lines(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    run(project, MENU_TEST, *options).assert_outcomes(passed=1)


def test_async_fixtures_of_the_author_work_with_pytest_trio(project: pytest.Pytester) -> None:
    test = """
        import pytest, trio

        @pytest.fixture
        async def number():
            await trio.sleep(1)
            yield "0711555"

        async def test_menu(number, bot, pbx):
            caller = await pbx.call(from_=number)
            await caller.hears("welcome")
            await caller.hangs_up()
            assert bot.did[0] == "answers 0711555"
    """
    run(project, test, "-o", "trio_mode=true").assert_outcomes(passed=1)


def test_minutes_of_waiting_pass_at_once(project: pytest.Pytester) -> None:
    test = """
        import trio

        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.hears("welcome", whole=False)
            await caller.presses("2")
            await caller.is_held()
            await caller.waits(299)
            await caller.is_resumed()
            await caller.hears("still there?")
            await caller.is_hung_up()
            assert trio.current_time() > 300
    """
    run(project, test).assert_outcomes(passed=1)


def test_what_was_heard_instead_is_told_with_all_that_happened(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call(name="Ada")
            await caller.hears("Welcome")
            await caller.hears("Please hold")
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Unexpected: Ada heard 'Goodbye.' at 6.8 s, expected 'Please hold'",
            "*0.00  Ada (0711123456) calls 45",
            "*0.00  the bot answers 0711123456",
            "*6.80  the bot says 'Goodbye.' to 0711123456",
        ]
    )


def test_a_failure_is_that_of_the_authors_line_and_not_of_the_kits_insides(project: pytest.Pytester) -> None:
    test = """
        import trio

        async def test_expectation(pbx, bot):
            caller = await pbx.call(name="Ada")
            await caller.hears("Goodbye")

        async def test_engine(pbx, bot):
            async with bot.dial("500", timeout=1):
                pass

        async def test_in_a_group(pbx, bot):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pbx.call, "46")

        async def test_when_it_is_over(pbx, bot):
            caller = await pbx.call()
            await caller.presses("3")
    """
    result = run(project, test, "-p", "no:cacheprovider")
    result.assert_outcomes(failed=4)
    lines = ["*test_menu.py:*: Unexpected", "*test_menu.py:*: NoAnswer", "Unexpected: plugin menu*"]
    result.stdout.fnmatch_lines(lines)
    told = result.stdout.str().partition("short test summary")[0]  # which has each failure whole where CI is set
    for inside in ("people.py", "hearing.py", "world.py", "pytest_plugin.py", "switchboard.py", "runner.py"):
        assert inside not in told, inside
    assert told.count("plugin menu, at 0.00 s") == told.count('raise ValueError("three")') == 1
    whole = run(project, test, "-p", "no:cacheprovider", "--full-trace", "-k", "expectation")
    whole.stdout.fnmatch_lines(["*hearing.py:*: Unexpected"])


def test_deeds_that_differ_are_shown_side_by_side(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.is_hung_up(within=20)
            assert bot.did == ["answers 0711123456", "says 'Hello'", "hangs up on 0711123456"]
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the bot did (+) something else than expected (-):",
            "E * 0.00  answers 0711123456",
            "E *-  *  says 'Hello'",
            "E *+ * 0.00  says 'Welcome.*",
            "E *+ * 6.80  says 'Goodbye.' to 0711123456",
            "E * 7.33  hangs up on 0711123456",
        ]
    )


def test_a_plugin_that_raises_fails_the_test(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.presses("3")
            await caller.is_hung_up()
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Unexpected: plugin menu, at 0.00 s: the handler of a call failed", "*menu.py*", "*ValueError: three"]
    )


def test_unless_the_test_expects_it(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.presses("3")
            error = await bot.fails(ValueError)
            assert str(error) == "three"
            await caller.is_hung_up()

        async def test_another_error(pbx, bot):
            caller = await pbx.call()
            await caller.presses("3")
            await bot.fails(KeyError)

        async def test_no_error(pbx, bot):
            await bot.fails(ValueError)
    """
    result = run(project, test)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        ["*expected KeyError, but plugin menu*", "*no plugin failed within 10 s, expected ValueError"]
    )


def test_a_call_that_the_bot_leaves_behind_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        leaver="""
        from vodiabot import hookimpl

        @hookimpl
        async def chat_received(message, bot):
            bot.spawn(stay, bot)

        async def stay(bot):
            async with bot.dial("600") as call:
                await call.wait_ended()
        """
    )
    test = """
        import pytest
        @pytest.mark.vodiabot(settings={"plugins": {"enabled": ["leaver"], "path": ["."]}})
        async def test_leaver(pbx, bot):
            await pbx.chat("46", "stay there")
            await bot.does("calls 600")
            await pbx.waits(5)
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Unexpected: the bot has calls left * after everybody had hung up: 600"])


def test_a_handler_that_runs_on_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        menu="""
        import trio
        from vodiabot import hookimpl

        @hookimpl
        async def answer_call(call):
            await call.answer()
            await trio.sleep_forever()
        """
    )
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call()
            await caller.hangs_up()
    """
    result = run(project, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*handlers of menu ran on after their calls had ended*"])


def test_settings_by_fixture_text_and_marker(project: pytest.Pytester) -> None:
    project.makepyfile(
        echo="""
        from dataclasses import dataclass
        from vodiabot import hookimpl

        @dataclass
        class Config:
            text: str = "nothing"

        @hookimpl
        async def answer_call(call, config):
            await call.answer()
            await call.say(config.text)
            await call.hangup()
        """
    )
    test = """
        import pytest

        @pytest.fixture
        def vodiabot_settings():
            return '''
                [plugins]
                enabled = ["echo"]
                path = ["."]
                [plugin.echo]
                text = "of the fixture"
                '''

        async def test_fixture(pbx, bot):
            caller = await pbx.call()
            await caller.hears("of the fixture")
            await caller.is_hung_up()

        @pytest.mark.vodiabot(
            settings={"plugin": {"echo": {"text": "of the marker"}}, "plugins": {"enabled": ["echo"]}}
        )
        async def test_marker(pbx):
            caller = await pbx.call()
            await caller.hears("of the marker")
            await caller.is_hung_up()
    """
    run(project, test).assert_outcomes(passed=2)


def test_a_wrong_setting_is_told_with_its_line(project: pytest.Pytester) -> None:
    test = """
        import pytest

        @pytest.mark.vodiabot(settings="[limits]\\ndial_allwo = []")
        async def test_menu(pbx, bot):
            pass
    """
    result = run(project, test)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*settings of test_menu.py:2: limits.dial_allwo: unknown key*dial_allow*"])


def test_a_test_that_is_no_coroutine_is_told_so(project: pytest.Pytester) -> None:
    result = run(project, "def test_menu(pbx): pass")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a test that uses `pbx` or `bot` is an `async def`"])


def test_tests_that_do_not_use_it_are_left_alone(project: pytest.Pytester) -> None:
    test = """
        import pytest

        @pytest.fixture
        def bot():
            return "another thing altogether"

        def test_own_fixture(bot):
            assert bot == "another thing altogether"

        async def test_real_time(autojump_clock):
            pass
    """
    run(project, test, "-o", "trio_mode=true").assert_outcomes(passed=2)


def test_a_blind_transfer_can_be_refused_and_the_caller_is_still_there(project: pytest.Pytester) -> None:
    project.makepyfile(
        menu="""
        from vodiabot import Call, TransferFailed, hookimpl

        @hookimpl
        async def answer_call(call: Call) -> None:
            await call.answer()
            try:
                await call.transfer("500")
            except TransferFailed as exc:
                await call.say(f"Refused with {exc.code}.")
                await call.hangup()
        """
    )
    test = """
        async def test_refused(pbx, bot):
            sales = await pbx.phone("500", refuses_transfer=True)
            caller = await pbx.call(name="Ada")
            await caller.hears("Refused with 603.")
            await caller.is_hung_up()
            assert bot.did == [
                "answers 0711123456",
                "transfers 0711123456 to 500",
                "says 'Refused with 603.' to 0711123456",
                "hangs up on 0711123456",
            ]
            assert "the PBX refuses the transfer of 0711123456 with 603" in str(bot.story)
            await caller.calls("500", answered=False)   # in all else it is a phone
            await sales.rings()

        async def test_taken(pbx, bot):
            await pbx.phone("500", busy=True)
            caller = await pbx.call()
            await caller.is_hung_up()                   # the PBX's matter: the bot is not told
            assert bot.did == ["answers 0711123456", "transfers 0711123456 to 500"]

        async def test_no_longer_refused(pbx, bot):
            await pbx.phone("500", refuses_transfer=True)
            sales = await pbx.phone("500")
            caller = await pbx.call()
            await sales.answers()
            await caller.is_connected_to("500")
    """
    run(project, test, "-p", "no:randomly").assert_outcomes(passed=3)


def test_who_picks_up_by_himself_is_in_the_story(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            await pbx.phone("500", "Bob", answers_after=3)
            caller = await pbx.call()
            await caller.presses("1")
            await caller.is_connected_to("500")
            answers = next(one for one in bot.story.happenings if one.text == "Bob (500) answers")
            called = next(one for one in bot.story.happenings if one.text.startswith("Bob (500) is called"))
            assert answers.at - called.at == 3
    """
    run(project, test).assert_outcomes(passed=1)


COUNTER = """
from vodiabot import Bot, Call, hookimpl

@hookimpl
async def answer_call(call: Call, bot: Bot) -> None:
    await call.answer()
    count = await bot.store.update("count", lambda n: n + 1, 0)
    await call.say(f"Call {count}.")
    await call.hangup()
"""


def test_the_store_of_the_plugin_can_be_seeded_and_looked_into(project: pytest.Pytester) -> None:
    project.makepyfile(menu=COUNTER)
    test = """
        import pytest
        from vodiabot import UsageError

        async def test_count(pbx, bot, tmp_path):
            await bot.store().set("count", 41)
            caller = await pbx.call()
            await caller.hears("Call 42.")
            await caller.is_hung_up()
            assert await bot.store("menu").get("count") == 42
            assert (tmp_path / "state/store/menu.sqlite3").exists()

        async def test_begins_empty(pbx, bot):
            assert await bot.store().keys() == []
            with pytest.raises(UsageError, match="name one of the plugins menu"):
                bot.store("manu")
    """
    run(project, test).assert_outcomes(passed=2)


def test_a_menu_waits_for_a_caller_who_puts_the_bot_on_hold(project: pytest.Pytester) -> None:
    test = """
        async def test_menu(pbx, bot):
            caller = await pbx.call(name="Ada")
            await caller.hears("welcome", whole=False)
            await caller.holds()
            await caller.waits(60)
            await caller.resumes()
            await caller.hears("welcome")
            await caller.waits(4)
            await caller.presses("1")
            await caller.is_transferred_to("500")
            assert len(bot.did) == 4
    """
    run(project, test).assert_outcomes(passed=1)
