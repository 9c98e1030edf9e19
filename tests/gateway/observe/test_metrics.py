"""The metrics of requests, as `/metrics` shows them."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.keys.store import new_key
from gateway.observe.metrics import METRICS, PREFIX
from tests.conftest import Serve, wait_until

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "a secret"}], "max_tokens": 10}
SLOW = {"time_scale": 1, "prefill_base_ms": 0, "decode_base_ms": 20, "decode_ms_per_slot": 0}


def post(url: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json=CHAT | fields, timeout=10)


def figures(url: str) -> dict[tuple[str, ...], float]:
    """Return every sample, by its name and the values of its labels."""
    text = httpx.get(f"{url}/metrics").text
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_the_table_is_shown_and_no_other(serve: Serve) -> None:
    url = serve()
    post(url)
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    shown = {f.name for f in families if not f.name.endswith("_created")}
    assert shown == {(PREFIX + metric.name).removesuffix("_total") for metric in METRICS}


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_counted_with_its_tokens_and_its_times(serve: Serve, stream: bool) -> None:
    url = serve(SLOW | {"prefill_buckets": [64, 4096]})
    post(url, stream=stream, ignore_eos=True)
    seen = figures(url)
    assert seen["requests_total", "", "sim", "ok"] == 1
    assert seen["output_tokens_total", "", "sim"] == 10
    prompt = seen["prompt_tokens_total", "", "sim"]
    assert prompt > 0
    assert seen["padding_tokens_total", "sim"] == 64 - prompt
    assert seen["ttft_seconds_count", "sim"] == seen["e2e_seconds_count", "sim"] == 1
    assert seen["queue_time_seconds_count", "sim"] == 1
    assert 0.015 < seen["tpot_seconds_sum", "sim"] < 0.08
    assert seen["http_responses_total", "POST", "/v1/chat/completions", "200"] == 1


def test_a_request_of_many_choices_is_one(serve: Serve) -> None:
    url = serve()
    post(url, n=3, ignore_eos=True)
    assert figures(url)["requests_total", "", "sim", "ok"] == 1
    assert figures(url)["output_tokens_total", "", "sim"] == 30


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an engine that fails": ({"faults": {"fail_at_token": 2}}, {}, "failed"),
    "an engine that dies": ({"faults": {"die_at_token": 2}}, {}, "unavailable"),
    "an engine that stalls": (
        {"faults": {"stall_at_token": 2}},
        {"inter_token_timeout_seconds": 0.2},
        "timeout",
    ),
}


@pytest.mark.parametrize(("device", "limits", "outcome"), FAULTS.values(), ids=FAULTS)
def test_a_failure_is_counted_by_its_outcome(
    serve: Serve, device: dict[str, Any], limits: dict[str, Any], outcome: str
) -> None:
    url = serve(device, limits=limits)
    post(url)
    assert figures(url)["requests_total", "", "sim", outcome] == 1


def test_a_request_that_does_not_fit_is_counted_as_invalid(serve: Serve) -> None:
    url = serve()
    post(url, messages=[{"role": "user", "content": "x " * 9000}])
    assert figures(url)["requests_total", "", "sim", "invalid"] == 1


def test_overload_is_counted(serve: Serve) -> None:
    limits = {"engine_queue_depth": 0, "max_queued": 0}
    url = serve(SLOW, engine={"max_num_seqs": 1}, limits=limits)
    post(url, n=1, max_tokens=1)
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json=CHAT | {"stream": True, "ignore_eos": True}
    ) as busy:
        lines = busy.iter_lines()
        next(lines)
        assert post(url).status_code == 429
        assert figures(url)["requests_total", "", "sim", "overloaded"] == 1


def test_the_holder_of_a_key_is_a_label_and_never_the_key(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    key = new_key(file, "alice", requests_per_minute=1)
    operator = {"authorization": f"Bearer {new_key(file, 'operator', metrics=True)}"}
    url = serve(keys_file=str(file))
    headers = {"authorization": f"Bearer {key}"}
    for _ in range(2):
        httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=headers)
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(f"{url}/metrics", headers=headers).status_code == 403
    text = httpx.get(f"{url}/metrics", headers=operator).text
    assert re.search(r'requests_total\{key="alice",model="sim",outcome="ok"\} 1\.0', text)
    assert re.search(r'requests_total\{key="alice",model="sim",outcome="rate_limited"\} 1\.0', text)
    assert key not in text


def test_a_client_that_disconnects_is_an_abort(serve: Serve) -> None:
    url = serve(SLOW)
    body = CHAT | {"stream": True, "max_tokens": 500, "ignore_eos": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        wait_until(lambda: figures(url).get(("requests_running", "sim")) == 1)
    wait_until(lambda: figures(url).get(("aborts_total", "sim")) == 1)
    wait_until(lambda: figures(url)["requests_running", "sim"] == 0)
    assert figures(url)["slots", "sim"] == figures(url)["slots_free", "sim"] == 4
    assert figures(url)["phase", "sim", "ready"] == 1


def test_time_per_token_is_that_of_one_completion_of_many(serve: Serve) -> None:
    url = serve(SLOW, engine={"max_num_seqs": 8})
    body = {"model": "sim", "prompt": ["a"] * 8, "max_tokens": 10, "ignore_eos": True}
    httpx.post(f"{url}/v1/completions", json=body, timeout=10)
    assert figures(url)["tpot_seconds_sum", "sim"] > 0.015


def test_a_client_that_disconnects_from_a_whole_response_is_an_abort_too(serve: Serve) -> None:
    url = serve(SLOW)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{url}/v1/chat/completions",
            json=CHAT | {"max_tokens": 500, "ignore_eos": True},
            timeout=0.5,
        )
    wait_until(lambda: figures(url).get(("requests_total", "", "sim", "cancelled")) == 1)
