"""What is recorded of a request, and how its end is named."""

import asyncio
from typing import Any

import pytest

import engine.errors
from engine import EngineDead, EngineError, ModelInfo, QuotaExceeded, TokenDelta, Usage
from gateway.observe.metrics import OUTCOMES
from gateway.observe.prometheus import PrometheusMeter
from gateway.observe.request_record import RequestRecord, publish_metrics, recording

MODEL = ModelInfo(id="m", max_model_len=9, buckets=(64, 256))


def new_record(**fields: Any) -> RequestRecord:
    return RequestRecord(**{"model": MODEL, "key": "", "choices": 1, "streams": 1} | fields)


def last(prompt: int, queue: float = 0.0) -> TokenDelta:
    usage = Usage(prompt_tokens=prompt, completion_tokens=1, queue_seconds=queue)
    return TokenDelta(token_ids=(1,), finish_reason="stop", usage=usage)


def ended_by(error: BaseException) -> str:
    record = new_record()
    with pytest.raises(type(error)), recording(record, lambda _: None):
        raise error
    return record.outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (QuotaExceeded("", 1.0, "tokens"), "rate_limited"),
        (EngineDead(""), "unavailable"),
        (GeneratorExit(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyError(), "failed"),  # an answer that cannot be written
    ],
)
def test_an_outcome_is_named_by_the_error_that_ended_the_request(
    error: BaseException, outcome: str
) -> None:
    assert ended_by(error) == outcome


def test_every_error_of_an_engine_has_an_outcome_of_its_own() -> None:
    kinds = [kind for kind in vars(engine.errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, EngineError) and kind is not EngineError]
    outcomes = {kind.__name__: ended_by(kind.__new__(kind)) for kind in kinds}
    assert set(outcomes.values()) <= OUTCOMES.keys()
    assert [name for name, outcome in outcomes.items() if outcome == "failed"] == [
        "GenerationFailed"
    ]


def test_prompts_are_counted_once_and_padding_for_each_completion() -> None:
    record = new_record(choices=2, streams=4)
    for index, prompt in enumerate((60, 60, 100, 100)):
        record.take(index, last(prompt, queue=index + 1.0))
    assert (record.prompt_tokens, record.output_tokens) == (160, 4)
    assert record.padding_tokens == 2 * (64 - 60) + 2 * (256 - 100)
    assert record.queue_time == 1.0


def test_times_are_those_of_one_completion() -> None:
    record = new_record(streams=2, started_at=10.0, output_tokens=20)
    record.first_token_at, record.ended_at = 11.0, 20.0
    assert (record.ttft, record.tpot) == (1.0, 1.0)
    assert new_record(started_at=10.0).log_fields()["ttft_seconds"] is None


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_published_once(outcome: str) -> None:
    meter = PrometheusMeter()
    record = new_record()
    record.outcome = outcome
    publish_metrics(record, meter)
    text = meter.exposition().decode()
    assert f'requests_total{{key="",model="m",outcome="{outcome}"}} 1.0' in text
    assert ('aborts_total{model="m"} 1.0' in text) == (outcome == "cancelled")
    assert ('e2e_seconds_count{model="m"} 1.0' in text) == (outcome == "ok")
