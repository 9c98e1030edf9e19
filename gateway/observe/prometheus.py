"""`PrometheusMeter`: the metrics of this process, for `GET /metrics` where Ray does not serve."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from gateway.api.state import gateway_of
from gateway.errors import ApiError
from gateway.keys.caller import caller_of
from gateway.observe.metrics import METRICS, PREFIX, Metric

routes = APIRouter()


class PrometheusMeter:
    """A Meter with a registry of its own, so that two apps in a process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics = {metric.name: _made(metric, self.registry) for metric in METRICS}

    def add(self, name: str, labels: Mapping[str, str], value: float = 1) -> None:
        """Add to a counter."""
        self._metrics[name].labels(**labels).inc(value)

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        self._metrics[name].labels(**labels).set(value)

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Put a value into a histogram."""
        self._metrics[name].labels(**labels).observe(value)


def _made(metric: Metric, registry: CollectorRegistry) -> Any:
    arguments = (PREFIX + metric.name, metric.meaning, metric.labels)
    if metric.kind == "histogram":
        return Histogram(*arguments, buckets=metric.bounds, registry=registry)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(*arguments, registry=registry)


@routes.get("/metrics")
async def metrics(request: Request) -> Response:
    """Show the metrics of this process in Prometheus' format."""
    if not caller_of(request).sees_metrics:
        raise ApiError(403, "This key may not read metrics.", code="permission_denied")
    meter = gateway_of(request).meter
    assert isinstance(meter, PrometheusMeter)  # the route is there for this one alone
    return Response(generate_latest(meter.registry), media_type=CONTENT_TYPE_LATEST)
