"""What plugins count for themselves, beside what the engine counts of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from .errors import UsageError

MOST_SERIES = 200
"""Combinations of label values of one metric of a plugin; what comes after them is counted together, as `other`. A
plugin that labels by caller must not fill the memory of the bot and of Prometheus."""

OTHER = "other"

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

log = structlog.get_logger(__name__)


class PluginMetrics:
    """What a plugin counts for itself, as `vodiabot_plugin_NAME_…`. Asking again for a metric, as a plugin does that is
    loaded again, gives the same one; with other labels or of another kind, a new one that begins at zero."""

    def __init__(self, plugin: str, registry: CollectorRegistry) -> None:
        self._plugin = plugin
        self._prefix = f"vodiabot_plugin_{re.sub('[^a-zA-Z0-9_]', '_', plugin)}_"
        self._registry = registry
        self._made: dict[str, PluginMetric] = {}

    def counter(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        return self._get(Counter, name, doc, tuple(labels))

    def gauge(self, name: str, doc: str, labels: Iterable[str] = ()) -> PluginMetric:
        return self._get(Gauge, name, doc, tuple(labels))

    def histogram(
        self, name: str, doc: str, labels: Iterable[str] = (), buckets: Iterable[float] | None = None
    ) -> PluginMetric:
        more = {} if buckets is None else {"buckets": tuple(buckets)}
        return self._get(Histogram, name, doc, tuple(labels), **more)

    def _get(
        self, kind: type[MetricWrapperBase], name: str, doc: str, labels: tuple[str, ...], **more: Any
    ) -> PluginMetric:
        shape = (kind, labels, more.get("buckets"))
        old = self._made.get(name)
        if old is not None and old.shape == shape:
            return old
        for word in (name, *labels):
            if not _NAME.fullmatch(word):
                raise UsageError(f"{word!r} can't be the name of a metric or label: letters, digits and _")
        if old is not None:
            self._registry.unregister(old.metric)
        try:
            metric = kind(self._prefix + name, _text(doc), labels, registry=self._registry, **more)
        except ValueError as exc:
            if old is not None:  # it goes on counting where it can be seen
                self._registry.register(old.metric)
            raise UsageError(f"metric {name!r} of plugin {self._plugin}: {exc}") from exc
        self._made[name] = PluginMetric(metric, labels, shape)
        return self._made[name]


class PluginMetric:
    """A counter (`inc`), gauge (`set`, `inc`, `dec`) or histogram (`observe`). Label values are given by name:
    `orders.inc(kind="pizza")`. Raises UsageError for labels that it has not, or an act that it does not know."""

    def __init__(self, metric: MetricWrapperBase, labels: tuple[str, ...], shape: object) -> None:
        self.metric = metric
        self.shape = shape
        self._labels = labels
        self._seen: set[tuple[str, ...]] = set()
        self._told = False

    def inc(self, amount: float = 1, **labels: object) -> None:
        self._act("inc", amount, labels)

    def dec(self, amount: float = 1, **labels: object) -> None:
        self._act("dec", amount, labels)

    def set(self, value: float, **labels: object) -> None:
        self._act("set", value, labels)

    def observe(self, value: float, **labels: object) -> None:
        self._act("observe", value, labels)

    def _act(self, what: str, value: float, labels: Mapping[str, object]) -> None:
        act = getattr(self._series(labels), what, None)
        if act is None:
            raise UsageError(f"a {type(self.metric).__name__.lower()} has no {what}()")
        try:
            act(value)
        except ValueError as exc:  # a counter that should count backwards
            raise UsageError(str(exc)) from exc

    def _series(self, labels: Mapping[str, object]) -> MetricWrapperBase:
        if set(labels) != set(self._labels):
            raise UsageError(f"its labels are {', '.join(self._labels) or 'none'}, not {', '.join(labels) or 'none'}")
        if not self._labels:
            return self.metric
        values = tuple(_text(labels[name]) for name in self._labels)
        if values not in self._seen and len(self._seen) >= MOST_SERIES:
            values = (OTHER,) * len(self._labels)
            self._tell()
        self._seen.add(values)
        return self.metric.labels(*values)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "a metric of a plugin has too many label values; further ones are counted together",
                metric=self.metric._name,
                most=MOST_SERIES,
            )


def _text(value: object) -> str:
    """What can be written as UTF-8: one value that can't would leave nothing of `/metrics`, for all."""
    return str(value).encode(errors="replace").decode()
