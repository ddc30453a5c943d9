"""The way to a running bot from the shell: a Unix socket in `state_dir`, for `vodiabot reload` and `vodiabot status`.

One JSON object a line, one answer a line: `{"request": "reload"}` → `{"ok": true, "result": {…}}`, or
`{"ok": false, "error": "…"}`; a request may have `"arguments": {…}`. The socket is open to the bot's own user alone
(mode 0600). A lock file beside it says whether a bot is there, and which process that is: so the socket that a killed
bot has left is replaced, and a living one's never.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from .errors import AlreadyRunning, NotRunning, UsageError

SOCKET = "control.sock"
LOCK = "control.lock"

LONGEST_LINE = 1 << 22
"""Bytes; a snapshot of a thousand accounts is a tenth of it."""

LONGEST_ADDRESS = 100
"""Bytes that the path of a Unix socket may have everywhere (Linux takes 107, macOS 103)."""

Answer = Callable[..., Awaitable[Any]]
"""Gives what the answer's `result` is to be: plain data. Raises UsageError for what it refuses."""

log = structlog.get_logger(__name__)


async def serve_control(
    state_dir: Path,
    answers: Mapping[str, Answer],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests until cancelled. Only for who is the `sole_bot` of this `state_dir`."""
    with _listening(state_dir) as listener:
        serve = partial(trio.serve_listeners, partial(_converse, answers), [trio.SocketListener(listener)])
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            task_status.started()


@contextmanager
def sole_bot(state_dir: Path) -> Iterator[None]:
    """Meanwhile no other bot runs with this `state_dir`: two would answer the same calls, write the same stores, and
    one of them could be reached by nobody.

    Raises AlreadyRunning if one does; UsageError if the folder can't be written to.
    """
    lock = _opened(state_dir)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another bot runs with state_dir {state_dir}{_process(lock)}") from None
        _sign(lock)
        yield
    finally:
        os.close(lock)


def _opened(state_dir: Path) -> int:
    """The lock file. It stays for ever: who removed it would let two hold it."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise UsageError(f"[bot] state_dir {state_dir} can't be written to: {exc.strerror or exc}") from exc


def _sign(lock: int) -> None:
    with suppress(OSError):  # a full disk: others learn that a bot runs, not which
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)


def _process(lock: int) -> str:
    """Whose it is, where that was written down."""
    pid = os.pread(lock, 20, 0).decode(errors="replace").strip()
    return f" (process {pid})" if pid.isascii() and pid.isdigit() else ""


@contextmanager
def _listening(state_dir: Path) -> Iterator[trio.socket.SocketType]:
    path = state_dir / SOCKET
    path.unlink(missing_ok=True)  # of a bot that was killed: we hold the lock
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before there is a file (Linux)
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen()
        yield trio.socket.from_stdlib_socket(listener)
    finally:
        path.unlink(missing_ok=True)
        listener.close()


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path of a socket, by way of its folder's descriptor where it is too long for an address."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise UsageError(f"[bot] state_dir has too long a path for a socket: {path.parent}")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _converse(answers: Mapping[str, Answer], stream: trio.SocketStream) -> None:
    """One client, until it leaves."""
    try:
        async with stream, aclosing(_lines(stream)) as lines:
            async for line in lines:
                await stream.send_all(await _answer(answers, line) + b"\n")
    except (trio.BrokenResourceError, UsageError) as exc:
        log.debug("a client of the control socket is gone", why=str(exc))


async def _answer(answers: Mapping[str, Answer], line: bytes) -> bytes:
    try:
        return msgspec.json.encode({"ok": True, "result": await _result(answers, line)})
    except UsageError as exc:
        return msgspec.json.encode({"ok": False, "error": str(exc)})
    except Exception as exc:  # a mistake of ours must not end the bot; it is told whole
        log.exception("a request over the control socket failed", request=line[:100].decode(errors="replace"))
        told = f"{type(exc).__name__}: {exc}".encode(errors="backslashreplace").decode()
        return msgspec.json.encode({"ok": False, "error": told})


async def _result(answers: Mapping[str, Answer], line: bytes) -> Any:
    """Plain data, as a rule. Raises UsageError for what is no request."""
    try:
        asked = msgspec.json.decode(line)
        answer, arguments = answers.get(asked["request"]), asked.get("arguments", {})
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError, AttributeError):
        raise UsageError('a request is {"request": NAME}') from None
    if answer is None:
        raise UsageError(f"there is no such request; there are {', '.join(answers)}")
    return await answer(**arguments)


async def _lines(stream: trio.SocketStream) -> AsyncGenerator[bytes, None]:
    """Lines without their ends. Raises UsageError for one that is too long."""
    waiting = b""
    async for chunk in stream:
        waiting += chunk
        *whole, waiting = waiting.split(b"\n")
        for line in whole:
            yield line
        if len(waiting) > LONGEST_LINE:
            raise UsageError("the line is too long")


async def ask(state_dir: Path, request: str, **arguments: Any) -> Any:
    """What the bot that runs with this `state_dir` answers. Raises NotRunning if none does, or if it leaves before it
    has answered; UsageError if it refuses the request."""
    async with _connected(state_dir) as stream, aclosing(_lines(stream)) as lines:
        try:
            asked = {"request": request, **({"arguments": arguments} if arguments else {})}
            await stream.send_all(msgspec.json.encode(asked) + b"\n")
            async for line in lines:
                answer = msgspec.json.decode(line)
                if not answer["ok"]:
                    raise UsageError(answer["error"])
                return answer["result"]
        except trio.BrokenResourceError as exc:
            raise NotRunning("the bot has ended before it has answered") from exc
        raise NotRunning("the bot has ended before it has answered")


@asynccontextmanager
async def _connected(state_dir: Path) -> AsyncIterator[trio.SocketStream]:
    try:
        with _address(state_dir / SOCKET) as address:
            stream = await trio.open_unix_socket(address)
    except OSError as exc:
        nobody = isinstance(exc, FileNotFoundError | ConnectionRefusedError)
        why = "no bot runs" if nobody else f"the bot can't be reached ({exc.strerror or exc})"
        raise NotRunning(f"{why} with state_dir {state_dir}") from exc
    async with stream:
        yield stream
