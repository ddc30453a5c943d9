"""The simulator's shell around a model: started, running, ended."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import structlog
import trio

from .actor import Actor, Work
from .bridge import MediaThread, media_thread
from .http import HttpServer
from .listening import WILDCARDS, bind, local_addresses, parse_listen
from .model import Model
from .sdp import CODECS
from .web import make_app

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Running:
    """A simulator that is up. It ends when the task that serves it is cancelled."""

    host: str
    """As clients on this machine reach it."""
    port: int
    """The real one, also where 0 was asked for."""
    tls: bool
    listening: str
    """The address as it was asked for."""
    actor: Actor
    server: HttpServer
    media: MediaThread

    @property
    def url(self) -> str:
        """http or https, without a path."""
        return _url(self.tls, self.host, self.port)

    @property
    def urls(self) -> list[str]:
        """Of all interfaces, if it listens on all."""
        return [_url(self.tls, host, self.port) for host in local_addresses(self.listening)]

    def post(self, work: Work) -> None:
        """Run a lever of the model soon and carry out its effects. Called in the trio thread."""
        self.actor.post(work)

    async def lever(self, work: Work) -> None:
        """Run a lever of the model, such as `lambda now: sim.pbx.expire(now, "45")`; returns when it is done."""
        await self.actor.ask(work)


async def serve_model(
    model: Model,
    *,
    listen: str,
    tls: ssl.SSLContext | None = None,
    server_header: str = "",
    codecs: tuple[str, ...] = CODECS,
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then every socket, peer connection and thread is gone. Raises ListenError or
    UsageError if it can't."""
    asked, port = parse_listen(listen)
    listener = bind(asked, port)
    port = listener.socket.getsockname()[1]
    actor = Actor(model)
    async with listener, media_thread(codecs, actor.news) as media:
        actor.do_media = media.do
        server: HttpServer
        app = make_app(actor, server_header, tls is not None, lambda client: server.cut(client))
        server = HttpServer(app, listener, tls)
        host = "127.0.0.1" if asked in WILDCARDS else asked
        running = Running(host, port, tls is not None, asked, actor, server, media)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(actor.run)
            nursery.start_soon(server.run)
            log.info("simulator is up", url=running.url)
            task_status.started(running)


def _url(tls: bool, host: str, port: int) -> str:
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
