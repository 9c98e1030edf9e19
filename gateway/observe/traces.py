"""OpenTelemetry traces: a span for each request, with child spans for queue, prefill, decode."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.observe.request_record import RequestRecord

SERVICE: Final = "neuron-gateway"


class Tracer:
    """Exports records by OTLP over HTTP; needs the extra `[traces]`.

    Spans are created when the request has ended, from the times of its record.
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
        """Create the spans of a request; their parent is the W3C trace context of the headers."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        parent = self._propagator.extract(dict(headers))
        attributes = _attributes(record) | {"request.id": request_id}
        span = self._span(f"generate {record.model.id}", record.started_at, parent, attributes)
        context = set_span_in_context(span)
        for name, start, end in _phases(record):
            self._span(name, start, context, {}).end(_nanoseconds(end))
        if record.outcome not in ("ok", "cancelled"):
            span.set_status(Status(StatusCode.ERROR, record.outcome))
        span.end(_nanoseconds(record.ended_at))

    def close(self) -> None:
        """Export what is left, and stop."""
        self._provider.shutdown()

    def _span(self, name: str, start: float, context: Any, attributes: dict[str, Any]) -> Any:
        return self._tracer.start_span(
            name, context, attributes=attributes, start_time=_nanoseconds(start)
        )


def _phases(record: RequestRecord) -> list[tuple[str, float, float]]:
    admitted_at = record.started_at + record.queue_time
    if record.first_token_at is None:
        return [("queue", record.started_at, admitted_at)] if record.queue_time else []
    return [
        ("queue", record.started_at, admitted_at),
        ("prefill", admitted_at, record.first_token_at),
        ("decode", record.first_token_at, record.ended_at),
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


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
