"""The simulated PBX's shell: HTTP, WebSocket and audio around `sim.core`."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import Any, cast

import trio

from ..config import SimConfig
from ..core import Pbx
from .actor import Work
from .describing import describe_config
from .listening import parse_listen, self_signed_context, tls_context
from .running import Running, serve_model

__all__ = ["RunningSim", "describe", "serve"]


@dataclass(frozen=True)
class RunningSim:
    """A simulator that is up. It ends when the task that serves it is cancelled."""

    config: SimConfig
    pbx: Pbx
    """The model: to be read, and for its levers inside `post` and `lever`, nowhere else."""
    shell: Running

    @property
    def url(self) -> str:
        """http or https, without a path, as it is reached from this machine."""
        return self.shell.url

    @property
    def host(self) -> str:
        return self.shell.host

    @property
    def port(self) -> int:
        """The real one, also where 0 was asked for."""
        return self.shell.port

    @property
    def digits(self) -> dict[str, str]:
        """What clients have pressed: call-id → digits, of calls that are up or were until just now."""
        return self.pbx.digits

    def post(self, work: Work) -> None:
        """Pull a lever soon: `sim.post(lambda now: sim.pbx.lose_registration(now, "45"))`. In the trio thread."""
        self.shell.post(work)

    async def lever(self, work: Work) -> None:
        """Pull a lever; its effects are on their way when this returns."""
        await self.shell.lever(work)

    def snapshot(self) -> dict[str, Any]:
        """Sockets, registrations, legs and calls as plain data, and how many legs have audio (`media`)."""
        return {**self.pbx.snapshot(), "media": self.shell.media.legs}


async def serve(
    config: SimConfig,
    *,
    listen: str = "127.0.0.1:8080",
    codecs: tuple[str, ...] | None = None,
    task_status: trio.TaskStatus[RunningSim] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then every socket, peer connection and thread is gone.

    `listen`: HOST:PORT, port 0 for a free one. `codecs`: what the PBX speaks, instead of `config.codecs`. Raises
    ListenError where another has the port, UsageError for an address that is none or a certificate it can't use.
    """
    pbx = Pbx(config, epoch=time.time() - trio.current_time())
    await serve_model(
        pbx,
        listen=listen,
        tls=_tls(config, listen),
        server_header=pbx.server_header,
        codecs=codecs or config.codecs,
        task_status=cast("trio.TaskStatus[Running]", _Started(config, pbx, task_status)),
    )


class _Started:
    """Tells the starter of a simulator not only of its shell."""

    def __init__(self, config: SimConfig, pbx: Pbx, task_status: trio.TaskStatus[RunningSim]) -> None:
        self._config, self._pbx, self._task_status = config, pbx, task_status

    def started(self, value: Running) -> None:
        self._task_status.started(RunningSim(self._config, self._pbx, value))


def describe(sim: RunningSim) -> list[str]:
    """Lines for a terminal: where it is, who may sign in, which number does what."""
    return describe_config(sim.config, sim.shell.urls)


def _tls(config: SimConfig, listen: str) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    if isinstance(config.tls, dict):
        return tls_context(config.tls["cert"], config.tls["key"])
    return self_signed_context(parse_listen(listen)[0])
