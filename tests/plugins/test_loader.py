"""Finding, importing and checking plugins."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from vodiabot.plugins import load_plugins, unload
from vodiabot.plugins.importing import PREFIX

from .kit import ANSWERS, HEAD, config, load, load_one, write


@pytest.fixture(autouse=True)
def clean_modules() -> Any:
    before = set(sys.modules)
    yield
    left = {name for name in set(sys.modules) - before if name.startswith(PREFIX)}
    assert not left, "a test, or a plugin that could not be loaded, left modules behind"


def names(loaded: list[Any]) -> list[str]:
    return [plugin.name for plugin in loaded]


# --- where plugins are -------------------------------------------------------------------------------------


def test_a_module_and_a_package_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "mine/one.py", ANSWERS + "__version__ = '1.2'\n")
    write(tmp_path, "other/two/__init__.py", HEAD + "from .flow import answer_call\n")
    write(tmp_path, "other/two/flow.py", ANSWERS + "from . import prices\n")
    write(tmp_path, "other/two/prices.py", "PRICE = 1\n")
    loaded, problems = load(tmp_path, '[plugins]\npath = ["mine", "other"]\nenabled = ["two", "one"]\n')
    assert not problems
    assert names(loaded) == ["two", "one"], "in the order of enabled"
    assert [p.hooks for p in loaded] == [("answer_call",)] * 2
    assert [p.version for p in loaded] == ["", "1.2"]
    assert loaded[1].origin == str(tmp_path / "mine" / "one.py")


def test_only_what_is_enabled_is_imported(tmp_path: Path) -> None:
    write(tmp_path, "plugins/one.py", ANSWERS)
    write(tmp_path, "plugins/trap.py", "raise SystemExit('imported')\n")
    loaded, problems = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["one"]\n')
    assert (names(loaded), problems) == (["one"], [])


def test_plugins_do_not_see_each_others_modules(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"plugins/{name}/__init__.py", ANSWERS + "from .prices import PRICE\n")
        write(tmp_path, f"plugins/{name}/prices.py", f"PRICE = {name!r}\n")
    path = list(sys.path)
    loaded, problems = load_plugins(config(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["a", "b"]\n'))
    assert not problems
    assert [p.namespace.PRICE for p in loaded] == ["a", "b"]
    assert sys.path == path
    assert "prices" not in sys.modules
    assert "a" not in sys.modules
    for plugin in loaded:
        unload(plugin)


def test_the_same_plugin_twice_is_two_modules(tmp_path: Path) -> None:
    write(tmp_path, "plugins/one.py", ANSWERS + "import dataclasses\n@dataclasses.dataclass\nclass X: pass\n")
    setting = config(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["one"]\n')
    (first,), _ = load_plugins(setting)
    (second,), _ = load_plugins(setting)
    assert first.namespace is not second.namespace
    unload(first)
    assert sys.modules[second.modules[0]] is second.namespace
    unload(second)


def test_the_first_folder_wins_and_the_shipped_one_comes_last(tmp_path: Path) -> None:
    for folder in ("mine", "other", "shipped"):
        write(tmp_path, f"{folder}/one.py", ANSWERS)
    write(tmp_path, "shipped/two.py", ANSWERS)
    loaded, problems = load(
        tmp_path,
        '[plugins]\npath = ["mine", "other"]\nenabled = ["one", "two"]\n',
        shipped=tmp_path / "shipped",
    )
    assert not problems
    assert [Path(p.origin).parent.name for p in loaded] == ["mine", "shipped"]
    assert [p.version for p in loaded] == ["", metadata.version("vodiabot")]


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, "plugins/one.py", ANSWERS)
    loaded, (problem,) = load(tmp_path, '[plugins]\npath = ["plugins", "gone"]\nenabled = ["one", "nix"]\n')
    assert names(loaded) == ["one"]
    assert problem.plugin == "nix"
    assert problem.left_out
    assert (problem.problem.line, problem.problem.key) == (9, "plugins.enabled[1]")
    assert 'there is no plugin "nix" in ' in problem.problem.message
    assert "gone (which does not exist)" in problem.problem.message


def test_a_plugin_that_is_misspelt(tmp_path: Path) -> None:
    for name in ("one", "sales", "test_sales", "conftest"):
        write(tmp_path, f"plugins/{name}.py", ANSWERS)
    text = '[plugins]\npath = ["plugins"]\nenabled = ["salse", "bot"]\n[plugin.xyz]\na = 1\n'
    sales, bot, section = (problem.problem.message for problem in load(tmp_path, text)[1])
    assert sales.endswith('; did you mean "sales"?')
    assert bot.endswith(" (there is one, sales)"), "neither what is misspelt itself, nor its tests"
    assert section == 'there is no plugin "xyz" (there is one, sales)'


def test_a_file_and_a_folder_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "plugins/one.py", ANSWERS)
    write(tmp_path, "plugins/one/__init__.py", ANSWERS)
    loaded, (problem,) = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["one"]\n')
    assert not loaded
    assert "both one.py and one/" in str(problem)


# --- installed packages ------------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`install(distribution, version, entry points, {file: source})`: as pip leaves it."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)
    before = set(sys.modules)

    def put(name: str, version: str, entries: dict[str, str], files: dict[str, str]) -> None:
        info = f"{name}-{version}.dist-info"
        write(site, f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{entry} = {value}" for entry, value in entries.items()]
        write(site, f"{info}/entry_points.txt", "[vodiabot.plugins]\n" + "\n".join(lines) + "\n")
        for file, source in files.items():
            write(site, file, source)

    yield put
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(site)):
            del sys.modules[module]


def test_an_installed_entry_point(tmp_path: Path, install: Any) -> None:
    install("acme-bots", "3.1", {"acme": "acme_bots.plugin"}, {"acme_bots/plugin.py": ANSWERS})
    (plugin,), problems = load(tmp_path, '[plugins]\nenabled = ["acme"]\n')
    assert not problems
    assert (plugin.version, plugin.origin) == ("3.1", "acme-bots 3.1 (acme_bots.plugin)")
    assert plugin.modules == ()


def test_an_entry_point_may_name_an_object(tmp_path: Path, install: Any) -> None:
    source = f"""\
{HEAD}
class Bots:
    class Config:
        pass
    Config = None
    @hookimpl
    async def bot_started(self, bot): pass
