"""OpenTelemetry traces: a span for each request; in it its queue, its prefill and its decode."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from gateway.observe.request_record import RequestRecord

SERVICE: Final = "neuron-gateway"


class Tracer(Protocol):
    """Takes the record of a request that has ended."""

    def trace(self, record: RequestRecord, headers: Mapping[str, str], request_id: str) -> None:
        """Make its spans; the W3C context of the headers is their parent."""

    def close(self) -> None:
        """Send what is left."""


class OtlpTracer:
    """A Tracer that sends to a collector by OTLP over HTTP; needs the extra `[traces]`.

    Spans are made when the request has ended, from its times: the hot path knows nothing of them.
    """

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": SERVICE})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)
        self._propagator = TraceContextTextMapPropagator()

    def trace(self, record: RequestRecord, headers: Mapping[str, str], request_id: str) -> None:
        """Make a request's spans."""
        parent = self._propagator.extract(dict(headers))
        attributes = _attributes(record) | {"request.id": request_id}
        whole = self._span(f"generate {record.model.id}", record.begun, parent, attributes)
        context = _context_of(whole)
        for name, begun, ended in _parts(record):
            self._span(name, begun, context, {}).end(_nanoseconds(ended))
        if record.outcome not in ("ok", "left"):
            _mark_failed(whole, record.outcome)
        whole.end(_nanoseconds(record.ended))

    def close(self) -> None:
        """Send what is left, and end."""
        self._provider.shutdown()

    def _span(self, name: str, begun: float, context: Any, attributes: dict[str, Any]) -> Any:
        return self._tracer.start_span(
            name, context, attributes=attributes, start_time=_nanoseconds(begun)
        )


def make_tracer(endpoint: str | None) -> Tracer | None:
    """Make a tracer where there is a collector."""
    return OtlpTracer(endpoint) if endpoint else None


def _parts(record: RequestRecord) -> list[tuple[str, float, float]]:
    placed = record.begun + record.queued
    if record.first is None:
        return [("queue", record.begun, placed)] if record.queued else []
    return [
        ("queue", record.begun, placed),
        ("prefill", placed, record.first),
        ("decode", record.first, record.ended),
    ]


def _attributes(record: RequestRecord) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": record.model.id,
        "gen_ai.request.choice.count": record.choices,
        "gen_ai.usage.input_tokens": record.prompt_tokens,
        "gen_ai.usage.output_tokens": record.output_tokens,
        "neuron_gateway.key": record.key,
        "neuron_gateway.outcome": record.outcome,
    }


def _context_of(span: Any) -> Any:
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span)


def _mark_failed(span: Any, outcome: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, outcome))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
