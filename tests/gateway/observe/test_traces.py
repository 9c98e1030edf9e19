"""Traces at a collector: a span for each request, below the client's, with its three phases."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import running, simulated

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "a secret"}], "max_tokens": 5}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Receives spans by OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> dict[str, Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return {
            span.name: span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def traced(collector: Collector, device: dict[str, Any] | None = None, **body: Any) -> Any:
    """Send a request; return its spans, which are exported when the gateway ends."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "mine"}
    with running(simulated(device, otlp_endpoint=collector.url)) as url:
        httpx.post(f"{url}/v1/chat/completions", json=CHAT | body, headers=headers)
    return collector.spans()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_a_request_is_a_span_below_the_clients(collector: Collector) -> None:
    span = traced(collector, ignore_eos=True)["generate sim"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    found = attributes(span)
    assert found["gen_ai.request.model"] == "sim"
    assert found["gen_ai.usage.output_tokens"] == 5
    assert (found["request.id"], found["neuron_gateway.outcome"]) == ("mine", "ok")


def test_queue_prefill_and_decode_follow_each_other_in_it(collector: Collector) -> None:
    spans = traced(collector, {"time_scale": 1})
    whole, *parts = (spans[name] for name in ("generate sim", "queue", "prefill", "decode"))
    assert all(part.parent_span_id == whole.span_id for part in parts)
    times = [whole.start_time_unix_nano, *(part.end_time_unix_nano for part in parts)]
    assert times == sorted(times)
    assert times[-1] == whole.end_time_unix_nano


def test_a_failure_is_marked(collector: Collector) -> None:
    span = traced(collector, {"faults": {"fail_at_token": 2}})["generate sim"]
    assert (span.status.code, span.status.message) == (2, "failed")


def test_no_prompt_and_no_answer_is_in_a_trace(collector: Collector) -> None:
    traced(collector)
    assert all(b"secret" not in body for body in collector.bodies)


def test_without_a_collector_nothing_is_traced(collector: Collector) -> None:
    with running(simulated()) as url:
        httpx.post(f"{url}/v1/chat/completions", json=CHAT)
    assert collector.bodies == []
