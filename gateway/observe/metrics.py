"""The one table of metrics, and the `Meter` protocol that takes their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

PREFIX: Final = "neuron_gateway_"
SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0
)  # fmt: skip
TOKEN_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0
)  # fmt: skip
OUTCOMES: Final = {
    "ok": "answered to its end",
    "cancelled": "the client disconnected",
    "invalid": "the request cannot be served as it is (400)",
    "overloaded": "no slot would be free in time (429)",
    "rate_limited": "the key used up its limits (429)",
    "timeout": "a time limit was reached (504)",
    "unavailable": "the engine died or was not ready (503)",
    "failed": "the engine failed on this request (500)",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` is without the prefix, and a histogram has bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()


_BY_MODEL: Final = ("model",)
_BY_KEY: Final = ("model", "key")
METRICS: Final = (
    Metric("requests_total", "counter", (*_BY_KEY, "outcome"), "requests that ended"),
    Metric("http_responses_total", "counter", ("method", "path", "status"), "HTTP responses"),
    Metric("ignored_fields_total", "counter", ("field",), "request fields taken without effect"),
    Metric("prompt_tokens_total", "counter", _BY_KEY, "prompt tokens of answered requests"),
    Metric("output_tokens_total", "counter", _BY_KEY, "generated tokens, sent or not"),
    Metric("padding_tokens_total", "counter", _BY_MODEL, "padding of prompts to their bucket"),
    Metric("aborts_total", "counter", _BY_MODEL, "requests whose client disconnected"),
    Metric("retries_total", "counter", _BY_MODEL, "requests sent again to another replica"),
    Metric("resumes_total", "counter", _BY_MODEL, "streams continued on another replica"),
    Metric("queue_time_seconds", "histogram", _BY_MODEL, "time in the queue", SECONDS),
    Metric("ttft_seconds", "histogram", _BY_MODEL, "time to first token", SECONDS),
    Metric("tpot_seconds", "histogram", _BY_MODEL, "time per token after it", TOKEN_SECONDS),
    Metric("e2e_seconds", "histogram", _BY_MODEL, "time of a whole answered request", SECONDS),
    Metric("requests_waiting", "gauge", _BY_MODEL, "requests in the queue"),
    Metric("requests_running", "gauge", _BY_MODEL, "requests in a slot"),
    Metric("slots", "gauge", _BY_MODEL, "slots of the engine"),
    Metric("slots_free", "gauge", _BY_MODEL, "slots without a request"),
    Metric("phase", "gauge", (*_BY_MODEL, "phase"), "1 for the phase that the engine is in"),
)


class Meter(Protocol):
    """Takes values by the names of the table."""

    def add(self, name: str, labels: Mapping[str, str], value: float = 1) -> None:
        """Add to a counter."""

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add a value to a histogram."""
