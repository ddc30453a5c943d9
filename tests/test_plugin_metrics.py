"""What plugins count for themselves."""

from __future__ import annotations

from typing import cast

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from vodiabot import Bot
from vodiabot.errors import UsageError
from vodiabot.metrics import Metrics
from vodiabot.plugin_metrics import MOST_SERIES, OTHER, PluginMetrics


def metrics(name: str = "a-b") -> tuple[PluginMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return PluginMetrics(name, registry), registry


def test_three_kinds_by_the_plugins_own_prefix() -> None:
    mine, registry = metrics()
    mine.counter("orders", "doc").inc(2)
    gauge = mine.gauge("waiting", "doc", labels=["queue"])
    gauge.set(5, queue="sales")
    gauge.inc(queue="sales")
    gauge.dec(3, queue="sales")
    mine.histogram("seconds", "doc", buckets=(1, 2)).observe(1.5)
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders_total") == 2
    assert registry.get_sample_value("vodiabot_plugin_a_b_waiting", {"queue": "sales"}) == 3
    assert registry.get_sample_value("vodiabot_plugin_a_b_seconds_bucket", {"le": "2.0"}) == 1


def test_asked_for_again_it_goes_on_counting() -> None:
    mine, registry = metrics()
    mine.counter("orders", "doc").inc()
    mine.counter("orders", "another doc").inc()
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders_total") == 2


def test_with_other_labels_or_of_another_kind_it_begins_anew() -> None:
    mine, registry = metrics()
    mine.counter("orders", "doc").inc()
    mine.counter("orders", "doc", labels=["kind"]).inc(kind="x")
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders_total", {"kind": "x"}) == 1
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders_total") is None
    mine.gauge("orders", "doc").set(7)
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders") == 7


def test_one_that_can_t_begin_anew_goes_on_as_it_was() -> None:
    mine, registry = metrics()
    orders = mine.counter("orders", "doc")
    with pytest.raises(UsageError):
        mine.histogram("orders", "doc", buckets=(2, 1))
    orders.inc()
    assert registry.get_sample_value("vodiabot_plugin_a_b_orders_total") == 1


@pytest.mark.parametrize(("plugin", "name"), [("hook", "calls"), ("queue", "length")])
def test_what_the_engine_counts_of_plugins_is_no_plugins_own(plugin: str, name: str) -> None:
    """Two families of one name, and whoever scrapes them has nothing at all."""
    mine = Metrics(cast(Bot, None)).of_plugin(plugin)  # the bot is asked when somebody collects
    for make in (mine.counter, mine.gauge, mine.histogram):
        with pytest.raises(UsageError, match="Duplicated"):
            make(name, "doc")
    mine.counter("others", "doc")


def test_label_values_are_bounded() -> None:
    mine, registry = metrics()
    calls = mine.counter("calls", "doc", labels=("caller",))
    with structlog.testing.capture_logs() as lines:
        for n in range(MOST_SERIES + 50):
            calls.inc(caller=n)
        calls.inc(caller=0)
    assert registry.get_sample_value("vodiabot_plugin_a_b_calls_total", {"caller": OTHER}) == 50
    assert registry.get_sample_value("vodiabot_plugin_a_b_calls_total", {"caller": "0"}) == 2
    assert len(lines) == 1


def test_what_is_no_valid_text_leaves_the_metrics_of_all_readable() -> None:
    mine, registry = metrics()
    mine.counter("orders", "half a \ud800", labels=("kind",)).inc(kind='a "\\\n\udcff')
    told = generate_latest(registry).decode()
    assert 'vodiabot_plugin_a_b_orders_total{kind="a \\"\\\\\\n?"} 1.0' in told


@pytest.mark.parametrize(
    ("name", "labels"), [("with space", ()), ("1st", ()), ("fine", ("with-dash",)), ("fine", ("__own",)), ("", ())]
)
def test_a_name_that_can_t_be_one(name: str, labels: tuple[str, ...]) -> None:
    mine, _ = metrics()
    with pytest.raises(UsageError):
        mine.counter(name, "doc", labels=labels)


def test_misuse_is_told() -> None:
    mine, _ = metrics()
    counter = mine.counter("orders", "doc", labels=("kind",))
    with pytest.raises(UsageError, match="its labels are kind, not none"):
        counter.inc()
    with pytest.raises(UsageError, match="its labels are kind, not sort"):
        counter.inc(sort="x")
    with pytest.raises(UsageError, match="a counter has no set"):
        counter.set(5, kind="x")
    with pytest.raises(UsageError):
        counter.inc(-1, kind="x")


def test_two_plugins_whose_names_differ_only_in_signs() -> None:
    first, registry = metrics("a-b")
    first.counter("orders", "doc")
    with pytest.raises(UsageError, match="a_b"):
        PluginMetrics("a_b", registry).counter("orders", "doc")
