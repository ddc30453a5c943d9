"""The command line (DESIGN.md section 4): reads the arguments; `vodiabot.verbs` does the work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from . import logs
from .verbs.common import Connection, configuration, execute, guarded, log_context, say_version

app = typer.Typer(
    name="vodiabot",
    help="An engine for bots that live on an extension of a Vodia PBX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # else it takes [pbx] for markup, and leaves it out
)
plugins_app = typer.Typer(help="Plugins: what is loaded, what one is, a new one.", no_args_is_help=True)
app.add_typer(plugins_app, name="plugins")
scenario_app = typer.Typer(help="Calls as data, played and checked.", no_args_is_help=True)
app.add_typer(scenario_app, name="scenario")

flag = partial(typer.Option, metavar="")  # without a value, which typer would show as <bool>
File = Annotated[Path | None, typer.Option("-c", "--config", help="The configuration; ./bot.toml by default.")]
Url = Annotated[str | None, typer.Option("--url", help="The PBX, instead of [pbx] url.")]
Domain = Annotated[str | None, typer.Option("--domain", help="The domain, instead of [pbx] domain.")]
User = Annotated[str | None, typer.Option("--user", help="The extension, instead of [[extension]].")]
PasswordEnv = Annotated[
    str | None, typer.Option("--password-env", metavar="VAR", help="The variable that holds the password.")
]
DialectOption = Annotated[str | None, typer.Option("--dialect", help="auto, classic or modern.")]
Debug = Annotated[bool, flag("--debug", help="Log everything, and show tracebacks.")]
AsJson = Annotated[bool, flag("--json", help="Machine-readable output.")]
Network = Annotated[bool, flag("--network", help="In virtual time, too, plugins may reach other machines.")]
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where the simulator listens.")]


class LogFormat(StrEnum):
    """Of `--log-format`."""

    auto = "auto"
    human = "human"
    json = "json"


class LogLevel(StrEnum):
    """Of `--log-level`."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogFormatOption = Annotated[
    LogFormat,
    typer.Option("--log-format", envvar="VODIABOT_LOG_FORMAT", help="auto: human on a terminal, JSON otherwise."),
]
LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", envvar="VODIABOT_LOG_LEVEL", help="The least that is logged.")
]


def main() -> None:
    """The console script."""
    app()


@app.callback()
def _everywhere(
    version: Annotated[
        bool, flag("--version", is_eager=True, callback=say_version, help="The version, and no more.")
    ] = False,
) -> None:
    pass


def _finish(
    work: Callable[[], int],
    *,
    debug: bool,
    log: bool = True,
    log_format: LogFormat = LogFormat.auto,
    log_level: LogLevel = LogLevel.info,
) -> None:
    """Run a verb: its exit code, or one or two plain lines for what went wrong.

    `log`: False where these lines say it all, so that nothing else is written but with `--debug`.
    """
    form: logs.Format = log_format.value
    logs.set_up(debug=debug, silent=not log, form=form, level=log_level.value, context=log_context)
    code = guarded(work, debug=debug)
    logs.flush()
    sys.exit(code)