bots = Bots()
"""
    install("acme", "1", {"acme": "acme_obj:bots", "wrong": "acme_obj:Bots"}, {"acme_obj.py": source})
    loaded, (problem,) = load(tmp_path, '[plugins]\nenabled = ["acme", "wrong"]\n')
    assert [(p.name, p.hooks) for p in loaded] == [("acme", ("bot_started",))]
    assert "names a class" in str(problem)


def test_a_folder_wins_over_an_entry_point_which_wins_over_the_shipped(tmp_path: Path, install: Any) -> None:
    install("acme", "1", {"one": "acme_m", "two": "acme_m"}, {"acme_m.py": ANSWERS})
    write(tmp_path, "plugins/one.py", ANSWERS)
    write(tmp_path, "shipped/two.py", ANSWERS)
    loaded, problems = load(
        tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["one", "two"]\n', shipped=tmp_path / "shipped"
    )
    assert not problems
    assert [p.origin for p in loaded] == [str(tmp_path / "plugins" / "one.py"), "acme 1 (acme_m)"]


def test_two_packages_with_one_name(tmp_path: Path, install: Any) -> None:
    install("acme", "1", {"one": "acme_a"}, {"acme_a.py": ANSWERS})
    install("bcme", "1", {"one": "acme_b"}, {"acme_b.py": ANSWERS})
    loaded, (problem,) = load(tmp_path, '[plugins]\nenabled = ["one"]\n')
    assert not loaded
    assert "several installed packages" in str(problem)
    assert "acme, bcme" in str(problem)


def test_an_entry_point_that_leads_nowhere(tmp_path: Path, install: Any) -> None:
    install("acme", "1", {"one": "acme_nowhere"}, {})
    loaded, (problem,) = load(tmp_path, '[plugins]\nenabled = ["one"]\n')
    assert not loaded
    assert "acme 1 (acme_nowhere): it can't be imported: ModuleNotFoundError" in str(problem)


# --- what is wrong with a plugin's code --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1 +\n", "plugins/bad.py:1: syntax error: invalid syntax"),
        (
            "\nimport nixda\n",
            "plugins/bad.py:2: it can't be imported: ModuleNotFoundError: No module named 'nixda'",
        ),
        ("import json\n\njson.loads('x')\n", "plugins/bad.py:3: it can't be imported: JSONDecodeError"),
        ("raise SystemExit(3)\n", "plugins/bad.py:1: it can't be imported: SystemExit: 3"),
        (
            HEAD + "@hookimpl\nasync def call_eneded(event): pass\n",
            'plugins/bad.py:2: call_eneded: there is no hook "call_eneded"; did you mean "call_ended"?',
        ),
        (
            HEAD + "@hookimpl(specname='anser_call')\nasync def mine(call): pass\n",
            'plugins/bad.py:2: mine: there is no hook "anser_call"; did you mean "answer_call"?',
        ),
        (
            HEAD + "@hookimpl\ndef answer_call(call): pass\n",
            "plugins/bad.py:2: answer_call: hooks are async: write `async def answer_call`",
        ),
        (
            HEAD + "@hookimpl\nasync def answer_call(call):\n    yield\n",
            "plugins/bad.py:2: answer_call: a hook must not yield",
        ),
        (
            HEAD + "@hookimpl(wrapper=True)\ndef call_ended(event):\n    return (yield)\n",
            "plugins/bad.py:2: call_ended: hook wrappers don't work",
        ),
        (
            HEAD + "@hookimpl(hookwrapper=True)\ndef call_ended(event):\n    yield\n",
            "plugins/bad.py:2: call_ended: hook wrappers don't work",
        ),
        (
            HEAD + "@hookimpl(firstresult=True)\nasync def call_ended(event): pass\n",
            "plugins/bad.py:2: a hook can't be firstresult",
        ),
        (
            HEAD + "@hookimpl\nasync def answer_call(cal, bot): pass\n",
            'plugins/bad.py:2: answer_call: answer_call has no argument "cal"; did you mean "call"?',
        ),
        (
            HEAD + "@hookimpl\nasync def bot_started(event): pass\n",
            'plugins/bad.py:2: bot_started: bot_started has no argument "event" (there is bot, config, log)',
        ),
        (
            HEAD + "@hookimpl\nasync def answer_call(call, /): pass\n",
            'plugins/bad.py:2: answer_call: argument "call" must not be positional-only',
        ),
        (
            HEAD + "@hookimpl\nasync def answer_call(**all): pass\n",
            "plugins/bad.py:2: answer_call: a hook names its arguments: no **all",
        ),
        (
            HEAD + "@hookimpl\nasync def answer_call(call, config): pass\n",
            "plugins/bad.py:2: answer_call: it asks for config, but the plugin has no Config model",
        ),
        (
            HEAD + "async def answer_call(call): pass\n",
            "plugins/bad.py:2: answer_call: it has the name of a hook, but is not marked with @hookimpl",
        ),
        (
            ANSWERS + "@hookimpl(specname='answer_call')\nasync def second(call): pass\n",
            "plugins/bad.py:5: second: answer_call implements answer_call already",
        ),
        ("class Odd(BaseException): pass\nraise Odd('x')\n", "plugins/bad.py:2: it can't be imported: Odd: x"),
        ("raise ValueError('a\\nb')\n", "plugins/bad.py:1: it can't be imported: ValueError: a b"),
        (
            "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute\n",
            "plugins/bad.py:3: it can't be imported: Mute",
        ),
        (
            ANSWERS + "def __getattr__(name): raise ValueError('no ' + name)\n",
            "plugins/bad.py: it can't be looked at: ValueError: no Config",
        ),
        (ANSWERS + "lifespan = int\n", "plugins/bad.py: it can't be looked at: ValueError: no signature"),
        (ANSWERS + "migrate_store = int\n", "plugins/bad.py: it can't be looked at: ValueError: no signature"),
        (
            ANSWERS + "import dataclasses\n@dataclasses.dataclass\nclass Config:\n"
            "    def __post_init__(self): raise SystemExit(3)\n",
            "plugins/bad.py: Config: SystemExit: 3",
        ),
        ("async def something(): pass\n", "plugins/bad.py: it has no hooks, so it is never called"),
        (ANSWERS + "Config = 3\n", "plugins/bad.py: Config: it must be a dataclass or a msgspec.Struct"),
        (ANSWERS + "class Config: pass\n", "plugins/bad.py: Config: it must be a dataclass or a"),
        (
            ANSWERS + "import dataclasses\n@dataclasses.dataclass\nclass Config:\n    x: 'Nix' = 1\n",
            "plugins/bad.py: Config: NameError: name 'Nix' is not defined",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(source: str, expected: str, tmp_path: Path) -> None:
    loaded, (problem,) = load_one(tmp_path, "bad", source)
    assert not loaded
    assert problem.startswith(f"plugin bad: {expected}")
    assert "\n" not in problem


def test_a_mistake_in_a_submodule_is_told_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, "plugins/bad/__init__.py", "from . import flow\n")
    write(tmp_path, "plugins/bad/flow.py", "\n1 / 0\n")
    before = set(sys.modules)
    _, (problem,) = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["bad"]\n')
    assert (problem.problem.file, problem.problem.line) == (str(tmp_path / "plugins/bad/flow.py"), 2)
    assert not [name for name in set(sys.modules) - before if name.startswith(PREFIX)]


def test_all_mistakes_at_once_and_the_others_run(tmp_path: Path) -> None:
    two_slips = "@hookimpl\ndef call_ended(evnt): pass\n"
    write(tmp_path, "plugins/one.py", HEAD + two_slips + "@hookimpl\nasync def nix(): pass\n")
    write(tmp_path, "plugins/two.py", "1 / 0\n")
    write(tmp_path, "plugins/good.py", ANSWERS)
    loaded, problems = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["one", "two", "good"]\n')
    assert names(loaded) == ["good"]
    assert [p.plugin for p in problems] == ["one", "one", "one", "two"]
    assert all(p.left_out for p in problems)


def test_a_hook_of_a_later_version_may_be_optional(tmp_path: Path) -> None:
    source = ANSWERS + "@hookimpl(optionalhook=True)\nasync def call_whispered(call): pass\n"
    (plugin,), problems = load_one(tmp_path, "new", source)
    assert (plugin.hooks, problems) == (("answer_call",), [])


def test_a_function_of_another_module_with_a_hooks_name_is_no_slip(tmp_path: Path) -> None:
    write(tmp_path, "plugins/two/__init__.py", ANSWERS + "from .other import call_ended\n")
    write(tmp_path, "plugins/two/other.py", "def call_ended(x): pass\n")
    loaded, problems = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["two"]\n')
    assert (names(loaded), problems) == (["two"], [])


# --- bot.toml beside plugins -------------------------------------------------------------------------------


def test_a_route_to_a_plugin_that_does_not_answer(tmp_path: Path) -> None:
    source = HEAD + "@hookimpl\nasync def call_ended(event): pass\n"
    loaded, problems = load_one(tmp_path, "deaf", source, '[[route]]\nto = "45"\nplugin = "deaf"\n')
    assert names(loaded) == ["deaf"], "it runs all the same"
    assert problems == [
        'plugin deaf: bot.toml:12: route[0].plugin: "deaf" does not answer calls: it has no answer_call'
    ]


def test_a_section_of_nobody(tmp_path: Path) -> None:
    write(tmp_path, "plugins/spare.py", "1 / 0\n")
    sections = "[plugin.oen]\nx = 1\n[plugin.spare]\ny = 1\n"
    loaded, problems = load_one(tmp_path, "one", ANSWERS, sections)
    assert names(loaded) == ["one"]
    assert problems == ['plugin oen: bot.toml:10: plugin.oen: there is no plugin "oen"; did you mean "one"?']


def test_a_section_without_a_model(tmp_path: Path) -> None:
    loaded, problems = load_one(tmp_path, "one", ANSWERS, "[plugin.one]\nx = 1\n")
    assert not loaded
    assert problems == ["plugin one: bot.toml:10: plugin.one: it has no options, so it can't have a section"]


def test_an_empty_section_without_a_model_is_harmless(tmp_path: Path) -> None:
    loaded, problems = load_one(tmp_path, "one", ANSWERS, "[plugin.one]\n")
    assert (names(loaded), problems) == (["one"], [])


def test_problems_for_check_name_the_plugin_once(tmp_path: Path) -> None:
    write(tmp_path, "plugins/bad.py", "1 / 0\n")
    _, problems = load(tmp_path, '[plugins]\npath = ["plugins"]\nenabled = ["bad", "gone"]\n')
    told, gone = (p for problem in problems for p in problem.problems())
    assert gone.message.startswith('there is no plugin "gone" in ')
    assert told.message == "plugin bad: it can't be imported: ZeroDivisionError: division by zero"
    assert (told.file, told.line) == (str(tmp_path / "plugins/bad.py"), 1)
