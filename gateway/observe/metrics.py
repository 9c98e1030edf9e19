"""What is measured: the one table of metrics, and the `Meter` that takes the figures."""

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
    "left": "the client left",
    "refused": "the request cannot be served as it is (400)",
    "overloaded": "no place was free in time (429)",
    "quota": "the key used up its limits (429)",
    "late": "a time limit was reached (504)",
    "dead": "the engine died or was not ready (503)",
    "failed": "the engine failed on this request (500)",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` is without the prefix, a histogram has bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()


_BY_KEY: Final = ("model", "key")
METRICS: Final = (
    Metric("requests_total", "counter", ("model", "key", "outcome"), "requests that ended"),
    Metric("http_responses_total", "counter", ("method", "path", "status"), "HTTP answers"),
    Metric("prompt_tokens_total", "counter", _BY_KEY, "tokens of prompts that were answered"),
    Metric("output_tokens_total", "counter", _BY_KEY, "tokens that were made, sent or not"),
    Metric("padding_tokens_total", "counter", ("model",), "padding of prompts to their bucket"),
    Metric("aborts_total", "counter", ("model",), "requests whose client left before the end"),
    Metric("retries_total", "counter", ("model",), "requests begun anew on another replica"),
    Metric("resumes_total", "counter", ("model",), "streams continued on another replica"),
    Metric("queue_seconds", "histogram", ("model",), "wait for a place", SECONDS),
    Metric("ttft_seconds", "histogram", ("model",), "time to first token", SECONDS),
    Metric(
        "tpot_seconds", "histogram", ("model",), "time per output token after it", TOKEN_SECONDS
    ),
    Metric("e2e_seconds", "histogram", ("model",), "whole request, answered to its end", SECONDS),
    Metric("waiting", "gauge", ("model",), "requests that wait for a place"),
    Metric("running", "gauge", ("model",), "requests that have a slot"),
    Metric("slots", "gauge", ("model",), "slots of the engine"),
    Metric("slots_free", "gauge", ("model",), "slots that nobody has"),
    Metric("phase", "gauge", ("model", "phase"), "1 for the phase the engine is in"),
)


class Meter(Protocol):
    """Takes figures by the names of the table."""

    def add(self, name: str, labels: Mapping[str, str], value: float = 1) -> None:
        """Add to a counter."""

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Put a value into a histogram."""


def markdown() -> str:
    """Write the table as the documentation shows it."""
    rows = [
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
        *(
            f"| `{PREFIX}{m.name}` | {m.kind} | {', '.join(f'`{n}`' for n in m.labels)} "
            f"| {m.meaning} |"
            for m in METRICS
        ),
    ]
    outcomes = [f"`{name}`: {meaning}" for name, meaning in OUTCOMES.items()]
    return "\n".join((*rows, "", f"Outcomes: {'; '.join(outcomes)}."))
