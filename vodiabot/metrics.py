"""What a bot counts, for Prometheus: one registry a bot, nothing global. What can be read off the bot is read when it
is asked for (`Readings`); what is over when it is asked for (calls) is counted as it happens (`CallMetrics`).

Labels are few and bounded: extensions and plugins of the configuration, and words of our own. Never a number, a name
or a call-id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from . import events, logs
from .plugin_metrics import PluginMetrics
from .ports import DtmfReceived, MediaConference, MediaEvent, MediaLeg, MediaPort, MediaStats

if TYPE_CHECKING:
    from .bot import Bot
    from .calls import Call

SETUP_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
"""Seconds."""
DURATION_BUCKETS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds."""
JITTER_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Seconds."""
MOS_BUCKETS = (2, 2.5, 3, 3.25, 3.5, 3.75, 4, 4.1, 4.2, 4.3, 4.4, 4.5)


class Metrics:
    """All that one bot counts."""

    def __init__(self, bot: Bot) -> None:
        self.registry = CollectorRegistry()
        self.calls = CallMetrics(self.registry)
        self._readings = Readings(bot)
        self._plugins: dict[str, PluginMetrics] = {}
        ProcessCollector(registry=self.registry)
        self.registry.register(self._readings)

    def of_plugin(self, name: str) -> PluginMetrics:
        """Those of one plugin; they outlive a reload of it."""
        if name not in self._plugins:
            self._plugins[name] = PluginMetrics(name, self.registry)
        return self._plugins[name]

    def heard(self, event: events.Event, call: Call | None) -> None:
        """An event of the bot; of interest are those of its own calls."""
        if call is not None:
            self.calls.heard(event, call)

    async def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The text, and its content type, which `accept` (an HTTP header) chooses."""
        self._readings.store_bytes = await trio.to_thread.run_sync(self._readings.measure_stores)
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class CallMetrics:
    """The bot's own calls, as they come and go."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, doc: str, *labels: str) -> Counter:
            return Counter(f"vodiabot_{name}", doc, labels, registry=registry)

        def histogram(name: str, doc: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"vodiabot_{name}", doc, labels, buckets=buckets, registry=registry)

        self._ended = counter("calls", "Calls that are over", "direction", "outcome", "answered")
        self._duration = histogram(
            "call_duration_seconds", "From the answer to the end", DURATION_BUCKETS, "direction"
        )
        self._setup = histogram(
            "call_setup_seconds", "From the invitation to the answer, with audio", SETUP_BUCKETS, "direction"
        )
        self._sent = counter("media_packets_sent", "Audio packets sent, of calls that are over")
        self._received = counter("media_packets_received", "Audio packets received, of calls that are over")
        self._lost = counter("media_packets_lost", "Of the other side's, of calls that are over")
        self._late = counter("media_packets_late", "That came too late to be played, of calls that are over")
        self._concealed = counter("media_concealed_seconds", "Audio that was made up, of calls that are over")
        self._jitter = histogram("media_jitter_seconds", "Of received packets, one observation a call", JITTER_BUCKETS)
        self._mos = histogram("media_mos", "Estimated mean opinion score, one observation a call", MOS_BUCKETS)
        self._round_trip = histogram("media_round_trip_seconds", "One observation a call", JITTER_BUCKETS)
        self._one_way = counter("one_way_audio", "Times that a call was heard on one side only", "way")
        self._dtmf = counter("dtmf_received", "Digits that other sides have pressed")

    def heard(self, event: events.Event, call: Call) -> None:
        if isinstance(event, events.CallAnswered) and call.answered is not None:
            self._setup.labels(call.direction).observe(max(0.0, call.answered - call.started))
        if isinstance(event, events.CallSilent | events.CallUnheard):
            self._one_way.labels("silent" if isinstance(event, events.CallSilent) else "unheard").inc()
        if isinstance(event, events.CallEnded):
            self._ended.labels(call.direction, event.reason, str(event.answered).lower()).inc()
            if event.answered:
                self._duration.labels(call.direction).observe(event.duration)
            self._media(call.stats())

    def _media(self, stats: MediaStats) -> None:
        self._sent.inc(stats.packets_sent)
        self._received.inc(stats.packets_received)
        self._lost.inc(max(0, stats.packets_lost))  # duplicates can make it negative (RFC 3550)
        self._late.inc(stats.packets_late)
        self._concealed.inc(stats.concealed)
        for histogram, value in (
            (self._jitter, stats.jitter),
            (self._mos, stats.mos),
            (self._round_trip, stats.round_trip),
        ):
            if value is not None:
                histogram.observe(value)

    def digit_heard(self) -> None:
        self._dtmf.inc()


class CountedMedia:
    """A `ports.MediaPort` whose digits are counted on their way."""

    def __init__(self, media: MediaPort, metrics: CallMetrics) -> None:
        self._media = media
        self._metrics = metrics

    def conference(self) -> MediaConference:
        return self._media.conference()

    async def ping(self) -> None:
        await self._media.ping()

    def open(self, label: str, on_event: Callable[[MediaEvent], None], **options: Any) -> MediaLeg:
        def counted(event: MediaEvent) -> None:
            if isinstance(event, DtmfReceived):
                self._metrics.digit_heard()
            on_event(event)

        return self._media.open(label, counted, **options)


class Readings(Collector):
    """What the bot's parts know of themselves, read when it is asked for."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self.store_bytes: Mapping[str, int] = {}

    def measure_stores(self) -> dict[str, int]:
        """Bytes on the disk by plugin; the write-ahead log counts. Touches the disk: not for the trio thread."""
        folder = self._bot.config.bot.state_dir / "store"
        sizes: dict[str, int] = {}
        for file in folder.glob("*.sqlite3*") if folder.is_dir() else ():
            name = file.name.partition(".sqlite3")[0]
            sizes[name] = sizes.get(name, 0) + _size(file)
        return sizes

    def describe(self) -> Iterable[Metric]:
        """What a plugin might take for its own: one that is called `hook` must not have a counter `calls`. No more, as
        all else has names of other forms."""
        yield from (GaugeMetricFamily(f"vodiabot_plugin_{name}", "") for name in ("up", "quarantined", "queue_length"))
        yield from (CounterMetricFamily(f"vodiabot_plugin_{name}", "") for name in PLUGIN_COUNTERS)

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("vodiabot", "The version", value={"version": _version()})
        yield from self._of_the_bot()
        yield from self._of_sessions()
        yield from self._of_plugins()
        yield from self._of_the_log()
        yield _gauges("store_bytes", "What a plugin's store takes on the disk", ("plugin",), self.store_bytes)

    def _of_the_bot(self) -> Iterator[Metric]:
        bot = self._bot
        yield _gauge("start_time_seconds", "When the bot began, seconds since the epoch", bot.began)
        yield _gauge("config_loaded_time_seconds", "When bot.toml was last taken over", bot.config_loaded)
        yield _gauge("draining", "1: the bot leaves and takes no new calls", float(bot.draining))
        yield _gauge("domain_accounts", "Accounts of the domain that are known", len(bot.domain.accounts))
        yield _gauge("domain_calls", "Everybody else's calls that are known", len(bot.domain.calls))
        watchdog = bot.watchdog
        yield CounterMetricFamily("vodiabot_blocked_seconds", "The trio thread stood still", watchdog.blocked_seconds)
        yield _counters("blockages", "Times that it did, by the plugin that ran", ("plugin",), dict(watchdog.by_plugin))
        yield _counters("dials_refused", "Numbers that were not dialled", ("limit",), bot.guard.refused)
        yield CounterMetricFamily("vodiabot_chats_refused", "Text messages that were not sent", bot.chats.refused)

    def _of_sessions(self) -> Iterator[Metric]:
        lines = self._bot.lines
        label = ("extension",)
        yield _gauges("session_up", "1: logged in and registered", label, {x.user: float(x.up) for x in lines})
        refused = {x.user: float(x.refused) for x in lines}
        yield _gauges("session_refused", "1: the PBX refuses its login; a person has to mend that", label, refused)
        yield _gauges("active_calls", "Calls of the bot", label, {x.user: len(x.switchboard.calls) for x in lines})
        yield _counters("session_reconnects", "Times it came up again", label, {x.user: x.reconnects for x in lines})
        yield _counters("frames_received", "Frames of the PBX", label, {x.user: x.frames_received for x in lines})
        yield _counters("frames_sent", "Frames to the PBX", label, {x.user: x.session.frames_sent for x in lines})

    def _of_plugins(self) -> Iterator[Metric]:
        states = self._bot.host.all_states()
        label = ("plugin",)
        up = {s.name: float(s.state == "running") for s in states}
        yield _gauges("plugin_up", "1: at work; 0: not, also of one that is wrong and left out", label, up)
        yield _gauges(
            "plugin_quarantined", "1: in quarantine", label, {s.name: float(s.state == "quarantined") for s in states}
        )
        yield _gauges("plugin_queue_length", "Events that wait for it", label, {s.name: s.queued for s in states})
        for name, doc in PLUGIN_COUNTERS.items():
            yield _counters(f"plugin_{name}", doc, label, {s.name: getattr(s, name) for s in states})

    def _of_the_log(self) -> Iterator[Metric]:
        yield _counters("log_lines", "Lines of the log", ("level",), logs.lines_written())
        yield CounterMetricFamily("vodiabot_log_lines_lost", "That nobody took in time", logs.lines_lost())


PLUGIN_COUNTERS = {
    "hook_calls": "Hooks that were called",
    "failures": "Hook calls, handlers and work that raised",
    "timeouts": "Hook calls that took too long",
    "quarantines": "Times that it was put into quarantine",
    "skipped": "Events of state that it has missed, being behind",
    "coalesced": "Events of state that were replaced by newer ones",
}
"""Of `plugins.PluginState`."""


def _version() -> str:
    from . import __version__  # not known yet when this file is imported

    return __version__


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone meanwhile, as a write-ahead log goes
        return 0


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(f"vodiabot_{name}", doc, value)


def _gauges(name: str, doc: str, labels: tuple[str, ...], values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"vodiabot_{name}", doc, None, labels)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _counters(name: str, doc: str, labels: tuple[str, ...], values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"vodiabot_{name}", doc, None, labels)
    for label, value in values.items():
        family.add_metric([label], value)
    return family
