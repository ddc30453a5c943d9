"""`vodiabot doctor`: what is wrong, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import trio

from ..config import Config
from ..control import ask
from ..doctor import Finding, examine, machine_checks, media_checks, pbx_checks
from ..doctor.findings import failed, ok, skipped, warning
from ..errors import ConfigError, NotRunning, UsageError
from ..logs import Redactor
from ..session import Session
from .audible import inaudible
from .common import DONE, FAILED, Connection, configuration, counted, plugins_of, say

ASKING = 3.0
"""Seconds for a bot that runs."""

MARKS = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED ", "skipped": "-      "}


async def doctor(connection: Connection, *, as_json: bool) -> int:
    """Exit code 1 if anything failed."""
    redactor = Redactor()
    found = [_clean(finding, redactor) for finding in await _findings(connection, redactor)]
    well = not any(finding.state == "failed" for finding in found)
    if as_json:
        say(json.dumps({"ok": well, "findings": [asdict(finding) for finding in found]}))
    else:
        for line in lines(found):
            say(line)
    return DONE if well else FAILED


def lines(found: list[Finding]) -> Iterator[str]:
    """For people."""
    width = max(len(finding.check) for finding in found)
    for finding in found:
        yield f"{MARKS[finding.state]}  {finding.check:{width}}  {finding.text}"
        if finding.advice:
            yield f"{'':9}{'':{width}}  → {finding.advice}"
    counts = {state: sum(finding.state == state for finding in found) for state in ("failed", "warning")}
    yield ""
    bad = f"{counts['failed']} failed, {counted(counts['warning'], 'warning')}"
    yield bad if any(counts.values()) else "all is well"


async def _findings(connection: Connection, redactor: Redactor) -> list[Finding]:
    config, told = await trio.to_thread.run_sync(_config, connection)
    checks = machine_checks(config)
    if config is None:
        return [*told, *await examine(checks)]
    _hide(config, redactor)
    running, finding = await _running(config)
    told.append(finding)
    if config.pbx.url:
        checks += pbx_checks(config, running, partial(Session, hide=redactor.hide))
    else:
        told.append(skipped("PBX", "there is none in this file, [sim] alone"))
    checks += media_checks(config.media)
    return [*told, *await examine(checks)]


def _config(connection: Connection) -> tuple[Config | None, list[Finding]]:
    """As `vodiabot check`."""
    advice = "mend it; `vodiabot check` tells it again"
    try:
        config = configuration(connection, pbx_optional=True)
    except ConfigError as exc:
        return None, [failed("configuration", str(problem), advice) for problem in exc.problems]
    plugins, complaints = plugins_of(config)
    wrong, lacking = inaudible(config, plugins)
    problems = [*(p for complaint in complaints for p in complaint.problems()), *wrong]
    notes = [warning("configuration", str(note), "the bot runs without") for note in lacking]
    if problems:
        return config, [*(failed("configuration", str(problem), advice) for problem in problems), *notes]
    return config, [ok("configuration", f"{config.where.file} is right"), *notes]


async def _running(config: Config) -> tuple[dict[str, bool], Finding]:
    """The sessions of the bot that runs with this `state_dir`."""
    with trio.move_on_after(ASKING):
        try:
            status = await ask(config.bot.state_dir, "status")
        except NotRunning as exc:
            return {}, skipped("running bot", str(exc))
        except UsageError as exc:
            return {}, warning("running bot", str(exc), "is it of another version?")
        sessions = {session["extension"]: session["up"] for session in status["sessions"]}
        return sessions, ok("running bot", f"process {status['pid']}, version {status['version']}")
    return {}, failed("running bot", f"one runs, but has not answered for {ASKING:g} s", "see its log: it is blocked")


def _hide(config: Config, redactor: Redactor) -> None:
    for extension in config.extensions:
        redactor.hide(extension.password.reveal())
    if config.pbx.admin is not None:
        redactor.hide(config.pbx.admin.password.reveal())
    for url in config.media.ice_servers:
        if "@" in url:
            redactor.hide(url.rpartition("@")[0].rpartition(":")[2])


def _clean(finding: Finding, redactor: Redactor) -> Finding:
    return Finding(finding.check, finding.state, redactor.clean(finding.text), finding.advice)
