"""`RayMeter`: the metrics of a replica on its node's Ray metrics port."""

from collections.abc import Mapping
from typing import Any

from ray.util.metrics import Counter, Gauge, Histogram

from gateway.observe.metrics import METRICS, PREFIX, Metric


class RayMeter:
    """A Meter; Ray adds labels for the node and the replica, and `ray_` before each name."""

    def __init__(self) -> None:
        self._metrics = {metric.name: _create(metric) for metric in METRICS}

    def add(self, name: str, labels: Mapping[str, str], value: float = 1) -> None:
        """Add to a counter."""
        if value > 0:  # Ray raises ValueError for 0
            self._metrics[name].inc(value, tags=dict(labels))

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        self._metrics[name].set(value, tags=dict(labels))

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add a value to a histogram."""
        self._metrics[name].observe(value, tags=dict(labels))


def _create(metric: Metric) -> Any:
    name = PREFIX + metric.name
    if metric.kind == "histogram":
        bounds = list(metric.bounds)
        return Histogram(name, metric.meaning, boundaries=bounds, tag_keys=metric.labels)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(name, metric.meaning, tag_keys=metric.labels)
