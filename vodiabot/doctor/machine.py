"""This machine and what is installed on it."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import trio

from ..config.model import Config, SpeechConfig
from ..errors import MediaError, SpeechUnavailable
from ..media.codecs.opus import library
from ..speech import speech_of
from .findings import Check, Finding, Report, failed, ok, skipped, warning

PACKAGES = ("vodiabot", "trio", "aiortc", "aioice", "av", "pylibsrtp", "httpx", "trio-websocket")

LITTLE_SPACE, TOO_LITTLE_SPACE = 1_000_000_000, 50_000_000
"""Bytes. A recording takes 1 MB a minute as WAV at 8 kHz."""

FILES_OF_THE_BOT = 100
"""Descriptors that are open without a call: libraries, stores, sockets, threads' pipes."""
FILES_OF_A_CALL = 10
"""ICE takes a socket for each address of the machine; playing and recording take some."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York")


def machine_checks(config: Config | None) -> list[Check]:
    """Those that touch the disk run in a thread."""
    looks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("versions", versions),
        ("libopus", partial(opus, config)),
        ("time zones", time_zones),
    ]
    if config is not None:
        looks.append(("speech", partial(speech, config)))
        looks.append(("disk", partial(disk, config.bot.state_dir)))
        looks.append(("file descriptors", partial(descriptors, config.media.max_calls)))
    return [Check(name, partial(_in_thread, look), 10.0) for name, look in looks]


async def _in_thread(look: Callable[[], list[Finding]], report: Report) -> None:
    for finding in await trio.to_thread.run_sync(look, abandon_on_cancel=True):
        report(finding)


def versions() -> list[Finding]:
    known = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            known.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # run from a checkout that is not installed
            known.append(f"{package} ?")
    return [ok("versions", ", ".join([*known, ssl.OPENSSL_VERSION, platform.platform(terse=True)]))]


def opus(config: Config | None) -> list[Finding]:
    try:
        lib = library()
    except MediaError as exc:
        wanted = config is None or "opus" in config.media.codecs
        advice = 'install it (Debian: libopus0), or set [media] codecs = ["PCMU", "PCMA"]'
        return [failed("libopus", str(exc), advice) if wanted else skipped("libopus", "not found, and not used")]
    tell = lib.opus_get_version_string
    tell.restype = ctypes.c_char_p
    return [ok("libopus", tell().decode())]


def time_zones() -> list[Finding]:
    missing = []
    for name in ZONES:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError):
            missing.append(name)
    if missing:
        what = f"no data for {', '.join(missing)}: bot.cron() can't use them"
        return [failed("time zones", what, "install the package tzdata (pip install tzdata)")]
    return [ok("time zones", f"data is there; here it is {datetime.now(UTC).astimezone():%Y-%m-%d %H:%M:%S %Z}")]


def speech(config: Config) -> list[Finding]:
    """Nobody needs one who only plays files, unless `[speech]` asks for it."""
    try:
        return [ok("speech", f"{speech_of(config.speech, config.bot.state_dir).provider()} speaks")]
    except SpeechUnavailable as exc:
        if config.speech != SpeechConfig():
            return [failed("speech", str(exc), "change [speech], or install what it asks for")]
        return [skipped("speech", f"{exc}; call.say() can't be used, play files instead")]


def disk(state_dir: Path) -> list[Finding]:
    """Can be written to, and has room."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=state_dir, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        advice = f"let the user that runs the bot (uid {os.geteuid()}) write there, or set [bot] state_dir"
        return [failed("disk", f"{state_dir} can't be written to: {why}", advice)]
    return [_space(state_dir, shutil.disk_usage(state_dir).free)]


def _space(state_dir: Path, free: int) -> Finding:
    text = f"{state_dir} can be written to, {free / 1e9:.1f} GB are free"
    advice = "make room: recordings and the plugins' stores need it"
    if free < TOO_LITTLE_SPACE:
        return failed("disk", text, advice)
    return warning("disk", text, advice) if free < LITTLE_SPACE else ok("disk", text)


def descriptors(max_calls: int, limit: int | None = None) -> list[Finding]:
    """`limit`: of this process, if it isn't told."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    needed = FILES_OF_THE_BOT + FILES_OF_A_CALL * max_calls
    text = f"{'no limit' if soft == resource.RLIM_INFINITY else soft}; {max_calls} calls need some {needed}"
    if soft != resource.RLIM_INFINITY and soft < needed:
        advice = f"raise it (systemd: LimitNOFILE={2 * needed}; shell: ulimit -n), or lower [media] max_calls"
        return [warning("file descriptors", text, advice)]
    return [ok("file descriptors", text)]
