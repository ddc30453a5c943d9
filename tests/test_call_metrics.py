"""What is counted of the bot's own calls."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from vodiabot import events
from vodiabot.metrics import CallMetrics


def test_one_way_audio_by_its_way() -> None:
    registry, call = CollectorRegistry(), None
    metrics: Any = CallMetrics(registry)
    metrics.heard(events.CallSilent(call_id="1", seconds=5.0), call)
    for call_id in ("1", "2"):
        metrics.heard(events.CallChanged(call_id=call_id, what="far_side_deaf"), call)
        metrics.heard(events.CallUnheard(call_id=call_id, seconds=10.0), call)
    assert registry.get_sample_value("vodiabot_one_way_audio_total", {"way": "silent"}) == 1
    assert registry.get_sample_value("vodiabot_one_way_audio_total", {"way": "unheard"}) == 2
