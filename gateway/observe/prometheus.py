"""`PrometheusMeter`: the metrics of this process, for `GET /metrics` where Ray does not serve."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.observe.metrics import METRICS, PREFIX, Metric


class PrometheusMeter:
    """A Meter with a registry of its own, so that two apps in one process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._metrics = {metric.name: _create(metric, self._registry) for metric in METRICS}

    def add(self, name: str, labels: Mapping[str, str], value: float = 1) -> None:
        """Add to a counter."""
        self._metrics[name].labels(**labels).inc(value)

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        self._metrics[name].labels(**labels).set(value)

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add a value to a histogram."""
        self._metrics[name].labels(**labels).observe(value)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format, `CONTENT_TYPE_LATEST`."""
        return generate_latest(self._registry)


def _create(metric: Metric, registry: CollectorRegistry) -> Any:
    arguments = (PREFIX + metric.name, metric.meaning, metric.labels)
    if metric.kind == "histogram":
        return Histogram(*arguments, buckets=metric.bounds, registry=registry)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(*arguments, registry=registry)
