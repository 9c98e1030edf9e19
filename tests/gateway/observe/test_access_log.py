"""The line of a request in the log, and its response by route."""

import json
import logging
import re

import httpx
import pytest

from tests.conftest import Serve, wait_until

CHAT = {
    "model": "sim",
    "messages": [{"role": "user", "content": "a secret"}],
    "max_tokens": 10,
    "ignore_eos": True,
}


def test_a_line_has_the_figures_of_its_request_and_no_prompt(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve()
    with caplog.at_level(logging.INFO, "gateway.observe.access_log"):
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT)
        wait_until(lambda: bool(caplog.messages))
    entry = json.loads(caplog.messages[-1])
    assert entry["request_id"] == answer.headers["x-request-id"]
    expected = {"model": "sim", "key": "", "outcome": "ok", "output_tokens": 10, "status": 200}
    assert entry.items() >= expected.items()
    assert entry.keys() >= {"prompt_tokens", "queue_time_seconds", "ttft_seconds", "tpot_seconds"}
    assert "secret" not in caplog.text
    assert answer.json()["choices"][0]["message"]["content"] not in caplog.text


def test_unknown_paths_make_no_labels(serve: Serve) -> None:
    url = serve()
    for name in ("a", "b"):
        httpx.get(f"{url}/{name}")
    samples = httpx.get(f"{url}/metrics").text
    responses = re.findall(r"http_responses_total\{(.*)\} (\S+)", samples)
    assert responses == [('method="GET",path="other",status="404"', "2.0")]