@app.command()
def demo(
    config: File = None,
    listen: Listen = "127.0.0.1:8080",
    dialect: DialectOption = None,
    debug: Debug = False,
    log_format: LogFormatOption = LogFormat.auto,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """The whole thing on one machine, no PBX needed: a simulated PBX, a bot, and a page to call it from."""
    from .verbs.demo import demo as work
    from .verbs.demo import demo_configuration

    def go() -> int:
        bot, sim = demo_configuration(Connection(file=config, dialect=dialect))
        return execute(lambda: work(bot, sim, listen), debug=debug)

    _finish(go, debug=debug, log_format=log_format, log_level=log_level)


@app.command()
def run(
    config: File = None,
    url: Url = None,
    domain: Domain = None,
    user: User = None,
    password_env: PasswordEnv = None,
    dialect: DialectOption = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write down all frames, for replay.")
    ] = None,
    debug: Debug = False,
    log_format: LogFormatOption = LogFormat.auto,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """The bot, against the PBX of the configuration. SIGTERM drains, a second one hangs up at once; SIGHUP loads the
    configuration again."""
    from .verbs.run import run as work
    from .verbs.run import settled

    connection = Connection(config, url, domain, user, password_env, dialect)

    def go() -> int:
        settings = settled(connection)
        return execute(lambda: work(settings, lambda: configuration(connection), record=record), debug=debug)

    _finish(go, debug=debug, log_format=log_format, log_level=log_level)


@app.command()
def reload(config: File = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """The running bot takes over the changed configuration; calls go on. If it is wrong, the old one stays in force."""
    from .verbs.reload import reload as work

    _finish(lambda: execute(lambda: work(config, as_json=as_json), debug=debug), debug=debug, log=False)


@app.command()
def status(config: File = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """How the running bot fares: sessions, calls and their quality, plugins. Exit code 1 if none runs."""
    from .verbs.status import status as work

    _finish(lambda: execute(lambda: work(config, as_json=as_json), debug=debug), debug=debug, log=False)


@app.command()
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The tape, a new file.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", min=0, help="For so long; else until Ctrl-C.")
    ] = None,
    mask_numbers: Annotated[
        bool, flag("--mask-numbers", help="Other numbers and names in place of those of the outside world.")
    ] = False,
    config: File = None,
    debug: Debug = False,
) -> None:
    """The running bot writes down all frames, in and out, for `vodiabot replay`. Secrets are never written."""
    from .verbs.record import record as work

    def go() -> int:
        return execute(lambda: work(config, file.absolute(), seconds=seconds, mask_numbers=mask_numbers), debug=debug)

    _finish(go, debug=debug, log=False)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A tape.")],
    config: File = None,
    all_hooks: Annotated[bool, flag("--all-hooks", help="Show hooks of presence and frames, too.")] = False,
    network: Network = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Play a tape through the engine and the plugins of bot.toml in virtual time, and show what each plugin does. Exit
    code 1 if one fails, or the bot does something else than it did then. Nothing leaves the machine."""
    from .verbs.replay import replay as work

    def go() -> int:
        settings = configuration(Connection(config), pbx_optional=True)
        return guarded(lambda: work(settings, file, as_json=as_json, all_hooks=all_hooks, network=network), debug=debug)

    _finish(go, debug=debug)  # the engine is to log, as what it logs is part of what is shown


@app.command()
def doctor(
    config: File = None,
    as_json: AsJson = False,
    url: Url = None,
    domain: Domain = None,
    user: User = None,
    password_env: PasswordEnv = None,
    dialect: DialectOption = None,
    debug: Debug = False,
) -> None:
    """What is wrong, and what to do: configuration, PBX, login, audio, this machine. Exit code 1 if anything failed."""
    from .verbs.doctor import doctor as work

    connection = Connection(config, url, domain, user, password_env, dialect)
    _finish(lambda: execute(lambda: work(connection, as_json=as_json), debug=debug), debug=debug, log=False)


@app.command()
def check(
    config: File = None,
    online: Annotated[bool, flag("--online", help="Log in too.")] = False,
    as_json: AsJson = False,
    schema: Annotated[bool, flag("--schema", help="Print a JSON Schema of bot.toml, for editors.")] = False,
    url: Url = None,
    domain: Domain = None,
    user: User = None,
    password_env: PasswordEnv = None,
    dialect: DialectOption = None,
    debug: Debug = False,
) -> None:
    """Is the configuration right, plugins' sections included? Every error at once, with file, line and key."""
    from .verbs.check import check as work
    from .verbs.schema import print_schema

    connection = Connection(config, url, domain, user, password_env, dialect)
    if schema:
        _finish(lambda: print_schema(connection), debug=debug, log=False)
    _finish(lambda: work(connection, online=online, as_json=as_json), debug=debug, log=False)


@app.command()
def sim(
    config: Annotated[Path | None, typer.Option("-c", "--config", help="./sim.toml by default.")] = None,
    listen: Listen = "127.0.0.1:8080",
    debug: Debug = False,
    log_format: LogFormatOption = LogFormat.auto,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """The simulated PBX alone."""
    from .verbs.simulate import sim_configuration, simulate

    def go() -> int:
        settings = sim_configuration(config)
        return execute(lambda: simulate(settings, listen), debug=debug)

    _finish(go, debug=debug, log_format=log_format, log_level=log_level)


@app.command()
def call(
    to: Annotated[str, typer.Argument(metavar="DEST", help="The number to call.")],
    play: Annotated[Path | None, typer.Option("--play", metavar="F.wav", help="Play a file.")] = None,
    record: Annotated[Path | None, typer.Option("--record", metavar="F.wav", help="Record the other side.")] = None,
    dtmf: Annotated[str, typer.Option("--dtmf", metavar="12#", help="Send digits.")] = "",
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="S", min=0, help="Hang up after S seconds.")
    ] = None,
    codec: Annotated[
        list[str] | None, typer.Option("--codec", help="opus, G722, PCMU or PCMA, instead of [media] codecs.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0, help="Let it ring for S seconds.")
    ] = None,
    as_json: AsJson = False,
    config: File = None,
    url: Url = None,
    domain: Domain = None,
    user: User = None,
    password_env: PasswordEnv = None,
    dialect: DialectOption = None,
    debug: Debug = False,
) -> None:
    """One call from the shell. Exit code 0 if it was answered."""
    from .verbs.call import Wishes
    from .verbs.call import call as work

    wishes = Wishes(to, play, record, dtmf, duration, timeout, tuple(codec) if codec else None)

    def go() -> int:
        settings = configuration(Connection(config, url, domain, user, password_env, dialect))
        return execute(lambda: work(settings, wishes, as_json=as_json), debug=debug)

    _finish(go, debug=debug, log=False)


@app.command()
def tail(
    as_json: AsJson = False,
    raw: Annotated[bool, flag("--raw", help="Frames, as they come.")] = False,
    config: File = None,
    url: Url = None,
    domain: Domain = None,
    user: User = None,
    password_env: PasswordEnv = None,
    dialect: DialectOption = None,
    debug: Debug = False,
    log_format: LogFormatOption = LogFormat.auto,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Log in and print events, or raw frames, as they come, one a line."""
    from .verbs.tail import tail as work

    def go() -> int:
        settings = configuration(Connection(config, url, domain, user, password_env, dialect))
        return execute(lambda: work(settings, as_json=as_json, raw=raw), debug=debug)

    _finish(go, debug=debug, log_format=log_format, log_level=log_level)


@scenario_app.command("run")
def scenario_run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenarios, one after the other.")],
    against: Annotated[
        str, typer.Option(metavar="virtual|sim|bot.toml", help="Virtual time, the simulator, or a real PBX.")
    ] = "virtual",
    network: Network = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Play scenarios. Exit code 0 if all of them pass, 1 if not, 2 if one is wrong and none was played."""
    from .verbs.scenario import run_scenarios

    work = partial(run_scenarios, files, against, as_json=as_json, debug=debug, network=network)
    _finish(work, debug=debug, log=False)


@scenario_app.command("check")
def scenario_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")], debug: Debug = False
) -> None:
    """Are the files right? Nothing is played."""
    from .verbs.scenario import check_scenarios

    _finish(lambda: check_scenarios(files), debug=debug, log=False)


@scenario_app.command("schema")
def scenario_schema(debug: Debug = False) -> None:
    """The JSON Schema of scenario files, for editors."""
    from .verbs.scenario import print_schema

    _finish(print_schema, debug=debug, log=False)


@plugins_app.command("list")
def plugins_list(config: File = None, debug: Debug = False) -> None:
    """What is loaded, from where, and how it fares in the running bot."""
    from .verbs.plugins import list_plugins

    _finish(lambda: list_plugins(Connection(file=config)), debug=debug)


@plugins_app.command("info")
def plugins_info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, enabled or not.")],
    config: File = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What a plugin is: version, hooks, options with their values, capabilities, routes."""
    from .verbs.plugin_info import info

    _finish(lambda: guarded(lambda: info(Connection(file=config), name, as_json=as_json), debug=debug), debug=debug)


@plugins_app.command("new")
def plugins_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the plugin: lower case letters, digits and _.")],
    folder: Annotated[Path, typer.Option("--dir", metavar="D", help="Where its folder is made.")] = Path(),
    debug: Debug = False,
) -> None:
    """A new plugin package, with tests that pass."""
    from .verbs.plugin_new import new

    _finish(lambda: guarded(lambda: new(name, folder), debug=debug), debug=debug, log=False)
