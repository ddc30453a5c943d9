"""sim.toml: every key, and every mistake at once with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli

from vodiabot.errors import ConfigError
from vodiabot.sim.config import SERVICE_OPTIONS, Admin, Extension, Group, Service, SimConfig, default, load, parse
from vodiabot.sim.config_lines import line_of, lines_of

CONTRACT = """
domain = "localhost"
dialect = "modern"                       # or "classic"
expires = 60                             # of a registration, seconds
# server_header: by default Vodia-PBX/70.1 if modern, Vodia-PBX/67.0 if classic; "" for none
admin = { user = "admin", password = "admin" }
tls = false                              # or { cert = "…", key = "…" }, or "self-signed": a phone's browser wants https

[[extension]]
user = "45"
password = "bot"
name = "Bot"

[[extension]]
user = "46"
password = "demo"

[[service]]
number = "600"
kind = "tone"                            # see below
hz = 1000

[[group]]                                # a number that rings several extensions, as a hunt group does
number = "700"
members = ["45", "46"]
"""


def check(text: str, base: Path = Path("."), **options: Any) -> SimConfig:
    return parse(tomli.loads(text), file="sim.toml", base=base, text=text, **options)


def problems(text: str, base: Path = Path("."), **options: Any) -> list[tuple[int | None, str, str]]:
    with pytest.raises(ConfigError) as caught:
        check(text, base, **options)
    assert {problem.file for problem in caught.value.problems} == {"sim.toml"}
    return [(problem.line, problem.key, problem.message) for problem in caught.value.problems]


# --- what is right ---------------------------------------------------------------------------------------------------


def test_the_contract() -> None:
    config = check(CONTRACT)
    assert config == SimConfig(
        extensions=(Extension("45", "bot", "Bot"), Extension("46", "demo", "")),
        services=(Service("600", "tone", hz=1000),),
        groups=(Group("700", ("45", "46")),),
    )
    assert (config.domain, config.dialect, config.expires, config.server_header, config.tls) == (
        "localhost",
        "modern",
        60,
        None,
        False,
    )


def test_who_manages_calls() -> None:
    extensions = '[[extension]]\nuser = "45"\npassword = "x"\n'
    assert [e.manages_calls for e in check(extensions).extensions] == [False]
    assert [e.manages_calls for e in check(extensions + "manages_calls = true").extensions] == [True]
    [problem] = problems(extensions + 'manages_calls = "yes"')
    assert problem == (4, "extension[0].manages_calls", "true or false is needed")


def test_an_empty_file_is_a_pbx_without_anybody() -> None:
    assert check("") == SimConfig()


def test_the_other_keys(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch()
    config = check(
        """
        domain = "example.com"
        dialect = "classic"
        expires = 12.5
        server_header = ""
        admin = { user = "root", password = "x" }
        tls = { cert = "c.pem", key = "k.pem" }
        codecs = ["PCMA", "opus"]
        rename_calls = true
        sloppy_setup = true
        hold_by_reoffer = true
        browsers_offer = false
        """,
        tmp_path,
    )
    assert config == SimConfig(
        domain="example.com",
        dialect="classic",
        expires=12.5,
        server_header="",
        admin=Admin("root", "x"),
        tls={"cert": str(tmp_path / "c.pem"), "key": str(tmp_path / "k.pem")},
        codecs=("PCMA", "opus"),
        rename_calls=True,
        sloppy_setup=True,
        hold_by_reoffer=True,
        browsers_offer=False,
    )
    assert check('tls = "self-signed"').tls == "self-signed"


@pytest.mark.parametrize("kind", SERVICE_OPTIONS)
def test_each_kind_of_service_with_and_without_its_options(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    needed = 'file = "a.wav"' if kind == "play" else ""
    [service] = check(f'[[service]]\nnumber = "600"\nkind = "{kind}"\n{needed}', tmp_path).services
    expected = {**SERVICE_OPTIONS[kind], **({"file": str(tmp_path / "a.wav")} if kind == "play" else {})}
    assert service == Service("600", kind, **expected)
    given = {"hz": 440, "seconds": 7, "code": 480, "new_transport": "true", "digits": '"42#"'}
    lines = [f"{name} = {value}" for name, value in given.items() if name in SERVICE_OPTIONS[kind]]
    [service] = check("\n".join(["[[service]]", 'number = "1"', f'kind = "{kind}"', needed, *lines]), tmp_path).services
    for name in SERVICE_OPTIONS[kind]:
        read = {"new_transport": True, "file": str(tmp_path / "a.wav"), "digits": "42#"}
        assert getattr(service, name) == {**given, **read}[name]


def test_each_kind_of_service_may_have_faults(tmp_path: Path) -> None:
    lines = '[[service]]\nnumber = "600"\nkind = "echo"\nloss = 3\njitter_ms = 30.5\nseed = 9\n'
    assert check(lines, tmp_path).services == (Service("600", "echo", loss=3, jitter_ms=30.5, seed=9),)


def test_the_default_has_everything() -> None:
    config = default()
    assert (config.domain, config.dialect) == ("localhost", "modern")
    assert (config.extensions[0].user, config.extensions[0].name) == ("45", "Bot")
    assert [e.user for e in config.extensions] == ["45", "46", "47", "48"]
    assert all(e.password for e in config.extensions)
    assert [(s.number, s.kind) for s in config.services][:2] == [("600", "tone"), ("601", "echo")]
    assert {s.kind for s in config.services} == set(SERVICE_OPTIONS)
    assert [g.number for g in config.groups] == ["700"]
    assert all(Path(s.file).is_file() for s in config.services if s.file)


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "sim.toml"
    path.write_text(CONTRACT)
    assert load(path).extensions[0].user == "45"


def test_no_password_in_a_repr() -> None:
    text = repr(check(CONTRACT.replace('"bot"', '"s3cret"').replace('"admin" }', '"s3cret" }')))
    assert "s3cret" not in text


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_passwords_out_of_variables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM_TEST", "from a variable")
    (tmp_path / "pw").write_text("from a file\r\nmore\n")
    text = 'admin = { user = "a", password = { file = "pw" } }\n'
    text += '[[extension]]\nuser = "45"\npassword = { env = "SIM_TEST" }\n'
    config = parse(tomli.loads(text), file="sim.toml", base=tmp_path)
    assert config.admin == Admin("a", "from a file")
    assert config.extensions == (Extension("45", "from a variable", hidden=True),)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ('{ env = "SIM_NOT_SET" }', "the environment variable SIM_NOT_SET is not set"),
        ('{ file = "none" }', "none can't be read: No such file"),
        ('{ file = "\\u0000" }', "can't be read: it can be no path"),
        ('{ file = "empty" }', "empty is empty"),
        ('{ file = "odd" }', "odd is not UTF-8 text"),
        ('{ env = "A", file = "b" }', "a text, { env = "),
        ("{ env = 5 }", "a text, { env = "),
        ("5", "a text, { env = "),
    ],
)
def test_a_password_that_can_not_be_had(form: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "odd").write_bytes(b"\xff")
    table = tomli.loads(f'[[extension]]\nuser = "45"\npassword = {form}\n')
    with pytest.raises(ConfigError) as caught:
        parse(table, file="sim.toml", base=tmp_path)
    [problem] = caught.value.problems
    assert (problem.key, says in problem.message) == ("extension[0].password", True), problem.message


def test_every_mistake_at_once_with_its_line() -> None:
    found = problems(
        """\
