"""Where log lines go, what is in them, and what becomes of them when nobody takes them."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from tests.test_plugin_bot import Author, running
from vodiabot import Bot, Call, logs
from vodiabot.log_writer import LineWriter
from vodiabot.testing import media
from vodiabot.testing.media import VirtualLeg
from vodiabot.verbs.common import log_context


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def set_up() -> Iterator[Callable[..., None]]:
    root, ours = logging.getLogger(), logging.getLogger("vodiabot")
    before = list(root.handlers), root.level, ours.level
    yield logs.set_up
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level, ours.level = before


def told(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


# --- tracebacks ---------------------------------------------------------------------------------------------------


PLUGIN_CODE = """
def deeper(call):
    call()

def answer_call(call):
    deeper(call)
"""


def failed(module: str, call: Callable[[], None]) -> ValueError:
    """Raised by the engine, that was called by a plugin, that was called by the engine."""
    engine: dict[str, Any] = {"__name__": "vodiabot.calls.handler"}
    exec(compile("def run(handler, call):\n    handler(call)\n", "engine.py", "exec"), engine)
    plugin: dict[str, Any] = {"__name__": module}
    exec(compile(PLUGIN_CODE, "plugin.py", "exec"), plugin)
    try:
        engine["run"](plugin["answer_call"], call)
    except ValueError as exc:
        exc.__traceback__ = exc.__traceback__ and exc.__traceback__.tb_next  # without the frame of this test
        return exc
    raise AssertionError


def of_the_engine() -> Callable[[], None]:
    engine: dict[str, Any] = {"__name__": "vodiabot.media.player"}
    exec(compile("def play():\n    raise ValueError('no such file')\n", "player.py", "exec"), engine)
    play: Callable[[], None] = engine["play"]
    return play


@pytest.mark.parametrize("form", ["json", "human"])
def test_the_traceback_of_a_plugin_begins_with_its_own_code(form: Any, set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()), form=form)
    error = failed("sales", of_the_engine())
    structlog.get_logger().error("the handler of a call failed", plugin="sales", exc_info=error)
    text = out.getvalue().replace('\\"', '"')
    assert "engine.py" not in text
    assert text.index('plugin.py", line 6, in answer_call') < text.index('plugin.py", line 3, in deeper')
    assert 'player.py", line 2, in play' in text, "what it has called is told"
    assert "ValueError: no such file" in text
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code.co_filename == "engine.py", "others who have it have it whole"


@pytest.mark.parametrize(("plugin", "module"), [("", "sales"), ("sales", "vodiabot.plugins.runner")])
def test_a_mistake_of_ours_is_told_whole(plugin: str, module: str, set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()))
    structlog.get_logger().error("failed", plugin=plugin, exc_info=failed(module, of_the_engine()))
    assert "engine.py" in out.getvalue()


# --- form and level --------------------------------------------------------------------------------------------------


def test_json_one_object_a_line(set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()))
    log = structlog.get_logger().bind(extension="45")
    log.info("a\nb", call="c1", odd=object)
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("failed")
    first, second = told(out)
    assert (first["event"], first["level"], first["extension"], first["call"]) == ("a\nb", "info", "45", "c1")
    assert datetime.fromisoformat(first["timestamp"]).utcoffset() == timedelta(), "a machine need not guess the zone"
    assert second["exception"].endswith("ValueError: x")


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [("auto", io.StringIO, True), ("auto", Terminal, False), ("human", io.StringIO, False), ("json", Terminal, True)],
)
def test_the_form(form: Any, stream: type[io.StringIO], is_json: bool, set_up: Any) -> None:
    set_up(stream=(out := stream()), form=form)
    structlog.get_logger().info("hello", call="c1")
    assert out.getvalue().startswith("{") == is_json
    milliseconds = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\D", out.getvalue())
    assert is_json or milliseconds, "people need no microseconds"
    assert "hello" in out.getvalue()
    assert ("\x1b[" in out.getvalue()) == (isinstance(out, Terminal) and not is_json)


@pytest.mark.parametrize(
    ("level", "events"), [("debug", "diwe"), ("info", "iwe"), ("warning", "we"), ("error", "e")]
)
def test_the_level_of_our_own_lines(level: str, events: str, set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()), level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)(name[0])
    assert "".join(line["event"] for line in told(out)) == events


def test_libraries_tell_warnings_only_and_in_the_same_form(set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()))
    for name in ("aioice.ice", "httpx", "hypercorn.error"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("%s is odd", name)
    logging.getLogger("vodiabot.media.leg").info("ours")
    assert [(line["logger"], line["event"]) for line in told(out)] == [
        ("aioice.ice", "aioice.ice is odd"),
        ("httpx", "httpx is odd"),
        ("hypercorn.error", "hypercorn.error is odd"),
        ("vodiabot.media.leg", "ours"),
    ]


def test_a_library_with_a_level_and_a_format_of_its_own(set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()))
    logging.getLogger("x").log(35, "between")
    logging.getLogger("x").warning("%d", "no number")
    assert [(line["level"], line["event"]) for line in told(out)] == [
        ("warning", "between"),
        ("warning", "%d (TypeError in its format)"),
    ]


def test_silent_but_with_debug(set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()), silent=True)
    structlog.get_logger().error("a")
    logging.getLogger("x").error("b")
    assert out.getvalue() == ""
    set_up(stream=out, silent=True, debug=True)
    structlog.get_logger().debug("c")
    assert "c" in out.getvalue()


def test_what_runs_is_named_and_the_line_itself_counts_more(set_up: Any) -> None:
    set_up(stream=(out := io.StringIO()), context=lambda: {"plugin": "greeter", "call": "outer"})
    structlog.contextvars.bind_contextvars(extension="45")
    structlog.get_logger().info("a")
    structlog.get_logger().info("b", call="inner")
    logging.getLogger("aiortc").warning("c")
    rows = [(line["plugin"], line["call"], line["extension"]) for line in told(out)]
    assert rows == [("greeter", "outer", "45"), ("greeter", "inner", "45"), ("greeter", "outer", "45")]


def test_a_caller_s_name_does_not_reach_the_terminal_as_it_is(set_up: Any) -> None:
    set_up(stream=(out := Terminal()))
    structlog.get_logger().info("incoming\x1b[2J call", sender="\x1b]0;owned\x07")
    assert "\x1b[2J" not in out.getvalue()
    assert "\x1b]0" not in out.getvalue()
    assert "owned" in out.getvalue()


def test_lines_are_counted_by_level(set_up: Any) -> None:
    assert logs.lines_written() == {}
    set_up(stream=io.StringIO())
    structlog.get_logger().info("a")
    structlog.get_logger().error("b")
    logging.getLogger("x").error("c")
    structlog.get_logger().debug("not written")
    assert logs.lines_written() == {"info": 1, "error": 2}
    assert logs.lines_lost() == 0


async def test_lines_within_a_running_bot_name_plugin_call_and_extension(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, set_up: Any
) -> None:
    set_up(stream=(out := io.StringIO()), context=log_context)
    ids: list[str] = []

    async def handler(call: Call, bot: Bot, log: Any) -> None:
        ids.append(call.id)
        logging.getLogger("a.library").warning("of a plugin")
        await call.answer()

    class Talking(VirtualLeg):
        async def make_answer(self, generation: int, offer: str) -> str:
            logging.getLogger("vodiabot.media").info("of the engine")
            return await super().make_answer(generation, offer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "VirtualLeg", Talking)
        async with running(tmp_path, Author(handler)) as (_, pbx):
            phone = pbx.pbx.phone("46")
            pbx.lever(phone.plug_in)
            pbx.lever(lambda now: phone.dial(now, "45"))
            await trio.sleep(5)
    lines = {line["event"]: line for line in told(out)}
    of_plugin, of_engine = lines["of a plugin"], lines["of the engine"]
    assert [of_plugin.get(key) for key in ("plugin", "call", "extension")] == ["author", ids[0], "45"]
    assert [of_engine.get(key) for key in ("plugin", "call", "extension")] == [None, ids[0], "45"]


# --- a reader that does not read -------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        os.close(fd)


def told_lost(count: int) -> str:
    return f"{count} lost"


def read_until(fd: int, ending: bytes) -> list[str]:
    text = b""
    while not text.endswith(ending):
        text += os.read(fd, 1 << 16)
    return text.decode().splitlines()


def test_a_pipe_that_is_full_makes_nobody_wait_and_what_is_lost_is_told(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write, on_lost=told_lost, most_bytes=100_000)
    for number in range(10_000):
        writer.put(f"{number:05} " + "x" * 94)
    assert not writer.flush(0.01)
    assert 8000 < writer.lost < 9900  # a pipe and the queue hold some 1,600 lines
    position = told = 0
    while position < 10_000:  # each gap is told where it is
        for line in read_until(read, b"\n"):
            missing = int(line.split()[0]) if line.endswith("lost") else 0
            assert missing or int(line[:5]) == position
            position += missing or 1
            told += missing
    assert told == writer.lost
    writer.put("again")
    assert read_until(read, b"again\n") == ["again"]
    writer.close()
    assert not [t for t in threading.enumerate() if t is writer._thread]


def test_lines_of_many_threads_stay_whole(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write, on_lost=told_lost)
    threads = [threading.Thread(target=lambda n=n: [writer.put(str(n) * 50) for _ in range(20)]) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(10)
    assert sorted(os.read(read, 1 << 16).decode().split()) == sorted([str(n) * 50 for n in range(5) for _ in range(20)])
    writer.close()


def test_a_reader_that_is_gone_ends_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LineWriter(write, on_lost=told_lost)
    writer.put("a")
    assert writer.flush(10)
    writer.put("b")
    writer.close()
    assert writer.lost == 2
    os.close(write)


def test_a_pipe_that_somebody_made_non_blocking(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.set_blocking(write, False)
    writer = LineWriter(write, on_lost=told_lost)
    writer.put("x" * 200_000)
    assert len(read_until(read, b"\n")[0]) == 200_000
    writer.close()


SCRIPT = """
import structlog, sys
from vodiabot import logs
logs.set_up()
for number in range(20_000):
    structlog.get_logger().info("a line of a bot that talks a lot", number=number)
logs.flush()
print("done", flush=True)
"""


def test_a_process_whose_stderr_nobody_reads_goes_on_and_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == b"done\n"
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