domain = ""
dialekt = "modern"
dialect = "modem"
expires = 0
admin = { user = "admin", pasword = "x" }

[[extension]]
user = "45"

[[extension]]
user = 46
password = "x"

[[service]]
number = "45"
kind = "tone"
hz = "high"
seconds = 2

[[service]]
number = "601"
kind = "ecco"

[[group]]
number = "700"
members = ["45", "99"]
"""
    )
    assert [(line, key) for line, key, _ in found] == [
        (2, "dialekt"),
        (1, "domain"),
        (3, "dialect"),
        (4, "expires"),
        (5, "admin.pasword"),
        (7, "extension[0].password"),
        (11, "extension[1].user"),
        (18, "service[0].seconds"),
        (17, "service[0].hz"),
        (22, "service[1].kind"),
        (15, "service[0].number"),
        (26, "group[0].members"),
    ]
    text = {key: message for _, key, message in found}
    assert "did you mean 'dialect'" in text["dialekt"]
    assert "did you mean 'modern'" in text["dialect"]
    assert "did you mean 'echo'" in text["service[1].kind"]
    assert text["service[0].number"] == "45 is taken already"
    assert "99" in text["group[0].members"]
    assert text["extension[0].password"] == "is missing"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("domain = 5", "domain"),
        ('domain = "a b"', "domain"),
        ("dialect = 1", "dialect"),
        ("expires = nan", "expires"),
        ("expires = inf", "expires"),
        ("expires = true", "expires"),
        ("server_header = 5", "server_header"),
        ('admin = "root"', "admin"),
        ("tls = true", "tls"),
        ('tls = { cert = "none.pem", key = "none.key" }', "tls.cert"),
        ('tls = { cert = "x" }', "tls"),
        ("codecs = []", "codecs"),
        ('codecs = ["opsu"]', "codecs"),
        ('codecs = "opus"', "codecs"),
        ("rename_calls = 1", "rename_calls"),
        ('extension = "45"', "extension"),
        ("extension = [5]", "extension"),
        ('[[extension]]\nuser = "4 5"\npassword = ""', "extension[0].user"),
        ('[[extension]]\nuser = ""\npassword = ""', "extension[0].user"),
        ('[[service]]\nnumber = "1"', "service[0].kind"),
        ('[[service]]\nkind = "tone"', "service[0].number"),
        ('[[service]]\nnumber = "1"\nkind = "play"', "service[0].file"),
        ('[[service]]\nnumber = "1"\nkind = "play"\nfile = "none.wav"', "service[0].file"),
        ('[[service]]\nnumber = "1"\nkind = "reject"\ncode = 200', "service[0].code"),
        ('[[service]]\nnumber = "1"\nkind = "ring"\nseconds = -1', "service[0].seconds"),
        ('[[service]]\nnumber = "1"\nkind = "tone"\nhz = 20000', "service[0].hz"),
        ('[[service]]\nnumber = "1"\nkind = "echo"\nhz = 440', "service[0].hz"),
        ('[[service]]\nnumber = "1"\nkind = "dtmf"\ndigits = "12x"', "service[0].digits"),
        ('[[service]]\nnumber = "1"\nkind = "dtmf"\ndigits = ""', "service[0].digits"),
        ('[[service]]\nnumber = "1"\nkind = "dtmf"\ndigits = 12', "service[0].digits"),
        ('[[service]]\nnumber = "1"\nkind = "echo"\nloss = 101', "service[0].loss"),
        ('[[service]]\nnumber = "1"\nkind = "echo"\njitter_ms = -1', "service[0].jitter_ms"),
        ('[[service]]\nnumber = "1"\nkind = "reoffer"\nnew_transport = "yes"', "service[0].new_transport"),
        ('[[group]]\nnumber = "700"\nmembers = []', "group[0].members"),
        ('[[group]]\nnumber = "700"', "group[0].members"),
    ],
)
def test_one_mistake(text: str, key: str, tmp_path: Path) -> None:
    found = problems(text, tmp_path)
    assert key in [key for _, key, _ in found]
    assert all(line is not None for line, _, _ in found)


def test_in_a_bot_toml_the_keys_have_their_table() -> None:
    text = '[pbx]\nurl = "x"\n\n[sim]\ndomain = 5\n\n[[sim.extension]]\nuser = "45"\n'
    table = tomli.loads(text)["sim"]
    with pytest.raises(ConfigError) as caught:
        parse(table, file="bot.toml", base=Path("."), text=text, within="sim")
    assert [(p.line, p.key) for p in caught.value.problems] == [(5, "sim.domain"), (7, "sim.extension[0].password")]
    with pytest.raises(ConfigError) as caught:
        parse(table, file="bot.toml", base=Path("."))
    assert [p.line for p in caught.value.problems] == [None, None], "without the text nobody knows the line"


@pytest.mark.parametrize("content", [b"domain = ", b"domain = 'x'\ndomain = 'y'", b"\xff\xfe"])
def test_a_file_that_is_no_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sim.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"sim\.toml"):
        load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")


def test_lines_of_keys() -> None:
    lines = lines_of('a = 1\n[t]\n"b c" = 2 # x\nd.e = 3\n[[u.v]] # y\nf = 4\n[[u.v]]\nf = 5\n')
    assert lines == {"a": 1, "t": 2, "t.b c": 3, "t.d.e": 4, "u.v": 5, "u.v[0]": 5, "u.v[0].f": 6, "u.v[1]": 7} | {
        "u.v[1].f": 8
    }
    assert [line_of(lines, key) for key in ("u.v[1].g", "u.v[1].f.x", "z", "t.q.r")] == [7, 8, None, 2]


def test_orbits() -> None:
    config = parse(tomli.loads('[[park]]\nnumber = "701"\nname = "Lot"\nreturns_after = 30'), file="s", base=Path())
    [orbit] = config.orbits
    assert (orbit.number, orbit.name, orbit.returns_after) == ("701", "Lot", 30)
    with pytest.raises(ConfigError) as caught:
        parse(tomli.loads('[[park]]\nnumber = "7"\nreturns = 3\n[[park]]\nnumber = "7"'), file="s", base=Path())
    assert {problem.key for problem in caught.value.problems} == {"park[0].returns", "park[1].number"}
